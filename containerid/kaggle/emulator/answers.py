"""What goes back over the wire: an answer, or a problem in one of the two envelopes that Kaggle uses."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of bytes of a file: `length` of them from `start`."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body: bytes, a part of a file, or chunks that are sent as they come."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Slice | Iterator[bytes] = b""

    @property
    def length(self) -> int | None:
        """Bytes of the body; None where that is known at its end only."""
        if isinstance(self.body, bytes):
            return len(self.body)
        return self.body.length if isinstance(self.body, Slice) else None


class Problem(Exception):
    """A request that ends in an HTTP error.

    Args:
        status: the HTTP status, also `code` in the body.
        message: Kaggle's own text.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def answer(self, envelope: str) -> Answer:
        """In Google's envelope, as api.kaggle.com answers, or flat, which is the only one that kagglesdk can read."""
        inner = {"code": self.status, "message": self.message}
        if envelope == "flat":
            return of_json(inner, self.status)
        return of_json({"error": {**inner, "status": _CODES.get(self.status, "INTERNAL")}}, self.status)


def denied(permission: str) -> Problem:
    """What Kaggle says of what is not yours and of what does not exist alike."""
    return Problem(403, f"Permission '{permission}' was denied")


def of_json(document: Any, status: int = 200) -> Answer:
    """A JSON answer, as every RPC gives."""
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(status, {"Content-Type": "application/json; charset=utf-8"}, body)


def redirect(url: str) -> Answer:
    """On to a file's signed link."""
    return Answer(302, {"Location": url, "Content-Type": "text/html"})


def moment(epoch: float) -> str:
    """Seconds since 1970 as the wire writes times: UTC, with a Z."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def duration(seconds: float) -> str:
    """Seconds as the wire writes durations: `108000s`, `1.5s`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def page(items: Sequence[Item], asked: Mapping[str, Any], *, most: int = 200) -> tuple[list[Item], str]:
    """The items that `pageSize` and `pageToken` (or `page`) ask for, and the token of the next page, empty at the end.

    Without a page size the server once gave 500 files (Kaggle/kaggle-cli#665).
    """
    size = min(int(asked.get("pageSize") or 0), most) or 500
    token = str(asked.get("pageToken") or "")
    start = int(token) if token.isdigit() else (int(asked.get("page") or 1) - 1) * size
    rest = items[start:]
    return list(rest[:size]), str(start + size) if len(rest) > size else ""
