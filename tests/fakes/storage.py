"""A Kaggle with one ended kernel, and a storage that gives its files as badly as it is told: raw bytes on sockets."""

import base64
import hashlib
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote

RUN, KERNEL = "exp001-1", "ada/cid-exp001-1"


@dataclass
class Asked:
    """A request for a file: its path and query, and its headers in lower case."""

    path: str
    headers: dict[str, str]
    connection: int


@dataclass
class Thing:
    """A file as storage holds it: `hashed` storage states its MD5, `etag` names its content."""

    data: bytes
    hashed: bool = False
    etag: str = ""

    def __post_init__(self) -> None:
        self.etag = self.etag or f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'

    def headers(self) -> dict[str, str]:
        md5 = base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()
        return {"ETag": self.etag} | ({"x-goog-hash": f"crc32c=AAAAAA==,md5={md5}"} if self.hashed else {})


Fault = Callable[["Line", Thing, Asked], None]


class Gone(Exception):
    """The connection ends here."""


class Line:
    """One connection, as the faults see it."""

    def __init__(self, peer: socket.socket, over: threading.Event) -> None:
        self.peer = peer
        self.over = over

    def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        """An answer; its length is stated unless `headers` say how it ends."""
        framed = {"Content-Length", "Connection", "Transfer-Encoding"} & set(headers)
        stated = {} if framed else {"Content-Length": str(len(body))}
        lines = [f"{name}: {value}" for name, value in {**headers, **stated}.items()]
        self.peer.sendall("\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode() + body)

    def reset(self) -> None:
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def hang(self) -> None:
        self.over.wait(30)
        raise Gone


def good(line: Line, thing: Thing, asked: Asked) -> None:
    """The file, or the range that was asked for."""
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
    condition = asked.headers.get("if-range", thing.etag)
    if not match or condition != thing.etag:
        return line.send(200, thing.headers(), thing.data)
    first, last = int(match[1]), min(int(match[2] or len(thing.data)), len(thing.data) - 1)
    span = {"Content-Range": f"bytes {first}-{last}/{len(thing.data)}"}
    return line.send(206, thing.headers() | span, thing.data[first : last + 1])


def says(status: int, **headers: str) -> Fault:
    """A status and a page."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda line, thing, asked: line.send(status, {"Content-Type": "text/html", **named}, b"<html>no</html>")


def reset(line: Line, thing: Thing, asked: Asked) -> None:
    line.reset()


def broken(end: str, *, length: str = "stated") -> Fault:
    """A part of the file comes; then `end`: `reset`, `close` or `hang`. `length` is stated, `chunked` or `none`."""

    def fault(line: Line, thing: Thing, asked: Asked) -> None:
        body = thing.data[: len(thing.data) // 2]
        headers = {"Connection": "close"} if length == "none" else {"Content-Length": str(len(thing.data))}
        if length == "chunked":
            headers = {"Transfer-Encoding": "chunked"}
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n"
        line.send(200, thing.headers() | headers, body)
        if end == "close":
            raise Gone
        line.reset() if end == "reset" else line.hang()

    return fault


def stall(line: Line, thing: Thing, asked: Asked) -> None:
    line.hang()


def flipped(line: Line, thing: Thing, asked: Asked) -> None:
    """One bit is another one."""
    spoilt = bytearray(thing.data)
    spoilt[len(spoilt) // 2] ^= 1
    line.send(200, thing.headers(), bytes(spoilt))


def whole(line: Line, thing: Thing, asked: Asked) -> None:
    """The whole file, whatever range was asked for."""
    line.send(200, thing.headers(), thing.data)


def promising(extra: int) -> Fault:
    """More bytes are promised than there are."""

    def fault(line: Line, thing: Thing, asked: Asked) -> None:
        line.send(200, thing.headers() | {"Content-Length": str(len(thing.data) + extra)}, thing.data)
        raise Gone

    return fault


@dataclass
class Storage:
    """Attributes: what it holds, what was asked, and the faults to come, by file; `always` those that stay."""

    files: dict[str, Thing] = field(default_factory=dict)
    sized: bool = True
    manifest: bool = True
    signature: int = 1
    asked: list[Asked] = field(default_factory=list)
    listed: int = 0
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    always: dict[str, Fault] = field(default_factory=dict)
    log: str = '[{"stream_name": "stdout", "time": 1.0, "data": "hello\\n"}]'

    def __enter__(self) -> Self:
        self.over = threading.Event()
        self.port = 0
        self._connections = 0
        self.listen()
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        self.refuse()

    def listen(self) -> None:
        """Take connections, on the port as before."""
        self.away = False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def refuse(self) -> None:
        """Take none, and answer on none that are open."""
        self.away = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def plan(self, name: str, *faults: Fault) -> None:
        self.faults[name] = deque(faults)

    def requests(self, name: str) -> list[Asked]:
        return [each for each in self.asked if f"/{quote(name, safe='')}?" in each.path]

    def list_files(self) -> None:
        """Write the manifest over what there is."""
        entries = [
            {"path": name, "size": len(thing.data), "sha256": hashlib.sha256(thing.data).hexdigest()}
            for name, thing in self.files.items()
        ]
        manifest = {"version": 1, "run": RUN, "files": entries}
        self.files["manifest.json"] = Thing(json.dumps(manifest).encode())

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self._connections += 1
            threading.Thread(target=self._serve, args=[peer, self._connections], daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        with peer, suppress(Gone, OSError):
            file = peer.makefile("rb")
            while start := file.readline().decode():
                head = {}
                while (line := file.readline().decode().strip()) != "":
                    name, _, value = line.partition(":")
                    head[name.lower()] = value.strip()
                body = file.read(int(head.get("content-length", 0)))
                if self.away:
                    return
                self._answer(Line(peer, self.over), start.split()[1], Asked(start.split()[1], head, number), body)

    def _answer(self, line: Line, path: str, asked: Asked, body: bytes) -> None:
        if path.startswith("/files/"):
            self.asked.append(asked)
            name, _, signature = path.removeprefix("/files/").partition("?sig=")
            if int(signature) != self.signature:
                return line.send(403, {"Content-Type": "application/xml"}, b"<Error><Code>ExpiredToken</Code></Error>")
            fault = self._fault(unquote(name))
            return fault(line, self.files[unquote(name)], asked)
        answer = getattr(self, "_" + path.rpartition("/")[2])
        return line.send(200, {"Content-Type": "application/json"}, json.dumps(answer(json.loads(body))).encode())

    def _fault(self, name: str) -> Fault:
        planned = self.faults.get(name)
        return planned.popleft() if planned else self.always.get(name, good)

    def _ListKernelSessionOutput(self, body: dict[str, str]) -> dict[str, object]:  # noqa: N802
        assert body["versionLabel"] == "v1"
        self.listed += "pageSize" in body
        links = [
            {"fileName": name, "url": f"{self.url}/files/{quote(name, safe='')}?sig={self.signature}"}
            for name in self.files
        ]
        return {"files": links, "log": self.log}

    def _ListKernelFiles(self, body: dict[str, str]) -> dict[str, object]:  # noqa: N802
        sizes = [{"name": name, "size": len(thing.data)} for name, thing in self.files.items()]
        return {"files": sizes if self.sized else []}
