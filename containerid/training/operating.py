"""Where to put the confidence threshold: precision and recall over it, the best F1, and the one for a wanted recall."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_POINTS = 101
_SHOWN = 20
"""Classes that get curves of their own, those with the most boxes first."""

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


class _Curves(NamedTuple):
    """Over the confidences `px`, (1000,): each (classes, 1000)."""

    px: Curve
    precision: Curve
    recall: Curve
    f1: Curve


def best(box: Any) -> Point:
    """The confidence with the best mean F1, smoothed as Ultralytics does for its own precision and recall."""
    return _peak(_Curves(box.px, box.p_curve, box.r_curve, box.f1_curve))


def wanted(box: Any, recall: float) -> Point | None:
    """The highest confidence at which the mean recall is still as wanted; None where it never is."""
    return _reaching(_Curves(box.px, box.p_curve, box.r_curve, box.f1_curve), recall)


def _peak(curves: _Curves) -> Point:
    smooth = import_module("ultralytics.utils.metrics").smooth
    return _point(curves, int(smooth(curves.f1.mean(0), 0.1).argmax()))


def _reaching(curves: _Curves, least: float) -> Point | None:
    reached = np.flatnonzero(curves.recall.mean(0) >= least)
    return _point(curves, int(reached[-1])) if len(reached) else None


def _point(curves: _Curves, at: int) -> Point:
    values = {name: round(float(getattr(curves, name)[:, at].mean()), 4) for name in ("precision", "recall", "f1")}
    return {"confidence": round(float(curves.px[at]), 4), **values}


def per_class(measured: Any, recall: float) -> list[dict[str, Any]]:
    """Each class that has true boxes: its metrics, its own best F1, and its own threshold for the wanted recall.

    Args:
        measured: Ultralytics' metrics after a validation.
        recall: that is wanted.
    """
    box = measured.box
    rows = []
    for row, index in enumerate(int(each) for each in box.ap_class_index):
        one = _Curves(box.px, *(curve[row : row + 1] for curve in (box.p_curve, box.r_curve, box.f1_curve)))
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
                "best": _peak(one),
                "wanted": _reaching(one, recall),
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


def _rates(counts: NDArray[np.int64]) -> dict[str, float | None]:
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
