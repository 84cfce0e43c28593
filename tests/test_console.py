import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containerid.console import Manner, Screen
from containerid.errors import Refused
from containerid.events import Caution, Changed, Doubt, LogLine, Planned, Progress, Step, Waited
from containerid.text import duration, harmless, size, wrapped

HOSTILE = [
    "\x1b]52;c;ZXZpbA==\x07text",
    "\x1b[2J\x1b[Htext",
    "\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\",
    "te\x9b31mxt",
    "\x1bPq#0\x1b\\text",
    "\u202etext",
    "text\x00",
    "\x1b",
    "\x1bctext",
    "\x1b_apc\x1b\\text",
]


@pytest.mark.parametrize("line", HOSTILE)
def test_a_hostile_line_moves_no_terminal(line, capfd):
    Screen().say(line)
    out = capfd.readouterr().out
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in out)
    assert "\u202e" not in out
    assert "\x9b" not in out


@given(st.text())
def test_no_text_at_all_keeps_a_control_character(text):
    assert not any((ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160 for letter in harmless(text))


def test_a_progress_bar_is_shown_as_it_ended():
    assert harmless("10%\r50%\r100%\r\n") == "100%"


def test_markup_in_a_log_is_only_text(capfd):
    Screen().say("[bold]not bold[/bold] [link=x]")
    assert capfd.readouterr().out == "[bold]not bold[/bold] [link=x]\n"


def test_a_long_line_is_not_wrapped_where_nobody_looks(capfd):
    Screen().say("x" * 500)
    assert capfd.readouterr().out == "x" * 500 + "\n"


def test_a_terminal_gets_long_lines_broken_between_words_beside_their_label():
    assert wrapped("  outputs         some words that go on", 30) == (
        "  outputs         some words\n                  that go on"
    )
    assert wrapped("error: some words that are too long for it", 20) == (
        "error: some words\n  that are too long\n  for it"
    )
    link = f"https://example.com/{'x' * 40}"
    assert wrapped(f"  kernel          {link}", 30) == f"  kernel          {link}", "a link stays one word"


@given(st.text(alphabet="ab :"), st.integers(10, 40))
def test_a_line_of_short_words_is_never_wider_than_the_terminal(text, width):
    words = " ".join(word[:3] for word in text.split())
    assert max(map(len, wrapped(words, width).split("\n"))) <= width


@given(st.text(alphabet="ab :-/"), st.integers(10, 40))
def test_wrapping_loses_no_word_and_moves_none(text, width):
    assert wrapped(text, width).split() == text.split()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.4, "59s"), (192, "3m12s"), (7500, "2h05m"), (-3, "0s")])
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5_437_000, "5.4 MB"), (2 * 10**10, "20.0 GB")]
)
def test_sizes_are_si(count, text):
    assert size(count) == text


EVENTS = [
    Step("code", "abc"),
    Planned((("gpu", "T4"),)),
    Changed("a-1", "running", "", "https://example.com"),
    LogLine(1.5, "stdout", "hello"),
    Progress(1, 3, {"val/mAP50": 0.5}, 60),
    Waited("a-1", "running", 12.0),
    Caution("careful"),
]


def test_answers_go_to_stdout_and_events_to_stderr(capfd):
    screen = Screen()
    for event in EVENTS:
        screen.tell(event)
    screen.say("the answer")
    out, err = capfd.readouterr()
    assert out == "the answer\n"
    assert "hello" in err
    assert "epoch 1/3  val mAP50 0.500  1m00s to go" in err
    assert "! careful" in err


def test_quiet_keeps_cautions_and_drops_the_rest(capfd):
    screen = Screen(Manner(quiet=True))
    for event in EVENTS:
        screen.tell(event)
    assert capfd.readouterr().err == "! careful\n"


def test_json_events_are_lines_of_json_on_stderr(capfd):
    screen = Screen(Manner(json_events=True))
    for event in EVENTS:
        screen.tell(event)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == [
        "step",
        "planned",
        "changed",
        "logline",
        "progress",
        "waited",
        "caution",
    ]
    assert lines[3] == {"event": "logline", "time": 1.5, "stream": "stdout", "text": "hello"}


def test_in_json_mode_stdout_holds_one_document_and_nothing_else(capfd):
    screen = Screen(Manner(as_json=True))
    screen.say("not shown")
    screen.table(("a",), [("b",)])
    screen.document({"run": "a-1"})
    assert json.loads(capfd.readouterr().out) == {"run": "a-1"}


def test_an_error_is_a_document_too(capfd):
    Screen(Manner(as_json=True)).error(Refused("no slot is free", hint="cid ls", retryable=True))
    out, err = capfd.readouterr()
    assert json.loads(out) == {"error": {"code": 5, "message": "no slot is free", "hint": "cid ls", "retryable": True}}
    assert err == "error: no slot is free\n  try: cid ls\n"


def test_an_error_is_a_line_of_json_among_events_and_never_swallowed(capfd):
    Screen(Manner(json_events=True)).error(Refused("no slot is free", hint="cid ls", retryable=True))
    out, err = capfd.readouterr()
    assert out == ""
    said = {"event": "error", "code": 5, "message": "no slot is free", "hint": "cid ls", "retryable": True}
    assert json.loads(err) == said


def test_no_question_is_asked_without_a_terminal(capfd):
    assert Screen().ask("push?")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("typed", "agreed"), [("\n", True), ("y\n", True), ("n\n", False), ("", False)])
@pytest.mark.parametrize("doubtful", [False, True])
def test_enter_is_a_yes_to_a_safe_plan_alone_and_ctrl_d_to_none(monkeypatch, capfd, typed, agreed, doubtful):
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert Screen().ask(Doubt("push?") if doubtful else "push?") is (agreed and (typed != "\n" or not doubtful))
    assert capfd.readouterr().err == f"push? {'[y/N]' if doubtful else '[Y/n]'} "


def test_a_stdout_that_was_closed_is_no_defect(monkeypatch, capfd):
    monkeypatch.setattr("sys.stdout", None)
    screen = Screen()
    screen.say("not heard")
    screen.complain(Refused("no slot is free"))
    assert capfd.readouterr().err == "error: no slot is free\n"


LIVE = """
from containerid.console import Screen
from containerid.events import LogLine, Waited
screen = Screen()
for number in range(2):
    screen.tell(Waited("exp001-1", "running", number))
    screen.tell(LogLine(0, "stdout", "Tür 100% ━━━━"))
screen.rest()
"""


def test_under_a_live_line_letters_stay_what_they_are():
    near, far = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen([sys.executable, "-c", LIVE], stdin=far, stdout=far, stderr=far, env=environ) as process:
        os.close(far)
        seen = b""
        with suppress(OSError):  # Linux says so when the other side is closed
            while piece := os.read(near, 65536):
                seen += piece
    os.close(near)
    assert process.returncode == 0
    assert seen.decode().count("Tür 100% ━━━━") == 2
    assert "●" in seen.decode()
