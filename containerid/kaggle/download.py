"""Files from Kaggle's storage: streamed to disk, resumed where they broke off, checked, and nothing of ours sent along.

A link is followed only to known hosts over https (or to the origin that CID_KAGGLE_URL names), carries its own
signature, and therefore gets no credentials, neither Kaggle's nor those of ~/.netrc.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from containerid.errors import Unreachable
from containerid.job import Output
from containerid.kaggle import parts
from containerid.kaggle.origin import Origin
from containerid.kaggle.partial import Digests, Partial
from containerid.kaggle.source import (
    USUAL,
    Expired,
    Link,
    Measures,
    Source,
    Wrong,
    length_of,
    md5_of,
    persistently,
    span_of,
    strong,
)
from containerid.kaggle.transport import Session, Transient, retry_after, unreachable

CONNECTIONS = 64
_REDIRECTS = 3
_PLAIN = {"Accept-Encoding": "identity"}


class Storage:
    """Reads files from where Kaggle keeps them. May be used by threads.

    Args:
        origin: whose links these are.
        environ: for proxies and certificates.
        measures: how long it waits, and which files come in blocks.
    """

    def __init__(self, origin: Origin, environ: Mapping[str, str], measures: Measures = USUAL) -> None:
        self._origin = origin
        self._measures = measures
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
        measures = self._measures
        source = Source(self, link, measures)
        partial = Partial(to, output.size, noted=measures.noted)
        try:
            digest = ""
            if (output.size or 0) >= measures.wide:
                # One large file at a time: its parts use the line as well as several files would.
                with self._wide:
                    digest = parts.fetch(source, output, partial, measures.block)
            digest = digest or _Stream(source, output, partial, measures.limit).run()
        except BaseException as error:
            partial.close(keep=not isinstance(error, OSError))
            raise
        partial.done()
        return digest

    def open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        """A good answer (200, 206 or 416) to a GET. Raises Transient, Expired or Unreachable."""
        for _ in range(_REDIRECTS):
            self._must_be_known(url)
            response = self._session.send("GET", url, headers={**_PLAIN, **headers}, read=self._measures.stall)
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
            there = urlsplit(url)
            raise Unreachable(f"the link to a file leads to {there.scheme}://{there.hostname}, which is not Kaggle's")


def _refusal(response: requests.Response) -> Exception:
    status, host = response.status_code, urlsplit(response.url).hostname
    if status in {400, 401, 403, 404, 410}:
        return Expired(f"{host} does not take the link to the file (HTTP {status})", retryable=True)
    error = unreachable(f"{host} did not give the file (HTTP {status})")
    return Transient(error, retry_after(response.headers)) if status == 429 or status >= 500 else error


class _Stream:
    """One file over one connection at a time."""

    def __init__(self, source: Source, output: Output, partial: Partial, limit: int) -> None:
        self._source = source
        self._output = output
        self._partial = partial
        self._most = limit if output.size is None else output.size
        self._digests = Digests(output.sha256)
        self._at = 0
        self._differed = False

    def run(self) -> str:
        blocks = self._partial.recall()
        if blocks is None and self._partial.inherited and self._partial.length <= self._most:
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
            for data in self._source.body(response):
                if self._at + len(data) > self._most:
                    raise Wrong(f"{self._output.name} is longer than the {self._most:,} bytes that were to come")
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


def _rest(start: int, validator: str) -> dict[str, str]:
    return {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}
