"""Follow a run to its end: the live log, a look at its status now and then, and the verdict from its own result."""

import json
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from containerid.backends import entry, open_backend
from containerid.errors import CidError, NotFound, StillRunning, Unreachable
from containerid.events import Caution, Changed, LogLine, Progress, Waited
from containerid.home import Home
from containerid.job import RESULT_FILE, RESULT_MARK, Backend, Result, State, Status, Tell
from containerid.runs.registry import Registry, Run
from containerid.runs.verdict import find_result, judge, read_result

PROGRESS_MARK = "CID_PROGRESS "
_LIVE = 1.0
"""Seconds between two `Waited` events, for the live line."""


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


def watch(
    run: Run,
    *,
    home: Home,
    tell: Tell,
    timeout: float | None = None,
    pace: Pace | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """Follow a run until it ends, and record how it ended. Nothing here stops the run.

    Args:
        run: a run of the registry, submitted.
        home: the user's folder.
        tell: gets `LogLine`, `Progress`, `Changed` and `Waited` events.
        timeout: seconds to follow at most.
        pace: when to look; the backend's own by default.
        clock: seconds, from any start.

    Raises:
        StillRunning: the timeout came first; the run goes on.
    """
    backend = open_backend(run.backend, home)
    row = entry(run.backend)
    watcher = _Watcher(run, backend, Registry(home.registry), tell, clock)
    return watcher.follow(pace or Pace(row.first, row.cap), timeout)


def look(run: Run, *, home: Home, tell: Tell | None = None) -> Run:
    """Ask once how a run stands, and record it. A run that has ended gets its verdict.

    Raises:
        NotFound: a foreign kernel that its platform does not know.
    """
    backend = open_backend(run.backend, home)
    watcher = _Watcher(run, backend, Registry(home.registry), tell or (lambda _: None), time.monotonic)
    return run if run.state.final or not run.handle else watcher.look()


class _Watcher:
    def __init__(self, run: Run, backend: Backend, registry: Registry, tell: Tell, clock: Callable[[], float]) -> None:
        self._run = run
        self._backend = backend
        self._registry = registry
        self._tell = tell
        self._clock = clock
        self._lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
        self._result: Result | None = None

    def follow(self, pace: Pace, timeout: float | None) -> Run:
        if self._run.state.final:
            return self._run
        end = None if timeout is None else self._clock() + timeout
        threading.Thread(target=self._read_log, daemon=True).start()
        waits = pace.waits()
        while not self.look().state.final:
            if self._listen(min(self._clock() + next(waits), end or float("inf"))):
                waits = pace.waits()
            if end is not None and self._clock() >= end:
                raise StillRunning(f"{self._run.run} is still {self._run.state}", hint=f"cid status {self._run.run}")
        return self._run

    def look(self) -> Run:
        status = self._status()
        if status is None:
            return self._run
        if status.state.final:
            return self._conclude(status)
        return self._move(status.state, status.message)

    def _status(self) -> Status | None:
        try:
            return self._backend.status(self._run.leg)
        except NotFound as error:
            if not self._run.ours:
                raise
            return Status(State.LOST, error.message)
        except Unreachable as error:
            self._tell(Caution(f"{error.message}; the run goes on, looking again"))
            return None

    def _listen(self, until: float) -> bool:
        """Pass log lines on until it is time to look again. True when the log has ended: a reason to look at once."""
        while (left := until - self._clock()) > 0:
            try:
                line = self._lines.get(timeout=min(left, _LIVE))
            except queue.Empty:
                self._tell(Waited(self._run.run, str(self._run.state), self._elapsed()))
                continue
            if line is None:
                return True
            self._pass_on(line)
        return False

    def _pass_on(self, line: LogLine) -> None:
        if line.text.startswith(RESULT_MARK):
            self._result = find_result([line], self._run.run) or self._result
        elif line.text.startswith(PROGRESS_MARK):
            self._tell(read_progress(line.text) or line)
        else:
            self._tell(line)

    def _read_log(self) -> None:
        with suppress(CidError):
            for line in self._backend.logs(self._run.leg, follow=True):
                self._lines.put(line)
        self._lines.put(None)

    def _elapsed(self) -> float:
        return (datetime.now(UTC) - datetime.fromisoformat(self._run.created)).total_seconds()

    def _conclude(self, status: Status) -> Run:
        while not self._lines.empty():
            if (line := self._lines.get()) is not None:
                self._pass_on(line)
        if status.state is State.LOST:
            return self._move(State.LOST, status.message)
        result = self._fetch_result() if self._run.ours else None
        if result is not None and self._run.ours:
            self._registry.set_result(self._run.run, result)
        return self._move(*judge(self._run, status, result))

    def _fetch_result(self) -> Result | None:
        """The result from the outputs, else from the log that was seen, else from the log that is kept."""
        outputs = [output for output in self._backend.outputs(self._run.leg) if output.name == RESULT_FILE]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / RESULT_FILE
            for output in outputs[:1]:
                self._backend.download(output, path)
            found = read_result(path, self._run.run)
        return found or self._result or find_result(self._backend.logs(self._run.leg, follow=False), self._run.run)

    def _move(self, state: State, reason: str) -> Run:
        before = self._run.state
        if self._run.ours:
            self._run = self._registry.move(self._run.run, state, reason)
        else:
            self._run = replace(self._run, state=state, reason=reason)
        if before is not state:
            self._tell(Changed(self._run.run, str(state), reason, self._run.url))
        return self._run


def read_progress(text: str) -> Progress | None:
    """The progress that a log line carries; None for a line that only looks like one."""
    with suppress(ValueError, TypeError):
        return Progress(**json.loads(text.removeprefix(PROGRESS_MARK)))
    return None
