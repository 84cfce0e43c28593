import hashlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from containerid.job import Result, Spec
from containerid.kaggle.bootstrap.child import SIGNALS, Relay
from containerid.kaggle.bootstrap.journal import Interrupted, Journal, one_line, say
from containerid.kaggle.bootstrap.outcome import Ended, Verdict, conclude, leave

SPEC = Spec(run="exp001-1").to_dict()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "working"
    folder.mkdir()
    return folder


def left(out: Path, outcome: str, run: str = "exp001-1", manifest: bool = True) -> None:
    """What a training wrote before it ended."""
    result = {"run": run, "outcome": outcome, "phase": "report", "metrics": {"test/mAP50": 0.9}}
    (out / "result.json").write_text(json.dumps(result))
    if manifest:
        (out / "manifest.json").write_text("{}")


def concluded(out: Path, ended: Ended) -> tuple[int, Result]:
    code = conclude(out, SPEC, Journal(), ended)
    return code, Result.from_dict(json.loads((out / "result.json").read_text()))


# --- what counts as the end of a run


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        ("succeeded", 0, 0),
        ("failed", 7, 7),
        ("failed", 0, 7),
        ("paused", 9, 0),
        ("cancelled", 8, 8),
        ("paused", 139, 139),
    ],
)
def test_a_whole_result_is_kept(out, outcome, code, expected):
    left(out, outcome)
    before = (out / "result.json").read_bytes()
    assert conclude(out, SPEC, Journal(), Ended(code)) == expected
    assert (out / "result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("outcome", "run", "manifest", "ended"),
    [
        ("succeeded", "exp001-1", True, Ended(1)),
        ("succeeded", "exp001-1", True, Ended(139, signal.SIGSEGV)),
        ("succeeded", "exp001-1", False, Ended(0)),
        ("succeeded", "another", True, Ended(0)),
        ("wonderful", "exp001-1", True, Ended(0)),
    ],
    ids=["error code", "killed", "no manifest", "another run", "unknown word"],
)
def test_a_result_that_does_not_tell_the_truth_is_replaced(out, outcome, run, manifest, ended):
    left(out, outcome, run, manifest)
    code, result = concluded(out, ended)
    assert code == (ended.code or 7)
    assert (result.outcome, result.run) == ("failed", "exp001-1")


@pytest.mark.parametrize("text", ["", "[]", '{"run": "exp001-1"', "null", '"exp001-1"'])
def test_a_result_that_cannot_be_read_is_replaced(out, text):
    (out / "result.json").write_text(text)
    (out / "manifest.json").write_text("{}")
    assert concluded(out, Ended(0))[1].outcome == "failed"


@pytest.mark.parametrize(
    ("ended", "outcome", "reason"),
    [
        (Ended(137, signal.SIGKILL, phase="train"), "failed", "killed by SIGKILL in train (often host memory)"),
        (Ended(139, signal.SIGSEGV, phase="data"), "failed", "killed by SIGSEGV in data"),
        (Ended(128 + 77, 77, phase="data"), "failed", "killed by signal 77 in data"),
        (Ended(143, signal.SIGTERM, signal.SIGTERM, "train"), "cancelled", "stopped by SIGTERM in train"),
        (
            Ended(137, signal.SIGKILL, signal.SIGTERM, "train"),
            "cancelled",
            "stopped by SIGTERM in train, and killed because it did not end",
        ),
        (Ended(0, phase="report"), "failed", "the training ended without a result, in report"),
        (Ended(3), "failed", "the training ended with exit code 3 in environment"),
        (
            Ended(1, complained="No module named x"),
            "failed",
            "the training ended with exit code 1 in environment: No module named x",
        ),
    ],
)
def test_an_end_without_a_result_has_a_reason(out, ended, outcome, reason):
    _, result = concluded(out, ended)
    assert (result.outcome, result.reason) == (outcome, reason)
    assert result.exit_code == (ended.code or 7)


