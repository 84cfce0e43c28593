"""`cid watch`, the options of `cid logs`, and the diagnosis of a failed run wherever a run is shown."""

import json
import re

import pytest
from fakes.platform import Platform, PlatformBackend

from containerid import backends
from containerid.console import Manner, Screen
from containerid.events import Progress, Waited
from containerid.job import State, Status
from containerid.runs.registry import Run

PARAMS = """
default_experiment: exp001
detection: {model: {architecture: yolo11n, pretrained: false}, data: {provider: synthetic}}
experiments: {exp001: {training: {epochs: 3, warmup_epochs: 1}}}
"""
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 400.00 MiB."


@pytest.fixture(autouse=True)
def platform(tmp_path, monkeypatch) -> Platform:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    PlatformBackend.current = Platform(log=["[1/9] code", "loss 0.5", "loss 0.4"], ending="succeeded")
    row = backends.Entry("fakes.platform:PlatformBackend", git="branch", first=0.001, cap=0.002)
    for name in ("kaggle", "local", "rehearsal"):
        monkeypatch.setitem(backends.TABLE, name, row)
    return PlatformBackend.current


@pytest.fixture
def failed(cid, platform) -> str:
    """A run that ran out of GPU memory."""
    platform.ending = "failed"
    platform.log.append(OUT_OF_MEMORY)
    return cid("train", "--local", "--json").document["run"]


@pytest.mark.parametrize("command", ["status", "show", "logs"])
def test_a_failed_run_is_shown_with_its_diagnosis(cid, failed, command):
    said = cid(command, failed)
    shown = said.out + said.err
    assert "why: the GPU's memory is too small" in shown
    assert f"| {OUT_OF_MEMORY}" in shown
    assert "next: cid train --local -e exp001 --set training.batch_size" in shown
    diagnosis = cid(command, failed, "--json").document["diagnosis"]
    assert (diagnosis["kind"], diagnosis["lines"]) == ("gpu-memory", [OUT_OF_MEMORY])


def test_an_attached_run_that_fails_ends_with_its_diagnosis(cid, platform):
    platform.ending = "failed"
    platform.log.append(OUT_OF_MEMORY)
    said = cid("train", "--local")
    assert said.code == 7
    assert "why: the GPU's memory" in said.out


def test_a_missed_gate_is_said_once_with_one_next_step(cid, platform):
    reason = f"gates not met: {'; '.join(f'val/mAP50 0.{number} < 0.9' for number in range(10, 30))}"
    finish, platform.ending = platform.finish, "failed"
    platform.finish = lambda run, **more: finish(run, reason=reason, **more)
    platform.log.append(f"failed: {reason}"[:300])
    said = cid("train", "--local")
    assert said.code == 7
    assert said.out.count("gates not met") == 1
    assert said.err.count("gates not met") == 1, "the event; the log's own line is in the log"
    assert said.out.count("next: ") + said.err.count("next: ") + said.err.count("try: ") == 1
    assert "next: cid fetch exp001-" in said.out
    assert reason in str(cid("show", "--json").document["reason"])


def test_how_sure_a_classifier_is_belongs_to_its_status(cid, platform):
    finish = platform.finish
    platform.finish = lambda run, **more: finish(run, **{**more, "metrics": {"test/accuracy_top1": 0.875}})
    cid("train", "--local")
    assert "test/accuracy_top1 0.8750" in cid("status").out


def test_the_report_of_a_run_that_goes_on_is_asked_for_too_early(cid, platform):
    cid("train", "--local", "--detach")
    said = cid("report")
    assert (said.code, "its outputs appear when it ends" in said.err) == (11, True)


def test_a_run_that_succeeded_has_none(cid):
    cid("train", "--local")
    assert cid("status", "--json").document["diagnosis"] is None


@pytest.fixture
def long(cid, platform) -> str:
    run = cid("train", "--local", "--json").document["run"]
    platform.log[:] = [f"line {number}" for number in range(100)]
    return run


def texts(said) -> list[str]:
    return [line["text"] for line in said.document["lines"]]


def test_grep_takes_the_lines_that_fit(cid, long):
    assert texts(cid("logs", long, "--grep", "line 9[0-2]$", "--json")) == ["line 90", "line 91", "line 92"]
    assert texts(cid("logs", long, "--grep", "line", "--tail", "1", "--json")) == ["line 99"]


def test_a_broken_pattern_is_a_usage_error(cid, long):
    said = cid("logs", long, "--grep", "(")
    assert said.code == 2
    assert "no regular expression" in said.err


def test_since_counts_back_from_the_last_line(cid, long):
    assert texts(cid("logs", long, "--since", "2s", "--json")) == ["line 97", "line 98", "line 99"]


def test_stderr_alone(cid, long):
    assert texts(cid("logs", long, "--stderr", "--json")) == []


def test_heartbeats_are_not_shown(cid, platform, long):
    platform.log[:] = ["first", 'CID_HEARTBEAT {"phase": "train"}', "last"]
    assert texts(cid("logs", long, "--json")) == ["first", "last"]


def test_following_with_a_tail_doubles_nothing(cid, long):
    assert texts(cid("logs", long, "-f", "--tail", "2", "--json")) == ["line 98", "line 99"]


