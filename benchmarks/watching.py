"""API calls of a three-hour run that is watched to its end, and how long after the end it was known; simulated time.

The same platform, the same clock: `cid`'s watcher, with the log that it follows, beside a look at the status every 30
seconds that follows no log. Kaggle's load balancer cuts a live log every five minutes; the run logs a line a minute.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fakes.live import Live, LiveBackend
from fakes.moments import Moments

from containerid import backends
from containerid.home import Home
from containerid.job import Leg, Result, Spec, State, Status
from containerid.kaggle import stream
from containerid.runs.registry import Registry, Run
from containerid.runs.watch import watch

HOURS, QUEUED, CUT, FIXED = 3.0, 90.0, 300.0, 30.0
SILENCE, PAUSE = stream._SILENCE, stream._LONGEST_PAUSE
NAME = "exp001-1"


def main() -> None:
    """Print a table: who, calls, seconds after the end."""
    print(f"a run of {HOURS:g} h, queued for {QUEUED:g} s, its live log cut every {CUT:g} s")
    for every, what in ((60.0, "a line a minute"), (10.0, "a line every 10 s"), (3600.0, "a line an hour")):
        calls, late = watched(every)
        print(f"cid, {what:<18} {calls:4d} calls   knew {late:4.1f} s after the end")
    calls, late = polled()
    print(f"a poll every {FIXED:g} s, no log   {calls:4d} calls   knew {late:4.1f} s after the end")


def watched(every: float) -> tuple[int, float]:
    """Calls in all, those of the verdict included, and the seconds from the run's end to its verdict."""
    clock, end = Moments(), HOURS * 3600 + 17.0
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        backends.TABLE["live"] = backends.Entry("fakes.live:LiveBackend", git="snapshot", first=2, cap=60, billed=True)
        live = LiveBackend.runs["ada/cid"] = Live(clock.now)
        run = submitted(home)
        clock.at(QUEUED, lambda: setattr(live, "says", Status(State.RUNNING)))
        plan(clock, live, every, end)
        known: list[float] = []
        watch(run, home=home, tell=lambda event: note(event, clock, known), inbox=clock)
    # The fake's log is never cut. Kaggle's is, and kaggle/stream.py opens it again, which is one call each time.
    cut = CUT if every < SILENCE else SILENCE + PAUSE
    return len(live.asked) + int((end - QUEUED) // cut), known[-1] - end


def plan(clock: Moments, live: Live, every: float, end: float) -> None:
    """Lines now and then, and the end."""
    second = QUEUED + 70
    while second < end:
        clock.at(second, lambda: live.log("a line"), heard=True)
        second += every

    def finish() -> None:
        live.says = Status(State.SUCCEEDED)
        live.result = Result(run=NAME, outcome="succeeded")
        live.end_log()

    clock.at(end, finish, heard=True)


def note(event: Any, clock: Moments, known: list[float]) -> None:
    """Remember when the end was told."""
    if getattr(event, "state", "") == "succeeded" and type(event).__name__ == "Changed":
        known.append(clock.now())


def submitted(home: Home) -> Run:
    """A run that the platform has just taken."""
    registry = Registry(home.registry)
    registry.add(Run(run=NAME, backend="live", experiment="exp001"))
    registry.set_spec(NAME, Spec(run=NAME, backend="live"))
    registry.set_leg(NAME, Leg("ada/cid", "1"))
    return registry.move(NAME, State.QUEUED)


def polled() -> tuple[int, float]:
    """The same run asked for its status at a fixed pace; its result and its log are one call each more."""
    end, second, calls = HOURS * 3600 + 17.0, 0.0, 1
    while second < end:
        second += FIXED
        calls += 1
    return calls + 3, second - end


if __name__ == "__main__":
    main()
