"""The command line: what it answers, where, and with which exit code. The platform is one in memory."""

import os
import re
from pathlib import Path

import pytest
from fakes.platform import Platform, PlatformBackend
from fakes.reports import leave

from containerid import backends
from containerid.commands.model import _nobody
from containerid.errors import Refused, Unreachable, UsageError
from containerid.home import Home
from containerid.job import State, Status
from containerid.runs import Registry

PARAMS = """
default_experiment: exp001
detection:
  model: {architecture: yolo11n, pretrained: false}
  data: {provider: synthetic}
experiments:
  exp001: {training: {epochs: 3, warmup_epochs: 1}}
  exp002: {}
"""


@pytest.fixture(autouse=True)
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    outputs = {"weights/best.pt": b"weights"}
    PlatformBackend.current = Platform(files=outputs, log=["[1/9] code", "hello"], ending="succeeded")
    row = backends.Entry("fakes.platform:PlatformBackend", git="branch", first=0.001, cap=0.002)
    for name in ("kaggle", "local", "rehearsal"):
        monkeypatch.setitem(backends.TABLE, name, row)
    return PlatformBackend.current


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def test_train_ends_with_the_run_fetched_and_verified(cid, project):
    said = cid("train", "--kaggle", "-e", "exp001", "--json")
    document = said.document
    assert said.code == 0
    assert (document["experiment"], document["backend"], document["state"]) == ("exp001", "kaggle", "succeeded")
    assert document["metrics"] == {"test/mAP50": 0.9}
    assert document["verified"] is True
    assert (Path(document["outputs"]) / "weights/best.pt").read_bytes() == b"weights"
    assert Path(document["outputs"]) == project / "runs" / document["run"]


def test_the_document_of_a_run_has_every_key_that_scripts_rely_on(cid):
    cid("train", "--kaggle")
    keys = {"run", "experiment", "backend", "handle", "url", "state", "sha", "metrics", "outputs", "reason"}
    for command in ("status", "show", "fetch"):
        assert keys <= set(cid(command, "--json").document)
    assert keys <= set(cid("ls", "--json").document["runs"][0])


