"""Calls to Kaggle's API: signed, retried where that is safe, and every answer's own words kept."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from containerid import __version__
from containerid.errors import Unreachable
from containerid.kaggle.credentials import Credentials
from containerid.kaggle.identity import is_due, renew
from containerid.kaggle.origin import Origin
from containerid.kaggle.refusals import explain
from containerid.kaggle.transport import (
    TOTAL,
    Session,
    Transient,
    decode,
    patiently,
    retry_after,
    skew,
    translated,
    unreachable,
)

_ANSWER_LIMIT = 256 << 20
_AGENT = {"User-Agent": f"containerid/{__version__}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: HTTP status, headers, text."""

    status: int
    headers: Mapping[str, str]
    text: str
    host: str

    def document(self) -> dict[str, Any]:
        """The JSON object in it. Raises Transient or CidError for anything that is not a good answer."""
        body = _json(self.text)
        code, said = _envelope(body) if body is not None else (None, "")
        status = code if code is not None else self.status
        if status >= 400:
            raise self._refusal(status, said or ("" if body is not None else _plain(self.text)))
        if body is None or not 200 <= self.status < 300:
            raise Transient(unreachable(f"{self.host} gave something else than Kaggle's answer: {self._shape()}"))
        return body

    def _refusal(self, status: int, said: str) -> Exception:
        error = explain(status, said)
        if isinstance(error, Unreachable):
            return Transient(error, retry_after(self.headers))
        return error

    def _shape(self) -> str:
        if 300 <= self.status < 400:
            return f"a redirect to {urlsplit(self.headers.get('Location', '')).hostname or 'elsewhere'}"
        return _plain(self.text) or "nothing"


def _json(text: str) -> dict[str, Any] | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _envelope(body: dict[str, Any]) -> tuple[int | None, str]:
    """Code and message of either error envelope: {"error": {"code", "message"}}, or {"code", "message"} at the top."""
    inner = body.get("error")
    envelope = inner if isinstance(inner, dict) else body
    code, said = envelope.get("code"), envelope.get("message")
    return (code if isinstance(code, int) and code >= 400 else None), said if isinstance(said, str) else ""


def _plain(text: str) -> str:
    start = text.lstrip()[:1000]
    if start.startswith("<"):
        _, _, rest = start.partition("<title>")
        title = " ".join(rest.partition("</title>")[0].split())
        return f"an HTML page ({title[:80]})" if title else "an HTML page"
    return " ".join(start.split())[:200]


class Wire:
    """Signed calls to one Kaggle.

    Args:
        origin: which Kaggle.
        credentials: what to sign with.
        environ: for proxies and certificates.

    Attributes:
        skew: seconds by which Kaggle's clock was ahead of ours at its last answer.
    """

    def __init__(self, origin: Origin, credentials: Credentials, environ: Mapping[str, str]) -> None:
        self.origin = origin
        self._credentials = credentials
        self._environ = environ
        self._session = Session(environ)
        self.skew = 0.0

    def credentials(self) -> Credentials:
        """What requests are signed with; an OAuth session that has run out is renewed first."""
        if is_due(self._credentials):
            call = partial(self.call, signed=False)
            self._credentials = renew(call, self._credentials)
        return self._credentials

    def call(self, method: str, body: Mapping[str, Any], *, again: bool = True, signed: bool = True) -> dict[str, Any]:
        """POST to `<Service>/<Method>`.

        Args:
            method: such as `kernels.KernelsApiService/GetKernel`.
            body: the request as JSON.
            again: it changes nothing at Kaggle, so it may be asked again after a lost answer.
            signed: send the credentials.

        Raises:
            CidError: what `refusals.explain` makes of Kaggle's answer.
            Unreachable: no answer, or not Kaggle's; without `again` the request may have been done.
        """
        # A connection that was kept alive may be dead, which would look like a lost answer.
        session = self._session if again else Session(self._environ)

        def attempt() -> dict[str, Any]:
            auth = self._auth() if signed else None
            response = session.send("POST", self.origin.api + method, json=dict(body), auth=auth, headers=_AGENT)
            answer = read_answer(response)
            self.skew = skew(answer.headers)
            return answer.document()

        if again:
            return patiently(attempt)
        try:
            return attempt()
        except Transient as lost:
            raise lost.error from lost

    def open(self, path: str, *, query: Mapping[str, str], read: float) -> requests.Response:
        """GET a stream below the API's address. The caller closes it.

        Args:
            path: such as `kernels/logs/stream/ada/my-kernel`.
            query: sent as the query string.
            read: seconds of silence that are borne.

        Raises:
            Transient: the stream may open later.
            CidError: it will not.
        """
        headers = {**_AGENT, "Accept": "text/event-stream, */*"}
        response = self._session.send(
            "GET", self.origin.api + path, params=dict(query), auth=self._auth(), headers=headers, read=read
        )
        if response.status_code != 200:
            read_answer(response).document()
            raise Transient(unreachable(f"no log, but HTTP {response.status_code}"))
        return response

    def _auth(self) -> AuthBase:
        credentials = self.credentials()
        if credentials.kind == "key":
            return HTTPBasicAuth(credentials.username.encode(), credentials.secret.reveal().encode())
        return _Bearer(credentials.secret.reveal())


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def read_answer(response: requests.Response) -> Answer:
    """The whole answer, within two minutes and 256 MB. Raises Transient when it breaks off or drips."""
    host = urlsplit(response.url).hostname or ""
    end = time.monotonic() + TOTAL
    body = bytearray()
    with response, translated(host):
        for chunk in response.iter_content(1 << 16):
            body += chunk
            if len(body) > _ANSWER_LIMIT or time.monotonic() > end:
                raise Transient(unreachable(f"{host} does not come to an end with its answer"))
    return Answer(response.status_code, response.headers, decode(bytes(body)), host)
