"""Reads a run's log in a thread of its own, as often as that takes, and hands out each line once."""

import threading
from contextlib import suppress

from containerid.errors import CidError, NotFound, Refused, Unreachable
from containerid.events import LogLine
from containerid.job import Leg
from containerid.platform import Backend
from containerid.replay import Replay
from containerid.runs.inbox import Heard, Inbox


class Reader:
    """The log of one run on its way into an inbox.

    Attributes:
        ended: the log came to its end, or broke off: nobody reads it now.
        broken: it broke off, so there may be more.
    """

    def __init__(self, run: str, inbox: Inbox) -> None:
        self._run = run
        self._inbox = inbox
        self._replay = Replay()
        self._left = False
        self.ended = True
        self.broken = True

    def start(self, backend: Backend, leg: Leg) -> None:
        """Follow the log until it ends; what was handed out before is passed over. Only when nobody reads it."""
        self.ended = self.broken = False
        threading.Thread(target=self._follow, args=(backend, leg), daemon=True).start()

    def _follow(self, backend: Backend, leg: Leg) -> None:
        # Whatever happens here, the watcher must learn that nobody reads any more.
        what: CidError | None = Unreachable("the log broke off")
        try:
            self._read(backend, leg)
            what = None
        except CidError as error:
            what = error
        finally:
            self._inbox.put(Heard(self._run, what))

    def _read(self, backend: Backend, leg: Leg) -> None:
        self._replay.again()
        for line in backend.logs(leg, follow=True):
            if self._left:
                return
            if self._replay.is_new(line.stream, line.text):
                self._inbox.put(Heard(self._run, line))

    def catch_up(self, backend: Backend, leg: Leg) -> list[LogLine]:
        """The lines of the log that is kept which were not handed out; for a run that has ended."""
        self._left = True
        self._replay.again()
        with suppress(NotFound, Refused):
            return [line for line in backend.logs(leg, follow=False) if self._replay.is_new(line.stream, line.text)]
        return []
