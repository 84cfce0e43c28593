"""A bare client of Kaggle's wire protocol, to ask the embedded Kaggle what no well-behaved client would."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

_SERVICES = {
    "Kernel": "kernels.KernelsApiService",
    "AcceleratorQuota": "kernels.KernelsApiService",
    "Dataset": "datasets.DatasetApiService",
    "Blob": "blobs.BlobApiService",
    "Introspect": "security.OAuthService",
    "AccessToken": "users.AccountService",
}


@dataclass(frozen=True)
class Reply:
    """What came back. `document` is the body read as JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The message of an error in Google's envelope."""
        message: str = self.document["error"]["message"]
        return message


class Wire:
    """One user of the server at `url`."""

    def __init__(self, url: str, user: str = "alice") -> None:
        self.url = url
        self.user = user
        self.auth = "Basic " + base64.b64encode(f"{user}:{'0' * 32}".encode()).decode()

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request on a connection of its own; header names with underscores for dashes."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def rpc(self, method: str, **body: Any) -> Reply:
        """Call a method of whichever service has it."""
        service = next(service for part, service in _SERVICES.items() if part in method)
        path = f"/api/v1/{service}/{method}"
        return self.ask("POST", path, json.dumps(body).encode(), Authorization=self.auth)

    def push(self, slug: str, source: str = "print('hi')", /, **fields: Any) -> Any:
        """Push a private CPU script whose title is its slug; the answer's document."""
        defaults = {"slug": f"{self.user}/{slug}", "newTitle": slug, "text": source, "language": "python"}
        return self.rpc("SaveKernel", **{**defaults, "kernelType": "script", "isPrivate": True, **fields}).document

    def follow(self, slug: str, label: str = "") -> Reply:
        """The live log, read to its end, and so until the session is over."""
        query = "?" + urlencode({"versionLabel": label}) if label else ""
        return self.ask("GET", f"/api/v1/kernels/logs/stream/{self.user}/{slug}{query}", Authorization=self.auth)

    def begun(self, slug: str) -> None:
        """Return once the kernel has logged its first line."""
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request(
            "GET", f"/api/v1/kernels/logs/stream/{self.user}/{slug}", headers={"Authorization": self.auth}
        )
        assert connection.getresponse().readline()
        connection.close()

    def status(self, slug: str, label: str = "") -> Any:
        """The state's document."""
        asked = {"userName": self.user, "kernelSlug": slug} | ({"versionLabel": label} if label else {})
        return self.rpc("GetKernelSessionStatus", **asked).document

    def ended(self, slug: str, label: str = "") -> tuple[str, str]:
        """State and failure message, once the session is over."""
        self.follow(slug, label)
        document = self.status(slug, label)
        return document["status"], document["failureMessage"]

    def run(self, slug: str, source: str, /, **fields: Any) -> list[Any]:
        """Push, wait for the end, and give the log's entries; those of the rendering afterwards left out."""
        self.push(slug, source, **fields)
        self.follow(slug)
        log = self.rpc("ListKernelSessionOutput", userName=self.user, kernelSlug=slug).document["log"]
        return [entry for entry in json.loads(log or "[]") if "NbConvertApp" not in entry["data"]]

    def fetch(self, url: str, **headers: str) -> Reply:
        """Follow a signed link."""
        parts = urlsplit(url)
        return self.ask("GET", f"{parts.path}?{parts.query}", **headers)

    def upload(self, name: str, data: bytes) -> str:
        """Upload bytes; their token."""
        started = self.rpc("StartBlobUpload", type="DATASET", name=name, contentLength=len(data)).document
        assert self.ask("PUT", urlsplit(started["createUrl"]).path, data).status == 200
        token: str = started["token"]
        return token

    def dataset(self, slug: str, files: Mapping[str, bytes], **fields: Any) -> Any:
        """Make a private dataset of these files; the answer's document."""
        tokens = [{"token": self.upload(name, data)} for name, data in files.items()]
        made = {"ownerSlug": self.user, "slug": slug, "title": slug, "isPrivate": True, "files": tokens}
        return self.rpc("CreateDataset", **{**made, **fields}).document
