"""That a request is tried again, said once a command: where requests are made nobody is at hand to tell it to."""

from collections.abc import Callable
from threading import Lock

from containerid.events import Event, Step


class Retries:
    """Who is told, and whether that was done."""

    def __init__(self) -> None:
        self._tell: Callable[[Event], None] | None = None
        self._lock = Lock()

    def listen(self, tell: Callable[[Event], None]) -> None:
        """From now on the next retry is told to this one, in place of whoever listened before."""
        self._tell = tell

    def say(self, reason: str, times: int, seconds: float) -> None:
        """A request was lost and is made again.

        Args:
            reason: why it was lost.
            times: how often it is made again at most.
            seconds: that this may take at most.
        """
        with self._lock:
            tell, self._tell = self._tell, None
        if tell is not None:
            tell(Step("again", f"{reason}; up to {times} more tries, within {seconds:.0f} s"))


RETRIES = Retries()
"""Those of this process."""
