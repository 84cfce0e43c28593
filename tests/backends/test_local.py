"""Local runs: a project with an entry module of its own, run by the real training package in a real subprocess."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from containerid import runs
from containerid.backends.local import LocalBackend
from containerid.errors import NotFound, Refused, UsageError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import Data, Leg, Spec, State

PARAMS = """
detection:
  training: {entry: trainer, epochs: 1}
  data: {provider: synthetic, images: 6, imgsz: 32}
"""
TRAINER = """
import json, os, pathlib
out = pathlib.Path(os.environ["CID_OUT"])
print("training on", os.environ["CID_DEVICE"])
%s
(out / "metrics.json").write_text(json.dumps({"test/mAP50": 0.75}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a project whose trainer does what the test says."""

    def make(body: str = "") -> Path:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        (folder / "trainer.py").write_text(TRAINER % body, encoding="utf-8")
        return folder

    return make


def train(folder: Path, told: list | None = None):
    home = Home.of_user()
    tell = (told if told is not None else []).append
    run = runs.submit(runs.Request(backend="local", folder=folder), home=home, tell=tell)
    return runs.watch(run, home=home, tell=tell)


@pytest.mark.training
def test_a_local_run_trains_from_the_work_tree_and_leaves_a_result(project):
    told = []
    run = train(project(), told)
    assert (run.state, run.reason) == (State.SUCCEEDED, "")
    assert run.result.metrics["test/mAP50"] == 0.75
    assert "training on cpu" in [event.text for event in told if isinstance(event, LogLine)]
    assert runs.fetch(run, home=Home.of_user()).verified


@pytest.mark.training
def test_a_local_run_that_raises_has_failed_with_one_line(project):
    run = train(project("raise RuntimeError('the loss is not a number')"))
    assert run.state is State.FAILED
    assert "trainer" in run.reason
    assert "\n" not in run.reason


@pytest.mark.training
@pytest.mark.kills
def test_a_local_run_that_is_killed_has_failed_and_says_so(project):
    body = "import signal; os.kill(os.getppid(), signal.SIGKILL)"
    run = train(project(body))
    assert run.state is State.FAILED
    assert "SIGKILL" in run.reason


@pytest.mark.training
@pytest.mark.kills
def test_a_run_whose_supervisor_is_killed_has_failed_too(project):
    body = """
parcel = out.parent
os.kill(json.loads((parcel / "process.json").read_text())["pid"], 9)
"""
    run = train(project(body))
    assert run.state is State.FAILED
    assert "killed" in run.reason


def test_data_that_only_kaggle_mounts_is_refused_before_anything_runs():
    spec = Spec(run="a-1", data=Data(provider="kaggle", source="ada/doors"))
    with pytest.raises(UsageError, match="ada/doors"):
        LocalBackend(Home.of_user()).prepare(spec, lambda _: None)


def test_a_run_that_never_was_is_not_found():
    with pytest.raises(NotFound):
        LocalBackend(Home.of_user()).status(Leg("1", "never-was"))


def test_a_process_id_that_belongs_to_somebody_else_now_is_not_taken_for_ours(own_home):
    home = Home.of_user()
    (home.parcel("a-1") / "process.json").write_text(json.dumps({"pid": os.getpid(), "started": "long ago"}))
    backend = LocalBackend(home)
    assert backend.status(Leg(str(os.getpid()), "a-1")).state is State.FAILED
    with pytest.raises(Refused):
        backend.cancel(Leg(str(os.getpid()), "a-1"))


def test_cancel_asks_the_supervisor_to_stop(own_home, monkeypatch):
    import subprocess

    from containerid.process import started_at

    home = Home.of_user()
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        (home.parcel("a-1") / "process.json").write_text(
            json.dumps({"pid": process.pid, "started": started_at(process.pid)})
        )
        LocalBackend(home).cancel(Leg(str(process.pid), "a-1"))
        assert process.wait(10) == -signal.SIGTERM


@pytest.mark.training
def test_a_local_run_is_stopped_by_a_signal_and_says_so(project, cid):
    folder = project("import time; print('ready', flush=True); time.sleep(60)")
    home = Home.of_user()
    run = runs.submit(runs.Request(backend="local", folder=folder), home=home, tell=lambda _: None)
    assert any(line.text.endswith("ready") for line in LocalBackend(home).logs(run.leg, follow=True))
    said = cid("cancel", "--json")
    assert (said.code, said.document["state"]) == (0, "cancelled"), said.err
    assert said.document["stopped"] == {"how": "signal", "detail": "SIGTERM"}
    assert cid("status", "--exit-code").code == 8
