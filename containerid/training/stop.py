"""Being asked to stop: SIGTERM and SIGINT end a run in order; a stop file or SIGUSR1 has it pause with a checkpoint."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOP_FILE = "CID_STOP_FILE"
"""Names a file in the environment: as soon as it exists, the training pauses at the next good moment."""

_GLANCE = 1.0
"""Seconds between two looks for the stop file."""


class Stopped(BaseException):
    """A signal arrived. Not an Exception, so that no library takes it for an error of its own."""


class Stop:
    """Whether the run was asked to stop.

    Args:
        file: the stop file; None when there is none to look for.
        clock: seconds.

    Attributes:
        signal: the name of the signal that arrived; empty while none has.
    """

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.signal = ""
        self._armed, self._over = True, False
        self._file, self._clock = file, clock
        self._looked = -_GLANCE
        self._pauses = False

    @property
    def pauses(self) -> bool:
        """The run was asked to pause. The file is looked for once a second at most, and may be gone again after."""
        if not self._pauses and self._file and self._clock() - self._looked >= _GLANCE:
            self._looked = self._clock()
            self._pauses = self._file.exists()
        return self._pauses

    def pause(self, *_: object) -> None:
        """Ask for a pause: the training ends with a checkpoint, and the run is paused."""
        self._pauses = True

    def disarm(self) -> None:
        """From here on a signal is too late: the result is being written."""
        self._over = True

    def check(self) -> None:
        """Raises Stopped when a signal has arrived: a library may have swallowed what the handler raised."""
        if self.signal:
            raise Stopped(self.signal)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Within, a signal is noted and raises nothing: what is being started must be known before it can be ended."""
        self._armed, before = False, self._armed
        try:
            yield
        finally:
            self._armed = before and not self.signal

    def _arrive(self, number: int, _: FrameType | None) -> None:
        if self._over:
            return
        self.signal = self.signal or signal.Signals(number).name
        if self._armed:
            self._armed = False
            raise Stopped(self.signal)


@contextmanager
def stop_signals(environ: Mapping[str, str] = os.environ) -> Iterator[Stop]:
    """Within, the first SIGTERM or SIGINT raises Stopped; later ones do nothing, so that the result gets written."""
    stop = Stop(Path(environ[STOP_FILE]) if environ.get(STOP_FILE) else None)
    handlers = dict.fromkeys((signal.SIGTERM, signal.SIGINT), stop._arrive) | {signal.SIGUSR1: stop.pause}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
