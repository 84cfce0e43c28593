from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fakes.sightings import pictures
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.training import operating, sightings

pytest.importorskip("ultralytics.utils.metrics")


def box(*peaks: float) -> SimpleNamespace:
    """Curves of classes whose precision rises and whose recall falls with the confidence, crossing at a peak."""
    px = np.linspace(0, 1, 1000)
    precision = np.stack([np.clip(0.5 + 0.5 * px / peak, 0, 1) for peak in peaks])
    recall = np.stack([np.clip(1.25 - 0.25 * px / peak, 0, 0.98) * (px < 0.999) for peak in peaks])
    f1 = 2 * precision * recall / (precision + recall)
    rows = range(len(peaks))
    return SimpleNamespace(
        px=px,
        p_curve=precision,
        r_curve=recall,
        f1_curve=f1,
        prec_values=np.stack([1 - px**2] * len(peaks)),
        ap_class_index=np.arange(len(peaks)),
        p=[0.9 for _ in rows], r=[0.8 for _ in rows], f1=[0.85 for _ in rows], ap50=[0.9 for _ in rows],
        ap=[0.7 for _ in rows],
    )  # fmt: skip


NAMES = {0: "door", 1: "handle"}


def test_curves_are_thinned_to_a_hundred_points_between_the_same_ends():
    told = operating.curves(box(0.4, 0.6), NAMES, [10, 20])
    for curve in (told["confidence"], told["precision"], told["recall"], told["f1"], *told["pr"].values()):
        assert len(curve) == 101
    assert (told["confidence"][0], told["confidence"][-1]) == (0, 1)
    assert told["precision"][0] == 0.5
    assert [each["name"] for each in told["classes"]] == ["door", "handle"]
    assert told["classes"][0]["precision"] != told["classes"][1]["precision"]


def test_of_many_classes_the_most_frequent_have_curves():
    told = operating.curves(box(*[0.5] * 30), dict(enumerate(map(str, range(30)))), [*range(30)])
    assert [each["name"] for each in told["classes"]] == [str(number) for number in range(10, 30)]


def at(seen, confidence, classes=3):
    """What is counted when a model asks for this confidence."""
    kept = [each.above(confidence) for each in seen]
    return operating.counted(sightings.count(kept, classes).sum(0), dict(enumerate(("door", "handle", "lock"))))


ASKED = {"seed": st.integers(0, 10**6), "images": st.integers(1, 40), "ties": st.booleans()}


@settings(max_examples=150, deadline=None)
@given(**ASKED, wanted=st.sampled_from([0.05, 0.5, 0.6, 0.7, 0.75, 0.8, 0.95, 1.0]))
def test_the_threshold_for_a_recall_finds_that_share_and_no_higher_one_does(seed, images, ties, wanted):
    seen = pictures(images, classes=3, seed=seed, ties=ties)
    thresholds = operating.Thresholds(seen)
    found = thresholds.wanted(wanted)
    if found is None:
        assert at(seen, 0)["recall"] == thresholds.highest_recall < wanted
        return
    told = at(seen, found["confidence"])
    assert told["true"] / (told["true"] + told["missed"]) >= wanted
    assert {name: told[name] or 0.0 for name in ("precision", "recall", "f1")} | found == found
    if found["confidence"] < 0.9999:
        beyond = at(seen, found["confidence"] + 0.0001)
        assert beyond["true"] / (beyond["true"] + beyond["missed"]) < wanted


@settings(max_examples=50, deadline=None)
@given(**ASKED)
def test_no_threshold_has_a_better_f1_than_the_best(seed, images, ties):
    seen = pictures(images, classes=3, seed=seed, ties=ties)
    best = operating.Thresholds(seen).best()
    held = np.unique(np.concatenate([each.confidences for each in seen]))
    others = [at(seen, np.nextafter(np.float32(each), np.float32(0)))["f1"] for each in held]
    assert at(seen, best["confidence"])["f1"] == best["f1"] >= max(others, default=0) - 1e-4


def test_what_is_as_confident_as_the_threshold_does_not_count():
    seen = [replace(pictures(1, seed=1)[0], confidences=np.array([0.5]), correct=np.ones((1, 10), bool))]
    (one,) = [replace(each, classes=np.zeros(1, int), boxes=each.boxes[:1]) for each in seen]
    one = replace(one, beside=np.zeros(1, bool), true_classes=np.zeros(1, int), found_by=np.zeros(1, int))
    assert operating.Thresholds([one]).wanted(1)["confidence"] == 0.4999
    assert operating.Thresholds([one]).best() == {"confidence": 0.4999, "precision": 1, "recall": 1, "f1": 1}
    assert operating.Thresholds([one.above(0.5)]).wanted(0.1) is None


def test_every_class_has_its_own_threshold():
    seen = pictures(60, classes=2, seed=3)
    metrics = SimpleNamespace(box=box(0.3, 0.7), names=NAMES, nt_per_class=[12, 30], nt_per_image=[10, 20])
    for index, row in enumerate(operating.per_class(metrics, seen, 0.7)):
        told = at(seen, row["wanted"]["confidence"])["per_class"][index]
        assert told["recall"] == row["wanted"]["recall"] >= 0.7
        assert row["best"]["f1"] >= row["wanted"]["f1"]
    assert [row["boxes"] for row in operating.per_class(metrics, seen, 0.7)] == [12, 30]


def test_counts_become_shares_of_all_boxes():
    told = operating.counted(np.array([[8, 2, 0], [1, 0, 3], [0, 0, 0]]), {**NAMES, 2: "lock"})
    assert (told["true"], told["false"], told["missed"]) == (9, 2, 3)
    assert (told["precision"], told["recall"]) == (0.8182, 0.75)
    assert [(row["name"], row["precision"], row["recall"]) for row in told["per_class"]] == [
        ("door", 0.8, 1.0),
        ("handle", 1.0, 0.25),
    ]
    nothing = operating.counted(np.array([[0, 0, 4]]), NAMES)
    assert (nothing["precision"], nothing["recall"]) == (None, 0)
