from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.training import sightings
from containerid.training.sightings import Watch, claims, count, watching

torch = pytest.importorskip("torch")
pytest.importorskip("ultralytics.utils.ops")


def test_the_most_confident_prediction_chooses_its_box_first():
    overlap = np.array([[0.6, 0.9, 0.0], [0.0, 0.7, 0.4]])
    assert claims(overlap).tolist() == [0, 1], "the first takes the only box it can; the second what is left"
    assert claims(np.array([[0.49, 0.0]])).tolist() == [-1]
    assert claims(np.zeros((2, 0))).tolist() == [-1, -1]


def test_less_confident_predictions_take_nothing():
    for each in pictures(20, classes=2, seed=4):
        left = each.above(0.5)
        assert (left.confidences > 0.5).all()
        assert len(left.boxes) == len(left.correct) == len(left.classes) == len(left.confidences)
        for before, after in zip(each.found_by, left.found_by, strict=True):
            kept = before >= 0 and each.confidences[before] > 0.5
            assert (after >= 0) == kept
            if kept:
                assert left.confidences[after] == each.confidences[before]


def test_right_false_and_missed_boxes_add_up():
    seen = pictures(30, classes=3, seed=2)
    counts = count(seen, 3)
    for row, each in zip(counts, seen, strict=True):
        assert row[:, :2].sum() == len(each.classes)
        assert row[:, 2].sum() == (each.found_by < 0).sum()
    assert counts.sum(0)[:, 2].all()


class Validator:
    """As Ultralytics' own: matches, and gives the matrix of what is right."""

    def __init__(self) -> None:
        self.args = SimpleNamespace(plots=False, conf=0.25)
        self.confusion_matrix = SimpleNamespace(process_batch=lambda *given, **more: self.confused.append(more))
        self.confused: list[dict[str, float]] = []

    def match_predictions(self, predicted, true, iou):
        return (iou.max(0).values[:, None] >= torch.linspace(0.5, 0.95, 10)).numpy()

    def _process_batch(self, preds, batch):
        iou = torch.tensor([[0.8, 0.6, 0.0], [0.0, 0.0, 0.0]])
        if not len(preds["cls"]):
            return {"tp": np.zeros((0, 10), dtype=bool)}
        return {"tp": self.match_predictions(preds["cls"], batch["cls"], iou)}


BATCH = {
    "cls": torch.tensor([0.0, 1.0]),
    "bboxes": torch.tensor([[16.0, 16.0, 48.0, 48.0], [0.0, 16.0, 8.0, 24.0]]),
    "ori_shape": (200, 400),
    "imgsz": (64, 64),
    "ratio_pad": ((0.16, 0.16), (0, 16)),
    "im_file": "/set/images/test/a.jpg",
}
PREDS = {
    "cls": torch.tensor([0.0, 1.0, 1.0]),
    "conf": torch.tensor([0.9, 0.8, 0.3]),
    "bboxes": torch.tensor([[16.0, 16.0, 48.0, 48.0], [14.0, 16.0, 48.0, 48.0], [0.0, 40.0, 9.0, 48.0]]),
}


def test_a_validator_tells_what_it_sees_and_measures_as_before():
    watch = Watch()
    validator = watching(Validator, watch, confuse=True)()
    found = validator._process_batch(PREDS, BATCH)
    assert found["tp"][:, 0].tolist() == [True, True, False]
    (seen,) = watch.seen
    assert seen.image == Path("/set/images/test/a.jpg")
    assert seen.true_boxes[0].tolist() == pytest.approx([0.25, 0, 0.75, 1])
    assert seen.boxes[0].tolist() == pytest.approx([0.25, 0, 0.75, 1])
    assert seen.beside.tolist() == [False, True, False], "the second lies on a box of another class"
    assert seen.found_by.tolist() == [0, -1]
    assert validator.confused == [{"conf": 0.25}]


def test_a_rotated_box_is_told_as_the_upright_one_around_it():
    turned = torch.tensor([[32.0, 32.0, 20.0, 10.0, np.pi / 2]])
    square = {**BATCH, "ori_shape": (64, 64), "ratio_pad": ((1.0, 1.0), (0, 0))}
    (box,) = sightings._fractions(turned, square)
    assert box.tolist() == pytest.approx([27 / 64, 22 / 64, 37 / 64, 42 / 64], abs=1e-5)


def test_an_image_without_predictions_is_all_missed():
    watch = Watch()
    none = {"cls": torch.zeros(0), "conf": torch.zeros(0), "bboxes": torch.zeros(0, 4)}
    watching(Validator, watch, confuse=False)()._process_batch(none, BATCH)
    assert (watch.seen[0].found_by.tolist(), len(watch.seen[0].boxes)) == ([-1, -1], 0)


def test_what_cannot_be_kept_is_said_and_changes_no_number():
    watch = Watch()
    broken = {key: value for key, value in BATCH.items() if key != "im_file"}
    found = watching(Validator, watch, confuse=False)()._process_batch(PREDS, broken)
    assert found["tp"].shape == (3, 10)
    assert watch.fault == "KeyError: 'im_file'"
