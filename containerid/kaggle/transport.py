"""HTTP that is bounded in time, retried with patience, and deaf to ~/.netrc: for Kaggle's API and its storage.

This is the one place where errors of requests become ours.
"""

import codecs
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from containerid.errors import CidError, CredentialsError, Unreachable, UsageError
from containerid.retries import RETRIES

T = TypeVar("T")

CONNECT, READ, TOTAL = 5.0, 30.0, 120.0
"""Seconds: to connect, between two bytes of an answer, for a whole answer."""

_ATTEMPTS = 5
_PATIENCE = 120.0
"""Seconds that retries may take; a server that asks for a longer pause gets no further request."""


class Transient(Exception):
    """An error after which the same request may succeed; `after` is the pause in seconds that the server asked for."""

    def __init__(self, error: CidError, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after
        if isinstance(error, Unreachable):
            error.after = after or 0


def patiently(attempt: Callable[[], T]) -> T:
    """Call until it raises no Transient, a bounded number of times, with growing pauses or those the server asks for.

    Raises:
        CidError: what `attempt` raised, or the error inside its last Transient.
    """
    try:
        return attempt()
    except Transient as lost:
        return _again(attempt, lost)


@cache
def quiet_stamina() -> ModuleType:
    """The library that waits, without its own words. It is imported when it is needed: mostly it is not."""
    import stamina

    stamina.instrumentation.set_on_retry_hooks(())
    return stamina


def _again(attempt: Callable[[], T], lost: Transient) -> T:
    """What comes after a first try that was lost."""
    stamina = quiet_stamina()
    RETRIES.say(lost.error.message, _ATTEMPTS - 1, _PATIENCE)
    failed: Transient | None = lost
    context = stamina.retry_context(
        on=_pause, attempts=_ATTEMPTS, timeout=_PATIENCE, wait_initial=0.5, wait_max=20, wait_jitter=1
    )
    try:
        for each in context:
            with each:
                if failed is not None:
                    raise failed
                return attempt()
            failed = None
    except Transient as last:
        raise last.error from last
    raise AssertionError("a retry context either returns or raises")


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, Transient) or (error.after or 0) > _PATIENCE:
        return False
    return True if error.after is None else error.after


class Session:
    """A requests session that knows the environment's proxies and certificates, and nothing of ~/.netrc.

    `CID_TIMEOUT` bounds every silence: seconds after which a connection is given up.
    """

    def __init__(self, environ: Mapping[str, str], *, connections: int = 16) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
        self._session.verify = bundle or True
        self._longest = _longest(environ)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_connections=connections, pool_maxsize=connections))

    def send(
        self, method: str, url: str, *, read: float = READ, connect: float = CONNECT, **options: Any
    ) -> requests.Response:
        """One request, its answer streamed, redirects not followed. Raises Transient or CidError.

        `connect` seconds are also what a full send buffer may take to drain.
        """
        direct = urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}
        proxies = {} if direct else requests.utils.get_environ_proxies(url)
        bounds = min(connect, self._longest), min(read, self._longest)
        with translated(urlsplit(url).hostname or url):
            return self._session.request(
                method, url, timeout=bounds, stream=True, allow_redirects=False, proxies=proxies, **options
            )


def _longest(environ: Mapping[str, str]) -> float:
    text = environ.get("CID_TIMEOUT", "")
    try:
        seconds = float(text or "inf")
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise UsageError(f"CID_TIMEOUT is {text!r}, which is no number of seconds")
    return seconds


@contextmanager
def translated(host: str) -> Iterator[None]:
    """Errors of requests, made ours."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise Unreachable(
            f"the certificate of {host} cannot be trusted: {_cause(error)}",
            hint="check this machine's clock; behind a company proxy set REQUESTS_CA_BUNDLE",
        ) from error
    except requests.exceptions.ProxyError as error:
        raise Transient(unreachable(f"the proxy does not let us reach {host}: {_cause(error)}")) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Transient(unreachable(f"{host} did not answer in time")) from error
    except requests.exceptions.InvalidHeader as error:
        raise CredentialsError("the credentials cannot be sent in a header", hint="cid doctor") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Transient(unreachable(f"the connection to {host} failed: {_cause(error)}")) from error


def unreachable(message: str) -> Unreachable:
    """The error for an answer that did not come, or did not come from Kaggle."""
    return Unreachable(message, hint="check the network; then the same command again", retryable=True)


def arriving(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes, without waiting for more than is there. Raises Transient when it breaks off."""
    with translated(urlsplit(response.url).hostname or ""):
        while chunk := response.raw.read1(1 << 18, decode_content=True):
            yield chunk


def decode(raw: bytes) -> str:
    """UTF-8, with cp1252 for the bytes that are not: programs that expect Windows write those into logs."""
    return raw.decode("utf-8-sig", errors="cid-cp1252")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("cid-cp1252", _as_cp1252)


def _cause(error: BaseException) -> str:
    """The innermost reason, which names the matter; the outer ones name libraries."""
    inner: Any = error
    while (deeper := getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)) is not None:
        if not isinstance(deeper, BaseException):
            break
        inner = deeper
    return str(inner).rpartition(": ")[2][:200] or type(inner).__name__


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that a server asks for, in seconds: `Retry-After` as a number or as a date; None when it names none."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    ahead = _ahead(value)
    return None if ahead is None else max(0.0, ahead)


def skew(headers: Mapping[str, str]) -> float:
    """Seconds by which the server's clock is ahead of this machine's; 0 when it does not tell the time."""
    return _ahead(headers.get("Date", "")) or 0.0


def _ahead(date: str) -> float | None:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
