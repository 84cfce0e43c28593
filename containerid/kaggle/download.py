"""Files from Kaggle's storage: streamed to disk, resumed where they broke off, checked, and nothing of ours sent along.

A link is followed only to known hosts over https (or to the origin that CID_KAGGLE_URL names), carries its own
signature, and therefore gets no credentials, neither Kaggle's nor those of ~/.netrc.
"""

import base64
import re
import threading
import time
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from containerid.errors import Unreachable
from containerid.job import Output
from containerid.kaggle.origin import Origin
from containerid.kaggle.partial import Digests, Partial
from containerid.kaggle.transport import READ, Session, Transient, arriving, patiently, retry_after, unreachable

CONNECTIONS = 64
LIMIT = 20 << 30
"""Bytes that are taken of a file of which nobody says the size: what a kernel may write at all."""

_REDIRECTS = 3
_PLAIN = {"Accept-Encoding": "identity"}
_SLOW, _WINDOW = 1024, 60.0
"""A connection that brings less than `_SLOW` bytes a second for `_WINDOW` seconds counts as stalled."""

_STEP = 1 << 16
"""Bytes by which a try must get further than the one before to earn new patience."""

_RENEWALS = 2
"""How often a link is renewed: the new one may be what another file got long ago, and have expired as well."""

Link = Callable[[str], str]
"""Gives the link to a file: called with the one that expired, or with nothing at first."""


class Expired(Unreachable):
    """The link does not work any more, or never did; a new one may."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a 206 holds: the bytes from `start` to before `end`, of `total`."""

    start: int
    end: int
    total: int


class Storage:
    """Reads files from where Kaggle keeps them. May be used by threads.

    Args:
        origin: whose links these are.
        environ: for proxies and certificates.
        stall: seconds without a byte after which a connection is given up.
    """

    def __init__(self, origin: Origin, environ: Mapping[str, str], *, stall: float = READ) -> None:
        self._origin = origin
        self._stall = stall
        self._session = Session(environ, connections=CONNECTIONS)
        self._wide = threading.Lock()

    def fetch(self, link: Link, output: Output, to: Path) -> str:
        """Write the file behind a link to the path `to`, going on with what an earlier attempt left there.

        On an error only what a later attempt can go on with stays there.

        Args:
            link: gives the link, and a new one for one that expired.
            output: what its size and SHA-256 must be, as far as known.
            to: the path.

        Returns:
            The SHA-256 of what came, hex.

        Raises:
            Expired: storage does not take the link, nor a new one.
            Unreachable: the link leads elsewhere, or the file did not come whole and as promised, however often it was
                tried.
            OSError: the disk is full, or the path cannot be written.
        """
        from containerid.kaggle import parts

        source = Source(self, link, self._stall)
        partial = Partial(to, output.size)
        try:
            digest = ""
            if (output.size or 0) >= parts.WIDE:
                # One large file at a time: its parts use the line as well as several files would.
                with self._wide:
                    digest = parts.fetch(source, output, partial)
            digest = digest or _Stream(source, output, partial).run()
        except BaseException as error:
            partial.close(keep=not isinstance(error, OSError))
            raise
        partial.done()
        return digest

    def open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """A good answer (200, 206 or 416) to a GET. Raises Transient, Expired or Unreachable."""
        for _ in range(_REDIRECTS):
            self._must_be_known(url)
            response = self._session.send("GET", url, headers={**_PLAIN, **headers}, read=self._stall)
            if response.status_code == 200 or ("Range" in headers and response.status_code in {206, 416}):
                return response
            response.close()
            if not 300 <= response.status_code < 400:
                raise _refusal(response)
            there = urljoin(url, response.headers.get("Location", ""))
            if urlsplit(there).netloc != urlsplit(url).netloc:
                raise Unreachable(f"the link to a file is a redirect to another host, {urlsplit(there).hostname}")
            url = there
        raise Unreachable("the link to a file leads in circles")

    def _must_be_known(self, url: str) -> None:
        if not self._origin.may_hold_files(url):
            parts = urlsplit(url)
            raise Unreachable(f"the link to a file leads to {parts.scheme}://{parts.hostname}, which is not Kaggle's")


def _refusal(response: requests.Response) -> Exception:
    status, host = response.status_code, urlsplit(response.url).hostname
    if status in {400, 401, 403, 404, 410}:
        return Expired(f"{host} does not take the link to the file (HTTP {status})", retryable=True)
    error = unreachable(f"{host} did not give the file (HTTP {status})")
    return Transient(error, retry_after(response.headers)) if status == 429 or status >= 500 else error


