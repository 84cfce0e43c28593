"""What answers which request: every RPC, the links, the uploads, and who is let in."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from containerid.kaggle.emulator import blobs, links
from containerid.kaggle.emulator.accounts import Accounts
from containerid.kaggle.emulator.answers import Answer, Problem, of_json
from containerid.kaggle.emulator.blobs import Stream
from containerid.kaggle.emulator.datasets import Datasets
from containerid.kaggle.emulator.kernels import Kernels
from containerid.kaggle.emulator.outputs import Outputs
from containerid.kaggle.emulator.quota import Quota
from containerid.kaggle.emulator.sessions import Sessions

FILE, UPLOAD, STREAM, SECRET = "file", "upload", "GetKernelSessionLogsStream", "GetUserSecretByLabelRequest"
_RPC = re.compile(r"/(?:api/)?v1/([\w.]+)/(\w+)")
_STREAM = re.compile(r"/(?:api/)?v1/kernels/logs/stream/([^/]+)/([^/]+)")
_HOSTS = ("127.0.0.1", "localhost")
# Their credential is the token in the body.
_ANONYMOUS = ("IntrospectToken", "GenerateAccessToken")
_LARGEST = 64 << 20

_METHODS = {
    "kernels.KernelsApiService": {
        "SaveKernel": ("kernels", "save"),
        "GetKernel": ("kernels", "get"),
        "ListKernels": ("kernels", "list_kernels"),
        "DeleteKernel": ("kernels", "delete"),
        "GetKernelSessionStatus": ("outputs", "status"),
        "ListKernelSessionOutput": ("outputs", "list_output"),
        "ListKernelFiles": ("outputs", "list_files"),
        "DownloadKernelOutput": ("outputs", "download"),
        "DownloadKernelOutputZip": ("outputs", "download_zip"),
        "CancelKernelSession": ("outputs", "cancel"),
        STREAM: ("outputs", "stream"),
        "GetAcceleratorQuotaStatistics": ("site", "statistics"),
    },
    "datasets.DatasetApiService": {
        "CreateDataset": ("datasets", "create"),
        "CreateDatasetVersion": ("datasets", "create_version"),
        "CreateDatasetVersionById": ("datasets", "create_version"),
        "GetDataset": ("datasets", "get"),
        "GetDatasetStatus": ("datasets", "status"),
        "GetDatasetMetadata": ("datasets", "metadata"),
        "UpdateDatasetMetadata": ("datasets", "update_metadata"),
        "ListDatasets": ("datasets", "list_datasets"),
        "ListDatasetFiles": ("datasets", "list_files"),
        "DownloadDataset": ("datasets", "download"),
        "DeleteDataset": ("datasets", "delete"),
    },
    "blobs.BlobApiService": {"StartBlobUpload": ("blobs", "start")},
    "security.OAuthService": {"IntrospectToken": ("accounts", "introspect")},
    "users.AccountService": {"GenerateAccessToken": ("accounts", "generate")},
}
"""Service and method, to the part of the server that answers and its function."""

RPCS = {FILE, UPLOAD, SECRET}.union(*_METHODS.values())
"""What a request can be for."""

Rpc = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        rpc: the method's name; `file` for a link, `upload` for bytes; empty for what nothing answers.
        service: such as `kernels.KernelsApiService`.
        host: whom it was sent to, without the port.
        target: path and query.
        body: the JSON document, or the query of a GET, with the `name` of the file that a link is to.
        stream: the bytes of an upload.
    """

    rpc: str
    service: str
    host: str
    target: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    stream: Stream


