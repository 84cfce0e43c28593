import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.training import evaluation
from containerid.training.evaluation import Passes, parts, write_text


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
