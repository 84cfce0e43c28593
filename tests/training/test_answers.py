"""What a classifier's answers tell."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from containerid.training import answers, intervals
from containerid.training.answers import Answers, Heard

pytest.importorskip("PIL")
NAMES = ("a", "b", "c")
CHANCES = [
    [0.9, 0.1, 0.0],
    [0.6, 0.4, 0.0],
    [0.95, 0.03, 0.02],
    [0.2, 0.7, 0.1],
    [0.5, 0.1, 0.4],
    [0.1, 0.85, 0.05],
]
TRUE = [0, 0, 1, 1, 2, 1]


@pytest.fixture
def heard(tmp_path: Path) -> Answers:
    from PIL import Image

    images = [tmp_path / f"set/test/{NAMES[true]}/{number}.png" for number, true in enumerate(TRUE)]
    for image in images:
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (640, 320)).save(image)
    return Answers(images, np.array(CHANCES, np.float32), np.array(TRUE), NAMES)


def parts(heard: Answers, tmp_path: Path) -> dict[str, Any]:
    made = answers.parts(heard, tmp_path / "set", tmp_path / "out", "test", seed=0)
    return {key: value for make in made.values() for key, value in make().items()}


def test_the_matrix_has_what_was_said_in_rows_and_what_is_true_in_columns(heard: Answers, tmp_path: Path) -> None:
    told = parts(heard, tmp_path)
    assert told["confusion"] == {"names": list(NAMES), "matrix": [[2, 1, 1], [0, 2, 0], [0, 0, 0]]}
    assert heard.metrics() == {"accuracy_top1": pytest.approx(4 / 6), "accuracy_top5": 1.0}


def test_each_class_has_precision_and_recall(heard: Answers, tmp_path: Path) -> None:
    first, second, third = parts(heard, tmp_path)["per_class"]
    assert first == {"index": 0, "name": "a", "images": 2, "precision": 0.5, "recall": 1.0, "f1": 0.6667}
    assert (second["precision"], second["recall"], second["f1"]) == (1.0, 0.6667, 0.8)
    assert (third["images"], third["precision"], third["recall"], third["f1"]) == (1, 0.0, 0.0, 0.0)


def test_a_class_without_images_is_left_out() -> None:
    assert [row["name"] for row in answers.per_class(np.array([[3, 0], [1, 0]]), ("a", "b"))] == ["a"]


def test_more_confidence_is_fewer_answers_that_are_right_more_often(heard: Answers) -> None:
    found = answers.curves(heard)
    assert len(found["confidence"]) == 101
    at = {confidence: found["confidence"].index(confidence) for confidence in (0.0, 0.65, 0.92, 1.0)}
    assert [found["answered"][at[each]] for each in at] == [1.0, 0.6667, 0.1667, 0.0]
    assert [found["accuracy"][at[each]] for each in at] == [0.6667, 0.75, 0.0, None]


def test_the_mistakes_that_the_model_is_surest_of_come_first_with_a_picture(heard: Answers, tmp_path: Path) -> None:
    told = parts(heard, tmp_path)["mistakes"]
    assert (told["images_with_errors"], told["sure"]) == (2, 1)
    first, second = told["worst"]
    assert first == {
        "image": "test/b/2.png", "score": 0.92, "true": "b", "predicted": "a", "confidence": 0.95, "chance": 0.03,
        "picture": "test/worst/01.jpg", "width": 480, "height": 240,
    }  # fmt: skip
    assert (second["image"], second["true"], second["predicted"]) == ("test/c/4.png", "c", "a")
    assert sorted(path.name for path in (tmp_path / "out/test/worst").iterdir()) == ["01.jpg", "02.jpg"]


def test_the_true_class_among_the_five_likeliest_is_right_too() -> None:
    chances = np.array([[0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]] * 2, np.float32)
    found = Answers([Path("x"), Path("y")], chances, np.array([4, 5]), list("abcdefg"))
    assert found.among_five.tolist() == [True, False]
    assert found.metrics() == {"accuracy_top1": 0.0, "accuracy_top5": 0.5}


def test_intervals_hold_what_was_measured_and_get_narrower_with_more_images() -> None:
    chance = np.random.default_rng(1)
    widths = []
    for count in (40, 4000):
        true = chance.integers(0, 3, count)
        said = np.where(chance.random(count) < 0.8, true, (true + 1) % 3)
        found = intervals.of_classes(said, true, said == true, 3, seed=0)
        it = found["accuracy_top1"]
        assert it["value"] == pytest.approx(float((said == true).mean()), abs=1e-6)
        assert it["low"] < it["value"] < it["high"]
        assert all(
            each[name]["low"] <= each[name]["value"] <= each[name]["high"]
            for each in found["per_class"]
            for name in each
        )
        widths.append(it["high"] - it["low"])
    assert widths[1] < 0.2 * widths[0]


def test_an_interval_of_accuracy_covers_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(40):
        right = np.random.default_rng(seed).random(80) < 0.7
        it = intervals.of_classes(right.astype(np.int64), np.ones(80, np.int64), right, 2, seed)["accuracy_top1"]
        held += it["low"] <= 0.7 <= it["high"]
    assert 34 <= held <= 40


def test_a_class_that_was_never_said_has_no_interval_of_precision() -> None:
    found = intervals.of_classes(np.zeros(20, np.int64), np.arange(20) % 2, np.ones(20, bool), 2, 0)
    assert found["per_class"][1]["precision"] is None
    assert found["per_class"][1]["recall"] == {"value": 0, "low": 0, "high": 0}


def test_a_huge_set_is_not_drawn_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_WORK", 1000)
    with pytest.raises(intervals.TooMuch, match="20 images are too many"):
        intervals.of_classes(np.zeros(20, np.int64), np.zeros(20, np.int64), np.ones(20, bool), 2, 0)


def test_what_a_validator_hears_is_kept_and_its_own_numbers_are_not_touched() -> None:
    torch = pytest.importorskip("torch")

    class Validator:
        dataloader = SimpleNamespace(dataset=SimpleNamespace(samples=[("x.jpg", 0), ("y.jpg", 1)]))

        def __init__(self) -> None:
            self.batches = 0

        def update_metrics(self, preds: Any, batch: Any) -> None:
            self.batches += 1

    heard = Heard()
    validator = answers.hearing(Validator, heard)()
    validator.update_metrics(torch.tensor([[0.9, 0.1]]), {"cls": torch.tensor([0])})
    assert heard.answers(("a", "b")) is None, "one image has no answer yet"
    validator.update_metrics(torch.tensor([[0.6, 0.4]]), {"cls": torch.tensor([1])})
    found = heard.answers(("a", "b"))
    assert found is not None
    assert (found.said.tolist(), found.true.tolist(), list(found.images)) == (
        [0, 0],
        [0, 1],
        [Path("x.jpg"), Path("y.jpg")],
    )
    assert (validator.batches, heard.fault) == (2, "")
    validator.update_metrics(None, {})
    assert heard.fault.startswith("AttributeError")
