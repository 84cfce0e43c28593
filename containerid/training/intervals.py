"""How far the metrics would have swung with other images of the same kind: percentile bootstrap over images.

Average precision flatters where boxes are few, since its envelope takes the best of what comes later; so does each
resample. Simulated, the interval of mAP50 holds the truth 95 times in 100 at 50 images as at 150, that of mAP50-95 only
80 and 90 times: it lies too high there, by up to a quarter of its width.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from containerid.training import precision
from containerid.training.sightings import Sighting

RESAMPLES = 1000
_LEVEL = 0.95
_FEWEST = 100
"""Resamples below which an interval would say nothing."""
_WORK = 300_000_000
"""Weighted boxes that are looked at in all: a few seconds."""
_CHUNK = 10_000_000
"""Of them at once: 160 MB."""


class TooMuch(Exception):
    """The set is too large for enough resamples."""


def bootstrap(first: Sequence[Sighting], counts: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """The 95 % intervals of mAP and of precision and recall at the operating point.

    Args:
        first: the pass over all confidences.
        counts: (images, 3), see `sightings.count`, summed over the classes, of the same images in the same order.
        seed: of the draws.

    Raises:
        TooMuch: fewer than 100 resamples would fit into the work that it may cost.
    """
    rows = precision.tally(first)
    work = max(_work(rows), len(first))
    resamples = min(RESAMPLES, _WORK // work)
    if resamples < _FEWEST:
        raise TooMuch(f"{work} boxes are too many to be drawn {_FEWEST} times")
    weights = _draw(len(first), resamples, seed)
    found: dict[str, Any] = {"level": _LEVEL, "resamples": int(resamples), "seed": seed}
    whole = np.ones((1, len(first)), dtype=np.int64)
    measured, drawn = mean_averages(rows, whole), mean_averages(rows, weights)
    for name, column in (("mAP50", 0), ("mAP50-95", 1)):
        found[name] = _interval(float(measured[0, column]), drawn[:, column])
    measured, drawn = _rates(whole @ counts), _rates(weights @ counts)
    for name, column in (("precision", 0), ("recall", 1)):
        found[name] = _interval(float(measured[0, column]), drawn[:, column])
    return found


def of_classes(
    said: NDArray[np.int64], true: NDArray[np.int64], among: NDArray[np.bool_], classes: int, seed: int
) -> dict[str, Any]:
    """The 95 % intervals of a classifier's accuracy, and of precision and recall of each class.

    Args:
        said: (images,): the class that was said.
        true: (images,): the class that it is.
        among: (images,): the true class is among the five likeliest.
        classes: how many there are.
        seed: of the draws.

    Raises:
        TooMuch: fewer than 100 resamples would fit into the work that it may cost.
    """
    resamples = min(RESAMPLES, _WORK // max(len(true) + classes, 1))
    if resamples < _FEWEST:
        raise TooMuch(f"{len(true)} images are too many to be drawn {_FEWEST} times")

    def rates(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Right, right among five, then precision of each class, then recall of each."""
        hits, calls, truths = (
            np.bincount(each, weights * chosen, minlength=classes)
            for each, chosen in ((true, said == true), (said, 1), (true, 1))
        )
        with np.errstate(invalid="ignore"):
            shares = np.array([(weights * (said == true)).sum(), (weights * among).sum()]) / weights.sum()
            return np.concatenate([shares, hits / calls, hits / truths])

    measured = rates(np.ones(len(true), dtype=np.int64))
    drawn = np.stack([rates(weights) for weights in _draws(len(true), resamples, seed)])
    each = [_interval(float(value), drawn[:, column]) for column, value in enumerate(measured)]
    of_each = zip(each[2 : 2 + classes], each[2 + classes :], strict=True)
    return {
        "level": _LEVEL,
        "resamples": int(resamples),
        "seed": seed,
        "accuracy_top1": each[0],
        "accuracy_top5": each[1],
        "per_class": [{"precision": precise, "recall": found} for precise, found in of_each],
    }


def mean_averages(rows: Sequence[precision.Row], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """(copies, 2): mAP50 and mAP50-95 of each weighting of the images, over the classes that it holds."""
    found = np.full((len(weights), len(rows), 2), np.nan)
    for index, row in enumerate(rows):
        step = max(1, _CHUNK // max(len(row.images), 1))
        for start in range(0, len(weights), step):
            chunk = slice(start, start + step)
            levels = precision.averages(row, weights[chunk])
            found[chunk, index] = np.stack([levels[:, 0], levels.mean(1)], 1)
    held = ~np.isnan(found)
    sums: NDArray[np.float64] = np.where(held, found, 0).sum(1)
    return np.where(held.any(1), sums / np.maximum(held.sum(1), 1), np.nan)


def _work(rows: Sequence[precision.Row]) -> int:
    # The levels of IoU look at right boxes alone, but ten times, and closer.
    return sum(len(row.images) + 5 * int(row.correct.sum()) for row in rows)


def _draw(images: int, resamples: int, seed: int) -> NDArray[np.int64]:
    return np.stack(list(_draws(images, resamples, seed)))


def _draws(images: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each image is in a resample, one resample after the other."""
    chance = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(chance.integers(0, images, images), minlength=images)


def _rates(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(copies, 2): precision and recall; NaN where nothing was predicted, or nothing true."""
    right, false, missed = counts.T.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.stack([right / (right + false), right / (right + missed)], 1)


def _interval(value: float, drawn: NDArray[np.float64]) -> dict[str, float] | None:
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(drawn):
        return None
    low, high = np.percentile(drawn, [100 * (1 - _LEVEL) / 2, 100 * (1 + _LEVEL) / 2])
    return {"value": round(value, 6), "low": round(float(low), 6), "high": round(float(high), 6)}
