"""Kaggle's logs in all their forms, as lines: JSON array, server-sent events, plain text, cut short, badly encoded.

Events are pieces of output, not lines: a line may come in several, and one may hold many. Lines are put together for
each stream on its own, which is what stays the same however the pieces were cut.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from containerid.events import LogLine
from containerid.kaggle.transport import decode
from containerid.replay import Replay

END_OF_LOG = "END_OF_LOG"


@dataclass(frozen=True, slots=True)
class Piece:
    """One event: seconds since the session's start, `stdout` or `stderr`, text."""

    time: float
    stream: str
    text: str


def read(text: str) -> list[LogLine]:
    """The lines of a log that is kept; see `pieces_of`."""
    lines = Lines()
    return [*lines.take(pieces_of(text)), *lines.rest()]


def pieces_of(text: str) -> list[Piece]:
    """The events of a log: a JSON array, one that lost its head or its end, or (what the web page shows) plain text."""
    pieces = _array(text)
    return _page(text) if pieces is None else pieces


def _page(text: str) -> list[Piece]:
    """Plain text, or what a kernel's page shows: seconds, the line's number and the line, in three columns."""
    lines = text.removesuffix("\n").split("\n")
    rows = lines[1:] if _HEADING.fullmatch(lines[0].strip()) else lines
    columns = [_ROW.fullmatch(line.rstrip("\r")) for line in rows]
    if rows is lines and not all(columns):
        return [Piece(0.0, "stdout", line + "\n") for line in lines]
    found, time = list[Piece](), 0.0
    for line, row in zip(rows, columns, strict=True):
        time = float(row[1]) if row else time
        found.append(Piece(time, "stdout", (row[2] if row else line) + "\n"))
    return found


_HEADING = re.compile(r"Time\s+#\s+Log Message")
_ROW = re.compile(r"(\d+(?:\.\d+)?)s\s+\d+(?:\s(.*))?")


def _array(text: str) -> list[Piece] | None:
    """Every whole event of a JSON array, even of one that lost its head; None when the text is no such array."""
    start = _HEAD.search(text)
    if start is None:
        return [] if re.fullmatch(r"\s*(\[\s*\]?)?\s*", text) else None
    decoder, found = json.JSONDecoder(strict=False), list[Piece]()
    while start is not None:
        try:
            event, end = decoder.raw_decode(text, start.start())
        except ValueError:
            break
        found += piece_of(event)
        start = _EVENT.search(text, end)
    return found


_HEAD = re.compile(r"""(?<![^\[,\s]){\s*"(stream_name|time|data)"\s*:""")
_EVENT = re.compile(r"{")


def piece_of(event: Any) -> Sequence[Piece]:
    """The event of a decoded JSON value: one piece, or none when it holds no text."""
    if not isinstance(event, dict) or not isinstance(data := event.get("data"), str):
        return ()
    time = 0.0
    with suppress(TypeError, ValueError):
        time = float(event.get("time") or 0)
    stream = event.get("stream_name")
    return (Piece(time if math.isfinite(time) else 0.0, stream if isinstance(stream, str) else "stdout", data),)


def events(chunks: Iterable[bytes]) -> Iterator[Piece | None]:
    """The pieces of a stream of server-sent events, and None at its end mark. What follows a cut is not a line yet."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            payload = decode(line).rstrip("\r")
            if not payload.startswith("data:"):
                continue
            payload = payload.removeprefix("data:").lstrip(" ")
            if payload == END_OF_LOG:
                yield None
                return
            yield from _payload(payload)


def _payload(payload: str) -> Sequence[Piece]:
    try:
        return piece_of(json.loads(payload, strict=False))
    except ValueError:
        return (Piece(0.0, "stdout", payload + "\n"),)


@dataclass(slots=True)
class Lines:
    """Puts pieces together into lines, and skips those that were seen before."""

    _replay: Replay = field(default_factory=Replay)
    _begun: dict[str, Piece] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Lines that were given out so far."""
        return self._replay.count

    def again(self) -> None:
        """The log is about to be read from its head once more."""
        self._begun.clear()
        self._replay.again()

    def take(self, pieces: Iterable[Piece]) -> Iterator[LogLine]:
        """Lines that these pieces complete and that are new."""
        for piece in pieces:
            begun = self._begun.pop(piece.stream, None) or Piece(piece.time, piece.stream, "")
            *whole, rest = (begun.text + piece.text).split("\n")
            for number, text in enumerate(whole):
                yield from self._new(begun.time if number == 0 else piece.time, piece.stream, text)
            if rest:
                time = piece.time if whole else begun.time
                self._begun[piece.stream] = Piece(time, piece.stream, _last_state(rest))

    def rest(self) -> Iterator[LogLine]:
        """What was begun and has no line end, at the end of the log."""
        for piece in list(self._begun.values()):
            yield from self._new(piece.time, piece.stream, piece.text)
        self._begun.clear()

    def _new(self, time: float, stream: str, text: str) -> Iterator[LogLine]:
        text = _last_state(text).rstrip("\r")
        if self._replay.is_new(stream, text):
            yield LogLine(time, stream, text)


def _last_state(text: str) -> str:
    """What a progress bar shows in the end: each carriage return draws over what stood there before."""
    bare = text.rstrip("\r")
    return bare.rpartition("\r")[2] + text[len(bare) :]
