"""Where Kaggle is: the real one, or the origin that `CID_KAGGLE_URL` names; and which hosts may hold its files."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from containerid.errors import UsageError

_STORAGE = ("storage.googleapis.com", "kaggle.com")
_STORAGE_SUFFIXES = (".kaggleusercontent.com", ".kaggle.com")
_UPLOADS = ("www.googleapis.com",)
"""Kaggle's upload links point at `www.googleapis.com/upload/storage/…/kaggle-data-sets`."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One Kaggle.

    Attributes:
        root: scheme, host and port; empty for the real Kaggle, whose files lie on hosts of their own.
        api: the address that `<Service>/<Method>` is appended to, ending with a slash.
        pages: where a person looks at kernels, without a slash at the end.
    """

    root: str
    api: str
    pages: str

    def may_hold_files(self, url: str, *, upload: bool = False) -> bool:
        """Whether files are read from (with `upload`: sent to) this address: https and a known host, or our origin."""
        parts = urlsplit(url)
        if self.root and _root(parts) == self.root:
            return True
        hosts = _STORAGE + (_UPLOADS if upload else ())
        host = parts.hostname or ""
        known = host in hosts or host.endswith(_STORAGE_SUFFIXES)
        return parts.scheme == "https" and known and parts.port in {None, 443} and parts.username is None


KAGGLE = Origin(root="", api="https://api.kaggle.com/v1/", pages="https://www.kaggle.com")


def read(environ: Mapping[str, str]) -> Origin:
    """The origin that the environment asks for. Raises UsageError when CID_KAGGLE_URL is neither https nor loopback."""
    address = environ.get("CID_KAGGLE_URL", "").strip()
    return at(address) if address else KAGGLE


def at(address: str) -> Origin:
    """Another Kaggle, such as `http://127.0.0.1:8765`. Raises UsageError when it is neither https nor loopback."""
    try:
        parts = urlsplit(address.rstrip("/"))
        root = _root(parts)
    except ValueError as error:
        raise UsageError(f"CID_KAGGLE_URL is no address: {error}") from error
    if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(
            "CID_KAGGLE_URL must be scheme, host and port alone; cid adds /api/v1", hint="such as http://127.0.0.1:8765"
        )
    if not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname))):
        raise UsageError(
            f"CID_KAGGLE_URL is {root}: credentials are sent over https, or over http to this machine alone",
            hint="use https, or http://127.0.0.1:PORT",
        )
    return Origin(root=root, api=f"{root}/api/v1/", pages=root)


def _root(parts: SplitResult) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
