"""Runs are stopped: asked over each channel, ended by their session's id, deleted; and each time it is said how."""

from pathlib import Path

import pytest
from fakes.git_server import git_host
from fakes.repositories import git, project
from fakes.stoppable import start

from containerid import runs
from containerid.clock import Clock
from containerid.events import Event
from containerid.home import Home
from containerid.job import State
from containerid.kaggle import control
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.runs.registry import Run

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


def test_a_run_that_reads_the_remote_is_asked_over_a_git_ref(kaggle, home, tmp_path, cid):
    doors = project(tmp_path / "repositories")
    git(doors.bare, "config", "http.receivepack", "true")
    with git_host(doors.bare.parent) as host:
        url = f"http://{host.place}/door.git"
        doors.git("remote", "set-url", "origin", url)
        run = start(home, doors.root, remote=url)
        said = cid("cancel", run.run, "--json")
    assert said.document["stopped"] == {"how": "asked", "detail": f"asked over the git ref refs/cid/ctl/{run.run}"}
    assert said.document["state"] == "paused"
    assert list(doors.remote_refs()) == ["refs/heads/main"], "the wish is taken back"
    assert not any(call.rpc == "CreateDataset" for call in kaggle.calls)


def test_a_run_without_a_checkpoint_is_cancelled_when_it_is_asked(kaggle, home, tmp_path, cid):
    run = start(home, tmp_path, behave="early")
    said = cid("cancel", run.run, "--json")
    assert (said.document["state"], said.document["stopped"]["how"]) == ("cancelled", "asked")
    assert cid("status", run.run, "--exit-code").code == 8


def test_a_run_that_does_not_listen_is_ended_by_its_session_id(kaggle, home, tmp_path, cid):
    run = start(home, tmp_path, behave="deaf")
    said = cid("cancel", run.run, "--patience", "0", "--json")
    assert said.document["stopped"] == {"how": "session", "detail": "by its session's id"}
    assert said.document["state"] == "cancelled"
    assert cid("cancel", run.run, "--json").document["stopped"]["how"] == "ended"
    assert [call.rpc for call in kaggle.calls].count("CancelKernelSession") == 1


def test_when_being_asked_does_not_help_the_session_is_ended(kaggle, home, tmp_path, told):
    run = start(home, tmp_path, behave="deaf")
    stopped = runs.cancel(run, home=home, tell=told.append, patience=0.5)
    assert (stopped.how, stopped.run.state) == ("session", State.CANCELLED)
    assert any("did not end within 0.5 s" in getattr(each, "detail", "") for each in told)


def test_a_deleted_kernel_is_asked_about_twice_and_never_without_a_terminal(kaggle, home, tmp_path, cid):
    run = start(home, tmp_path)
    assert cid("cancel", run.run, "--delete").code == 2
    assert state_of(kaggle, home, run) is State.RUNNING
    said = cid("cancel", run.run, "--delete", "--yes", "--json")
    assert (said.document["state"], said.document["stopped"]["how"]) == ("cancelled", "deleted")
    assert not KaggleBackend(home)._account.api.mine()
    assert cid("status", run.run, "--exit-code").code == 8
