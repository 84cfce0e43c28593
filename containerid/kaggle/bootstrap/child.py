"""A process of the run: in a group of its own, its output passed on as it comes, asked to end before it is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from containerid.kaggle.bootstrap.journal import PHASES_AFTER, Interrupted, banner, pass_on
from containerid.kaggle.bootstrap.outcome import Ended

GRACE = 25.0
"""Seconds that a process has between being asked to end and being killed."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_BANNERS = {banner(name): name for name in PHASES_AFTER}
_LONGEST = 1 << 16
_DRAIN = 5.0


class Relay:
    """Runs the kernel's processes, one after another, and decides what a signal means.

    While a process runs, a signal is passed on to it. Between two of them it raises Interrupted in the main thread, the
    only one that may use a relay; once `ending` is set it is only noted.

    Args:
        grace: seconds from the first signal to the end of the process by force.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self.ending = False
        self._grace = grace
        self._busy = False
        self._asked = 0
        self._child: subprocess.Popen[bytes] | None = None
        for each in SIGNALS:
            signal.signal(each, self._hear)
        # A timer thread could deadlock when it is started from a signal handler; an alarm cannot.
        signal.signal(signal.SIGALRM, lambda _number, _frame: self._kill())

    def follow(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Ended:
        """Run a command to its end; what is left of its group then is killed."""
        self._busy, self._asked = True, 0
        try:
            self._child = child = _start(command, environment, folder)
            if self._asked:
                self._pass_on(self._asked)
            out, err = _Pump(child.stdout, sys.stdout), _Pump(child.stderr, sys.stderr)
            code = child.wait()
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._kill()
            out.join(_DRAIN)
            err.join(_DRAIN)
        finally:
            self._busy, self._child = False, None
        killer = max(0, -code)
        return Ended(128 + killer if killer else code, killer, self._asked, out.phase, out.last, err.last)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if not (self._busy or self.ending):
            raise Interrupted(number)
        self._asked = self._asked or number
        if self._child:
            self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """To the process alone: its helpers are its own to end, after the checkpoint."""
        if self._child and self._child.poll() is None:
            self._child.send_signal(number)
            if not signal.getitimer(signal.ITIMER_REAL)[0]:
                signal.setitimer(signal.ITIMER_REAL, self._grace)

    def _kill(self) -> None:
        if self._child:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)


def _start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )


class _Pump(threading.Thread):
    """Passes one stream of a process on, and remembers its last line and the last phase that it announced."""

    def __init__(self, source: IO[bytes] | None, sink: TextIO) -> None:
        super().__init__(daemon=True)
        self.phase = ""
        self.last = ""
        self._source = source
        self._sink = sink
        self.start()

    def run(self) -> None:
        """Until the stream ends; a log that nobody takes any more does not stop the process."""
        last = b"\n"
        while self._source and (line := self._source.readline(_LONGEST)):
            pass_on(line, self._sink)
            self._remember(line)
            last = line
        if not last.endswith(b"\n"):
            # What is said next, the result above all, begins a line.
            pass_on(b"\n", self._sink)

    def _remember(self, line: bytes) -> None:
        if text := line.strip():
            self.last = text.decode("utf-8", "replace")
            self.phase = _BANNERS.get(self.last, self.phase)
