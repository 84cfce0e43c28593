from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.training import mistakes
from containerid.training.sightings import Sighting

cv2 = pytest.importorskip("cv2")
pytest.importorskip("ultralytics.utils.patches")


def sighting(image: Path, *, right: int = 0, false: tuple[float, ...] = (), missed: int = 0, beside: bool = False):
    confidences = np.array([0.99] * right + list(false))
    correct = np.repeat(np.arange(len(confidences)) < right, 10).reshape(-1, 10)
    return Sighting(
        image,
        np.tile([0.1, 0.2, 0.3, 0.4], (len(confidences), 1)),
        confidences,
        np.zeros(len(confidences), dtype=np.int64),
        correct,
        np.array([False] * right + [beside] * len(false), dtype=bool),
        np.tile([0.5, 0.5, 0.7, 0.7], (right + missed, 1)),
        np.zeros(right + missed, dtype=np.int64),
        np.array([*range(right), *[-1] * missed]),
    )


@pytest.fixture
def view(tmp_path: Path) -> Path:
    folder = tmp_path / "view/images/test"
    folder.mkdir(parents=True)
    for name, shape in (("a b.jpg", (960, 1280, 3)), ("c.jpg", (100, 50, 3)), ("d.jpg", (64, 64, 3))):
        (folder / name).write_bytes(cv2.imencode(".jpg", np.full(shape, 90, dtype=np.uint8))[1].tobytes())
    return tmp_path / "view"


def test_the_worst_come_first_and_the_good_not_at_all(view: Path) -> None:
    images = view / "images/test"
    seen = [
        sighting(images / "good.jpg", right=3),
        sighting(images / "unsure.jpg", false=(0.3, 0.3)),
        sighting(images / "blind.jpg", missed=2),
        sighting(images / "sure.jpg", right=1, false=(0.9, 0.8)),
    ]
    found = mistakes.find(seen)
    assert [each.sighting.image.stem for each in found] == ["blind", "sure", "unsure"]
    assert [each.score for each in found] == [2, 1.7, 0.6]
    assert [each.sure for each in found] == [0, 1, 0], "a confidence of 0.9 may mean that a label is missing"


def test_pictures_are_small_and_nothing_is_drawn_on_them(view: Path, tmp_path: Path) -> None:
    images = view / "images/test"
    seen = [sighting(images / "a b.jpg", right=1, missed=1), sighting(images / "c.jpg", false=(0.5,), beside=True)]
    out = tmp_path / "out"
    told = mistakes.describe(mistakes.find(seen), view, out, "test")
    assert {key: told[key] for key in ("images_with_errors", "missed", "false", "confused")} == {
        "images_with_errors": 2, "missed": 1, "false": 1, "confused": 1,
    }  # fmt: skip
    first, second = told["worst"]
    assert (first["image"], first["picture"]) == ("images/test/a b.jpg", "test/worst/01.jpg")
    assert (first["width"], first["height"], second["width"], second["height"]) == (480, 360, 50, 100)
    assert first["true"] == [
        {"class": 0, "box": [0.5, 0.5, 0.7, 0.7], "found": False},
        {"class": 0, "box": [0.5, 0.5, 0.7, 0.7], "found": True},
    ]
    assert second["predicted"] == [{"class": 0, "box": [0.1, 0.2, 0.3, 0.4], "confidence": 0.5, "kind": "confused"}]
    picture = cv2.imread(str(out / first["picture"]))
    assert picture.shape == (360, 480, 3)
    assert np.ptp(picture) < 6


def test_a_dozen_have_pictures_and_sixty_are_named(view: Path, tmp_path: Path) -> None:
    seen = [sighting(view / "images/test/d.jpg", missed=1 + number % 3) for number in range(80)]
    told = mistakes.describe(mistakes.find(seen), view, tmp_path, "val")
    assert (told["images_with_errors"], len(told["worst"])) == (80, 60)
    assert [("picture" in each, "true" in each) for each in told["worst"]] == [(True, True)] * 12 + [
        (False, False)
    ] * 48
    assert len(list((tmp_path / "val/worst").iterdir())) == 12


def test_the_pictures_of_an_earlier_attempt_are_gone(view: Path, tmp_path: Path) -> None:
    for count in (3, 1):
        seen = [sighting(view / "images/test/d.jpg", missed=1) for _ in range(count)]
        mistakes.describe(mistakes.find(seen), view, tmp_path, "test")
    assert [path.name for path in (tmp_path / "test/worst").iterdir()] == ["01.jpg"]


def test_of_a_crowd_the_errors_are_kept(view: Path, tmp_path: Path) -> None:
    crowd = sighting(view / "images/test/d.jpg", right=300, false=(0.4,) * 7, missed=5)
    (worst,) = mistakes.describe(mistakes.find([crowd]), view, tmp_path, "test")["worst"]
    assert sum(not each["found"] for each in worst["true"]) == 5
    assert sum(each["kind"] == "false" for each in worst["predicted"]) == 7
    assert (len(worst["true"]), len(worst["predicted"]), worst["left_out"]) == (100, 100, 305 + 307 - 200)


def test_an_image_that_cannot_be_read_has_boxes_and_no_picture(view: Path, tmp_path: Path) -> None:
    (view / "images/test/c.jpg").write_bytes(b"no image")
    (worst,) = mistakes.describe(
        mistakes.find([sighting(view / "images/test/c.jpg", missed=1)]), view, tmp_path, "test"
    )["worst"]
    assert ("picture" in worst, len(worst["true"])) == (False, 1)


def test_mistakes_are_those_of_the_operating_point() -> None:
    seen = pictures(20, seed=8)
    low, high = (mistakes.find([each.above(limit) for each in seen]) for limit in (0.0, 0.6))
    assert sum(each.false for each in low) > sum(each.false for each in high)
    assert sum(each.missed for each in low) < sum(each.missed for each in high)
    everything = [
        replace(each, correct=np.ones_like(each.correct), found_by=np.zeros_like(each.found_by)) for each in seen
    ]
    assert mistakes.find(everything) == []
