"""A Kaggle with one ended kernel, behind a line that is as slow as asked for: latency, bandwidth, links that expire.

`python -m benchmarks.storage SETTINGS` prints its address, then serves until its stdin is closed. SETTINGS is JSON, the
fields of `Line`. It takes absolute addresses, so that Kaggle's own client can be pointed at it as at a proxy.
"""

import asyncio
import hashlib
import json
import random
import re
import sys
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

KERNEL, RUN = "ada/cid-exp001-1", "exp001-1"
_CHUNK = 1 << 18
_PATTERN = random.Random(1).randbytes(1 << 22) * 2


@dataclass(frozen=True)
class Line:
    """What lies between.

    Attributes:
        files: how many; size: bytes of each.
        latency: seconds until the first byte of every answer.
        connection, link: bytes a second of one connection, and of all together; 0 is no limit.
        expires: seconds for which a link is good.
    """

    files: int
    size: int
    latency: float = 0.08
    connection: float = 0
    link: float = 0
    expires: float = 3600


class Storage:
    def __init__(self, line: Line) -> None:
        self.line = line
        self.names = [f"plots/{number:03}.bin" for number in range(line.files)]
        digest = hashlib.sha256()
        for start in range(0, line.size, _CHUNK):
            digest.update(piece(start, min(_CHUNK, line.size - start)))
        entries = [{"path": name, "size": line.size, "sha256": digest.hexdigest()} for name in self.names]
        self.manifest = json.dumps({"version": 1, "run": RUN, "files": entries}).encode()
        self.free = 0.0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = [0.0]
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                start, *rest = head.split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await asyncio.sleep(self.line.latency)
                path = start.split()[1]
                if "/files/" in path:
                    await self.file(writer, urlsplit(path), headers, own)
                else:
                    await self.send(writer, self.answer(path, json.loads(body or b"{}")))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def send(self, writer: asyncio.StreamWriter, answer: Any) -> None:
        body = json.dumps(answer).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        names = [*self.names, "manifest.json"]
        start = int(body.get("pageToken") or 0)
        end = start + int(body.get("pageSize") or 20)
        page = names[start:end]
        more = {"nextPageToken": str(end) if end < len(names) else ""}
        if path.endswith("/ListKernelFiles"):
            sizes = [self.line.size if name in self.names else len(self.manifest) for name in page]
            return {"files": [{"name": n, "size": s} for n, s in zip(page, sizes, strict=True)], **more}
        if path.endswith("/ListKernelSessionOutput"):
            good = f"Expires={time.time() + self.line.expires:.0f}"
            files = [{"fileName": name, "url": f"{self.url}/files/{name}?{good}"} for name in page]
            log = '[{"stream_name": "stdout", "time": 1.0, "data": "done\\n"}]'
            return {"files": files, "log": log, **more}
        return {"status": "COMPLETE"}

    async def file(self, writer: asyncio.StreamWriter, url: Any, headers: dict[str, str], own: list[float]) -> None:
        name = url.path.partition("/files/")[2]
        if float(parse_qs(url.query)["Expires"][0]) < time.time():
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\n<Error/>")
            return await writer.drain()
        manifest = name == "manifest.json"
        size = len(self.manifest) if manifest else self.line.size
        etag = f'"{size:x}"'
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        ranged = bool(match) and headers.get("if-range", etag) == etag
        first, last = (int(match[1]), min(int(match[2] or size), size - 1)) if match and ranged else (0, size - 1)
        span = f"Content-Range: bytes {first}-{last}/{size}\r\n" if ranged else ""
        writer.write(
            f"HTTP/1.1 {'206 Partial Content' if ranged else '200 OK'}\r\nContent-Length: {last + 1 - first}\r\n{span}"
            f"ETag: {etag}\r\nLast-Modified: {formatdate(1.7e9, usegmt=True)}\r\nAccept-Ranges: bytes\r\n\r\n".encode()
        )
        for at in range(first, last + 1, _CHUNK):
            count = min(_CHUNK, last + 1 - at)
            await self.pace(count, own)
            writer.write(self.manifest[at : at + count] if manifest else piece(at, count))
            await writer.drain()
        return None

    async def pace(self, count: int, own: list[float]) -> None:
        """Wait until the connection and the link have room; up to 20 ms of lateness is made up for."""
        now = time.monotonic()
        if self.line.connection:
            own[0] = max(own[0], now - 0.02) + count / self.line.connection
        if self.line.link:
            self.free = max(self.free, now - 0.02) + count / self.line.link
        wait = max(own[0] if self.line.connection else 0, self.free) - now
        if wait > 0:
            await asyncio.sleep(wait)


def piece(at: int, count: int) -> memoryview:
    """Bytes of every file, by place."""
    start = at % (len(_PATTERN) // 2)
    return memoryview(_PATTERN)[start : start + count]


async def main() -> None:
    storage = Storage(Line(**json.loads(sys.argv[1])))
    server = await asyncio.start_server(storage.serve, "127.0.0.1", 0, backlog=256)
    storage.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(storage.url, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
