"""Average precision as Ultralytics computes it, of many weighted copies of a set at once.

Its precision envelope, read at 101 recalls, is a staircase: between two true positives lie false ones, which only lower
what is there already, or none, and then the envelope is level. So the area is a sum over true positives, and an image
that was drawn k times is the same as one whose boxes weigh k.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from containerid.training.sightings import Sighting

_RECALLS = np.linspace(0, 1, 101)
_AREAS = np.concatenate(([0.0, 0.005], np.full(99, 0.01), [0.005])).cumsum()
"""What the first k of the recalls contribute to the trapezoidal area."""
_TINY = 1e-16
"""Ultralytics' own guard against a division by zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One class over all images, the most confident prediction first, cut after the last that is right at any level.

    Attributes:
        images: (n,): the image of each prediction.
        correct: (n, levels).
        truths: (images,): true boxes of the class in each image.
    """

    images: NDArray[np.int64]
    correct: NDArray[np.bool_]
    truths: NDArray[np.int64]


def tally(seen: Sequence[Sighting]) -> list[Row]:
    """The classes that have true boxes, by index."""
    confidences = np.concatenate([each.confidences for each in seen])
    # The very order that Ultralytics takes, ties included.
    order = np.argsort(-confidences.astype(np.float32))
    images = np.repeat(np.arange(len(seen)), [len(each.classes) for each in seen])[order]
    classes = np.concatenate([each.classes for each in seen])[order]
    correct = np.concatenate([each.correct for each in seen])[order]
    rows = []
    for index in np.unique(np.concatenate([each.true_classes for each in seen])):
        ours = classes == index
        last = int(np.flatnonzero(correct[ours].any(1)).max(initial=-1)) + 1
        truths = np.array([(each.true_classes == index).sum() for each in seen])
        rows.append(Row(images[ours][:last], correct[ours][:last], truths))
    return rows


def averages(row: Row, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average precision at each level of IoU, of each weighting of the images.

    Args:
        row: one class.
        weights: (copies, images): how often each image was drawn.

    Returns:
        (copies, levels); NaN for a copy in which the class has no true box.
    """
    levels = row.correct.shape[1]
    found = np.zeros((len(weights), levels))
    total = weights @ row.truths
    each = weights[:, row.images]
    reach = each.cumsum(1)
    for level in range(levels):
        right = np.flatnonzero(row.correct[:, level])
        if len(right):
            found[:, level] = _area(each[:, right].cumsum(1), reach[:, right], total)
    return np.where(total[:, None] > 0, found, np.nan)


def _area(right: NDArray[np.int64], reach: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.float64]:
    """Args: right and all predictions up to each right one, (copies, k); true boxes, (copies,)."""
    precision = right / np.maximum(reach, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], 1)[:, ::-1]
    recall = right / (total[:, None] + _TINY)
    # A recall takes the envelope of the first true positive beyond it.
    area = _AREAS[np.searchsorted(_RECALLS, np.nan_to_num(recall, posinf=0).ravel(), side="left").reshape(recall.shape)]
    steps = np.diff(area, axis=1, prepend=0)
    return np.asarray((envelope * steps).sum(1))
