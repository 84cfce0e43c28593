import numpy as np
import pytest
from fakes.sightings import pictures

from containerid.training import intervals, precision, sightings

NAMES = ("mAP50", "mAP50-95")


def bootstrap(images: int, seed: int = 0, of: int = 1):
    seen = pictures(images, classes=2, seed=of)
    return intervals.bootstrap(seen, sightings.count(seen, 2).sum(1), seed)


def test_an_interval_holds_what_was_measured():
    found = bootstrap(60)
    assert (found["resamples"], found["level"]) == (1000, 0.95)
    for name in ("mAP50", "mAP50-95", "precision", "recall"):
        it = found[name]
        assert 0 < it["low"] < it["value"] < it["high"] < 1, name


def test_more_images_say_it_closer():
    few, many = (bootstrap(images)["mAP50"] for images in (10, 160))
    assert (many["high"] - many["low"]) < 0.4 * (few["high"] - few["low"])


def test_it_covers_the_truth_about_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 200)
    everything = sightings.count(pictures(1500, classes=2, seed=99), 2).sum((0, 1))
    truth = everything[0] / (everything[0] + everything[2])
    held = [(it := bootstrap(40, of=seed)["recall"])["low"] <= truth <= it["high"] for seed in range(30)]
    assert 25 <= sum(held) <= 30


def test_the_level_is_95_percent_of_what_was_drawn():
    drawn = np.random.default_rng(1).normal(size=200_000)
    found = intervals._interval(0.0, drawn)
    assert (found["low"], found["high"]) == (pytest.approx(-1.96, abs=0.02), pytest.approx(1.96, abs=0.02))
    assert np.mean((drawn >= found["low"]) & (drawn <= found["high"])) == pytest.approx(0.95, abs=1e-3)


def test_the_interval_of_a_map_covers_the_truth_about_as_often_as_it_says(monkeypatch):
    """Of 60 sets, drawn from one whose value is the truth, 95 % would be 57; mAP50-95 flatters a little, see there."""
    monkeypatch.setattr(intervals, "RESAMPLES", 100)
    everything = pictures(1500, classes=2, seed=99)
    truth = intervals.mean_averages(precision.tally(everything), np.ones((1, 1500), dtype=np.int64))[0]
    chance, held = np.random.default_rng(5), np.zeros(2, dtype=int)
    for seed in range(60):
        seen = [everything[row] for row in chance.choice(1500, 150, replace=False)]
        found = intervals.bootstrap(seen, sightings.count(seen, 2).sum(1), seed)
        held += [found[name]["low"] <= each <= found[name]["high"] for name, each in zip(NAMES, truth, strict=True)]
    assert (held >= 51).all(), "too narrow"
    assert held[0] <= 59, "wider than it need be"


def test_one_seed_gives_one_answer():
    assert bootstrap(20, seed=3) == bootstrap(20, seed=3) != bootstrap(20, seed=4)


def test_a_large_set_is_drawn_less_often_and_a_huge_one_not_at_all(monkeypatch):
    monkeypatch.setattr(intervals, "_WORK", 800_000)
    assert 100 <= bootstrap(60)["resamples"] < 1000
    monkeypatch.setattr(intervals, "_WORK", 80_000)
    with pytest.raises(intervals.TooMuch, match="boxes are too many"):
        bootstrap(60)


def test_chunks_change_nothing(monkeypatch):
    whole = bootstrap(20)
    monkeypatch.setattr(intervals, "_CHUNK", 2000)
    assert bootstrap(20) == whole


def test_what_cannot_be_measured_has_no_interval():
    seen = [each.above(1) for each in pictures(10, classes=2, seed=5)]
    found = intervals.bootstrap(seen, sightings.count(seen, 2).sum(1), 0)
    assert found["precision"] is None, "nothing was predicted"
    assert found["recall"] == {"value": 0, "low": 0, "high": 0}
    assert found["mAP50"] == {"value": 0, "low": 0, "high": 0}


def test_a_resample_is_as_large_as_the_set():
    assert (intervals._draw(30, 50, 0).sum(1) == 30).all()
    assert not np.array_equal(*intervals._draw(30, 2, 0))