def test_the_manifest_holds_every_file_but_links_and_itself(out):
    (out / "weights").mkdir()
    (out / "weights/last.pt").write_bytes(b"model")
    (out / "link").symlink_to("/etc/hostname")
    concluded(out, Ended(1))
    manifest = json.loads((out / "manifest.json").read_text())
    files = {each["path"]: (each["size"], each["sha256"]) for each in manifest["files"]}
    assert sorted(files) == ["result.json", "weights/last.pt"]
    assert files["weights/last.pt"] == (5, hashlib.sha256(b"model").hexdigest())
    result = (out / "result.json").read_bytes()
    assert files["result.json"] == (len(result), hashlib.sha256(result).hexdigest())


def test_a_disk_that_takes_nothing_more_still_leaves_the_last_line(tmp_path, capsys):
    assert leave(tmp_path / "gone", SPEC, Journal(), Verdict("failed", "no\nspace"), None) == 7
    warning, last = capsys.readouterr().out.splitlines()
    assert warning.startswith("warning: the result could not be written:")
    assert json.loads(last.removeprefix("CID_RESULT "))["reason"] == "no space"


def test_a_reason_is_one_line_of_bearable_length():
    assert one_line(" a\n\tb\r\n") == "a b"
    assert len(one_line("x" * 1000)) == 500


def test_a_log_that_is_gone_stops_nothing(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        say("is anybody there?")
        monkeypatch.undo()
        # What could not be written must not be tried again when the file is closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), gone.fileno())


def test_a_notebook_s_stream_takes_lines_too(monkeypatch):
    notebook = io.StringIO()
    monkeypatch.setattr(sys, "stdout", notebook)
    say("türen")
    assert notebook.getvalue() == "türen\n"


# --- processes and signals


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay; the test runner's own handlers come back afterwards."""
    before = {each: signal.getsignal(each) for each in (*SIGNALS, signal.SIGALRM)}
    yield Relay(grace=0.2)
    for number, handler in before.items():
        signal.signal(number, handler)


def follow(relay: Relay, text: str) -> Ended:
    return relay.follow([sys.executable, "-u", "-c", text], os.environ, Path.cwd())


def test_output_is_passed_on_and_the_last_words_are_remembered(relay, capfdbinary):
    lines = ["import sys", "print('[7/9] train')", "print('[7/9] other')", "print('last')"]
    ended = follow(relay, ";".join([*lines, "print('oh', file=sys.stderr)", "sys.exit(3)"]))
    assert ended == Ended(3, 0, 0, "train", "last", "oh")


def test_what_is_said_after_an_unfinished_line_begins_a_new_one(relay, capsys):
    ended = follow(relay, "import os, signal; print('45%', end='', flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    say("CID_RESULT {}")
    assert capsys.readouterr().out.splitlines() == ["45%", "CID_RESULT {}"]
    assert ended[:2] == (137, signal.SIGKILL)


def test_a_line_without_end_is_passed_on_in_parts(relay, capsys):
    follow(relay, "print('x' * 200_000)")
    assert capsys.readouterr().out == "x" * 200_000 + "\n"


@pytest.mark.kills
def test_what_a_process_leaves_behind_is_killed(relay):
    before = threading.active_count()
    helper = "import time; time.sleep(60)"
    follow(relay, f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {helper!r}])")
    # A pipe that somebody still holds open would keep its thread waiting.
    assert threading.active_count() == before


@pytest.mark.kills
def test_a_process_that_does_not_end_when_asked_is_killed(relay):
    text = (
        "import os, signal, time\nfor each in (signal.SIGTERM, signal.SIGINT): signal.signal(each, signal.SIG_IGN)\n"
        "os.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(30)"
    )
    ended = follow(relay, text)
    assert (ended.code, ended.killer, ended.asked) == (137, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.kills
def test_between_two_processes_a_signal_interrupts(relay):
    with pytest.raises(Interrupted) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM


@pytest.mark.kills
def test_once_the_run_is_ending_a_signal_is_only_noted(relay):
    relay.ending = True
    os.kill(os.getpid(), signal.SIGINT)
    assert follow(relay, "").code == 0
