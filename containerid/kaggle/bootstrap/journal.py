"""What the kernel says and remembers while it gets ready: the phase it is in, and how long each one took."""

import contextlib
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

BEGAN = time.monotonic()
"""When this session began, as far as the script can know."""

BOOTSTRAP = 1
SPEC = 1
PHASES_BEFORE = ("code", "hardware", "packages")
PHASES_AFTER = ("environment", "data", "validate", "train", "evaluate", "report")


class Stop(Exception):
    """The run cannot go on; the message is the reason that its result gives."""


class Interrupted(BaseException):
    """A signal asked the kernel to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Journal:
    """Where the run stands.

    Attributes:
        phase: the one that it is in.
        started: ISO 8601, UTC.
        timeline: seconds that each finished phase took, in order.
    """

    def __init__(self) -> None:
        self.phase = PHASES_BEFORE[0]
        self.started = now()
        self.timeline: dict[str, float] = {}
        self._since = time.monotonic()

    def enter(self, phase: str) -> None:
        """Begin one of the phases before training: its banner in the log, the clock set to zero."""
        self.phase = phase
        self._since = time.monotonic()
        say(banner(phase))

    def leave(self) -> None:
        """The phase ended well."""
        self.timeline[self.phase] = round(time.monotonic() - self._since, 3)


def banner(phase: str) -> str:
    """The line that begins a phase, such as `[7/9] train`."""
    phases = PHASES_BEFORE + PHASES_AFTER
    return f"[{phases.index(phase) + 1}/{len(phases)}] {phase}"


def now() -> str:
    """The time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def say(text: str) -> None:
    """One line in the log."""
    pass_on(text.encode("utf-8", "backslashreplace") + b"\n", sys.stdout)


def pass_on(line: bytes, stream: TextIO) -> None:
    """Write UTF-8 to a stream of this process, whatever its locale is, at once; one that is gone stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
        if binary := getattr(stream, "buffer", None):
            binary.write(line)
            binary.flush()
        else:  # a notebook's
            stream.write(line.decode("utf-8", "replace"))
            stream.flush()


def one_line(text: object, limit: int = 500) -> str:
    """Text that fits into a reason: no line ends, not longer than `limit`."""
    joined = " ".join(str(text).split())
    return joined if len(joined) <= limit else joined[: limit - 3] + "..."
