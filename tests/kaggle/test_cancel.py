"""Runs are stopped: asked over each channel, ended by their session's id, deleted; and each time it is said how."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.git_server import git_host
from fakes.repositories import git, project
from fakes.stoppable import start

from containerid import runs
from containerid.errors import Refused, StillRunning
from containerid.events import Event
from containerid.home import Home
from containerid.job import Leg, Spec, State
from containerid.kaggle import control
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.clock import Clock
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.runs.registry import Registry, Run

QUICK = Clock()

pytestmark = pytest.mark.training


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch, kaggle: EmbeddedKaggle) -> None:
    """A kernel that looks often, and gives its training a second to pause."""
    monkeypatch.setattr(control, "EVERY", 0.2)
    monkeypatch.setattr(control, "PATIENCE", 1.0)


@pytest.fixture
def told() -> list[Event]:
    return []


def state_of(kaggle: EmbeddedKaggle, home: Home, run: Run) -> State:
    return KaggleBackend(home).status(run.leg).state


def test_a_run_that_is_asked_over_a_dataset_pauses_with_its_checkpoint(kaggle, home, tmp_path, cid):
    run = start(home, tmp_path)
    said = cid("cancel", run.run, "--json")
    assert said.code == 0, said.err
    assert said.document["state"] == "paused"
    assert said.document["stopped"]["how"] == "asked"
    assert "cid-control-" in said.document["stopped"]["detail"]
    assert cid("status", run.run, "--exit-code").code == 9
    assert KaggleBackend(home)._account.datasets.mine("cid-control") == []
