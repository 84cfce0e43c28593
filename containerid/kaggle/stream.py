"""A kernel's log, once or live.

The live stream is cut every few minutes by Kaggle's load balancer. Each new connection starts from the head of the log,
so lines that were given out before are skipped.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from containerid.clock import Clock
from containerid.errors import NotFound, Unreachable
from containerid.events import LogLine
from containerid.kaggle.logs import Lines, Piece, events, pieces_of
from containerid.kaggle.transport import Transient, arriving, unreachable
from containerid.kaggle.wire import read_answer

if TYPE_CHECKING:
    from requests import Response

    from containerid.kaggle.api import Kaggle
    from containerid.kaggle.listing import Listing

_SILENCE = 150.0
"""Seconds without a line after which a connection counts as dead; a heartbeat of ours comes every 60."""

_LULL = 3.0
"""Seconds of silence that end a look at a log which is still being written."""

_GIVE_UP = 900.0
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


def kept(api: "Kaggle | Listing", kernel: str, version: str = "", *, lull: float = _LULL) -> Iterator[LogLine]:
    """The log as far as it goes. While a session runs Kaggle keeps none yet: then it is the head of the live one.

    Raises:
        NotFound: there is no such kernel.
    """
    lines = Lines()
    if pieces := pieces_of(api.log(kernel, version)):
        yield from lines.take(pieces)
    else:
        with suppress(Transient, NotFound):
            yield from _once(api, kernel, version, lines, read=lull)
    yield from lines.rest()


def follow(
    api: "Kaggle", kernel: str, version: str = "", *, is_over: Callable[[], bool], clock: Clock | None = None
) -> Iterator[LogLine]:
    """The log from its head, line by line as it grows, until the session has ended. No line comes twice, none is lost.

    Args:
        api: Kaggle.
        kernel: `owner/slug`.
        version: the version's number; empty for the newest.
        is_over: tells whether the session has ended; its errors other than Unreachable end the log. Asked only after a
            connection that brought nothing: one that was cut in the middle of a log is simply made again.
        clock: for the pauses between two connections.

    Raises:
        Unreachable: Kaggle has not answered for a quarter of an hour.
    """
    clock, lines, over = clock or Clock(), Lines(), False
    pause, heard = _PAUSE, clock.now()
    while True:
        count, asked_for = lines.count, 0.0
        try:
            if (yield from _once(api, kernel, version, lines, read=_SILENCE)):
                break
        except Transient as lost:
            asked_for = lost.after or 0.0
        except NotFound:
            pass
        if over:
            # The session had ended before this connection was made, and still it was cut.
            lines.again()
            yield from lines.take(pieces_of(api.log(kernel, version)))
            break
        if lines.count > count:
            pause, heard = _PAUSE, clock.now()
        else:
            over, heard = _ask(is_over, heard, clock)
            pause = _PAUSE if over else min(2 * pause, _LONGEST_PAUSE)
        clock.sleep(max(pause, min(asked_for, _GIVE_UP)))
    yield from lines.rest()


def _ask(is_over: Callable[[], bool], heard: float, clock: Clock) -> tuple[bool, float]:
    """Whether the session has ended, and when Kaggle was heard last. Raises Unreachable after a long silence."""
    try:
        return is_over(), clock.now()
    except Unreachable:
        if clock.now() - heard > _GIVE_UP:
            raise
        return False, heard


def _once(
    api: "Kaggle | Listing", kernel: str, version: str, lines: Lines, *, read: float
) -> Generator[LogLine, None, bool]:
    """One connection; gives back whether the log came to its end."""
    lines.again()
    with api.stream(kernel, version, read=read) as response:
        if "event-stream" not in response.headers.get("Content-Type", "").lower():
            yield from lines.take(_whole(response))
            return True
        for piece in events(arriving(response)):
            if piece is None:
                return True
            yield from lines.take([piece])
    return False


def _whole(response: "Response") -> list[Piece]:
    """The log of a session that has ended. Kaggle puts errors into good answers too, which are no log."""
    answer = read_answer(response)
    start = answer.text.lstrip()[:1]
    if start == "<":
        raise Transient(unreachable("a page came in place of the log"))
    if start == "{":
        answer.document()
    return pieces_of(answer.text)
