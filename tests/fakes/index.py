"""A package index on this machine: wheels made on the spot, and a list of what was asked for."""

import base64
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fakes.lines import Line


def wheel(
    name: str,
    version: str,
    *requires: str,
    tag: str = "py3-none-any",
    scripts: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    text: str = "",
) -> tuple[str, bytes]:
    """A wheel's file name and content: a module that knows its version, and what else it is to hold."""
    info, packed = f"{name}-{version}.dist-info", io.BytesIO()
    wanted = [f"Requires-Dist: {each}" for each in requires]
    points = "".join(f"{script} = {target}\n" for script, target in (scripts or {}).items())
    tags = [f"Tag: {each}-none-any" for each in tag.removesuffix("-none-any").split(".")]
    files = {
        f"{name}.py": f"version = {version!r}\n{text}",
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *wanted])
        + "\n",
        f"{info}/WHEEL": "\n".join(["Wheel-Version: 1.0", "Generator: test", "Root-Is-Purelib: true", *tags]) + "\n",
        **({f"{info}/entry_points.txt": f"[console_scripts]\n{points}"} if points else {}),
        **{f"{name}-{version}.data/data/{path}": content for path, content in (data or {}).items()},
    }
    record = "".join(f"{path},{_digest(content)},{len(content.encode())}\n" for path, content in files.items())
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, content)
    return f"{name}-{version}-{tag}.whl", packed.getvalue()


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Index:
    """What the index has and was asked for.

    Attributes:
        url: its address, for `--index-url`.
        wheels: file name to content.
        asked: the paths of all requests, in order.
        line: to it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.wheels: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.line = Line()

    def add(self, *wheels: tuple[str, bytes]) -> None:
        """Publish wheels."""
        self.wheels.update(wheels)


class _Handler(http.server.BaseHTTPRequestHandler):
    index: Index

    def do_HEAD(self) -> None:
        self._answer(whole=False)

    def do_GET(self) -> None:
        self._answer(whole=True)

    def _answer(self, *, whole: bool) -> None:
        self.index.asked.append(self.path)
        kind, _, name = self.path.strip("/").partition("/")
        links = [each for each in self.index.wheels if each.startswith(f"{name.replace('-', '_')}-")]
        page = "".join(f'<a href="/files/{each}">{each}</a>' for each in links).encode()
        content = (page if links else None) if kind == "simple" else self.index.wheels.get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if whole:
            self.index.line.carry(content or b"", self.wfile)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Index]:
    """An index that answers until the end."""
    index = Index()
    handler = type("Handler", (_Handler,), {"index": index})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        yield index
        server.shutdown()
