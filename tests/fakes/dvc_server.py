"""A DVC remote over HTTP on loopback: it keeps what is posted, and gives it out again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fakes.git_server import serving


class DvcHost(ThreadingHTTPServer):
    """Keeps objects below a folder.

    Attributes:
        refuses: every upload is answered with 403.
        stored: the paths of what was posted.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.refuses = False
        self.stored: list[str] = []

    @property
    def url(self) -> str:
        """For `dvc remote add`."""
        return f"http://127.0.0.1:{self.server_address[1]}/models"


class _Handler(BaseHTTPRequestHandler):
    server: DvcHost
    protocol_version = "HTTP/1.1"

    @property
    def _place(self) -> Path:
        return self.server.folder / self.path.lstrip("/")

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        content = self._place.read_bytes() if self._place.is_file() else None
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if with_body:
            with suppress(ConnectionError):  # DVC only asks whether it is there, and hangs up
                self.wfile.write(content or b"")

    def do_POST(self) -> None:
        content = b"".join(self._body())
        if not self.server.refuses:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            self._place.write_bytes(content)
            self.server.stored.append(self.path)
        self.send_response(403 if self.server.refuses else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the parent)
        """Say nothing."""


@contextmanager
def dvc_host(folder: Path) -> Iterator[DvcHost]:
    """Run one while the block runs."""
    with serving(DvcHost(folder)) as host:
        yield host
