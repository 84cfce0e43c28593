"""The command line when what lies around it fails: the platform is silent, a pipe is closed, a folder is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stamina
from fakes.platform import Platform, PlatformBackend

from containerid import backends
from containerid.errors import Refused, Unreachable
from containerid.job import State, Status
from containerid.kaggle import transport
from containerid.retries import RETRIES

PARAMS = """
detection:
  model: {architecture: yolo11n, pretrained: false}
  data: {provider: synthetic}
experiments:
  exp001: {}
"""


@pytest.fixture(autouse=True)
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    PlatformBackend.current = Platform(files={"weights/best.pt": b"weights"}, log=["hello"], ending="succeeded")
    row = backends.Entry("fakes.platform:PlatformBackend", git="branch", first=0.001, cap=0.002)
    monkeypatch.setitem(backends.TABLE, "kaggle", row)
    (tmp_path / "project").mkdir()
    (tmp_path / "project/params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "project")
    return PlatformBackend.current


def test_a_status_that_nobody_answered_shows_what_was_known_and_ends_with_6(cid, platform):
    platform.says = [Unreachable("the network is gone")]
    cid("train", "--kaggle", "-e", "exp001", "--detach")
    said = cid("status")
    assert (said.code, "queued" in said.out) == (6, True)
    assert said.err.count("the network is gone") == 1
    assert "looked at again" not in said.err, "nobody goes on looking"
    assert cid("status", "--json").document["state"] == "queued"
    assert cid("status", "--exit-code").code == 6


def test_an_active_run_that_cannot_be_asked_is_not_fetched_and_ends_with_6(cid, platform):
    platform.says = [Unreachable("the network is gone")]
    cid("train", "--kaggle", "-e", "exp001", "--detach")
    assert cid("fetch").code == 6


def test_the_latest_run_is_one_that_reached_its_platform(cid, platform):
    platform.says = [Status(State.RUNNING)]
    cid("train", "--kaggle", "-e", "exp001", "--detach")
    platform.answer, platform.arrives = Refused("no such slug"), False
    assert cid("train", "--kaggle", "-e", "exp001", "--new").code == 5
    for name in ((), ("exp001",)):
        assert cid("status", *name, "--json").document["state"] == "running"


def test_a_request_that_is_tried_again_is_said_once_and_nothing_else_is(capfd):
    told, left = [], [transport.Transient(Unreachable("gone")) for _ in range(3)]

    def attempt() -> str:
        if left:
            raise left.pop()
        return "there"

    RETRIES.listen(told.append)
    with stamina.set_testing(testing=True, attempts=5):
        assert transport.patiently(attempt) == "there"
        left.append(transport.Transient(Unreachable("gone again")))
        assert transport.patiently(attempt) == "there"
    assert [(event.name, event.detail) for event in told] == [("again", "gone; up to 4 more tries, within 120 s")]
    assert capfd.readouterr() == ("", "")


def test_a_pipe_that_was_closed_ends_as_with_any_tool(cid, platform):
    platform.log = [f"line {number}" for number in range(50_000)]
    cid("train", "--kaggle", "-e", "exp001", "--detach")
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; sys.path[:0] = ['.', 'tests']; from containerid.__main__ import main; main()"
    for arguments in (["ls"], ["ls", "--json"], ["params", "-e", "exp001"], ["--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        assert (arguments, done.returncode, done.stderr) == (arguments, 141, "")
    os.close(writer)


def test_a_working_folder_that_is_gone_is_one_line(cid, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    said = cid("params")
    assert (said.code, "the working folder is gone" in said.err, "defect" in said.err) == (1, True, False)
    assert "try: cd" in said.err


def test_a_place_that_cannot_be_is_one_line_with_its_path(cid, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    said = cid("emulator", "serve", "--state", str(tmp_path / "file" / "x"))
    assert (said.code, "defect" in said.err) == (1, False)
    assert f"{tmp_path}/file/x: Not a directory" in said.err


@pytest.mark.parametrize("group", [(), ("secrets",), ("emulator",)])
def test_a_group_alone_shows_its_help_and_no_error(cid, group):
    said = cid(*group)
    assert (said.code, "error" in said.err) == (2, False)
    assert said.err.startswith("Usage: cid")


@pytest.mark.parametrize(
    ("arguments", "told", "mend"),
    [
        (["data", "split"], "missing argument 'FOLDER'", "cid data split --help"),
        (["data", "push", "--nope"], "no such option: --nope", "cid data push --help"),
        (["secrets", "rm"], "missing argument 'NAME'", "cid secrets rm --help"),
        (["emulator", "serve", "--port", "abc"], "'--port': 'abc' is not a whole number", "cid emulator serve --help"),
        (["logs", "--tail", "abc"], "'abc' is not a whole number", "cid logs --help"),
        (["show", "a", "b"], "(b)", "cid show --help"),
        (["frob"], "no such command 'frob'", "cid --help"),
        (
            ["train", "--kaggle", "--set", "trainig.epochs=1"],
            "--set trainig.epochs=1: trainig: unknown key",
            "cid params",
        ),
        (["train", "--kaggle", "--set", "training.epoch=1"], "unknown argument", "cid params"),
    ],
)
def test_what_was_written_wrong_is_named_in_plain_words_with_the_help_of_its_own_command(cid, arguments, told, mend):
    said = cid(*arguments)
    assert said.code == 2
    assert told in said.err
    assert f"\n  try: {mend}" in said.err
    assert "params.yaml" not in said.err, "no line of the file is to blame"


def test_of_a_model_that_there_is_not_nothing_else_is_said(cid):
    said = cid("train", "--kaggle", "--set", "model.architecture=timm/", "--set", "augmentation.degrees=3")
    assert [line.split(": ")[1] for line in said.err.splitlines()[:1]] == ["--set model.architecture=timm/"]
    assert "augmentation" not in said.err


ONE_IS_WRONG = f"default_experiment: exp001\n{PARAMS}  bad: {{training: {{epohcs: 3, batch: 0}}}}\n"


def test_a_faulty_experiment_is_one_line_for_who_trains_another(cid, tmp_path):
    (tmp_path / "project/params.yaml").write_text(ONE_IS_WRONG, encoding="utf-8")
    caution = "params.yaml has 2 faults in bad; nothing of it is used here, and `cid params` lists all"
    for arguments in (["train", "--kaggle"], ["train", "--kaggle", "-e", "exp001"], ["params", "-e", "exp001"]):
        said = cid(*arguments)
        assert (said.code, said.err.count(caution)) == (0, 1)
    for arguments in (["status"], ["show"], ["logs"], ["fetch"], ["ls"]):
        said = cid(*arguments)
        assert (said.code, "faults" in said.err) == (0, False), arguments


@pytest.mark.parametrize("arguments", [["train", "--kaggle", "-e", "bad"], ["params", "-e", "bad"], ["params"]])
def test_who_asks_for_the_faulty_one_or_for_all_is_told_every_fault_and_stopped(cid, tmp_path, arguments):
    (tmp_path / "project/params.yaml").write_text(ONE_IS_WRONG, encoding="utf-8")
    said = cid(*arguments)
    assert said.code == 2
    assert "params.yaml:8: experiments.bad.training.epohcs: unknown argument (did you mean `epochs`?)" in said.err
    assert "params.yaml:8: experiments.bad.training.batch: must be a whole number of at least 1" in said.err


def test_the_doctor_names_each_faulty_experiment_and_calls_none_of_them_needed(cid, tmp_path):
    (tmp_path / "project/params.yaml").write_text(ONE_IS_WRONG.replace(": exp001", ": exp01", 1), encoding="utf-8")
    checks = [each for each in cid("doctor", "--json").document["checks"] if each["name"] == "experiment"]
    assert [(each["good"], each["needed"], each["found"].partition(": ")[0]) for each in checks] == [
        (False, False, "default_experiment cannot be used"),
        (False, False, "bad cannot be used"),
    ]
    assert "experiments.bad.training.epohcs: unknown argument (did you mean `epochs`?)" in checks[1]["found"]


def test_a_remote_that_does_not_answer_is_no_good_remote_and_needed_looks_other_than_useful(cid, tmp_path):
    for command in (["init", "-q"], ["remote", "add", "origin", f"file://{tmp_path}/none"]):
        subprocess.run(["git", *command], check=True)
    said = cid("doctor")
    assert "– remote       origin: " in said.out
    assert "it does not answer" in said.out
    assert "– credentials " in said.out
    assert "– not asked    Kaggle, quota, clock and ghosts, for want of credentials" in said.out
    assert said.out.splitlines()[-1].endswith("to train on Kaggle: first credentials")
    Path("params.yaml").unlink()
    said = cid("doctor")
    assert (said.code, "✗ params.yaml " in said.out) == (1, True)


def test_outside_git_nobody_is_told_to_begin_with_dvc(cid):
    assert "dvc init" not in cid("doctor").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["data", "check", "--html", "."], "--html . is a folder"),
        (["data", "stats", "--html", "nope/x.html"], "there is no folder nope"),
        (["compare", "a", "b", "--html", "nope/x.html"], "there is no folder nope"),
    ],
)
def test_a_page_goes_into_a_folder_that_is_there(cid, arguments, told):
    said = cid(*arguments)
    assert (said.code, told in said.err, ".part" in said.err) == (2, True, False)
    assert not Path("nope").exists()


@pytest.mark.parametrize("arguments", [["train", "--kaggle"], ["train", "--local"], ["train", "--rehearse"]])
def test_outputs_that_will_find_no_place_are_refused_before_the_training(cid, platform, arguments):
    Path("runs").write_text("no folder", encoding="utf-8")
    said = cid(*arguments)
    assert (said.code, "runs is no folder" in said.err) == (1, True), said.err
    assert platform.pushed == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("arguments", [["init"], ["train", "--local"], ["data", "check", "--html", "x.html"]])
def test_a_folder_that_is_read_only_is_one_text_and_one_code(cid, tmp_path, arguments):
    (tmp_path / "project").chmod(0o555)
    try:
        said = cid(*arguments)
    finally:
        (tmp_path / "project").chmod(0o755)
    assert (said.code, "nothing can be written into " in said.err, "try: chmod u+w" in said.err) == (1, True, True)


def test_a_home_that_is_a_file_is_this_machines_disk(cid, tmp_path, monkeypatch):
    monkeypatch.setenv("CID_HOME", str(tmp_path / "project/params.yaml"))
    said = cid("ls")
    assert (said.code, "CID_HOME=FOLDER" in said.err) == (1, True)