def understand(method: str, path: str, headers: Mapping[str, str], stream: Stream) -> Request:
    """Read a request, also one that came through a proxy setting: its path is then a whole URL.

    Raises:
        Problem: 400, the body is not a JSON object; 413, it is larger than anything Kaggle takes.
    """
    parts = urlsplit(path)
    named = parts.hostname or urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    service, rpc = _name(method, parts.path)
    body: Mapping[str, Any] = {key: values[0] for key, values in parse_qs(parts.query).items()}
    if matched := _STREAM.fullmatch(parts.path):
        body = {**body, "userName": matched[1], "kernelSlug": matched[2]}
    if method == "POST":
        body = _document(int(headers.get("Content-Length") or 0), stream)
    if rpc == FILE:
        body = {**body, "name": unquote(parts.path.rpartition("/")[2])}
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return Request(rpc, service, named, target, headers, body, stream)


def _name(method: str, path: str) -> tuple[str, str]:
    if method == "POST" and (matched := _RPC.fullmatch(path)):
        return matched[1], matched[2]
    if method == "POST" and path == f"/requests/{SECRET}":
        return "", SECRET
    if method == "PUT" and path.startswith(blobs.PREFIX):
        return "", UPLOAD
    if method in ("GET", "HEAD") and path.startswith(links.PREFIX):
        return "", FILE
    return ("kernels.KernelsApiService", STREAM) if method == "GET" and _STREAM.fullmatch(path) else ("", "")


def _document(length: int, stream: Stream) -> Mapping[str, Any]:
    if length > _LARGEST:
        raise Problem(413, "Request Entity Too Large")
    try:
        document = json.loads(stream.read(length) or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Problem(400, "The request's body is not a JSON object")
    return document


class Site:
    """Routes requests to the parts that answer them."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        kernels: Kernels,
        outputs: Outputs,
        datasets: Datasets,
        uploads: blobs.Blobs,
        files: links.Links,
        quota: Quota,
        sessions: Sessions,
    ) -> None:
        self._accounts = accounts
        self._uploads = uploads
        self._files = files
        parts = {"kernels": kernels, "outputs": outputs, "datasets": datasets, "blobs": uploads, "accounts": accounts}
        self._quota, self._sessions = quota, sessions
        self._rpcs: dict[str, dict[str, Rpc]] = {
            service: {rpc: getattr(parts.get(part, self), name) for rpc, (part, name) in methods.items()}
            for service, methods in _METHODS.items()
        }

    def statistics(self, user: str, _body: Mapping[str, Any]) -> Any:
        """GetAcceleratorQuotaStatistics."""
        return self._quota.statistics(user, self._sessions.live())

    def answer(self, request: Request) -> Answer:
        """Carry a request out.

        Raises:
            Problem: it is not let in, nothing answers it, or what answers it says so.
        """
        _let_in(request)
        if request.rpc == FILE:
            return self._files.serve(request.target, request.headers)
        if request.rpc == UPLOAD:
            return self._uploads.put(request.target, request.headers, request.stream)
        if request.rpc == SECRET:
            return _secret(request)
        user = "" if request.rpc in _ANONYMOUS else self._accounts.who(request.headers)
        method = self._rpcs.get(request.service, {}).get(request.rpc)
        if method is None:
            raise Problem(404 if not request.rpc else 501, "Not Found" if not request.rpc else "Not implemented here")
        result = method(user, request.body)
        return result if isinstance(result, Answer) else of_json(result)


def _let_in(request: Request) -> None:
    """Refuse what a web page could send: this server runs what is pushed to it."""
    if request.headers.get("Origin") is not None:
        raise Problem(403, "Requests from web pages are refused")
    header = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    if request.host not in _HOSTS or header not in (None, *_HOSTS):
        raise Problem(403, "This server answers on the loopback address only")


def _secret(request: Request) -> Answer:
    """Secrets do not reach kernels that were pushed through the API (Kaggle/kaggle-cli#582)."""
    if not request.headers.get("X-Kaggle-Authorization"):
        raise Problem(401, "Unauthenticated")
    label = request.body.get("Label")
    error = {"code": 5, "message": f"No user secrets exist for kernel id 0 and label {label}."}
    return of_json({"errors": [error["message"]], "error": error, "wasSuccessful": False}, 403)
