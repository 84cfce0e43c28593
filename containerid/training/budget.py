"""How long a session may still go on, judged by what its own epochs were measured to take."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping

BEGAN = "CID_SESSION_BEGAN"
"""When the session began, in seconds of the system's monotonic clock, as whoever started it wrote it down."""

TIMELINE = "CID_TIMELINE"
"""What went before in this session: the seconds of each phase by its name, as JSON."""

_SLACK, _SHARE = 5.0, 0.01
"""Seconds, and the part of the session, that stay for what nobody can measure: listing and keeping the outputs."""


def began(environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.monotonic) -> float:
    """When this session began, by the monotonic clock; now, where nobody says."""
    try:
        return min(float(environ[BEGAN]), clock())
    except (KeyError, ValueError):
        return clock()


def before(environ: Mapping[str, str] = os.environ) -> dict[str, float]:
    """The phases of this session that came before, with their seconds; empty, where nobody says."""
    try:
        told = json.loads(environ[TIMELINE])
        return {str(name): float(seconds) for name, seconds in told.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


class Budget:
    """The time of one session.

    Args:
        seconds: that it may last; 0 is no limit.
        since: when it began, by `clock`.
        clock: seconds.

    Attributes:
        since: when the session began.
        passes: how many times the validation split will be looked through, or as much of another split, once the
            training has ended.
        first_batch: seconds from the beginning of the session to the end of its first batch; 0 before.
    """

    def __init__(self, seconds: float, since: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.passes = 1.0
        self.first_batch = 0.0
        self.since, self._clock = since, clock
        self._epochs: list[float] = []
        self._checked = 0.0

    @property
    def left(self) -> float:
        """Seconds for work: to the limit, less the slack; infinite without one."""
        if not self.seconds:
            return math.inf
        return self.seconds * (1 - _SHARE) - _SLACK - (self._clock() - self.since)

    def note_batch(self) -> None:
        """A batch is done."""
        self.first_batch = self.first_batch or round(self._clock() - self.since, 3)

    def note(self, epoch: float, checked: float) -> None:
        """Remember an epoch.

        Args:
            epoch: seconds that it took, its validation and checkpoint included.
            checked: seconds of these that validation and checkpoint took.
        """
        self._epochs = [*self._epochs[-2:], epoch]
        self._checked = max(self._checked, checked)

    @property
    def allows_an_epoch(self) -> bool:
        """One more epoch fits, as slow as the slowest of the last three, and what follows if it is the last one."""
        return max(self._epochs, default=0.0) + self._checked * self.passes <= self.left
