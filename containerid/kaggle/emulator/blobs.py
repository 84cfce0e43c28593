"""Uploads: a token and a URL to put bytes to, resumable (blobs.BlobApiService)."""

import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from containerid.kaggle.emulator.answers import Answer, Problem
from containerid.kaggle.emulator.store import Document, Store, read, write

PREFIX = "/upload/"
_SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_CHUNK = 1 << 20


class Stream(Protocol):
    """The bytes of a request, as they come."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end, or when the connection is gone."""


class Blobs:
    """Files on their way into a dataset.

    Args:
        store: the server's folder.
        origin: tells the server's own address.
    """

    def __init__(self, store: Store, origin: Callable[[], str]) -> None:
        self._root = store.root / "blobs"
        self._root.mkdir(exist_ok=True)
        self._origin = origin

    def start(self, _user: str, body: Mapping[str, Any]) -> Document:
        """StartBlobUpload."""
        token = secrets.token_urlsafe(24)
        blob = {"name": str(body.get("name") or ""), "length": int(body.get("contentLength") or 0)}
        self._data(token).touch()
        write(self._root / f"{token}.json", blob)
        return {"token": token, "createUrl": f"{self._origin()}{PREFIX}{token}"}

    def put(self, target: str, headers: Mapping[str, str], stream: Stream) -> Answer:
        """Take bytes: all of them, or the rest from where the last PUT broke off; or tell how far it came.

        What has arrived stays when the connection breaks: it is written as it comes.
        """
        token = target.removeprefix(PREFIX)
        blob, length = self._blob(token), int(headers.get("Content-Length") or 0)
        if blob is None:
            return Answer(404)
        span = headers.get("Content-Range", "")
        data = self._data(token)
        if not span.startswith("bytes */"):
            start = int(matched[1]) if (matched := _SPAN.fullmatch(span)) else 0
            if start != 0 and start != data.stat().st_size:
                return self._progress(data, blob)
            _receive(data, stream, start, length)
        return self._progress(data, blob)

    def _progress(self, data: Path, blob: Document) -> Answer:
        arrived = data.stat().st_size
        if arrived == blob["length"]:
            return Answer(200)
        return Answer(308, {"Range": f"bytes=0-{arrived - 1}"} if arrived else {})

    def claim(self, token: str, folder: Path) -> None:
        """Move an upload that is complete into a folder, under the name it was announced with.

        Raises:
            Problem: 400, the token is unknown, or its bytes are not all there.
        """
        blob = self._blob(token)
        if blob is None or self._data(token).stat().st_size != blob["length"]:
            raise Problem(400, "An uploaded file is missing or incomplete")
        self._data(token).replace(folder / (Path(blob["name"]).name or token))
        (self._root / f"{token}.json").unlink()

    def _blob(self, token: str) -> Document | None:
        return read(self._root / f"{token}.json") if re.fullmatch(r"[\w-]+", token) else None

    def _data(self, token: str) -> Path:
        return self._root / f"{token}.data"


def _receive(path: Path, stream: Stream, start: int, length: int) -> None:
    with path.open("r+b", buffering=0) as data:
        data.truncate(start)
        data.seek(start)
        left = length
        while left and (chunk := stream.read(min(_CHUNK, left))):
            data.write(chunk)
            left -= len(chunk)
