"""Files from Kaggle's storage: streamed to disk, checked for their length, and nothing of ours sent along.

A link is followed only to known hosts over https (or to the origin that CID_KAGGLE_URL names), carries its own
signature, and therefore gets no credentials, neither Kaggle's nor those of ~/.netrc.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import requests

from containerid.errors import Unreachable
from containerid.kaggle.origin import Origin
from containerid.kaggle.transport import Session, Transient, patiently, retry_after, translated, unreachable

_CHUNK = 1 << 20
_REDIRECTS = 3
_PLAIN = {"Accept-Encoding": "identity"}


class Expired(Unreachable):
    """The link does not work any more, or never did; a new one may."""


class Storage:
    """Reads files from where Kaggle keeps them.

    Args:
        origin: whose links these are.
        environ: for proxies and certificates.
    """

    def __init__(self, origin: Origin, environ: Mapping[str, str]) -> None:
        self._origin = origin
        self._session = Session(environ, connections=64)

    def fetch(self, url: str, to: Path, size: int | None = None) -> None:
        """Write the file behind a link to the path `to`, which does not exist; on an error it is not there afterwards.

        Args:
            url: as Kaggle gave it.
            to: the path.
            size: bytes that must come; None where nobody knows.

        Raises:
            Expired: storage does not take the link (any more).
            Unreachable: the link leads elsewhere, or the file did not come whole, however often it was tried.
            OSError: the disk is full, or the path cannot be written.
        """
        patiently(lambda: self._fetch_once(url, to, size))

    def _fetch_once(self, url: str, to: Path, size: int | None) -> None:
        with self._open(url) as response:
            promised = _length(response)
            with to.open("xb") as file:
                try:
                    written = _copy(response, file)
                    for expected in (promised, size):
                        if expected is not None and written != expected:
                            raise Transient(unreachable(f"{to.name} broke off: {written:,} of {expected:,} bytes came"))
                    file.flush()
                except BaseException:
                    to.unlink(missing_ok=True)
                    raise

    def _open(self, url: str) -> requests.Response:
        for _ in range(_REDIRECTS):
            self._must_be_known(url)
            response = self._session.send("GET", url, headers=_PLAIN)
            if response.status_code == 200:
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


def _length(response: requests.Response) -> int | None:
    """What the server promises. A body that is compressed in spite of what we asked for has no length to compare."""
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() and "Content-Encoding" not in response.headers else None


def _copy(response: requests.Response, file: BinaryIO) -> int:
    written = 0
    chunks = response.iter_content(_CHUNK)
    while True:
        # Only what the network does is a matter for another try; a full disk is not.
        with translated(urlsplit(response.url).hostname or ""):
            chunk = next(chunks, b"")
        if not chunk:
            return written
        written += file.write(chunk)
