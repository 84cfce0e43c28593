"""Telling old lines from new when a log is read again from its head, or from where a lost head leaves off."""

from collections import defaultdict
from dataclasses import dataclass, field

_CANDIDATES = 64
"""Places in what is known at which a log that is read again may begin; lines that are all alike give one for each."""


@dataclass(slots=True)
class _Stream:
    """Attributes: known lines, the places in them where this reading may have begun, and how many it has read."""

    known: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    read: int = 0

    def is_new(self, text: str) -> bool:
        self.read += 1
        if self.read == 1:
            self.places = self._beginnings(text)
        at = self.read - 1
        fitting = [place for place in self.places if place + at >= len(self.known) or self._same(place + at, text)]
        # A line that differs in the middle moves nothing: what has been counted so far stays right.
        self.places = fitting or self.places[:1]
        if self.places[0] + at < len(self.known):
            return False
        self.known.append(text)
        return True

    def _same(self, index: int, text: str) -> bool:
        return self.known[index] == text or (self.read == 1 and bool(text) and self.known[index].endswith(text))

    def _beginnings(self, text: str) -> list[int]:
        equal = [place for place, known in enumerate(self.known) if known == text]
        cut = [] if equal or not text else [i for i, known in enumerate(self.known) if known.endswith(text)]
        return (equal or cut)[:_CANDIDATES] or [len(self.known)]


class Replay:
    """Remembers the lines of a log, each stream on its own, so that another reading of it doubles and loses none."""

    def __init__(self) -> None:
        self._streams: defaultdict[str, _Stream] = defaultdict(_Stream)

    @property
    def count(self) -> int:
        """Lines that were new so far."""
        return sum(len(stream.known) for stream in self._streams.values())

    def again(self) -> None:
        """The log is about to be read once more."""
        for stream in self._streams.values():
            stream.read, stream.places = 0, []

    def is_new(self, stream: str, text: str) -> bool:
        """Whether this next line of the reading was not there before. Ask once a line, in order."""
        return self._streams[stream].is_new(text)
