"""Kernels, run as Kaggle runs them."""

import base64
import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.kernels import STUB, TRAINING, Machine, embedded, pythons, source_of, write_tree

from containerid.job import Code, Spec
from containerid.kaggle import kernel
from containerid.kaggle import package as carried
from containerid.kaggle.bootstrap.journal import PHASES_AFTER, PHASES_BEFORE, banner
from containerid.kaggle.package import gather


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", STUB | {"hello.txt": "from the work tree"})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "kaggle")


def doctored(source: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The same kernel with another cargo: what a hand, or a fault on the way, would make of it."""
    cargo = kernel.read_cargo(source)
    before = ascii(json.dumps(cargo))
    change(cargo)
    assert before in source
    return source.replace(before, ascii(json.dumps(cargo)))


# --- a good day


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_a_kernel_runs_the_code_of_the_work_tree(project, tmp_path, python):
    machine = Machine(tmp_path / "kaggle", python)
    ran = machine.run(source_of(project))
    assert ran.code == 0, ran.stderr
    assert ran.lines[0] == "cid-bootstrap 1 spec 1 run exp001-1"
    expected = ["[1/9] code", "[2/9] hardware", "[3/9] packages", "[4/9] environment", "[7/9] train"]
    assert ran.phases == expected
    assert "hello from the work tree" in ran.lines
    assert "before code hardware packages" in ran.lines
    assert f"input {machine.root}/input" in ran.lines
    assert "a word on stderr" in ran.stderr
    assert ran.result.outcome == "succeeded"


def test_a_kernel_leaves_outputs_and_nothing_else(project, machine):
    machine.run(source_of(project))
    assert machine.outputs == ["manifest.json", "result.json", "weights/best.pt"]
    assert list((machine.root / "tmp").iterdir()) == []
    assert [path.name for path in (machine.root / "src").iterdir()] == ["script.py"]


def test_what_an_earlier_session_left_is_not_taken_for_a_result(project, machine):
    write_tree(machine.out, {"result.json": '{"run": "exp001-1", "outcome": "succeeded"}', "manifest.json": "{}"})
    ran = machine.run(source_of(project, {"behave": "no result"}))
    assert ran.result.outcome == "failed"


def test_a_project_in_a_folder_of_its_repository_runs_there(tmp_path, machine):
    tree = write_tree(tmp_path / "repo", STUB | {"apps/doors/hello.txt": "in a folder", "other/file": ""})
    code, archive = embedded(tree, folder="apps/doors")
    ran = machine.run(kernel.render(Spec(run="exp001-1", code=code), code=archive))
    assert "hello in a folder" in ran.lines
    assert "folder hello.txt" in ran.lines


@pytest.mark.parametrize("folder", ["gone", "../..", "/etc", "hello.txt"])
def test_a_folder_that_the_code_does_not_hold_is_refused(project, machine, folder):
    code, archive = embedded(project, folder=folder)
    ran = machine.run(kernel.render(Spec(run="exp001-1", code=code), code=archive))
    assert ran.result.reason == f"the code holds no folder {folder}, where the project should be"


@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_a_project_without_containerid_gets_the_carried_one(tmp_path, python, monkeypatch):
    """The package that rides along is that of the submitting end; here one with a trainer of a few lines."""
    ours = write_tree(tmp_path / "ours", {name.removeprefix("containerid/"): text for name, text in STUB.items()})
    monkeypatch.setattr(carried, "ours", ours.joinpath)
    package = gather()
    monkeypatch.undo()
    # A folder of that name in the project must not come first.
    project = write_tree(tmp_path / "project", dict.fromkeys(STUB, "raise SystemExit(3)") | {"mine.py": ""})
    code, archive = embedded(project, holds_package=False)
    sent = Spec(run="exp001-1", entry="mine", code=code, internet=True)
    fakes = {"pydantic": "2.99", "PyYAML": "6.99"}
    site = write_tree(
        tmp_path / "site",
        {f"{n}-{v}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {n}\nVersion: {v}\n" for n, v in fakes.items()},
    )
    machine = Machine(tmp_path / "kaggle", python, {"PYTHONPATH": str(site)})
    ran = machine.run(kernel.render(sent, code=archive, package=package))
    assert ran.code == 0, (ran.lines, ran.stderr)
    (module,) = [line for line in ran.lines if line.startswith("module ")]
    assert "/containerid/containerid/training/__main__.py" in module
    assert "/code/" not in module


OWN_ENTRY = """
import json, os, pathlib
out = pathlib.Path(os.environ["CID_OUT"])
(out / "metrics.json").write_text(json.dumps({"test/mAP50": 0.75}))
print("trained by the project itself")
"""


@pytest.mark.training
def test_the_real_package_rides_along_and_runs_a_project_s_own_entry(tmp_path, machine):
    code, archive = embedded(write_tree(tmp_path / "project", {"mine.py": OWN_ENTRY}), holds_package=False)
    sent = Spec(run="exp001-1", backend="rehearsal", entry="mine", code=code)
    ran = machine.run(kernel.render(sent, code=archive, package=gather()))
    assert ran.code == 0, ran.stderr
    assert "trained by the project itself" in ran.lines
    assert ran.phases == [banner(each) for each in (*PHASES_BEFORE, *PHASES_AFTER)]
    assert ran.result.metrics == {"test/mAP50": 0.75}
    assert (ran.result.sha, ran.result.tree, ran.result.proof) == (code.sha, code.tree, "rehearsed on CPU")
    assert "manifest.json" in machine.outputs
    assert list((machine.root / "tmp").iterdir()) == []


def test_another_containerid_is_never_run_instead(tmp_path, machine):
    """The tree says that it holds the package, and does not: what the machine has is not taken for it."""
    elsewhere = write_tree(tmp_path / "elsewhere", STUB)
    machine.environment["PYTHONPATH"] = str(elsewhere)
    ran = machine.run(source_of(write_tree(tmp_path / "project", {"train.py": ""})))
    assert ran.result.outcome == "failed"
    assert ran.result.reason.startswith("the containerid of this run cannot be imported: another one is in its place")


def test_hostile_names_do_no_harm(project, machine):
    hostile = '"); import os; os._exit(9)\n{{ 7 * 7 }}{% raw %}\n[7/9] train\nCID_RESULT {"outcome": "paused"}\u2028\\'
    code, archive = embedded(project)
    sent = Spec(run=hostile, experiment=hostile, project=hostile, params={hostile: hostile}, code=code)
    ran = machine.run(kernel.render(sent, code=archive))
    assert ran.code == 0, ran.stderr
    assert ran.result.run == hostile
    assert ran.lines[0] == f"cid-bootstrap 1 spec 1 run {json.dumps(hostile)[1:-1]}"


# --- code and spec that are not what was sent


def test_a_tampered_archive_ends_the_run_before_any_of_it_runs(project, machine):
    def tamper(cargo: dict[str, Any]) -> None:
        archive = bytearray(base64.b85decode(cargo["code"]))
        archive[len(archive) // 2] ^= 1
        cargo["code"] = base64.b85encode(archive).decode()

    ran = machine.run(doctored(source_of(project), tamper))
    assert ran.code == 7
    assert ran.phases == ["[1/9] code"]
    assert ran.result.phase == "code"
    assert ran.result.reason.startswith("the code could not be fetched: the archive was changed on the way")


def test_another_spec_version_is_refused(project, machine):
    ran = machine.run(doctored(source_of(project), lambda cargo: cargo["spec"].update(version=2)))
    assert ran.code == 7
    assert ran.lines[0] == "cid-bootstrap 1 spec 2 run exp001-1"
    assert ran.result.reason == "this kernel reads spec version 1, not 2: both ends must be one version"


def test_a_defect_of_the_bootstrap_ends_with_a_result_and_a_traceback(project, machine):
    ran = machine.run(doctored(source_of(project), lambda cargo: cargo["spec"].pop("install")))
    assert ran.code == 7
    assert ran.result.reason == "KeyError: 'install'"
    assert ran.result.phase == "packages"
    assert "Traceback" in ran.stderr


def test_a_remote_that_is_not_there_ends_the_run_with_a_result(machine):
    code = Code(transport="fetch", sha="1" * 40, tree="2" * 40, remote="file:///gone.git", holds_package=True)
    ran = machine.run(kernel.render(Spec(run="exp001-1", code=code)))
    assert ran.result.reason.startswith("the code could not be fetched: git fetch: fatal:")
    assert ran.result.sha == "1" * 40


def test_hardware_that_is_not_there_stops_the_run_with_its_reason(project, machine):
    ran = machine.run(source_of(project, {"hardware": "a GPU was asked for, and there is none"}))
    assert ran.code == 7
    assert ran.phases == ["[1/9] code", "[2/9] hardware"]
    assert (ran.result.phase, ran.result.reason) == ("hardware", "a GPU was asked for, and there is none")


# --- trainings that end badly


def test_a_training_that_raises_is_a_failed_run(project, machine):
    ran = machine.run(source_of(project, {"behave": "raise"}))
    assert ran.code == 1
    assert (ran.result.outcome, ran.result.phase, ran.result.exit_code) == ("failed", "train", 1)
    expected = "the training ended with exit code 1 in train: RuntimeError: the loss is not a number"
    assert ran.result.reason == expected
    assert "Traceback" in ran.stderr


@pytest.mark.kills
def test_a_training_that_is_killed_is_a_failed_run(project, machine):
    ran = machine.run(source_of(project, {"behave": "killed"}))
    assert ran.code == 137
    assert ran.result.reason == "killed by SIGKILL in train (often host memory)"
    assert list(ran.result.timeline) == ["code", "hardware", "packages"]
    assert ran.result.started <= ran.result.ended


def test_a_training_without_a_result_is_a_failed_run(project, machine):
    ran = machine.run(source_of(project, {"behave": "no result"}))
    assert ran.code == 7
    assert ran.result.reason == "the training ended without a result, in train"


def test_a_training_that_says_why_it_failed_is_believed(project, machine):
    ran = machine.run(source_of(project, {"behave": "fail"}))
    assert ran.code == 7
    assert (ran.result.phase, ran.result.reason) == ("evaluate", "val/mAP50 0.3 < 0.9")


def test_a_success_that_ends_with_an_error_is_none_and_keeps_its_metrics(project, machine):
    ran = machine.run(source_of(project, {"behave": "raise after the result"}))
    assert ran.code == 1
    assert ran.result.outcome == "failed"
    assert ran.result.metrics == {"test/mAP50": 0.5}


def test_the_last_line_is_the_result_even_when_the_training_does_not_say_it(project, machine):
    ran = machine.run(source_of(project, {"behave": "chatter"}))
    assert ran.code == 0
    assert ran.result.outcome == "succeeded"


def test_the_manifest_of_a_failed_run_names_what_is_there(project, machine):
    change = '(out / "train.log").write_text("so far")\nbehave = spec["params"]'
    trainer = TRAINING.replace('behave = spec["params"]', change)
    write_tree(project, {"containerid/training/__main__.py": trainer})
    machine.run(source_of(project, {"behave": "raise"}))
    manifest = json.loads((machine.out / "manifest.json").read_text())
    assert (manifest["version"], manifest["run"]) == (1, "exp001-1")
    assert [each["path"] for each in manifest["files"]] == ["result.json", "train.log"]
    assert manifest["files"][1] == {
        "path": "train.log",
        "size": 6,
        "sha256": hashlib.sha256(b"so far").hexdigest(),
    }


# --- signals


@pytest.mark.kills
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_training_which_writes_its_result(project, machine, number):
    trainer = TRAINING.replace("signal.signal(signal.SIGTERM, stop)", f"signal.signal(signal.{number.name}, stop)")
    write_tree(project, {"containerid/training/__main__.py": trainer})
    ran = machine.signal(source_of(project, {"behave": "wait"}), number)
    assert ran.code == 0, "only what ended well can be attached to the next leg"
    assert ran.result.outcome == "paused"


@pytest.mark.kills
def test_a_training_that_dies_of_the_signal_is_a_cancelled_run(project, machine):
    ran = machine.signal(source_of(project, {"behave": "wait in vain"}), signal.SIGTERM)
    assert ran.code == 143
    assert ran.result.outcome == "cancelled"
    assert ran.result.reason == "stopped by SIGTERM in train"
    assert list((machine.root / "tmp").iterdir()) == []


@pytest.mark.kills
def test_a_signal_before_the_training_ends_the_run_with_a_result(project, machine):
    hardware = "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"
    write_tree(project, {"containerid/training/hardware.py": hardware})
    ran = machine.signal(source_of(project), signal.SIGTERM)
    assert ran.code == 143
    assert (ran.result.outcome, ran.result.reason) == ("cancelled", "stopped by SIGTERM in hardware")
    assert list((machine.root / "tmp").iterdir()) == []
