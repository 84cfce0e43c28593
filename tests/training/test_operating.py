from types import SimpleNamespace

import numpy as np
import pytest

from containerid.training import operating

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


def test_the_best_f1_is_where_the_curves_say():
    found = operating.best(box(0.5))
    assert found["confidence"] == pytest.approx(0.5, abs=0.06)
    mean = 2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"])
    assert found["f1"] == pytest.approx(mean, abs=1e-3)


def test_a_wanted_recall_is_held_up_to_a_threshold():
    curves = box(0.4)
    found = operating.wanted(curves, 0.95)
    assert found is not None
    assert found["recall"] >= 0.95
    beyond = np.searchsorted(curves.px, found["confidence"] + 0.002)
    assert curves.r_curve[0, beyond] < 0.95, "no higher confidence holds it"
    assert operating.wanted(curves, 0.99) is None


def test_every_class_has_its_own_threshold():
    metrics = SimpleNamespace(box=box(0.3, 0.7), names=NAMES, nt_per_class=[12, 30], nt_per_image=[10, 20])
    door, handle = operating.per_class(metrics, 0.95)
    assert (door["name"], door["boxes"], handle["images"]) == ("door", 12, 20)
    assert door["best"]["confidence"] < handle["best"]["confidence"]
    assert door["wanted"]["confidence"] < handle["wanted"]["confidence"]


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
