"""Where to put the confidence threshold: precision and recall over it, the best F1, and the one for a wanted recall.

The curves are Ultralytics' own, which are drawn through 1000 points and are the mean over the classes. The thresholds
that are named are counted, over all boxes, as the operating point is: what is promised there is what comes out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from containerid.training.sightings import Sighting

_POINTS = 101
_SHOWN = 20
"""Classes that get curves of their own, those with the most boxes first."""

_STEPS = 10_000
"""Thresholds that can be told in four decimals."""
_GRID = (np.arange(_STEPS) / _STEPS).astype(np.float32)

Curve = NDArray[np.float64]
Point = dict[str, float]


def curves(box: Any, names: Mapping[int, str], boxes: Sequence[int]) -> dict[str, Any]:
    """Ultralytics' curves, thinned: over the confidence, and precision over recall at IoU 0.5.

    Args:
        box: its `Metric` after a validation; its curves are (classes, 1000).
        names: class names by index.
        boxes: true boxes of each class, by index.
    """
    kept = np.linspace(0, len(box.px) - 1, _POINTS).round().astype(int)
    mean = {name: _thin(getattr(box, f"{key}_curve").mean(0), kept) for name, key in _CURVES.items()}
    common = sorted(range(len(box.ap_class_index)), key=lambda row: -boxes[int(box.ap_class_index[row])])[:_SHOWN]
    return {
        "confidence": _thin(box.px, kept),
        **mean,
        "pr": {"recall": _thin(box.px, kept), "precision": _thin(box.prec_values.mean(0), kept)},
        "classes": [
            {
                "name": names[int(box.ap_class_index[row])],
                **{name: _thin(getattr(box, f"{key}_curve")[row], kept) for name, key in _CURVES.items()},
                "pr": _thin(box.prec_values[row], kept),
            }
            for row in sorted(common)
        ],
    }


_CURVES = {"precision": "p", "recall": "r", "f1": "f1"}


def _thin(curve: Curve, kept: NDArray[np.int64]) -> list[float]:
    return [round(float(each), 4) for each in curve[kept]]


class Thresholds:
    """What is left of what was seen at each threshold from 0 to 0.9999: counted, where curves are drawn through.

    As in Ultralytics, a prediction counts where its confidence is above the threshold, in single precision. Which true
    box it finds is the same at each: the more confident choose first. Of equals the highest threshold is taken.

    Args:
        seen: over all confidences.
        index: of the class; None for all of them.
    """

    def __init__(self, seen: Sequence[Sighting], index: int | None = None) -> None:
        ours = [np.full(len(each.classes), True) if index is None else each.classes == index for each in seen]
        held = [each.true_classes if index is None else each.true_classes[each.true_classes == index] for each in seen]
        pairs = list(zip(seen, ours, strict=True))
        confidences = np.concatenate([each.confidences[kept] for each, kept in pairs] or [np.zeros(0)])
        right = np.concatenate([each.correct[kept, 0] for each, kept in pairs] or [np.zeros(0, dtype=bool)])
        self._truths = sum(map(len, held))
        self._right, self._false = _left(confidences[right]), _left(confidences[~right])

    @property
    def highest_recall(self) -> float:
        """At any threshold; 0 where there is nothing to find."""
        return round(int(self._right[0]) / self._truths, 4) if self._truths else 0.0

    def best(self) -> Point:
        """The point of the best F1."""
        f1 = 2 * self._right / np.maximum(self._right + self._false + self._truths, 1)
        return self._point(int(np.flatnonzero(f1 == f1.max())[-1]))

    def wanted(self, recall: float) -> Point | None:
        """The point of the highest threshold that still finds this share of the true boxes; None where none does."""
        reached = np.flatnonzero(self._right / max(self._truths, 1) >= recall)
        return self._point(int(reached[-1])) if len(reached) else None

    def _point(self, at: int) -> Point:
        right, false = int(self._right[at]), int(self._false[at])
        rates = _rates((right, false, self._truths - right))
        return {"confidence": at / _STEPS, **{name: rates[name] or 0.0 for name in ("precision", "recall", "f1")}}


def _left(confidences: NDArray[np.float64]) -> NDArray[np.int64]:
    """(10000,): how many are above each threshold."""
    below = np.searchsorted(_GRID, confidences.astype(np.float32), side="left")
    return len(confidences) - np.bincount(below, minlength=_STEPS + 1)[:_STEPS].cumsum()


def per_class(measured: Any, seen: Sequence[Sighting], recall: float) -> list[dict[str, Any]]:
    """Each class that has true boxes: its metrics, its own best F1, and its own threshold for the wanted recall.

    Args:
        measured: Ultralytics' metrics after a validation.
        seen: there, over all confidences.
        recall: that is wanted.
    """
    box = measured.box
    rows = []
    for row, index in enumerate(int(each) for each in box.ap_class_index):
        thresholds = Thresholds(seen, index)
        rows.append(
            {
                "index": index,
                "name": measured.names[index],
                "images": int(measured.nt_per_image[index]),
                "boxes": int(measured.nt_per_class[index]),
                "precision": float(box.p[row]),
                "recall": float(box.r[row]),
                "f1": float(box.f1[row]),
                "mAP50": float(box.ap50[row]),
                "mAP50-95": float(box.ap[row]),
                "best": thresholds.best(),
                "wanted": thresholds.wanted(recall),
            }
        )
    return rows


def counted(counts: NDArray[np.int64], names: Mapping[int, str]) -> dict[str, Any]:
    """Precision and recall over all boxes and of each class.

    Args:
        counts: (classes, 3): right, false and missed boxes.
        names: class names by index.
    """
    rows = [{"name": names[index], **_rates(row)} for index, row in enumerate(counts) if row.any()]
    return {**_rates(counts.sum(0)), "per_class": rows}


def _rates(counts: Iterable[int]) -> dict[str, float | None]:
    right, false, missed = (int(each) for each in counts)
    return {
        "true": right,
        "false": false,
        "missed": missed,
        "precision": _share(right, right + false),
        "recall": _share(right, right + missed),
        "f1": _share(2 * right, 2 * right + false + missed),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
