"""How long a run will take, by what earlier ones took. Nothing is asked."""

from dataclasses import replace

import pytest

from containerid.job import Data, Result, Spec, State
from containerid.runs.estimate import estimate
from containerid.runs.registry import Run

HOUR = 3600.0


def spec(epochs: int = 100, run: str = "new") -> Spec:
    training = {"training": {"epochs": epochs, "imgsz": 640}}
    return Spec(run=run, experiment="exp001", project="doors", backend="kaggle", params=training)


def earlier(*hours: float, last: float) -> Run:
    """A run of legs that took so long, an hour of which was not training each; the last one trained for `last`."""
    return Run(
        run="e1",
        project="doors",
        experiment="exp001",
        backend="kaggle",
        state=State.SUCCEEDED,
        spec=spec(run="e1").to_dict(),
        result=Result(run="e1", outcome="succeeded", timeline={"data": HOUR, "train": last * HOUR}),
        legs=tuple({"number": number, "hours": each} for number, each in enumerate(hours, 1)),
    )


def test_a_guess_counts_the_images_a_second_at_the_size_that_they_have():
    small = {"training": {"epochs": 2, "imgsz": 160}}
    drawn = Data(provider="synthetic", options={"images": 24})
    found = estimate(replace(spec(), params=small, data=drawn), [])
    assert str(found) == "4m00s, a guess: 2 epochs × 24 images at 640 a second (160 px)"
    assert found.guess


SETUP = 240 / HOUR


@pytest.mark.parametrize(
    ("before", "epochs", "hours", "basis"),
    [
        (earlier(3, last=2), 100, 3 + SETUP, "as e1 took"),
        (earlier(11, 11, 4, last=3), 100, 26 + 3 * SETUP, "as e1 took in 3 legs"),
        (
            earlier(11, 11, 4, last=3),
            50,
            3 + 23 / 2 + 3 * SETUP,
            "as e1 took in 3 legs, 0.5 times the epochs and pixels",
        ),
        (earlier(last=2), 100, 3 + SETUP, "as e1 took"),
    ],
)
def test_all_legs_of_an_earlier_run_count(before, epochs, hours, basis):
    found = estimate(spec(epochs), [before])
    assert found.hours == pytest.approx(hours)
    assert (found.basis, found.guess) == (basis, False)


def test_what_a_timeline_tells_beside_its_phases_is_no_time_of_its_own():
    run = earlier(last=2)
    timed = run.result.timeline | {"packages": HOUR / 60, "weights": HOUR, "first_batch": 3 * HOUR}
    found = estimate(spec(100), [replace(run, result=replace(run.result, timeline=timed))])
    assert found.hours == pytest.approx(3 + 1 / 60 + 1 / 60)
