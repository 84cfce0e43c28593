"""HTTP: reads requests, records them, lets planned faults happen, sends answers."""

import logging
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from containerid.kaggle.emulator.answers import Answer, Problem, Slice
from containerid.kaggle.emulator.faults import FaultPlan, play
from containerid.kaggle.emulator.site import Request, understand

_log = logging.getLogger(__name__)
_CHUNK = 1 << 18
_REMEMBERED = 10_000
_BEAT = 0.02
"""Seconds between two bits of a body that is held back."""


@dataclass(slots=True)
class Call:
    """One request, as it was answered.

    Attributes:
        rpc: see `site.Request.rpc`; empty for what could not be read.
        headers: their names written like `User-Agent`.
        status: of the answer; None while there is none, and for good when none was sent.
    """

    rpc: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    status: int | None = None


class Listener(ThreadingHTTPServer):
    """The socket, a thread for each connection, and what all of them share.

    Args:
        port: 0 takes any that is free.
        answer: carries a request out.
        faults: what is planned to go wrong.
        envelope: the form of errors; `google` or `flat`.
        closing: set when the server stops; ends what waits.

    Attributes:
        calls: the newest requests, in the order in which they came.
        heard: when the last one came, by the monotonic clock.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        port: int,
        answer: Callable[[Request], Answer],
        faults: FaultPlan,
        envelope: str,
        closing: threading.Event,
    ) -> None:
        self.answer = answer
        self.faults = faults
        self.envelope = envelope
        self.closing = closing
        self.calls: deque[Call] = deque(maxlen=_REMEMBERED)
        self.heard = time.monotonic()
        self._connections: set[socket.socket] = set()
        self._aborted: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take seconds."""
        # Else a port stays taken for a minute after a server that had clients has stopped.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def abort(self, connection: socket.socket) -> None:
        """End this connection by RST once its handler is done."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._aborted.add(connection)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._connections.discard(request)
        if request in self._aborted:
            self._aborted.discard(request)
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, also those that wait for a next request."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that went away is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("a connection of %s failed", client_address)


class _Body:
    """A request's body: reading stops at its end, and what nobody read can be skipped."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left = self._left - len(data) if data else 0
        return data

    def skip(self) -> None:
        while self._left:
            self.read(_CHUNK)


class Handler(BaseHTTPRequestHandler):
    """One connection. Plays the part of `faults.Exchange` for the request at hand."""

    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "embedded-kaggle"
    sys_version = ""
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        self._body = _Body(self.rfile, int(self.headers.get("Content-Length") or 0))
        headers = {name.title(): value for name, value in self.headers.items()}
        self._call = Call("", self.command, self.path, headers)
        self._request: Request | Problem = self._understood()
        self.server.calls.append(self._call)
        self.server.heard = time.monotonic()
        fault = self.server.faults.take(self._call.rpc, self._call.body)
        if fault:
            play(fault, self)
        else:
            self.send(self.produce())

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

    def _understood(self) -> Request | Problem:
        try:
            request = understand(self.command, self.path, self._call.headers, self._body)
        except Problem as problem:
            return problem
        self._call.rpc, self._call.body = request.rpc, request.body
        return request

    def produce(self, ignore: Collection[str] = ()) -> Answer:
        """Carry the request out; a problem becomes its answer, a defect of ours a 500."""
        try:
            if isinstance(self._request, Problem):
                raise self._request
            seen = {name: value for name, value in self._request.headers.items() if name not in ignore}
            return self.server.answer(replace(self._request, headers=seen))
        except Problem as problem:
            return problem.answer(self.server.envelope)
        except ConnectionError:
            raise
        except Exception:
            _log.exception("%s failed", self._call.rpc)
            return Problem(500, "Internal error").answer(self.server.envelope)

    def send(self, answer: Answer, *, keep: int | None = None, rate: float = 0) -> None:
        """Send an answer; with `keep`, only so many bytes of its body; with `rate`, so many a second."""
        self._body.skip()
        self._call.status = answer.status
        self.send_response(answer.status)
        chunked = self._send_headers(answer)
        if self.command == "HEAD":
            return
        for piece in self._paced(_first(_pieces(answer), keep), rate):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked and keep is None:
            self.wfile.write(b"0\r\n\r\n")

    def _send_headers(self, answer: Answer) -> bool:
        """Headers and framing; whether the body goes out in chunks. A length that is stated already may be a lie."""
        stated = "Content-Length" in answer.headers
        chunked = "Transfer-Encoding" in answer.headers or (answer.length is None and not stated)
        if stated:
            self.close_connection = True
        elif not chunked:
            self.send_header("Content-Length", str(answer.length))
        for name, value in {**answer.headers, **({"Transfer-Encoding": "chunked"} if chunked else {})}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        return chunked

    def _paced(self, pieces: Iterator[bytes], rate: float) -> Iterator[bytes]:
        """The pieces, at so many bytes a second."""
        step = max(int(rate * _BEAT), 1)
        for piece in pieces:
            if not rate:
                yield piece
                continue
            for start in range(0, len(piece), step):
                self.pause(_BEAT)
                yield piece[start : start + step]

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection, by RST if asked."""
        self.close_connection = True
        if reset:
            self.server.abort(self.connection)

    def pause(self, seconds: float) -> None:
        """Wait, until the server stops at the latest."""
        self.server.closing.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are recorded as calls; nothing is printed."""


def _pieces(answer: Answer) -> Iterator[bytes]:
    if isinstance(answer.body, Slice):
        with answer.body.path.open("rb") as file:
            file.seek(answer.body.start)
            left = answer.body.length
            while left and (data := file.read(min(_CHUNK, left))):
                left -= len(data)
                yield data
    elif isinstance(answer.body, bytes):
        yield answer.body
    else:
        yield from answer.body


def _first(pieces: Iterator[bytes], most: int | None) -> Iterator[bytes]:
    """The pieces, up to `most` bytes in all."""
    left = most
    for piece in pieces:
        if left is None:
            yield piece
            continue
        if piece[:left]:
            yield piece[:left]
        left -= len(piece[:left])
        if not left:
            return
