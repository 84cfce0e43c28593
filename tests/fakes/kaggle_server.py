"""A Kaggle that keeps state in memory, records every request, and fails as told: for what happens on the wire.

It accepts absolute-form addresses, so that Kaggle's own client can be pointed at it as at a proxy.
"""

import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
DENIED = "Permission 'kernels.get' was denied"


@dataclass
class Call:
    """A request as it came: `rpc` is the method's last word, or `logs`, `file`, `upload`; `port` is the client's."""

    rpc: str
    body: Any
    headers: Message
    query: dict[str, list[str]] = field(default_factory=dict)
    port: int = 0


@dataclass
class Fault:
    """What happens instead of the good answer.

    Attributes:
        drop: the connection is closed without an answer.
        done: the request is carried out all the same.
        cut: so many bytes of the good body come, then the connection ends.
    """

    status: int = 500
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    drop: bool = False
    done: bool = False
    cut: int | None = None


def google(code: int, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message, "status": "X"}})


@dataclass
class Kept:
    """A kernel: what was pushed, version by version, and what its session left."""

    pushes: list[Json] = field(default_factory=list)
    status: Json = field(default_factory=lambda: {"status": "QUEUED"})
    log: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] | None = None


@dataclass
class Problem(Exception):
    code: int
    message: str