class Source:
    """One file behind links that expire."""

    def __init__(self, storage: Storage, link: Link, stall: float) -> None:
        self._storage = storage
        self._link = link
        self._url = link("")
        self.stall = stall

    def open(self, headers: Mapping[str, str]) -> requests.Response:
        """A good answer, over a new link when the one at hand has expired."""
        url = self._url
        for _ in range(_RENEWALS):
            with suppress(Expired):
                return self._storage.open(url, headers)
            url = self._url = self._link(url)
        return self._storage.open(url, headers)


class _Stream:
    """One file over one connection at a time."""

    def __init__(self, source: Source, output: Output, partial: Partial) -> None:
        self._source = source
        self._output = output
        self._partial = partial
        self._digests = Digests(output.sha256)
        self._at = 0
        self._differed = False

    def run(self) -> str:
        blocks = self._partial.recall()
        if blocks is None and self._partial.inherited and self._partial.length <= (self._output.size or LIMIT):
            for data in self._partial.read(0, self._partial.length):
                self._digests.update(data)
            self._at = self._partial.length
        else:
            self._restart()
        persistently(self._attempt, lambda: self._at if self._partial.validator else 0)
        return self._digests.sha256.hexdigest()

    def _restart(self, validator: str = "") -> None:
        self._partial.forget(validator)
        self._digests = Digests(self._output.sha256)
        self._at = 0

    def _attempt(self) -> None:
        with self._source.open(_rest(self._at, self._partial.validator)) as response:
            if response.status_code == 200:
                self._restart(strong(response))
            elif not self._continues(response):
                self._restart()
                raise Transient(unreachable(f"{self._output.name} changed while it was fetched"), after=0)
            end = self._end(response)
            most = LIMIT if self._output.size is None else self._output.size
            for data in steadily(response, self._source.stall):
                if self._at + len(data) > most:
                    raise _Wrong(f"{self._output.name} is longer than the {most:,} bytes that were to come")
                self._at = self._partial.write(data, self._at)
                self._digests.update(data)
            self._check(response, end)

    def _continues(self, response: requests.Response) -> bool:
        """The answer goes on where we stopped, with the same object, and the whole can be checked in the end."""
        span = span_of(response)
        same = span is not None and span.start == self._at and strong(response) in {"", self._partial.validator}
        fits = span is not None and self._output.size in {None, span.total} and span.end == span.total
        return same and fits and bool(not self._partial.inherited or self._output.sha256 or md5_of(response))

    def _end(self, response: requests.Response) -> int | None:
        """Where the body ends; what server and listing say must be the same."""
        promised = length_of(response)
        end = None if promised is None else self._at + promised
        if None not in (end, self._output.size) and end != self._output.size:
            raise Transient(
                unreachable(f"{self._output.name}: storage promises {end:,} bytes, {self._output.size:,} are listed")
            )
        return self._output.size if end is None else end

    def _check(self, response: requests.Response, end: int | None) -> None:
        name, md5 = self._output.name, md5_of(response)
        if end is not None and self._at < end:
            raise Transient(unreachable(f"{name} broke off: {self._at:,} of {end:,} bytes came"))
        framed = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if end is None and not (framed or md5 or self._output.sha256):
            raise unreachable(f"{name}: nothing tells whether it came whole")
        if self._digests.differ(md5):
            self._restart()
            again, self._differed = not self._differed, True
            error = unreachable(f"{name}: what storage gives differs from its checksum")
            raise Transient(error) if again else error


class _Wrong(Unreachable):
    """More bytes than were promised: no further try would be another matter."""


def persistently(attempt: Callable[[], None], reached: Callable[[], int]) -> None:
    """Call patiently, and with new patience each time that the tries got further than before."""
    while True:
        before = reached()
        try:
            return patiently(attempt)
        except (Expired, _Wrong):
            raise
        except Unreachable:
            if reached() < before + _STEP:
                raise


def steadily(response: requests.Response, stall: float) -> Iterator[bytes]:
    """The body as it comes. Raises Transient when it breaks off, stalls, or only drips."""
    begun, came = time.monotonic(), 0
    for data in arriving(response):
        came += len(data)
        yield data
        if (passed := time.monotonic() - begun) > max(_WINDOW, stall):
            if came < _SLOW * passed:
                raise Transient(unreachable(f"{urlsplit(response.url).hostname} gives next to nothing"))
            begun, came = time.monotonic(), 0


def _rest(start: int, validator: str) -> dict[str, str]:
    return {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}


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
