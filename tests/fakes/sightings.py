"""What a model may have seen, made up: enough of it right that every number differs from 0 and 1."""

from pathlib import Path

import numpy as np

from containerid.training.sightings import Sighting


def pictures(count: int, *, classes: int = 1, seed: int = 0, ties: bool = False) -> list[Sighting]:
    """Images with up to 4 true boxes each and some predictions; the first holds at least one box of class 0.

    With `ties` many predictions are equally confident.
    """
    chance = np.random.default_rng(seed)
    return [picture(chance, f"images/test/{number}.jpg", classes, ties, least=number == 0) for number in range(count)]


def picture(
    chance: np.random.Generator, name: str, classes: int = 1, ties: bool = False, least: bool = False
) -> Sighting:
    true = chance.integers(0, classes, chance.integers(1 if least else 0, 5))
    if least:
        true[0] = 0
    found = chance.random(len(true)) < 0.8
    false = int(chance.integers(0, 9))
    kinds = np.concatenate([true[found], chance.integers(0, classes, false)]).astype(np.int64)
    levels = np.concatenate([chance.integers(1, 11, int(found.sum())), np.zeros(false, dtype=np.int64)])
    confidences = np.concatenate([chance.beta(4, 2, int(found.sum())), chance.beta(1, 4, false)])
    confidences = (np.round(confidences, 1) if ties else confidences).astype(np.float32).astype(np.float64)
    order = np.argsort(-confidences, kind="stable")
    found_by = np.full(len(true), -1)
    found_by[found] = np.argsort(order)[: int(found.sum())]
    return Sighting(
        Path(name),
        boxes(chance, len(kinds)),
        confidences[order],
        kinds[order],
        (np.arange(10) < levels[:, None])[order],
        np.zeros(len(kinds), dtype=bool),
        boxes(chance, len(true)),
        true,
        found_by,
    )


def boxes(chance: np.random.Generator, count: int) -> np.ndarray:
    corners = chance.random((count, 2)) * 0.6
    return np.concatenate([corners, corners + 0.1 + chance.random((count, 2)) * 0.3], 1)
