"""Signed links, as storage gives them out: good without credentials, until they expire."""

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, quote, urlsplit

from containerid.kaggle.emulator.answers import Answer, Problem, Slice

PREFIX = "/files/"
_HASHED = 16 << 20
"""Bytes up to which storage states an MD5; of larger objects, which are composed, it has none."""


class Links:
    """Gives out links to files below the server's folder, and serves what they name.

    Args:
        root: the folder that every link stays below.
        secret: what the signatures are made with.
        seconds: how long a link is good.
        clock: seconds since 1970.
    """

    def __init__(self, root: Path, secret: bytes, *, seconds: float, clock: Callable[[], float]) -> None:
        self._root = root
        self._secret = secret
        self._clock = clock
        self.seconds = seconds
        self.origin = ""

    def to(self, path: Path, name: str = "") -> str:
        """A link to a file. The URL ends in `name`, since clients take a download's name from there."""
        expires = str(int(self._clock() + self.seconds))
        place = base64.urlsafe_b64encode(json.dumps(path.relative_to(self._root).as_posix()).encode()).decode()
        shown = quote(PurePosixPath(name or path.name).name, safe="")
        return f"{self.origin}{PREFIX}{place}/{shown}?Expires={expires}&Signature={self._sign(place, expires)}"

    def _sign(self, place: str, expires: str) -> str:
        return hmac.new(self._secret, f"{place} {expires}".encode(), hashlib.sha256).hexdigest()

    def serve(self, target: str, headers: Mapping[str, str]) -> Answer:
        """Answer a GET of a link: the file, the range asked for, or the XML that storage gives instead.

        Raises:
            Problem: never; storage does not speak Kaggle's JSON.
        """
        parts = urlsplit(target)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        place = parts.path.removeprefix(PREFIX).partition("/")[0]
        expires = asked.get("Expires", "")
        if not hmac.compare_digest(asked.get("Signature", ""), self._sign(place, expires)):
            return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
        if self._clock() > int(expires):
            return _refusal(403, "ExpiredToken", "The provided token has expired.")
        path = self._root / json.loads(base64.urlsafe_b64decode(place))
        if not path.is_file():
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        return _file(path, headers)


def _refusal(status: int, code: str, message: str) -> Answer:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, {"Content-Type": "application/xml; charset=UTF-8"}, body.encode())


def _file(path: Path, headers: Mapping[str, str]) -> Answer:
    status = path.stat()
    kept = {
        "Content-Type": "application/octet-stream",
        "ETag": f'"{status.st_size:x}-{status.st_mtime_ns:x}"',
        "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if status.st_size <= _HASHED:
        kept["x-goog-hash"] = f"md5={_md5(path, status.st_size, status.st_mtime_ns)}"
    wanted = _range(headers, kept, status.st_size)
    if wanted is None:
        return Answer(200, kept, Slice(path, 0, status.st_size))
    first, last = wanted
    if first > last:
        return Answer(416, {**kept, "Content-Range": f"bytes */{status.st_size}"})
    shown = {**kept, "Content-Range": f"bytes {first}-{last}/{status.st_size}"}
    return Answer(206, shown, Slice(path, first, last - first + 1))


@functools.lru_cache(maxsize=1000)
def _md5(path: Path, _size: int, _changed: int) -> str:
    return base64.b64encode(hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()).decode()


def _range(headers: Mapping[str, str], kept: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for the whole file, first > last for what cannot be satisfied."""
    unit, _, span = headers.get("Range", "").partition("=")
    condition = headers.get("If-Range")
    if unit.strip() != "bytes" or "," in span or condition not in (None, kept["ETag"], kept["Last-Modified"]):
        return None
    first, _, last = span.strip().partition("-")
    try:
        if not first:
            return max(size - int(last), 0), size - 1
        return int(first), min(int(last), size - 1) if last else size - 1
    except ValueError:
        return None


def below(folder: Path, name: str) -> Path:
    """The file of this name in a folder.

    Raises:
        Problem: 404, there is none, or the name leads out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise Problem(404, f"{name} was not found")
    return path
