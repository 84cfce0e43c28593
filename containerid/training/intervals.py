"""How far the metrics would have swung with other images of the same kind: percentile bootstrap over images."""

from collections.abc import Sequence
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
    chance = np.random.default_rng(seed)
    return np.stack([np.bincount(chance.integers(0, images, images), minlength=images) for _ in range(resamples)])


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