class _Patient(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is what some tests are about."""


class KaggleServer:
    """Attributes: state and what was asked; a page holds `pace` files; `streams` are the live log's bodies, in turn."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.kernels: dict[str, Kept] = {}
        self.datasets: dict[str, Json] = {}
        self.uploads: dict[str, bytes] = {}
        self.announced: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        self.tokens = {"KGAT_" + "1" * 32: "ada"}
        self.streams: deque[tuple[str, bytes]] = deque()
        self.answers: dict[str, Json] = {}
        self.pace = 100
        self.signature = 1
        self.dataset_steps: deque[str] = deque()
        self._http = _Patient(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def fail(self, rpc: str, *faults: Fault) -> None:
        self.faults[rpc].extend(faults)

    def keep_of(self, token: str, count: int) -> None:
        """Of the next bytes that come for this upload, only so many arrive."""
        self.kept[token] = count

    def asked(self, rpc: str) -> list[Call]:
        return [call for call in self.calls if call.rpc == rpc]

    def answer(self, rpc: str, body: Json) -> Json:
        if rpc in self.answers:
            return self.answers[rpc]
        method: Callable[[Json], Json] = getattr(self, f"_{rpc}")
        return method(body)

    def _kernel(self, body: Json) -> Kept:
        kernel = self.kernels.get(f"{body['userName']}/{body['kernelSlug']}")
        if kernel is None:
            raise Problem(403, DENIED)
        label = body.get("versionLabel", "v1")
        if not label.startswith("v") or not 1 <= int(label[1:]) <= max(1, len(kernel.pushes)):
            raise Problem(404, "Not Found")
        return kernel

    def _SaveKernel(self, body: Json) -> Json:  # noqa: N802
        kernel = self.kernels.setdefault(body["slug"], Kept())
        kernel.pushes.append(body)
        version = len(kernel.pushes)
        url = f"https://www.kaggle.com/code/{body['slug']}"
        known = [name for name in body.get("datasetDataSources", []) if name in self.datasets]
        missing = [name for name in body.get("datasetDataSources", []) if name not in known]
        return {
            "ref": f"/code/{body['slug']} v{version}",
            "url": url,
            "versionNumber": version,
            "error": "",
            "errorNullable": "",
            "hasError": False,
            "kernelId": 7,
            "invalidDatasetSources": missing,
        }

    def _GetKernel(self, body: Json) -> Json:  # noqa: N802
        pushes = self._kernel(body).pushes
        last = pushes[-1]
        metadata = {
            "ref": last["slug"],
            "title": last["newTitle"],
            "isPrivate": last["isPrivate"],
            "enableGpu": last["enableGpu"],
            "currentVersionNumber": len(pushes),
            "lastRunTime": "2026-11-21T05:00:00.1234567Z",
        }
        return {"metadata": metadata, "blob": {"source": last["text"], "language": "python", "kernelType": "script"}}

    def _GetKernelSessionStatus(self, body: Json) -> Json:  # noqa: N802
        return self._kernel(body).status

    def _ListKernelSessionOutput(self, body: Json) -> Json:  # noqa: N802
        kernel = self._kernel(body)
        name = f"{body['userName']}/{body['kernelSlug']}"
        files = [
            {"fileName": each, "url": f"{self.url}/files/{name}/{each}?sig={self.signature}"} for each in kernel.files
        ]
        return {**self._page(files, body), "log": kernel.log}

    def _ListKernelFiles(self, body: Json) -> Json:  # noqa: N802
        kernel = self._kernel(body)
        sizes = {name: len(data) for name, data in kernel.files.items()} if kernel.sizes is None else kernel.sizes
        return self._page([{"name": name, "size": size} for name, size in sizes.items()], body)

    def _page(self, files: list[Json], body: Json) -> Json:
        start = int(body.get("pageToken") or 0)
        end = start + min(self.pace, int(body.get("pageSize", 20)))
        return {"files": files[start:end], "nextPageToken": str(end) if end < len(files) else ""}

    def _ListKernels(self, body: Json) -> Json:  # noqa: N802
        start = int(body.get("pageToken") or 0)
        named = sorted(self.kernels)[start : start + self.pace]
        more = start + self.pace < len(self.kernels)
        kernels = [{"ref": name, "title": name, "currentVersionNumber": 1} for name in named]
        return {"kernels": kernels, "nextPageToken": str(start + self.pace) if more else ""}

    def _DeleteKernel(self, body: Json) -> Json:  # noqa: N802
        self._kernel(body)
        del self.kernels[f"{body['userName']}/{body['kernelSlug']}"]
        return {}

    def _CancelKernelSession(self, body: Json) -> Json:  # noqa: N802
        raise Problem(403, "Permission 'kernelSessions.cancel' was denied")

    def _GetAcceleratorQuotaStatistics(self, body: Json) -> Json:  # noqa: N802
        gpu = {"timeUsed": "45000.5s", "timeReserved": "3600s", "totalTimeAllowed": "108000s"}
        return {"quotaRefreshTime": "2026-11-28T00:00:00Z", "gpuQuota": gpu}

    def _IntrospectToken(self, body: Json) -> Json:  # noqa: N802
        name = self.tokens.get(body["token"])
        return {"active": bool(name), "username": name or ""}

    def _GenerateAccessToken(self, body: Json) -> Json:  # noqa: N802
        if body["refreshToken"] != "good":
            raise Problem(401, "refresh token is gone")
        return {"token": "fresh", "expiresIn": 43200, "userName": "ada", "userId": 1}

    def _GetDatasetStatus(self, body: Json) -> Json:  # noqa: N802
        dataset = self.datasets.get(f"{body['ownerSlug']}/{body['datasetSlug']}")
        if dataset is None:
            raise Problem(403, "Permission 'datasets.get' was denied")
        if self.dataset_steps:
            dataset["status"] = self.dataset_steps.popleft()
        if dataset["status"] == "hidden":
            raise Problem(403, "Permission 'datasets.get' was denied")
        return {"status": dataset["status"]}

    def _CreateDataset(self, body: Json) -> Json:  # noqa: N802
        name = f"{body['ownerSlug']}/{body['slug']}"
        if name in self.datasets:
            return {
                "status": "error",
                "error": f'The requested title "{body["title"]}" is already in use by a dataset.',
            }
        self.datasets[name] = {"status": "READY", **body}
        return {"ref": name, "status": "ok", "error": ""}

    def _CreateDatasetVersion(self, body: Json) -> Json:  # noqa: N802
        self.datasets[f"{body['ownerSlug']}/{body['datasetSlug']}"] = {"status": "READY", **body["body"]}
        return {"status": "ok"}

    def _StartBlobUpload(self, body: Json) -> Json:  # noqa: N802
        token = f"blob-{len(self.asked('StartBlobUpload'))}-{body['name']}"
        self.announced[token] = body.get("contentLength", 0)
        return {"token": token, "createUrl": f"{self.url}/upload/{token}"}

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16
            extra: Mapping[str, str] = MappingProxyType({})

            def do_POST(self) -> None:
                path = urlsplit(self.path).path
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                rpc = path.rpartition("/")[2]
                assert path.startswith("/api/v1/"), path
                self._serve(Call(rpc, body, self.headers), lambda: self._call(rpc, body))

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qs(parts.query)
                if parts.path.startswith("/files/"):
                    self._serve(Call("file", parts.path, self.headers, query), lambda: self._file(parts.path, query))
                else:
                    self._serve(Call("logs", parts.path, self.headers, query), self._stream)

            def do_PUT(self) -> None:
                token = self.path.rpartition("/")[2]
                data = self.rfile.read(int(self.headers["Content-Length"]))
                self._serve(Call("upload", token, self.headers), lambda: self._take(token, data))

            def _take(self, token: str, data: bytes) -> tuple[int, str, bytes]:
                span = self.headers.get("Content-Range", "bytes 0-")
                here = server.uploads.get(token, b"")
                if not span.startswith("bytes */"):
                    start = int(span.removeprefix("bytes ").partition("-")[0])
                    here = server.uploads[token] = (here[:start] + data)[: server.kept.pop(token, None)]
                if len(here) < server.announced.get(token, 0):
                    self.extra = {"Range": f"bytes=0-{len(here) - 1}"} if here else {}
                    return 308, "application/json", b""
                return 200, "application/json", b"{}"

            def _serve(self, call: Call, good: Callable[[], tuple[int, str, bytes]]) -> None:
                call.port, self.extra = self.client_address[1], {}
                server.calls.append(call)
                fault = server.faults[call.rpc].popleft() if server.faults[call.rpc] else None
                if fault is None:
                    return self._send(*good())
                answer = good() if fault.done or fault.cut is not None else (0, "", b"")
                if fault.drop:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                if fault.cut is not None:
                    return self._send(*answer, cut=fault.cut)
                return self._send(fault.status, fault.kind, fault.body.encode(), headers=fault.headers)

            def _call(self, rpc: str, body: Json) -> tuple[int, str, bytes]:
                try:
                    return 200, "application/json", json.dumps(server.answer(rpc, body)).encode()
                except Problem as problem:
                    return problem.code, "application/json", google(problem.code, problem.message).encode()

            def _file(self, path: str, query: dict[str, list[str]]) -> tuple[int, str, bytes]:
                if query.get("sig") != [str(server.signature)]:
                    return 403, "application/xml", b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"
                owner, slug, name = unquote(path).removeprefix("/files/").split("/", 2)
                return 200, "application/octet-stream", server.kernels[f"{owner}/{slug}"].files[name]

            def _stream(self) -> tuple[int, str, bytes]:
                if not server.streams:
                    return 404, "application/json", google(404, "no session").encode()
                kind, body = server.streams.popleft()
                return 200, kind, body

            def _send(
                self,
                status: int,
                kind: str,
                body: bytes,
                *,
                headers: dict[str, str] | None = None,
                cut: int | None = None,
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if kind != "text/event-stream":
                    self.send_header("Content-Length", str(len(body)))
                for name, value in {**(headers or {}), **self.extra}.items():
                    self.send_header(name, value)
                if cut is not None or kind == "text/event-stream":
                    self.close_connection = True
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body[:cut])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler
