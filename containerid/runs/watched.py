"""One run while it is watched: when to look at it, what a look finds, what its log tells."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from containerid.backends import entry, open_backend
from containerid.errors import CidError, CredentialsError, NotFound, Unreachable
from containerid.events import Caution, Changed, LogLine, Waited
from containerid.home import Home
from containerid.job import State, Status, Tell
from containerid.runs.connection import Connection
from containerid.runs.ending import conclude, settle
from containerid.runs.inbox import Inbox
from containerid.runs.pulse import STALL, Pulse
from containerid.runs.reader import Reader
from containerid.runs.registry import Registry, Run

_HEAR_OUT = 10.0
"""Seconds that the end of a log may come after the end of its run."""

_TRUST = 600.0
"""Seconds for which lines of a log that keep coming stand for an answer of the platform: the run goes on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When to look again: `first` seconds, then twice as long each time, never more than `cap`."""

    first: float
    cap: float

    def waits(self) -> Iterator[float]:
        """The seconds between one look and the next, without end."""
        wait = self.first
        while True:
            yield wait
            wait = min(wait * 2, self.cap)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all watched runs share.

    Attributes:
        home: the user's folder.
        registry: where states are recorded.
        tell: gets the events.
        inbox: where the logs arrive; it is the clock too.
        follows: logs are read; False to look once.
        alone: one run is watched, and its log is passed on.
    """

    home: Home
    registry: Registry
    tell: Tell
    inbox: Inbox
    follows: bool = True
    alone: bool = True


class Watched:
    """A run, its schedule and its log.

    Attributes:
        run: as it stands.
        due: when it is to be looked at again.
    """

    def __init__(self, run: Run, desk: Desk, connection: Connection, pace: Pace) -> None:
        self.run = run
        self._desk = desk
        self._connection = connection
        self._pace = pace
        self._waits = pace.waits()
        self._backend = open_backend(run.backend, desk.home)
        self._reader = Reader(run.run, desk.inbox)
        self._billed = entry(run.backend).billed and bool(run.spec.get("gpu"))
        self.pulse = Pulse(desk.inbox.now())
        self.due = self._looked = self._checked = desk.inbox.now()
        self._last: Status | None = None
        self._patience = 0.0

    @property
    def over(self) -> bool:
        """The run has ended, and this is recorded."""
        return self.run.state.final

    def look(self) -> None:
        """Ask how the run stands, unless its log has just told, and record it. A platform that is lost changes nothing.

        Raises:
            NotFound: a foreign kernel that its platform does not know.
            CredentialsError: they were never taken.
        """
        now = self._desk.inbox.now()
        if self._log_is_an_answer(now):
            self._checked, self.due = now, now + next(self._waits)
            return
        pause = 0.0
        try:
            self._last = self._last or self._see(self._status())
            if self._last is not None:
                self._finish(self._last)
            self._connection.find()
        except (Unreachable, CredentialsError) as error:
            pause = self._lose(error)
        self._looked = self._checked = now = self._desk.inbox.now()
        self.due = now + max(next(self._waits), pause)
        if self._last is not None and now < self._patience:
            self.due = self._patience
        if self.over and self._desk.follows:
            self.breathe()

    def _lose(self, error: CidError) -> float:
        """The platform cannot be asked; the seconds for which it is to be left alone."""
        self._connection.lose(error)
        if isinstance(error, CredentialsError):
            # Opened anew, it reads the credentials anew.
            self._backend = open_backend(self.run.backend, self._desk.home)
        return error.after if isinstance(error, Unreachable) else 0.0

    def _log_is_an_answer(self, now: float) -> bool:
        running = self.run.state is State.RUNNING and self._reading and self._last is None
        return running and self.pulse.heard > self._checked and now - self._looked < _TRUST

    def hurry(self) -> None:
        """Look at once, and often from now on."""
        self._waits = self._pace.waits()
        self.due = self._looked = self._checked = self._desk.inbox.now()

    def _status(self) -> Status:
        try:
            return self._backend.status(self.run.leg)
        except NotFound as error:
            if not self.run.ours:
                raise
            return Status(State.LOST, error.message)

    def _see(self, status: Status) -> Status | None:
        """Take an answer in; give it back when it is the last."""
        now, was_lost = self._desk.inbox.now(), self._connection.lost
        self._connection.find()
        if status.state.final:
            # The platform may call a run ended before the last of its log has come.
            self._patience = now + _HEAR_OUT
            return status
        self._move(status.state, status.message)
        if was_lost or not self._reading:
            self.pulse.heard = now
        if self._desk.follows and status.state is State.RUNNING and self._reader.broken and not self._reading:
            self._reader.start(self._backend, self.run.leg)
        return None

    @property
    def _reading(self) -> bool:
        return not self._reader.ended

    def hear(self, what: LogLine | CidError | None) -> None:
        """Take in what came from the log."""
        if isinstance(what, LogLine):
            self._take(what)
            return
        self._reader.ended, self._reader.broken = True, what is not None
        if what is None:
            self.hurry()

    def _take(self, line: LogLine) -> None:
        event = self.pulse.hear(line, self._desk.inbox.now(), self.run.run)
        if event is not None and (self._desk.alone or not isinstance(event, LogLine)):
            self._desk.tell(event)

    def breathe(self) -> None:
        """Tell how the run stands; say once that it is silent."""
        now = self._desk.inbox.now()
        silent = self.run.state is State.RUNNING and not self._connection.lost and self.pulse.is_silent(now)
        if silent and not self.pulse.told:
            self.pulse.told = True
            name, minutes = self.run.run, round(STALL / 60)
            self._desk.tell(
                Caution(f"{name} has stalled: not a word for {minutes} minutes; its last: cid logs {name} --tail 20")
            )
        told = self.pulse.progress_now(now)
        name, state, gpu, memory = self.run.run, str(self.run.state), self.pulse.gpu, self.pulse.memory
        self._desk.tell(Waited(name, state, self._elapsed(), self._hours(now), told, gpu, memory, stalled=silent))

    def _elapsed(self) -> float:
        if not self.run.created:
            return 0.0
        return self._desk.inbox.today() - datetime.fromisoformat(self.run.created).astimezone(UTC).timestamp()

    def _hours(self, now: float) -> float:
        if not self._billed or self.run.state is not State.RUNNING or self.pulse.began is None:
            return 0.0
        return (now - self.pulse.began) / 3600

    def _finish(self, status: Status) -> None:
        """Record how the run ended, once its log has been heard out."""
        if self._reading and self._desk.inbox.now() < self._patience and status.state is not State.LOST:
            return
        whole = not self._reading and not self._reader.broken
        if self._desk.follows and self._desk.alone and not whole and status.state is not State.LOST:
            for line in self._reader.catch_up(self._backend, self.run.leg):
                self._take(line)
            whole = True
        ending = conclude(self.run, self._backend, status, self.pulse.lines if whole else ())
        if not self.run.ours:
            before, self.run = self.run.state, settle(self.run, ending)
            self._tell_change(before)
            return
        if ending.result is not None:
            self._desk.registry.set_result(self.run.run, ending.result)
        if ending.diagnosis is not None:
            self._desk.registry.set_diagnosis(self.run.run, ending.diagnosis)
        self._move(ending.state, ending.reason)

    def _move(self, state: State, reason: str) -> None:
        before = self.run.state
        if self.run.ours:
            self.run = self._desk.registry.move(self.run.run, state, reason)
        else:
            self.run = replace(self.run, state=state, reason=reason)
        self._tell_change(before)

    def _tell_change(self, before: State) -> None:
        if before is not self.run.state:
            self._desk.tell(Changed(self.run.run, str(self.run.state), self.run.reason, self.run.url))
