"""Follow runs to their end: their logs, a look at their status now and then, and the verdict from their own results."""

from collections.abc import Sequence

from containerid.backends import entry
from containerid.errors import CidError, StillRunning
from containerid.events import Caution
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.connection import Connection
from containerid.runs.inbox import Inbox
from containerid.runs.registry import Registry, Run
from containerid.runs.watched import Desk, Pace, Watched

_LIVE = 1.0
"""Seconds between two `Waited` events of a run."""

_GAP = 60.0
"""Seconds that are missing on the clock after which this machine must have slept, or the clock was set."""


def watch(
    run: Run,
    *,
    home: Home,
    tell: Tell,
    timeout: float | None = None,
    pace: Pace | None = None,
    inbox: Inbox | None = None,
) -> Run:
    """Follow a run until it ends, and record how it ended. Nothing here stops the run.

    It survives a lost network, a machine that sleeps and credentials that run out, and says each once.

    Args:
        run: a run of the registry, submitted.
        home: the user's folder.
        tell: gets `LogLine`, `Progress`, `Changed`, `Waited`, `Caution` and `Step` events.
        timeout: seconds to follow at most.
        pace: when to look; the backend's own by default.
        inbox: where its log arrives, and the clock.

    Raises:
        StillRunning: the timeout came first; the run goes on.
        CredentialsError: they are not taken, and never were.
    """
    return watch_all([run], home=home, tell=tell, timeout=timeout, pace=pace, inbox=inbox)[0]


def watch_all(
    runs: Sequence[Run],
    *,
    home: Home,
    tell: Tell,
    timeout: float | None = None,
    pace: Pace | None = None,
    inbox: Inbox | None = None,
) -> list[Run]:
    """Follow several runs at once until all have ended; their logs are read and not told. See `watch`.

    Returns:
        The runs as they ended, in the order in which they were given.
    """
    inbox = inbox or Inbox()
    desk = Desk(home, Registry(home.registry), tell, inbox, alone=len(runs) == 1)
    lines = {name: Connection(name, tell, inbox.now) for name in {run.backend for run in runs}}
    watched = [Watched(run, desk, lines[run.backend], pace or _pace(run)) for run in runs]
    _Loop(watched, desk).follow(timeout)
    return [each.run for each in watched]


def look(run: Run, *, home: Home, tell: Tell | None = None) -> Run:
    """Ask once how a run stands, and record it. A run that has ended gets its verdict and its diagnosis.

    Raises:
        NotFound: a foreign kernel that its platform does not know.
        Unreachable: its platform does not answer; what the registry knows stays.
    """
    if run.state.final or not run.handle:
        return run
    tell, inbox = tell or (lambda _: None), Inbox()
    desk = Desk(home, Registry(home.registry), tell, inbox, follows=False)
    watched = Watched(run, desk, _Glance(run.backend, tell, inbox.now), _pace(run))
    watched.look()
    return watched.run


class _Glance(Connection):
    """One that is used once: nobody waits until the platform is back."""

    def lose(self, error: CidError) -> None:
        raise error


def _pace(run: Run) -> Pace:
    row = entry(run.backend)
    return Pace(row.first, row.cap)


class _Loop:
    """One loop for all runs: it takes what their logs bring, and looks at each when that is due."""

    def __init__(self, watched: Sequence[Watched], desk: Desk) -> None:
        self._named = {each.run.run: each for each in watched}
        self._desk = desk
        self._breathed = desk.inbox.now()

    @property
    def _active(self) -> list[Watched]:
        return [each for each in self._named.values() if not each.over]

    def follow(self, timeout: float | None) -> None:
        inbox = self._desk.inbox
        end = float("inf") if timeout is None else inbox.now() + timeout
        while active := self._active:
            for _ in range(inbox.waiting()):
                self._take(0)
            for each in active:
                if each.due <= inbox.now():
                    each.look()
            if not self._active:
                return
            if inbox.now() >= end:
                self._give_up()
            self._take(min(_LIVE, *(each.due - inbox.now() for each in self._active), end - inbox.now()))

    def _give_up(self) -> None:
        first, *others = (each.run for each in self._active)
        more = f" and {len(others)} more are" if others else " is"
        command = f"cid status {first.run}" if not others else "cid watch"
        raise StillRunning(f"{first.run}{more} still {first.state if not others else 'going on'}", hint=command)

    def _take(self, seconds: float) -> None:
        inbox = self._desk.inbox
        before = inbox.now(), inbox.today()
        heard = inbox.take(seconds)
        passed = max(inbox.now() - before[0], inbox.today() - before[1])
        if passed - max(seconds, 0.0) > _GAP:
            self._wake(passed)
        if heard is not None and not self._named[heard.run].over:
            self._named[heard.run].hear(heard.what)
        if inbox.now() - self._breathed >= _LIVE:
            self._breathed = inbox.now()
            for each in self._active:
                each.breathe()

    def _wake(self, passed: float) -> None:
        self._desk.tell(
            Caution(f"nothing ran here for {round(passed / 60)} minutes (sleep, or a new time): looking at once")
        )
        for each in self._active:
            each.hurry()


__all__ = ["Pace", "look", "watch", "watch_all"]
