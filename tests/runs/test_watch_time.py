"""Watching over hours, lost networks, sleep and tokens that run out; the clock is the test's."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from fakes.live import Live, LiveBackend
from fakes.moments import Moments

from containerid import backends
from containerid.errors import CredentialsError, NotFound, StillRunning, Unreachable
from containerid.events import Caution, Changed, LogLine, Progress, Step, Waited
from containerid.job import Leg, Result, Spec, State, Status
from containerid.runs.registry import Run
from containerid.runs.watch import watch, watch_all

RUNNING, COMPLETE = Status(State.RUNNING), Status(State.SUCCEEDED)
HOUR = 3600.0


@pytest.fixture
def clock() -> Moments:
    return Moments()


@pytest.fixture
def make(registry, clock, tmp_path, monkeypatch) -> Callable[..., tuple[Run, Live]]:
    """Make a run and its life on the platform."""
    LiveBackend.runs = {}
    row = backends.Entry("fakes.live:LiveBackend", git="snapshot", first=2, cap=60, billed=True)
    monkeypatch.setitem(backends.TABLE, "live", row)

    def one(name: str = "exp001-1") -> tuple[Run, Live]:
        registry.add(Run(run=name, backend="live", folder=str(tmp_path), experiment="exp001"))
        registry.set_spec(name, Spec(run=name, backend="live"))
        registry.set_leg(name, Leg(f"ada/cid-{name}", "1"))
        live = LiveBackend.runs[f"ada/cid-{name}"] = Live(clock.now)
        return registry.move(name, State.QUEUED), live

    return one


def says(live: Live, status) -> Callable[[], None]:
    return lambda: setattr(live, "says", status)


def ends(live: Live, run: Run, **result) -> Callable[[], None]:
    def end() -> None:
        live.says, live.result = COMPLETE, Result(run=run.run, outcome="succeeded", **result)
        live.end_log()

    return end


def lives(clock: Moments, live: Live, run: Run, *, end: float, every: float = 60.0, start: float = 5.0) -> None:
    """A run that starts, logs a line now and then, and ends well."""
    clock.at(start, says(live, RUNNING))
    second = start + 5
    while second < end:
        clock.at(second, lambda: live.log("a line"), heard=True)
        second += every
    clock.at(end, ends(live, run), heard=True)


def of(told, kind):
    return [event for event in told if isinstance(event, kind)]


def test_the_first_looks_come_after_2_4_8_seconds_and_then_once_a_minute(make, clock, home):
    run, live = make()
    clock.at(400, ends(live, run))
    watch(run, home=home, tell=lambda _: None, inbox=clock)
    seconds = [second for second, what in live.asked if what == "status"]
    assert [round(b - a) for a, b in pairwise(seconds)] == [2, 4, 8, 16, 32, *[60] * 6]


def test_the_end_of_the_log_is_a_reason_to_look_at_once_and_nothing_is_asked_afterwards(make, clock, home):
    run, live = make()
    lives(clock, live, run, end=3 * HOUR)
    told = []
    assert watch(run, home=home, tell=told.append, inbox=clock).state is State.SUCCEEDED
    assert clock.seconds == 3 * HOUR
    assert live.asked[-1][0] == 3 * HOUR
    assert len(of(told, LogLine)) == 180


def test_while_lines_come_the_platform_is_asked_every_ten_minutes_only(make, clock, home):
    run, live = make()
    lives(clock, live, run, end=3 * HOUR, every=20)
    watch(run, home=home, tell=lambda _: None, inbox=clock)
    assert live.count("log") == 1
    assert live.count("status") < 30


def test_a_lost_network_is_said_once_and_so_is_its_return(make, clock, home):
    run, live = make()
    lives(clock, live, run, end=HOUR, every=2 * HOUR)
    clock.at(600, says(live, Unreachable("no answer")))
    clock.at(1200, says(live, RUNNING))
    told = []
    assert watch(run, home=home, tell=told.append, inbox=clock).state is State.SUCCEEDED
    lost = [event.text for event in of(told, Caution) if "no answer" in event.text]
    assert len(lost) == 1
    (back,) = of(told, Step)
    assert "answers again, after " in back.detail


def test_a_pause_that_the_platform_asks_for_is_kept(make, clock, home):
    run, live = make()
    busy = Unreachable("Kaggle asks for fewer requests")
    busy.after = 500
    live.says = busy
    clock.at(400, ends(live, run))
    watch(run, home=home, tell=lambda _: None, inbox=clock)
    assert [second for second, what in live.asked if what == "status"] == [0, 500]


def test_a_token_that_runs_out_is_said_once_and_a_new_one_is_taken_up(make, clock, home):
    run, live = make()
    lives(clock, live, run, end=HOUR, every=2 * HOUR)
    expired = CredentialsError("Kaggle does not take the credentials", hint="cid doctor")
    clock.at(600, says(live, expired))
    clock.at(601, lambda: live.cut(expired), heard=True)
    clock.at(1200, says(live, RUNNING))
    clock.at(1500, lambda: live.log("after it"), heard=True)
    opened, told = live.opened, []
    assert watch(run, home=home, tell=told.append, inbox=clock).state is State.SUCCEEDED
    assert len([event for event in of(told, Caution) if "does not take the credentials" in event.text]) == 1
    assert live.opened > opened + 2
    assert live.count("log") == 2
    assert [line.text for line in of(told, LogLine)].count("a line") == 1
    assert "after it" in [line.text for line in of(told, LogLine)]


def test_credentials_that_were_never_taken_end_the_watch(make, clock, home):
    run, live = make()
    live.says = CredentialsError("no")
    with pytest.raises(CredentialsError):
        watch(run, home=home, tell=lambda _: None, inbox=clock)


def test_a_machine_that_slept_looks_at_once_and_says_so_once(make, clock, home):
    run, live = make()
    lives(clock, live, run, end=HOUR, every=2 * HOUR)
    clock.at(630, lambda: clock.sleep(8 * HOUR))
    told = []
    watch(run, home=home, tell=told.append, inbox=clock)
    (slept,) = (event.text for event in of(told, Caution) if "sleep" in event.text)
    assert "480 minutes" in slept
    assert 630 in [round(second) for second, what in live.asked if what == "status"]


def test_a_run_without_a_word_is_called_stalled_once_until_it_speaks(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    clock.at(20, lambda: live.log("first"), heard=True)
    clock.at(2000, lambda: live.log("again"), heard=True)
    clock.at(2100, ends(live, run), heard=True)
    told = []
    watch(run, home=home, tell=told.append, inbox=clock)
    (stalled,) = (event.text for event in of(told, Caution))
    assert "cid logs exp001-1 --tail 20" in stalled
    waits = {round(event.elapsed): event.stalled for event in of(told, Waited)}
    flags = [event.stalled for event in of(told, Waited)]
    assert (flags[0], any(flags), flags[-1]) == (False, True, False), waits


def test_heartbeats_keep_a_silent_run_from_being_called_stalled(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    for second in range(60, 2000, 60):
        beat = 'CID_HEARTBEAT {"phase": "train", "gpu": 0.93, "memory": 0.6}'
        clock.at(second, lambda beat=beat: live.log(beat), heard=True)
    clock.at(2000, ends(live, run), heard=True)
    told = []
    watch(run, home=home, tell=told.append, inbox=clock)
    assert of(told, Caution) == []
    assert of(told, LogLine) == []
    assert (of(told, Waited)[-2].gpu, of(told, Waited)[-2].memory) == (0.93, 0.6)


def test_the_live_line_knows_epoch_estimate_and_billed_hours(make, clock, home, registry):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    progress = 'CID_PROGRESS {"epoch": 2, "epochs": 5, "metrics": {"val/mAP50": 0.5}, "eta": 600.0}'
    clock.at(1000, lambda: live.log(progress, time=900), heard=True)
    clock.at(1300, ends(live, run), heard=True)
    told = []
    watch(run, home=home, tell=told.append, inbox=clock)
    before = [event for event in of(told, Waited) if event.state == "running"][-1]
    assert (before.progress.epoch, before.progress.metrics) == (2, {"val/mAP50": 0.5})
    assert before.progress.eta == pytest.approx(300, abs=2)
    assert before.billed == pytest.approx(1200 / 3600, abs=0.01)
    assert of(told, Progress) == [Progress(2, 5, {"val/mAP50": 0.5}, 600.0, "exp001-1")]


def test_lines_that_come_after_the_platform_called_the_run_ended_are_not_lost(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    clock.at(10, lambda: live.log("first"), heard=True)
    clock.at(100, lambda: setattr(live, "result", Result(run=run.run, outcome="succeeded")))
    clock.at(100, says(live, COMPLETE))
    clock.at(130, lambda: live.log("last"), heard=True)
    clock.at(131, live.end_log, heard=True)
    told = []
    watch(run, home=home, tell=told.append, inbox=clock)
    assert [line.text for line in of(told, LogLine)] == ["first", "last"]


def test_a_log_that_never_ends_is_left_and_the_kept_one_gives_the_rest(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    clock.at(10, lambda: live.log("first"), heard=True)
    live.kept = [LogLine(1, "stdout", "first"), LogLine(2, "stdout", "last")]
    clock.at(100, lambda: setattr(live, "result", Result(run=run.run, outcome="succeeded")))
    clock.at(100, says(live, COMPLETE))
    told = []
    assert watch(run, home=home, tell=told.append, inbox=clock).state is State.SUCCEEDED
    assert [line.text for line in of(told, LogLine)] == ["first", "last"]
    assert clock.seconds < 100 + 60 + 11


def test_a_network_that_is_lost_at_the_very_end_delays_the_verdict_and_loses_nothing(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))

    def end() -> None:
        live.result = Result(run=run.run, outcome="succeeded", metrics={"test/mAP50": 0.9})
        live.says = Unreachable("no answer")
        live.end_log()

    clock.at(100, end, heard=True)
    clock.at(300, says(live, COMPLETE))
    run = watch(run, home=home, tell=lambda _: None, inbox=clock)
    assert (run.state, run.result.metrics) == (State.SUCCEEDED, {"test/mAP50": 0.9})


def test_a_failed_run_is_recorded_with_its_diagnosis(make, clock, home, registry):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    line = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 400.00 MiB."
    clock.at(10, lambda: live.log(line, "stderr"), heard=True)
    clock.at(11, says(live, Status(State.FAILED)))
    clock.at(12, live.end_log, heard=True)
    run = watch(run, home=home, tell=lambda _: None, inbox=clock)
    assert (run.diagnosis.kind, run.diagnosis.lines) == ("gpu-memory", (line,))
    assert "-e exp001 --set training.batch_size" in run.diagnosis.next
    assert registry.get(run.run).diagnosis == run.diagnosis
    assert run.document()["diagnosis"]["kind"] == "gpu-memory"


def test_several_runs_are_watched_in_one_loop_and_a_lost_network_is_said_once_for_all(make, clock, home):
    pairs = [make(f"run{number}-1") for number in range(5)]
    for number, (run, live) in enumerate(pairs):
        lives(clock, live, run, end=1000 + 100 * number, every=5000)
        clock.at(500, says(live, Unreachable("no answer")))
        clock.at(700, says(live, RUNNING))
    told = []
    ended = watch_all([run for run, _ in pairs], home=home, tell=told.append, inbox=clock)
    assert [run.run for run in ended] == [run.run for run, _ in pairs]
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(of(told, Caution)) - len([event for event in of(told, Caution) if "stalled" in event.text]) == 1
    assert of(told, LogLine) == []
    assert {event.run for event in of(told, Waited)} == {run.run for run, _ in pairs}
    assert len([event for event in of(told, Changed) if event.state == "succeeded"]) == 5


def test_a_timeout_of_several_names_how_many_go_on(make, clock, home):
    pairs = [make(f"run{number}-1") for number in range(3)]
    with pytest.raises(StillRunning, match="2 more"):
        watch_all([run for run, _ in pairs], home=home, tell=lambda _: None, inbox=clock, timeout=100)
    assert clock.seconds == 100


def test_a_run_that_is_deleted_while_it_is_watched_is_lost(make, clock, home):
    run, live = make()
    clock.at(5, says(live, RUNNING))
    clock.at(50, says(live, NotFound("no such kernel")))
    assert watch(run, home=home, tell=lambda _: None, inbox=clock).state is State.LOST
