"""Where logs arrive while runs are watched, and the clock of whoever waits for them."""

import queue
import time
from dataclasses import dataclass

from containerid.errors import CidError
from containerid.events import LogLine


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from a run's log: a line, its end (None), or the error that broke it off."""

    run: str
    what: LogLine | CidError | None


class Inbox:
    """What many threads put, one takes. A subclass that moves `now` by itself needs no real time."""

    def __init__(self) -> None:
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()

    def now(self) -> float:
        """Seconds from any start; they may stand still while the machine sleeps."""
        return time.monotonic()

    def today(self) -> float:
        """Seconds since 1970; they go on while the machine sleeps, and jump when somebody sets the clock."""
        return time.time()

    def put(self, heard: Heard) -> None:
        """Never waits."""
        self._heard.put(heard)

    def waiting(self) -> int:
        """How many things wait to be taken."""
        return self._heard.qsize()

    def take(self, seconds: float) -> Heard | None:
        """The next thing heard; None when nothing was for so many seconds."""
        try:
            return self._heard.get(timeout=seconds) if seconds > 0 else self._heard.get_nowait()
        except queue.Empty:
            return None
