"""Local runs: a project with an entry module of its own, run by the real training package in a real subprocess."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.repositories import git

from containerid import runs
from containerid.backends.local import LocalBackend
from containerid.errors import NotFound, Refused, UsageError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import Data, Leg, Output, Spec, State

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
        monkeypatch.chdir(folder)
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


@pytest.mark.training
def test_the_same_train_twice_at_once_is_one_run_until_it_ends(project, cid, tmp_path):
    body = "import time\nwhile not pathlib.Path(%r).exists(): time.sleep(0.05)" % str(tmp_path / "go")  # noqa: UP031
    folder = project(body)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "begin"]):
        git(folder, *words)
    command = [sys.executable, "-m", "containerid", "train", "--local", "--detach", "--json"]
    environ = {**os.environ, "PYTHONPATH": str(Path(runs.__file__).parents[2])}
    both = [subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE) for _ in range(2)]
    names = {json.loads(each.communicate()[0])["run"] for each in both}
    assert len(names) == 1
    assert cid("train", "--local", "-d", "--json").document["run"] in names, "it goes on"
    (tmp_path / "go").touch()
    said = cid("train", "--local", "--json")
    assert (said.code, said.document["run"]) == (0, *names), "it is followed to its end"
    assert cid("train", "--local", "--json").document["run"] not in names


@pytest.fixture
def whole(project, cid):
    """A local run that has succeeded and was fetched; its folder."""
    folder = project()
    assert cid("train", "--local", "--json").code == 0
    return next((folder / "runs").iterdir())


@pytest.mark.training
def test_what_is_edited_in_the_fetched_outputs_can_be_fetched_again(whole, cid):
    whole.joinpath("metrics.json").write_text("mine")
    assert cid("verify").code == 10
    assert cid("fetch").code == 0
    assert json.loads(whole.joinpath("metrics.json").read_text()) == {"test/mAP50": 0.75}


@pytest.mark.training
def test_after_gc_a_fetch_says_what_is_here_and_what_is_gone(whole, cid):
    log = whole / f"{whole.name}.log"
    before, shown = log.read_text(), cid("logs").out
    said = cid("gc", "--yes")
    assert "no fetch brings them again" in said.out
    said = cid("fetch")
    assert (said.code, "all" in said.err, log.read_text()) == (0, True, before), said.err
    assert cid("logs").out == shown
    whole.joinpath("metrics.json").unlink()
    said = cid("fetch")
    assert said.code == 10
    assert "is gone, and 1 of the outputs here are missing or changed: metrics.json" in said.err
    assert f"cid reproduce {whole.name}" in said.err
    elsewhere = cid("fetch", "--to", str(whole.parent / "other"))
    assert (elsewhere.code, "is gone" in elsewhere.err) == (10, True)


@pytest.mark.training
def test_outputs_whose_source_was_damaged_are_not_to_be_fetched_for_ever(whole, cid):
    (Home.of_user().root / "parcels" / whole.name / "out/metrics.json").write_text("broken")
    whole.joinpath("metrics.json").unlink()
    said = cid("fetch")
    assert (said.code, f"try: cid reproduce {whole.name}" in said.err) == (10, True), said.err


def test_a_copy_shares_no_file_with_its_source(own_home, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"weights")
    LocalBackend(Home.of_user()).download(Output("source", 7, str(source)), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"weights"
    assert not source.samefile(tmp_path / "copy")