def test_watch_waits_for_all_that_are_active(cid, platform):
    platform.says = [Status(State.RUNNING)]
    names = [cid("train", "--local", "-d", "--json").document["run"] for _ in range(2)]
    platform.says = [Status(State.RUNNING), Status(State.RUNNING), Status(State.SUCCEEDED)]
    platform.asked = 0
    said = cid("watch", "--json")
    assert said.code == 0
    assert {run["run"]: run["state"] for run in said.document["runs"]} == dict.fromkeys(names, "succeeded")


def test_watch_ends_with_the_code_of_the_first_that_did_not_succeed(cid, platform):
    platform.says, platform.ending = [Status(State.RUNNING)], "failed"
    cid("train", "--local", "-d")
    platform.says = [Status(State.SUCCEEDED)]
    assert cid("watch").code == 7


def test_watch_takes_names_and_a_timeout(cid, platform):
    platform.says = [Status(State.RUNNING)]
    run = cid("train", "--local", "-d", "--json").document["run"]
    said = cid("watch", run, run, "--timeout", "0")
    assert said.code == 11
    assert f"cid status {run}" in said.err


def test_watch_with_nothing_to_watch_says_so(cid):
    assert cid("watch").code == 2


WAITS = [
    Waited("a-1", "running", 61, 0.02, Progress(2, 5, {"val/mAP50": 0.5}, 300.0), 0.93, 0.6),
    Waited("b-1", "running", 62, stalled=True),
]


def on_a_terminal(monkeypatch, events) -> str:
    """What a terminal of 120 columns is sent."""
    import io

    from rich.console import Console

    screen = Screen(Manner())
    sink = io.StringIO()
    screen._consoles[True] = Console(file=sink, force_terminal=True, width=120, color_system=None)
    monkeypatch.setenv("TERM", "xterm")
    for event in events:
        screen.tell(event)
    screen.rest()
    return sink.getvalue()


def test_one_run_is_one_live_line(monkeypatch):
    shown = on_a_terminal(monkeypatch, WAITS[:1])
    assert "running 1m01s  epoch 2/5  val mAP50 0.500  5m00s to go  GPU 93%  GPU memory 60%  0.02 h billed" in shown


def test_several_runs_are_one_live_table(monkeypatch):
    shown = on_a_terminal(monkeypatch, WAITS)
    rows = [
        line.split() for line in shown.splitlines() if line.lstrip("\x1b[0123456789;AKmh").startswith(("a-1", "b-1"))
    ]
    assert ["a-1", "running", "1m01s", "2/5", "val", "mAP50", "0.500", "5m00s", "93%", "60%", "0.02", "h"] in rows
    assert any(row[:3] == ["b-1", "stalled", "1m02s"] for row in rows)


def test_without_a_terminal_progress_is_a_plain_line_with_the_run_it_belongs_to(capfd):
    screen = Screen()
    for event in [*WAITS, Progress(2, 5, {"val/mAP50": 0.5}, run="a-1")]:
        screen.tell(event)
    assert capfd.readouterr().err == "a-1  epoch 2/5  val mAP50 0.500\n"


def test_on_a_terminal_an_epoch_stays_in_sight_when_it_is_the_best_so_far(monkeypatch):
    found = {1: 0.2, 2: 0.1, 3: 0.3}
    told = [Progress(number, 3, {"val/recall": 0.9, "val/mAP50": score}, run="a-1") for number, score in found.items()]
    shown = on_a_terminal(monkeypatch, [WAITS[0], *told])
    assert re.findall(r"      epoch (./.)  val mAP50 (\S+)", shown) == [("1/3", "0.200"), ("3/3", "0.300")]


def test_events_as_json_hold_the_progress_of_their_run(capfd):
    Screen(Manner(json_events=True)).tell(WAITS[0])
    event = json.loads(capfd.readouterr().err)
    assert (event["event"], event["run"], event["progress"]["epoch"], event["gpu"]) == ("waited", "a-1", 2, 0.93)


@pytest.mark.parametrize("width", [20, 40, 60, 100, 200])
def test_a_list_on_a_narrow_terminal_has_every_cell_of_every_run(monkeypatch, capfd, width):
    from rich.console import Console

    from containerid.views import show_runs

    screen, name = Screen(Manner()), "a-long-experiment-20260101-000000-aaaaaa"
    screen._consoles[False] = Console(width=width, force_terminal=True, color_system=None, soft_wrap=True)
    show_runs(screen, [Run(run=name, backend="kaggle", experiment="doors", state=State.SUCCEEDED)])
    lines = capfd.readouterr().out.splitlines()
    assert name in [line.split("  ")[0] for line in lines]
    assert {"succeeded", "kaggle", "doors"} <= set(" ".join(lines).split())
    assert not any("…" in line for line in lines)
    assert (len(lines) == 2) is (width >= 100), "a row is one line where there is room"


def test_the_last_column_is_broken_between_words_where_that_makes_room(capfd):
    from rich.console import Console

    screen, why = Screen(Manner()), "it alone holds the code of a run that succeeded"
    screen._consoles[False] = Console(width=50, force_terminal=True, color_system=None, soft_wrap=True)
    screen.table(("name", "why"), [("refs/cid/exp001", why)])
    lines = capfd.readouterr().out.splitlines()
    assert lines[1].startswith("refs/cid/exp001  it alone holds the code")
    assert " ".join(" ".join(lines[1:]).split()) == f"refs/cid/exp001 {why}"


def test_where_there_is_nothing_the_list_says_what_makes_the_first(cid):
    assert cid("ls").out == "no run yet: cid train --rehearse -e smoke makes the first, on this machine\n"
