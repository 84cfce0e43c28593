import base64
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from containerid.events import Progress
from containerid.job import Result
from containerid.training.log import Log, Redactor, say

KEY = "w" * 20 + "0123456789" * 2


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "train.log", ("data", "train"), before=3)


def test_phases_are_numbered_after_those_before(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    with log:
        log.phase("train")
    assert capsys.readouterr().out == "[5/5] train\n"


def test_what_is_printed_is_in_the_file_too(log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with log:
        say("one")
        sys.stderr.write("two\n")
        sys.stdout.write("three, without an end")
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "one\ntwo\nthree, without an end\n"
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("one\nthree, without an end\n", "two\n")


def test_a_later_leg_appends_to_the_log(log: Log, tmp_path: Path) -> None:
    for text in ("first leg", "second leg"):
        with log:
            say(text)
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "first leg\nsecond leg\n"


@pytest.mark.parametrize("state", ["\r\x1b[K 1/12: {}%", " 1/12: {}%\r"], ids=["begins with it", "ends with it"])
def test_a_progress_bar_leaves_its_last_state(log: Log, tmp_path: Path, state: str) -> None:
    with log:
        for share in (10, 50, 100):
            sys.stdout.write(state.format(share))
        sys.stdout.write("\n")
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == " 1/12: 100%\n"


def test_a_long_progress_bar_is_heard_of_once_a_minute(tmp_path: Path) -> None:
    now = [0.0]
    with Log(tmp_path / "train.log", (), clock=lambda: now[0]):
        for now[0] in (1.0, 30.0, 61.0, 62.0, 130.0):
            sys.stdout.write(f"\r{now[0]:.0f} s")
    assert (tmp_path / "train.log").read_text(encoding="utf-8").split("\n")[:2] == ["61 s", "130 s"]


def test_no_secret_gets_through(log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.redactor.add(KEY)
    with log:
        say(f"the key is {KEY}")
        sys.stdout.write(KEY[:10])
        sys.stdout.write(KEY[10:] + "\n")
        say(base64.b64encode(KEY.encode()).decode())
    for text in (capsys.readouterr().out, (tmp_path / "train.log").read_text(encoding="utf-8")):
        assert KEY not in text
        assert text.count("[redacted]") == 3


def test_the_parts_of_a_credentials_document_are_secrets() -> None:
    redactor = Redactor()
    redactor.add(
        json.dumps(
            {
                "client_secret": "-".join(("s3cr3t", "value")),
                "token_uri": "https://example.com/token",
                "keys": {"x": "-----A\nlinetwo-----"},
            }
        )
    )
    assert redactor.clean("got s3cr3t-value") == "got [redacted]"
    assert redactor.clean("linetwo-----") == "linetwo-----", "only names that sound like secrets are searched"


def test_short_words_are_no_secrets() -> None:
    redactor = Redactor()
    redactor.add("abc")
    assert redactor.clean("abc abc") == "abc abc"


def test_the_last_line_is_the_result(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.redactor.add(KEY)
    with log:
        say("ends")
    log.end(Result(run="r1", outcome="failed", reason=f"refused {KEY} — ✗"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.isascii()
    assert json.loads(last.removeprefix("CID_RESULT "))["reason"] == "refused [redacted] — ✗"


def test_progress_is_one_line_of_json(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.progress(Progress(1, 12, {"val/mAP50": 0.5}, 3.5))
    told = json.loads(capsys.readouterr().out.removeprefix("CID_PROGRESS "))
    assert told | {"epoch": 1, "epochs": 12, "metrics": {"val/mAP50": 0.5}, "eta": 3.5} == told


def test_a_reader_that_went_away_does_not_stop_the_training(log: Log, tmp_path: Path) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with redirect_stdout(Gone()), log:
        say("still here")
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "still here\n"


def test_a_terminal_that_knows_ascii_alone_gets_escapes(log: Log) -> None:
    raw = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(raw, encoding="ascii")), log:
        say("done ✓")
    assert raw.getvalue() == b"done \\u2713\n"
