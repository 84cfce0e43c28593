"""One file behind links that expire: its answers as they come, and what their headers promise."""

import base64
import re
import time
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import requests

from containerid.errors import Unreachable
from containerid.kaggle.transport import READ, Transient, arriving, patiently, unreachable

_SLOW = 1024
_STEP = 1 << 16
"""Bytes by which a try must get further than the one before to earn new patience."""

_RENEWALS = 2
"""How often a link is renewed: the new one may be what another file got long ago, and have expired as well."""

Link = Callable[[str], str]
"""Gives the link to a file: called with the one that expired, or with nothing at first."""


@dataclass(frozen=True, slots=True)
class Measures:
    """How files are fetched.

    Attributes:
        stall: seconds without a byte after which a connection is given up.
        window: seconds for which it may bring next to nothing, less than 1,024 bytes a second.
        limit: bytes that are taken of a file of which nobody says the size: what a kernel may write at all.
        wide: bytes from which a file is fetched in blocks, each of `block` bytes.
        noted: bytes from which a file is worth going on with later; a smaller one is fetched anew.
    """

    stall: float = READ
    window: float = 60.0
    limit: int = 20 << 30
    wide: int = 64 << 20
    block: int = 16 << 20
    noted: int = 1 << 20


USUAL = Measures()


class Expired(Unreachable):
    """The link does not work any more, or never did; a new one may."""


class Wrong(Unreachable):
    """More bytes than were promised: no further try would be another matter."""


class Opener(Protocol):
    """Gives a good answer (200, 206 or 416) to a GET of a link, or raises Transient, Expired or Unreachable."""

    def open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """Ask for a link."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a 206 holds: the bytes from `start` to before `end`, of `total`."""

    start: int
    end: int
    total: int


class Source:
    """One file behind links that expire."""

    def __init__(self, storage: Opener, link: Link, measures: Measures) -> None:
        self._storage = storage
        self._link = link
        self._url = link("")
        self._patience = max(measures.window, measures.stall)

    def open(self, headers: Mapping[str, str]) -> requests.Response:
        """A good answer, over a new link when the one at hand has expired."""
        url = self._url
        for _ in range(_RENEWALS):
            with suppress(Expired):
                return self._storage.open(url, headers)
            url = self._url = self._link(url)
        return self._storage.open(url, headers)

    def body(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes. Raises Transient when it breaks off, stalls, or only drips."""
        begun, came = time.monotonic(), 0
        for data in arriving(response):
            came += len(data)
            yield data
            if (passed := time.monotonic() - begun) > self._patience:
                if came < _SLOW * passed:
                    raise Transient(unreachable(f"{urlsplit(response.url).hostname} gives next to nothing"))
                begun, came = time.monotonic(), 0


def persistently(attempt: Callable[[], None], reached: Callable[[], int]) -> None:
    """Call patiently, and with new patience each time that the tries got further than before."""
    while True:
        before = reached()
        try:
            return patiently(attempt)
        except (Expired, Wrong):
            raise
        except Unreachable:
            if reached() < before + _STEP:
                raise


def strong(response: requests.Response) -> str:
    """The ETag, when it vouches for every byte; else nothing."""
    etag = response.headers.get("ETag", "")
    return "" if etag.startswith("W/") or "Content-Encoding" in response.headers else etag


def length_of(response: requests.Response) -> int | None:
    """What the server promises. A body that is compressed in spite of what we asked for has no length to compare."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() and "Content-Encoding" not in response.headers else None


def span_of(response: requests.Response) -> Span | None:
    """Which bytes a 206 holds; None for an answer that does not say, and for any other."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if response.status_code != 206 or not match:
        return None
    first, last, total = (int(each) for each in match.groups())
    return Span(first, last + 1, total)


def md5_of(response: requests.Response) -> bytes:
    """The MD5 of the whole object, as Google's storage states it; empty when it does not.

    Source: the header `x-goog-hash`, `crc32c=…,md5=…` in base64; objects that were composed have no MD5.
    """
    for part in response.headers.get("x-goog-hash", "").split(","):
        kind, _, value = part.strip().partition("=")
        if kind == "md5" and "Content-Encoding" not in response.headers:
            with suppress(NotBase64, ValueError):
                return base64.b64decode(value, validate=True)
    return b""
