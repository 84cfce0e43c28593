"""The far side's voice: the one place that prints, and the file that keeps what was said. No secret gets through it."""

import io
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self, TextIO

from containerid.events import Heartbeat, Progress
from containerid.job import RESULT_MARK, Result
from containerid.redaction import Redactor

PROGRESS_MARK = "CID_PROGRESS "
"""The start of a line that tells how far the training is; one line of JSON follows it."""

HEARTBEAT_MARK = "CID_HEARTBEAT "
"""The start of a line that tells that the session lives; one line of JSON follows it."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BREATH = 60.0
"""Seconds between two states of a progress bar in the log."""


def say(text: str) -> None:
    """Print one line."""
    print(text, flush=True)  # noqa: T201


def relay(text: str) -> None:
    """Print what another process has printed, as it came, line ends and all."""
    sys.stdout.write(text)
    sys.stdout.flush()


class _Tee(io.TextIOBase):
    """A stream that passes whole lines on, redacted, to another stream and to a file.

    A progress bar draws over one line again and again: its last state is kept, and one a minute until then. Whoever
    reads the stream may go away, and a disk may be full: a training does not end because its words get lost.
    """

    def __init__(self, stream: TextIO, file: TextIO, redactor: Redactor, clock: Callable[[], float]) -> None:
        self._stream, self._file, self._redactor, self._clock = stream, file, redactor, clock
        self._rest = ""
        self._shown = clock()
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._emit(line)
            if "\r" in self._rest:
                # Whether a state begins with the carriage return or ends with it, what follows is another one.
                end = "\r" if self._rest.endswith("\r") else ""
                self._rest = f"\r{_last_state(self._rest)}{end}"
                if self._clock() - self._shown > _BREATH:
                    self._emit(self._rest)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def drain(self) -> None:
        """Pass on what no line end has followed yet."""
        if self._rest.strip():
            self.write("\n")

    def _emit(self, line: str) -> None:
        self._shown = self._clock()
        text = self._redactor.clean(_ESCAPES.sub("", _last_state(line))) + "\n"
        for stream in (self._stream, self._file):
            with suppress(OSError, ValueError):
                stream.write(text)
                stream.flush()


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


class Log:
    """Everything that is printed while it is open goes through the redactor and into a file as well.

    Args:
        path: the log file; it is appended to, so a later leg goes on where an earlier one ended.
        phases: names, in order.
        before: how many phases somebody else has numbered already.
        clock: seconds.
    """

    def __init__(
        self, path: Path, phases: Sequence[str], before: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.redactor = Redactor()
        self._clock = clock
        self._path, self._phases, self._before = path, tuple(phases), before

    def __enter__(self) -> Self:
        self._file = self._path.open("a", encoding="utf-8", errors="backslashreplace")
        self._streams = sys.stdout, sys.stderr
        for stream in self._streams:
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        sys.stdout, sys.stderr = self._tees = [
            _Tee(each, self._file, self.redactor, self._clock) for each in self._streams
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for tee in self._tees:
            tee.drain()
        sys.stdout, sys.stderr = self._streams
        self._file.close()

    def phase(self, name: str) -> None:
        """Say that a phase begins."""
        number = self._before + self._phases.index(name) + 1
        say(f"[{number}/{self._before + len(self._phases)}] {name}")

    def caution(self, text: str) -> None:
        """Say what the user should know; the run goes on."""
        say(f"caution: {text}")

    def progress(self, progress: Progress) -> None:
        """Say how far the training is."""
        say(PROGRESS_MARK + json.dumps(asdict(progress)))

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Say that the session lives. A progress bar that is being drawn gives way: the mark must begin its line."""
        say("\r" + HEARTBEAT_MARK + json.dumps(asdict(heartbeat)))

    def end(self, result: Result) -> None:
        """Say how it ended: the last line of all, after the log file is closed."""
        say(RESULT_MARK + json.dumps(self.redactor.clean_all(result.to_dict())))
