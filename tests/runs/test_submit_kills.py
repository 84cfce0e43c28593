"""Kill -9 at every step of a submit: the next `cid train`, or `cid resume`, ends with one run and one push."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.fuzz import fuzz, table
from fakes.monkey import Monkey
from fakes.places import TRAIN, Place

from containerid.kaggle.emulator import EmbeddedKaggle

pytestmark = pytest.mark.kills


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[EmbeddedKaggle]:
    """A Kaggle that takes pushes and never starts them."""
    with EmbeddedKaggle(tmp_path / "kaggle", run=False) as server:
        yield server


@pytest.fixture
def monkey(tmp_path: Path) -> Iterator[Monkey]:
    with Monkey(tmp_path) as runner:
        yield runner


def test_killed_at_any_step_the_next_command_goes_on_and_pushes_once(tmp_path, recorder, monkey):
    whole = Place(tmp_path / "whole", recorder, "whole")
    first = monkey.cid(*TRAIN, cwd=whole.root, **whole.environment)
    assert (first.code, whole.sessions()) == (0, 1), first
    assert first.steps > 20
    for step in range(1, first.steps + 1):
        place = Place(tmp_path / f"at{step}", recorder, f"at{step}")
        assert monkey.cid(*TRAIN, cwd=place.root, step=step, **place.environment).killed, step
        before = place.runs()
        again = ("resume", "--detach", "--json") if before and step % 2 else TRAIN
        if not (before and before[0].state == "queued"):
            said = monkey.cid(*again, cwd=place.root, **place.environment)
            assert said.code == 0, (step, said)
        (run,) = place.runs()
        assert run.state == "queued", (step, run)
        assert place.sessions() == 1, step
        assert place.project.remote_refs()["refs/heads/main"] == run.sha, step


def test_a_submit_under_fire_starts_no_session_twice_and_loses_none(tmp_path):
    rows = fuzz(tmp_path, 2, seed=1)
    assert all(row.good for row in rows), table(rows)
