"""Being asked to stop: SIGTERM and SIGINT end a run in order, with its result written."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """A signal arrived. Not an Exception, so that no library takes it for an error of its own."""


class Stop:
    """Whether the run was asked to stop.

    Attributes:
        signal: the name of the signal that arrived; empty while none has.
    """

    def __init__(self) -> None:
        self.signal = ""
        self._armed, self._over = True, False

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
def stop_signals() -> Iterator[Stop]:
    """Within, the first SIGTERM or SIGINT raises Stopped; later ones do nothing, so that the result gets written."""
    stop = Stop()
    before = {number: signal.signal(number, stop._arrive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
