"""What a run's log tells about how it is: its progress, its GPU, how long it has been silent."""

import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace

from containerid.events import Event, Heartbeat, LogLine, Progress
from containerid.job import RESULT_MARK

PROGRESS_MARK = "CID_PROGRESS "
HEARTBEAT_MARK = "CID_HEARTBEAT "
SESSION_MARK = "CID_SESSION "
STALL = 300.0
"""Seconds without a word after which a running run is called stalled; a heartbeat comes once a minute."""

_KEPT = 5_000


@dataclass(slots=True)
class Pulse:
    """One run's.

    Attributes:
        heard: when the last line came, by the watcher's clock.
        began: when the session began, by that clock, as the times in the log tell; None before the first line.
        lines: the last of the log, for the diagnosis of a failure.
        memory: share of the GPU's memory in use, in [0, 1]; None where nobody can tell.
        told: it was said that the run is silent, and nothing was heard since.
    """

    heard: float
    began: float | None = None
    progress: Progress | None = None
    progressed: float = 0.0
    gpu: float | None = None
    memory: float | None = None
    told: bool = False
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def hear(self, line: LogLine, now: float, run: str) -> Event | None:
        """Take a line in; what is to be told of it: itself, what it carries, or nothing."""
        self.heard, self.told = now, False
        # Times in a log may run backwards; the session began at the latest as its latest time says.
        self.began = min(now - max(line.time, 0.0), now if self.began is None else self.began)
        self.lines.append(line)
        if line.text.startswith((RESULT_MARK, SESSION_MARK)):
            return None
        if (beat := read_heartbeat(line.text)) is not None:
            self.gpu, self.memory = beat.gpu, beat.memory
            return None
        if (progress := read_progress(line.text)) is None:
            return line
        self.progress, self.progressed = replace(progress, run=run), now
        return self.progress

    def progress_now(self, now: float) -> Progress | None:
        """The last progress, with what is left of its estimate."""
        if self.progress is None or self.progress.eta is None:
            return self.progress
        return replace(self.progress, eta=max(0.0, self.progress.eta - (now - self.progressed)))

    def is_silent(self, now: float) -> bool:
        """Nothing was heard for so long that something may be wrong."""
        return now - self.heard >= STALL


def read_progress(text: str) -> Progress | None:
    """The progress that a log line carries; None for any other line."""
    if text.startswith(PROGRESS_MARK):
        with suppress(ValueError, TypeError):
            return Progress(**json.loads(text.removeprefix(PROGRESS_MARK)))
    return None


def read_heartbeat(text: str) -> Heartbeat | None:
    """The heartbeat that a log line carries; None for any other line."""
    if text.startswith(HEARTBEAT_MARK):
        with suppress(ValueError, TypeError):
            return Heartbeat(**json.loads(text.removeprefix(HEARTBEAT_MARK)))
    return None
