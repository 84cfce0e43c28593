"""Time as a value, so that a test can move it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Attributes: `now` gives seconds from any start; `sleep` lets as many pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def polls(self, *, first: float, cap: float, limit: float) -> Iterator[float]:
        """Wait again and again: `first` seconds, then twice as long each time up to `cap`, until `limit` has passed.

        Yields:
            Seconds since the first wait began, after each wait.
        """
        start, wait = self.now(), first
        while (elapsed := self.now() - start) < limit:
            self.sleep(min(wait, limit - elapsed))
            yield self.now() - start
            wait = min(wait * 2, cap)
