"""Average precision of our own, held against Ultralytics'."""

from pathlib import Path

import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.training import intervals, precision
from containerid.training.sightings import Sighting

metrics = pytest.importorskip("ultralytics.utils.metrics")


def theirs(seen: list[Sighting]) -> dict[int, np.ndarray]:
    found = metrics.ap_per_class(
        np.concatenate([each.correct for each in seen]),
        np.concatenate([each.confidences for each in seen]).astype(np.float32),
        np.concatenate([each.classes for each in seen]).astype(np.float32),
        np.concatenate([each.true_classes for each in seen]).astype(np.float32),
    )
    return {int(index): row for index, row in zip(found[6], found[5], strict=True)}


def ours(seen: list[Sighting], weights: np.ndarray | None = None) -> dict[int, np.ndarray]:
    classes = np.unique(np.concatenate([each.true_classes for each in seen]))
    copies = np.ones((1, len(seen)), dtype=np.int64) if weights is None else weights[None]
    return {
        int(index): precision.averages(row, copies)[0]
        for index, row in zip(classes, precision.tally(seen), strict=True)
    }


@pytest.mark.parametrize("seed", range(40))
def test_it_is_ultralytics_average_precision(seed: int) -> None:
    seen = pictures(1 + 3 * seed % 50, classes=1 + seed % 4, seed=seed, ties=seed % 3 == 0)
    expected = theirs(seen)
    found = ours(seen)
    assert list(found) == list(expected)
    for index, row in expected.items():
        assert np.abs(found[index] - row).max() < 1e-12


@pytest.mark.parametrize("seed", range(1, 20))
def test_an_image_that_was_drawn_thrice_weighs_as_three(seed: int) -> None:
    seen = pictures(30, classes=3, seed=seed)
    weights = np.random.default_rng(seed).integers(0, 4, len(seen))
    drawn = [each for each, times in zip(seen, weights, strict=True) for _ in range(times)]
    found = ours(seen, weights)
    for index, row in theirs(drawn).items():
        assert np.abs(found[index] - row).max() < 1e-12


def test_the_mean_is_ultralytics_map() -> None:
    seen = pictures(73, classes=3, seed=1)
    whole = np.ones((1, len(seen)), dtype=np.int64)
    (found,) = intervals.mean_averages(precision.tally(seen), whole)
    rows = np.stack(list(theirs(seen).values()))
    assert found == pytest.approx([rows[:, 0].mean(), rows.mean()], abs=1e-12)


def test_nothing_predicted_is_worth_nothing() -> None:
    none = np.zeros((0, 4))
    empty = np.zeros(0, dtype=np.int64)
    blind = Sighting(
        Path("a.jpg"), none, np.zeros(0), empty, np.zeros((0, 10), dtype=bool), np.zeros(0, dtype=bool),
        np.array([[0, 0, 1, 1.0]]), np.array([0]), np.array([-1]),
    )  # fmt: skip
    assert ours([blind])[0].tolist() == [0] * 10


def test_a_class_that_was_not_drawn_has_no_precision() -> None:
    seen = pictures(12, classes=2, seed=3)
    absent = np.array([int(not (each.true_classes == 0).any()) for each in seen])
    assert absent.any()
    assert np.isnan(ours(seen, absent)[0]).all()
