"""What a command says about a run that it can do nothing with, and about one whose kernel is gone."""

import json
import os
import subprocess
import sys
import threading
from contextlib import nullcontext
from dataclasses import replace

import pytest

from containerid import runs
from containerid.backends.local import LocalBackend
from containerid.diagnosis import Diagnosis
from containerid.errors import NoCheckpoint, NotFound, OutputsUnverified, StillRunning
from containerid.job import Code, Leg, Result, Spec, State, Status
from containerid.process import started_at
from containerid.runs.ending import conclude
from containerid.runs.intents import claim
from containerid.runs.lock import locked
from containerid.runs.logs import read
from containerid.runs.registry import Run
from containerid.runs.report import report
from containerid.runs.reproduce import reproduce
from containerid.runs.request import Request
from containerid.runs.verify import verify


def _asked(home, run):
    return {
        "fetch": lambda: runs.fetch(run, home=home),
        "verify": lambda: verify(run, home=home),
        "report": lambda: report(run),
        "reproduce": lambda: reproduce(run, home=home),
    }


@pytest.mark.parametrize("command", ["fetch", "verify", "report", "reproduce"])
def test_of_a_run_that_was_refused_it_is_said_that_it_left_nothing(registry, home, command):
    registry.add(Run(run="exp001-1", backend="kaggle", experiment="exp001"))
    run = registry.move("exp001-1", State.REFUSED, "there is no such dataset")
    with pytest.raises(NotFound, match=r"never submitted \(refused: there is no such dataset\)") as caught:
        _asked(home, run)[command]()
    assert caught.value.hint == "cid train --kaggle -e exp001"


@pytest.mark.parametrize("command", ["fetch", "verify", "report", "reproduce"])
def test_of_a_run_that_goes_on_its_log_is_named_and_nothing_is_started(platform, submitted, home, command, registry):
    platform.says = [Status(State.RUNNING)]
    run = submitted()
    with pytest.raises(StillRunning) as caught:
        _asked(home, run)[command]()
    assert caught.value.hint.startswith("cid logs exp001-1 -f")
    assert len(registry.runs()) == 1


def test_a_run_is_looked_at_before_it_is_said_that_there_is_nothing_to_resume(platform, submitted, home):
    run = submitted()
    platform.says = [Status(State.RUNNING)]
    with pytest.raises(StillRunning, match="is running"):
        runs.resume(run, home=home)


def test_a_fetch_after_the_kernel_was_deleted_by_cid_says_that(platform, submitted, home, registry):
    run = submitted()
    registry.move(run.run, State.CANCELLED, f"the kernel {run.handle} was deleted")
    with pytest.raises(NotFound, match="the kernel ada/cid-exp001-1 was deleted, and no outputs"):
        runs.fetch(run, home=home)


def test_what_was_fetched_before_its_kernel_was_deleted_is_still_whole(platform, submitted, home, registry, tmp_path):
    run = submitted()
    platform.files, platform.log = {"weights/best.pt": b"weights"}, ["hello"]
    platform.finish(run.run)
    run = runs.fetch(run, home=home)
    with registry.writing():
        registry.note(run.run, run.state, f"its kernel {run.handle} was deleted by cid gc")
    platform.before["download"] = lambda *_: pytest.fail("there is nothing to download")
    assert runs.fetch(run, home=home).verified
    platform.log.clear()
    assert [line.text for line in read(run, home=home)] == ["hello"], "as it was fetched"
    (tmp_path / "runs/exp001-1/weights/best.pt").unlink()
    with pytest.raises(
        OutputsUnverified, match=r"deleted by cid gc, and 1 of the outputs here .*weights/best\.pt"
    ) as e:
        runs.fetch(run, home=home)
    assert e.value.hint.startswith("cid reproduce exp001-1")


@pytest.fixture
def killed(registry, home):
    """A local run whose process was killed; the registry still takes it for queued."""

    def make(*, checkpoint: bool) -> Run:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        parcel = home.parcel("exp001-1")
        parcel.joinpath("process.json").write_text(json.dumps({"pid": process.pid, "started": started_at(process.pid)}))
        process.kill()
        process.wait()
        if checkpoint:
            (parcel / "out/weights").mkdir(parents=True)
            (parcel / "out/weights/resume.pt").write_bytes(b"state")
        asked = Request(backend="local", experiment="exp001", overrides=("training.epochs=3",), quick=True)
        row = Run(run="exp001-1", backend="local", project="doors", experiment="exp001", folder=os.getcwd())  # noqa: PTH109
        claim(registry, row, "mark", asked)
        registry.set_spec("exp001-1", Spec(run="exp001-1", backend="local", code=Code(sha="a" * 40), quick=True))
        registry.set_leg("exp001-1", Leg(str(process.pid), "exp001-1"))
        return registry.move("exp001-1", State.QUEUED)

    return make


def test_a_killed_run_without_a_checkpoint_names_the_very_command_that_starts_it_anew(killed, home):
    with pytest.raises(NoCheckpoint) as caught:
        runs.resume(killed(checkpoint=False), home=home)
    assert caught.value.hint.startswith("cid train --local -e exp001 --set training.epochs=3 --quick")


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_killed_local_run_is_to_be_resumed_where_it_has_a_checkpoint(killed, home, checkpoint):
    run = runs.status(killed(checkpoint=checkpoint), home=home)
    assert run.state is State.FAILED
    assert isinstance(run.diagnosis, Diagnosis)
    assert run.diagnosis.next.startswith("cid resume exp001-1" if checkpoint else "cid train --local -e exp001")
    assert "Kaggle" not in run.diagnosis.next


@pytest.mark.parametrize("another", [True, False])
def test_of_two_that_stop_a_run_the_second_does_not_claim_it_alone(registry, home, another):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    parcel = home.parcel("exp001-1")
    parcel.joinpath("process.json").write_text(json.dumps({"pid": process.pid, "started": started_at(process.pid)}))
    registry.add(Run(run="exp001-1", backend="local"))
    registry.set_spec("exp001-1", Spec(run="exp001-1", backend="local"))
    registry.set_leg("exp001-1", Leg(str(process.pid), "exp001-1"))
    run = registry.move("exp001-1", State.RUNNING)
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    with locked(parcel / "cancel.lock") if another else nullcontext():
        stopped = runs.cancel(run, home=home)
    reaper.join()
    assert stopped.detail.startswith("SIGTERM")
    assert ("another cid was stopping it too" in stopped.detail) is another


def test_a_failure_of_the_code_is_not_to_be_tried_where_it_just_happened(registry, home):
    home.parcel("exp001-1").joinpath("process.json").write_text("{}")
    spec = Spec(run="exp001-1", backend="local")
    run = Run(run="exp001-1", backend="local", experiment="exp001", handle="1", version="exp001-1", spec=spec.to_dict())
    result = Result(run="exp001-1", outcome="failed", exit_code=1, reason="ZeroDivisionError: division by zero")
    out = home.parcel("exp001-1") / "out"
    out.mkdir()
    (out / "result.json").write_text(json.dumps(result.to_dict()))
    (out / "manifest.json").write_text("{}")
    ending = conclude(run, LocalBackend(home), Status(State.FAILED))
    assert ending.diagnosis.next == "mend it; then cid train --local -e exp001"
    there = replace(run, backend="kaggle")
    assert "-e exp001 --quick" in conclude(there, LocalBackend(home), Status(State.FAILED)).diagnosis.next
