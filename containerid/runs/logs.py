"""Read a run's log, from its platform or from where it was fetched to."""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from containerid.backends import open_backend
from containerid.diagnosis import Diagnosis, diagnose
from containerid.errors import NotFound, UsageError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import RESULT_MARK, State, Status
from containerid.platform import Backend
from containerid.replay import Replay
from containerid.runs.cancel import deleted
from containerid.runs.ending import command
from containerid.runs.paths import log_names
from containerid.runs.pulse import HEARTBEAT_MARK
from containerid.runs.registry import Registry, Run


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a log are wanted; all of them by default.

    Attributes:
        tail: only the last so many of those that are there now.
        since: only those of the last so many seconds before the log's last line.
        grep: only those in which this regular expression is found.
        stderr: only those of stderr.
    """

    tail: int | None = None
    since: float | None = None
    grep: str = ""
    stderr: bool = False

    def test(self) -> Callable[[LogLine], bool]:
        """Whether one line is wanted, by what it holds. Raises UsageError for a bad pattern.

        Never wanted are lines that are meant for cid alone: heartbeats, and the result, which `cid show` tells.
        """
        try:
            pattern = re.compile(self.grep)
        except re.error as error:
            raise UsageError(
                f"{self.grep!r} is no regular expression: {error}", hint="put a backslash before \\ . * + ? ( ) [ ]"
            ) from error
        return lambda line: (
            (not self.stderr or line.stream == "stderr")
            and not line.text.startswith((HEARTBEAT_MARK, RESULT_MARK))
            and bool(pattern.search(line.text))
        )


def read(run: Run, *, home: Home, follow: bool = False, wanted: Wanted | None = None) -> Iterator[LogLine]:
    """The lines of a run's log, the oldest first.

    Args:
        run: a run of the registry, or a foreign kernel.
        home: the user's folder.
        follow: go on until the run ends; `tail` and `since` then bound what is there now, and all that comes is given.
        wanted: which lines.

    Raises:
        NotFound: the run never reached its platform.
        UsageError: `wanted.grep` is no regular expression.
    """
    if not run.handle:
        raise NotFound(f"{run.run} was never submitted ({run.state}), so it has no log", hint=f"cid show {run.run}")
    wanted = wanted or Wanted()
    return _read(run, home, wanted, wanted.test(), follow=follow)


def _read(run: Run, home: Home, wanted: Wanted, fits: Callable[[LogLine], bool], *, follow: bool) -> Iterator[LogLine]:
    backend = open_backend(run.backend, home)
    if wanted.tail is None and wanted.since is None:
        yield from filter(fits, _lines(run, backend, home, follow=follow))
        return
    replay = Replay()
    known = [line for line in _lines(run, backend, home, follow=False) if replay.is_new(line.stream, line.text)]
    yield from deque(filter(fits, _since(known, wanted.since)), maxlen=wanted.tail)
    if follow:
        replay.again()
        yield from (e for e in backend.logs(run.leg, follow=True) if replay.is_new(e.stream, e.text) and fits(e))


def _lines(run: Run, backend: Backend, home: Home, *, follow: bool) -> Iterator[LogLine]:
    """From its platform; where that has it no more, as it was fetched."""
    kept = Path(run.outputs) / log_names(run.run)[1] if run.outputs else None
    if kept and kept.is_file() and deleted(run, Registry(home.registry)):
        yield from _kept(kept)
        return
    try:
        yield from backend.logs(run.leg, follow=follow)
    except NotFound:
        if kept is None or not kept.is_file():
            raise
        yield from _kept(kept)


def _kept(path: Path) -> Iterator[LogLine]:
    with path.open(encoding="utf-8") as records:
        for each in map(json.loads, records):
            yield LogLine(float(each["time"]), str(each["stream"]), str(each["data"]))


def _since(lines: list[LogLine], seconds: float | None) -> Iterable[LogLine]:
    """The lines of the last so many seconds. Times may run backwards: a line is as late as any line before it."""
    if seconds is None:
        return lines
    end = max((line.time for line in lines), default=0.0)
    first = next((i for i, line in enumerate(lines) if line.time >= end - seconds), len(lines))
    return lines[first:]


def explain(run: Run, lines: Iterable[LogLine]) -> Diagnosis | None:
    """Why a run failed: as it was found when it ended, else from these lines of its log."""
    if run.diagnosis is not None or run.state not in {State.FAILED, State.CANCELLED}:
        return run.diagnosis
    found = diagnose(lines, run.result, Status(run.state, run.reason))
    return found and found.addressed(run.run, command(run))