def test_commands_without_a_name_keep_to_the_project_and_the_list_tells_them_apart(cid, project, monkeypatch):
    cid("train", "--kaggle")
    assert "project" not in cid("ls").out.splitlines()[0]
    other = project.parent / "other"
    other.mkdir()
    (other / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(other)
    for command in ("status", "logs", "fetch", "resume", "cancel", "promote", "report", "reproduce", "verify", "show"):
        said = cid(command)
        assert (said.code, "no run of the project" in said.err) == (2, True), command
        assert "cid ls" in said.err
    monkeypatch.chdir(project.parent)
    assert f"of project in {project}" in cid("status").err
    monkeypatch.chdir(other)
    assert cid("train", "--kaggle").code == 0
    assert cid("ls").out.splitlines()[0].split()[:3] == ["run", "state", "project"]


def test_the_link_is_told_right_after_the_push(cid):
    said = cid("train", "--kaggle", "--detach")
    assert "https://platform.example/code/ada/cid-exp001-" in said.err


@pytest.mark.parametrize("arguments", [[], ["--kaggle", "--local"], ["--kaggle", "--rehearse"]])
def test_train_without_exactly_one_place_names_the_three(cid, arguments):
    said = cid("train", *arguments)
    assert said.code == 2
    assert "--kaggle, --local, --rehearse" in said.err


@pytest.mark.parametrize(
    ("ending", "code"), [("succeeded", 0), ("failed", 7), ("cancelled", 8), ("paused", 9), ("", 7)]
)
def test_an_attached_run_ends_with_the_code_of_its_state(cid, platform, ending, code):
    platform.ending = ending
    said = cid("train", "--local", "--json")
    assert said.code == code
    assert said.document["run"]


def test_status_and_show_end_with_0_when_they_answered_and_mirror_the_run_when_asked(cid, platform):
    platform.ending = "failed"
    cid("train", "--local")
    for command in ("status", "show"):
        assert cid(command).code == 0
        assert cid(command, "--exit-code").code == 7


def test_status_says_so_when_the_platform_does_not_answer(cid, platform):
    platform.says = [Unreachable("the network is gone")]
    cid("train", "--kaggle", "--detach")
    assert "the network is gone" in cid("status").err


def test_a_detached_run_is_still_running_until_somebody_looks(cid, platform):
    platform.says = [Status(State.RUNNING)]
    said = cid("train", "--kaggle", "-d", "--json")
    assert (said.code, said.document["state"]) == (0, "queued")
    assert cid("status", "--json").document["state"] == "running"
    assert cid("status", "--exit-code").code == 11
    assert cid("fetch").code == 11
    platform.says = [Status(State.SUCCEEDED)]
    assert cid("fetch", "--json").document["verified"] is True


def test_a_timeout_ends_with_11_and_the_run_goes_on(cid, platform):
    platform.says = [Status(State.RUNNING)]
    said = cid("train", "--kaggle", "--timeout", "0")
    assert said.code == 11
    assert "cid status" in said.err


def test_a_refused_run_ends_with_5_and_is_recorded(cid, platform):
    platform.answer = Refused("Maximum batch GPU session count of 2 reached.", hint="cid ls", retryable=True)
    platform.arrives = False
    said = cid("train", "--kaggle", "--json")
    assert said.code == 5
    assert said.document["error"] == {
        "code": 5,
        "message": "Maximum batch GPU session count of 2 reached.",
        "hint": "cid ls",
        "retryable": True,
    }
    assert cid("ls", "--json").document["runs"][0]["state"] == "refused"


def test_a_lost_answer_is_not_pushed_twice(cid, platform):
    platform.answer = Unreachable("the answer was lost")
    said = cid("train", "--kaggle", "--json")
    assert (said.code, said.document["state"]) == (0, "succeeded")
    assert len(platform.pushed) == 1


def test_a_push_that_never_arrived_stays_submitting(cid, platform):
    platform.answer = Unreachable("no answer")
    platform.arrives = False
    said = cid("train", "--kaggle")
    assert said.code == 6
    assert cid("ls", "--json").document["runs"][0]["state"] == "submitting"


def test_outputs_that_differ_end_with_10(cid, platform):
    platform.broken = {"weights/best.pt"}
    said = cid("train", "--kaggle")
    assert said.code == 10
    assert "weights/best.pt" in said.err


def test_ctrl_c_detaches_and_says_how_to_come_back(cid, platform):
    platform.says = [KeyboardInterrupt()]
    said = cid("train", "--kaggle")
    assert said.code == 130
    assert re.search(r"^detached; exp001-\S+ goes on\n  next: cid logs exp001-", said.err, re.MULTILINE)
    assert "error" not in said.err, "it was meant"


def test_where_nobody_can_be_asked_promote_names_the_run_and_the_option():
    with pytest.raises(UsageError, match="nobody can be asked here") as caught:
        _nobody("exp001-1")("Promote it?")
    assert caught.value.hint == "cid promote exp001-1 -y"


def test_logs_go_to_stdout(cid):
    cid("train", "--kaggle")
    said = cid("logs")
    assert said.out.splitlines()[:2] == ["[1/9] code", "hello"]
    assert cid("logs", "--tail", "2").out.splitlines() == ["[1/9] code", "hello"], "what cid alone reads is not shown"
    assert "no line of the log" in cid("logs", "--grep", "nothing like it").err
    assert cid("logs", "--json").document["lines"][1] == {"time": 1.0, "stream": "stdout", "text": "hello"}


def test_every_wrong_value_is_one_line_and_exit_2(cid):
    for arguments, word in (
        (("train", "--local", "-e", "exp01"), "exp001"),
        (("train", "--local", "--set", "training.epoch=3"), "epochs"),
        (("train", "--local", "--transport", "pigeon"), "pigeon"),
        (("train", "--local", "--device", "abacus"), "abacus"),
        (("train", "--local", "--timeout", "soon"), "soon"),
        (("train", "--kaggle", "--session-limit", "999999d"), "999999d"),
        (("train", "--kaggle", "--session-limit", "9" * 400), "length of time"),
        (("status", "no-such-run"), "no-such-run"),
        (("bogus",), "bogus"),
        (("train", "--bogus"), "--bogus"),
    ):
        said = cid(*arguments)
        assert said.code == 2, arguments
        assert word in said.err, arguments
        assert "Traceback" not in said.err
        assert said.out == ""


def test_a_wrong_option_is_a_document_in_json_mode(cid):
    said = cid("train", "--json", "--bogus")
    assert said.code == 2
    assert said.document["error"]["code"] == 2


def test_params_prints_the_merged_experiment(cid):
    assert cid("params", "-e", "exp001", "--json").document["training"]["epochs"] == 3
    assert cid("params", "--set", "training.epochs=7", "--json").document["training"]["epochs"] == 7
    assert "architecture: yolo11n" in cid("params").out


def test_a_dry_run_sends_nothing_and_writes_what_would_be_sent(cid, platform):
    said = cid("train", "--kaggle", "--dry-run", "--json")
    assert said.code == 0
    assert "job.txt" in said.document["files"]
    assert platform.pushed == []
    assert Registry(Home.of_user().registry).runs() == []


def test_quiet_says_nothing_but_the_answer(cid):
    said = cid("train", "--kaggle", "-q")
    assert said.err.startswith("! this folder is in no git repository")
    assert said.err.count("\n") == 1
    assert "succeeded" in said.out


def test_no_run_yet_names_the_first_command(cid):
    said = cid("status")
    assert said.code == 2
    assert "cid train --rehearse" in said.err


def test_a_foreign_kernel_can_be_looked_at_and_fetched(cid, tmp_path):
    said = cid("status", "bob/his-kernel", "--json")
    assert (said.code, said.document["state"]) == (0, "succeeded")
    said = cid("fetch", "bob/his-kernel", "--to", str(tmp_path / "his"), "--json")
    assert (said.code, said.document["verified"]) == (0, False)
    assert (tmp_path / "his/weights/best.pt").exists()


def test_nobody_is_asked_whether_a_kernel_may_go_that_never_was(cid, platform):
    platform.answer, platform.arrives = Refused("no"), False
    assert cid("train", "--kaggle", "-e", "exp001").code == 5
    said = cid("cancel", "--delete")
    assert (said.code, "has no kernel" in said.err) == (2, True)


@pytest.mark.parametrize("is_a_file", [True, False])
def test_the_doctor_finds_a_home_that_cannot_be_written(cid, tmp_path, monkeypatch, is_a_file):
    place, access = tmp_path / "elsewhere", os.access
    if is_a_file:
        place.write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("CID_HOME", str(place))
    monkeypatch.setattr("os.access", lambda path, mode: path != place and access(path, mode))
    said = cid("doctor", "--json")
    (disk,) = [each for each in said.document["checks"] if each["name"] == "disk"]
    assert (said.code, disk["good"], "CID_HOME" in disk["mend"]) == (1, False, True)


def test_init_writes_what_is_missing_and_overwrites_nothing(cid, tmp_path, monkeypatch):
    folder = tmp_path / "new"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert cid("init").code == 0
    (folder / "params.yaml").write_text("# mine\n", encoding="utf-8")
    assert cid("init", "--json").document == {"written": []}
    assert (folder / "params.yaml").read_text(encoding="utf-8") == "# mine\n"


def test_without_params_yaml_the_command_that_makes_one_is_named(cid, tmp_path, monkeypatch):
    (tmp_path / "empty/.git").mkdir(parents=True)  # the search goes no further up than the repository
    monkeypatch.chdir(tmp_path / "empty")
    said = cid("train", "--local")
    assert said.code == 2
    assert "cid init" in said.err


def test_a_run_that_is_over_is_shown_in_words_with_what_comes_next(cid, platform):
    leave(Path("made"), evaluation={"intervals": {"mAP50": {"value": 0.9, "low": 0.85, "high": 0.94}}})
    platform.files |= {name: Path("made", name).read_bytes() for name in ("evaluation.json",)} | {
        "report.html": b"a page"
    }
    finish = platform.finish
    platform.finish = lambda run, **more: finish(run, tracking={"wandb_offline": "wandb/offline-run"}, **more)
    said = cid("train", "--local")
    assert re.search(r"^✓ exp001-\S+  succeeded", said.out)
    assert "  test/mAP50      0.9000  (0.85 to 0.94, 95 times in 100)\n" in said.out
    assert "wandb_offline" not in said.out
    assert "  W&B, offline    wandb/offline-run\n" in said.out
    assert re.search(r"^  report +runs/exp001-\S+/report.html$", said.out, re.MULTILINE)
    assert re.findall(r"next: cid (\w+)", said.err) == ["report", "promote"]
    assert not re.search(r"[0-9a-f]{13}", said.out), "a commit is known by twelve digits"


def test_show_tells_where_the_time_went(cid, platform):
    said = cid("train", "--local", "--detach", "--json")
    assert "time   " not in cid("show").out
    platform.ending = ""
    platform.finish(said.document["run"], phase="report", timeline={"code": 2.2, "train": 754.2, "first_batch": 43.4})
    assert cid("fetch").code == 0
    assert "  time            code 2s, train 12m34s, first batch 43s\n" in cid("show").out
    assert cid("show", "--json").document["timeline"]["train"] == 754.2


def test_show_tells_where_a_run_stands_among_those_before_it(cid, platform):
    for score in (0.80, 0.91):
        said = cid("train", "--local", "--detach", "--json", "--new")
        platform.ending = ""
        platform.finish(said.document["run"], phase="report", metrics={"val/mAP50": score})
        assert cid("fetch").code == 0
    first = said.document["run"]
    assert "val/mAP50       0.910, +0.110 against exp001-" in cid("show").out
    assert cid("show", "--json").document["standing"]["difference"] == pytest.approx(0.11)
    assert first == cid("show", "--json").document["run"]


def test_the_list_has_a_column_for_accuracy_where_a_run_has_one(cid, platform):
    said = cid("train", "--local", "--detach", "--json")
    assert "top 1" not in cid("ls").out
    platform.ending = ""
    platform.finish(said.document["run"], metrics={"test/accuracy_top1": 0.987, "test/accuracy_top5": 1.0})
    assert cid("fetch").code == 0
    head, row = cid("ls").out.splitlines()[:2]
    assert "top 1" in head
    assert "0.987" in row
