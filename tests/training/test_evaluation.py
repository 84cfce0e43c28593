import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.config import Params
from containerid.training import evaluate, evaluation
from containerid.training.evaluation import Passes, parts, write_text
from containerid.training.hardware import Hardware


def passes(**changed) -> Passes:
    seen = pictures(30, classes=2, seed=1)
    measured = SimpleNamespace(names={0: "door", 1: "handle"}, box=SimpleNamespace(ap_class_index=np.array([])))
    given = {"split": "test", "measured": measured, "first": seen, "second": None, "confidence": 0.4, "iou": 0.45}
    return Passes(**{**given, "recall": 0.95, "seed": 0, **changed})


def test_without_a_second_pass_the_first_tells_of_the_operating_point(tmp_path: Path) -> None:
    one = passes()
    two = passes(second=[each.above(0.4) for each in one.first])
    told = [parts(each, tmp_path, tmp_path)["operating point"]()["operating"] for each in (one, two)]
    assert [each.pop("nms_iou") for each in told] == [0.7, 0.45]
    assert told[0] == told[1]
    assert 0 < told[0]["precision"] < 1


def test_intervals_stand_around_the_operating_point(tmp_path: Path) -> None:
    made = parts(passes(), tmp_path, tmp_path)
    operating, found = made["operating point"]()["operating"], made["confidence intervals"]()["intervals"]
    for name in ("precision", "recall"):
        assert found[name]["value"] == pytest.approx(operating[name], abs=1e-4)


class Model:
    """Remembers what a validation was asked for, and sees nothing."""

    task = "detect"

    def __init__(self) -> None:
        self.task_map = {"detect": {"validator": object}}
        self.asked: list[dict[str, Any]] = []

    def val(self, **asked: Any) -> Any:
        self.asked.append(asked)
        return SimpleNamespace(results_dict={}, speed={})


def test_the_metrics_have_their_own_thresholds_and_the_operating_point_those_of_the_parameters(tmp_path: Path) -> None:
    asked = {"validation": {"conf_threshold": 0.37, "iou_threshold": 0.53}, "training": {"classes": [2]}}
    session: Any = SimpleNamespace(
        params=Params.from_dict(asked), hardware=Hardware("cpu", "CPU"), batch=8, view=tmp_path / "data.yaml",
        place=SimpleNamespace(scratch=tmp_path / "scratch"), out=tmp_path,
    )  # fmt: skip
    model = Model()
    first = evaluate._look(session, model, "test", tmp_path)
    evaluate._second(session, model, "test", first)
    assert not {"conf", "iou"} & set(model.asked[0])
    assert (model.asked[1]["conf"], model.asked[1]["iou"]) == (0.37, 0.53)
    assert [each["classes"] for each in model.asked] == [[2], [2]]
    found = evaluate._passes(session, "test", first, None)
    assert (found.confidence, found.iou, found.recall) == (0.37, 0.53, 0.95)


def test_the_operating_point_is_counted_at_its_confidence(tmp_path: Path) -> None:
    for confidence in (0.2, 0.6):
        one = passes(confidence=confidence)
        told = parts(one, tmp_path, tmp_path)["operating point"]()["operating"]
        said = sum((each.confidences > confidence).sum() for each in one.first)
        assert (told["confidence"], told["true"] + told["false"]) == (confidence, said)


def test_a_split_without_a_true_box_has_no_curves(tmp_path: Path) -> None:
    assert parts(passes(), tmp_path, tmp_path)["curves"]() == {}


def test_what_is_no_number_is_null() -> None:
    text = write_text({"a": float("nan"), "b": [np.float64("inf"), 1.5], "c": {"d": (1, None, "x")}})
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": {"d": [1, None, "x"]}}


def crowded(boxes: int, classes: int) -> dict[str, object]:
    box = {"class": 0, "box": [0.1234] * 4, "confidence": 0.987, "kind": "confused"}
    worst = [{"image": "a.jpg", "true": [dict(box)] * boxes, "predicted": [dict(box)] * boxes, "left_out": 0}]
    curve = {"precision": [0.1234] * 101, "recall": [0.1234] * 101, "f1": [0.1234] * 101, "pr": [0.1234] * 101}
    return {
        "version": 1,
        "curves": {**curve, "classes": [curve] * min(classes, 20)},
        "confusion": {"matrix": [[7.0] * classes] * classes},
        "mistakes": {"worst": json.loads(json.dumps(worst * 12))},
    }


@pytest.mark.parametrize(
    ("boxes", "classes", "left"),
    [
        (20, 20, {"classes": True, "boxes": 20, "matrix": True}),
        (80, 20, {"classes": False, "boxes": 80, "matrix": True}),
        (100, 150, {"classes": False, "boxes": 30, "matrix": True}),
        (100, 400, {"classes": False, "boxes": 30, "matrix": False}),
    ],
)
def test_a_large_document_sheds_the_least_first(boxes: int, classes: int, left: dict[str, object]) -> None:
    text = write_text(crowded(boxes, classes))
    assert len(text) <= evaluation._LIMIT
    told = json.loads(text)
    worst = told["mistakes"]["worst"][0]
    found = {"classes": "classes" in told["curves"], "boxes": len(worst["true"]), "matrix": "confusion" in told}
    assert found == left
    assert worst["left_out"] == 2 * (boxes - len(worst["true"]))


def test_what_was_measured_is_not_changed_by_what_is_written() -> None:
    document = crowded(100, 400)
    before = json.dumps(document)
    write_text(document)
    assert json.dumps(document) == before
