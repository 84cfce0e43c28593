"""A platform whose runs go on while they are watched: what it says and logs is changed by the test as it goes."""

import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerid.errors import CidError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import Leg, Output, Result, State, Status


@dataclass
class Live:
    """One run on its platform.

    Attributes:
        says: what a question about it is answered, or the error that it meets.
        lines: of its log so far.
        kept: lines of the log that is kept in the end, when it is not what was streamed.
        result: what it leaves.
        asked: what was asked and when.
        opened: how many times its platform was opened: each reads the credentials.
    """

    now: Callable[[], float]
    says: Status | CidError = field(default_factory=lambda: Status(State.QUEUED))
    lines: list[LogLine] = field(default_factory=list)
    kept: list[LogLine] | None = None
    result: Result | None = None
    asked: list[tuple[float, str]] = field(default_factory=list)
    opened: int = 0
    _open: list["queue.SimpleQueue[LogLine | CidError | None]"] = field(default_factory=list)

    def log(self, text: str, stream: str = "stdout", time: float | None = None) -> None:
        """One line more."""
        self.lines.append(LogLine(self.now() if time is None else time, stream, text))
        self._send(self.lines[-1])

    def cut(self, error: CidError) -> None:
        """Whoever reads the log is thrown out."""
        self._send(error)
        self._open.clear()

    def end_log(self) -> None:
        self._send(None)
        self._open.clear()

    def _send(self, what: LogLine | CidError | None) -> None:
        for each in self._open:
            each.put(what)

    def ask(self, what: str) -> None:
        self.asked.append((self.now(), what))
        if isinstance(self.says, CidError):
            raise self.says

    def count(self, what: str) -> int:
        return sum(name == what for _, name in self.asked)

    def follow(self) -> Iterator[LogLine]:
        mine: queue.SimpleQueue[LogLine | CidError | None] = queue.SimpleQueue()
        for line in self.lines:
            mine.put(line)
        self._open.append(mine)
        while (what := mine.get()) is not None:
            if isinstance(what, CidError):
                raise what
            yield what


class LiveBackend:
    """The backend of all `Live` runs, which stand in `runs` by their handle."""

    runs: dict[str, Live] = {}  # noqa: RUF012
    embed_limit = 0

    def __init__(self, home: Home, settings: Any = None) -> None:
        for each in self.runs.values():
            each.opened += 1

    def status(self, leg: Leg) -> Status:
        run = self.runs[leg.handle]
        run.ask("status")
        assert isinstance(run.says, Status)
        return run.says

    def logs(self, leg: Leg, *, follow: bool) -> Iterator[LogLine]:
        run = self.runs[leg.handle]
        run.ask("log" if follow else "kept log")
        if follow and not (isinstance(run.says, Status) and run.says.state.final):
            return run.follow()
        return iter(run.lines if run.kept is None else run.kept)

    def outputs(self, leg: Leg) -> Sequence[Output]:
        run = self.runs[leg.handle]
        run.ask("outputs")
        return [Output(name, None, leg.handle) for name in ("result.json", "manifest.json") if run.result]

    def download(self, output: Output, to: Path) -> str:
        import json

        run = self.runs[output.source]
        run.ask("download")
        assert run.result is not None
        to.write_text(json.dumps(run.result.to_dict()), encoding="utf-8")
        return ""
