"""Kaggle credentials, found where Kaggle's own client finds them and in its order. Nothing is asked over the network.

The order (kaggle 2.2.4): an access token, a user name with its key, an OAuth session of `kaggle auth login`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from containerid.errors import CredentialsError

SETTINGS_PAGE = "https://www.kaggle.com/settings/api"
_TOKEN_MARK = "KGAT_"  # noqa: S105
_SENDABLE = re.compile(r"[!-~]+")


class Secret:
    """A value that does not show itself in a repr, a message, a log or JSON; `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the header of a request."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a request to Kaggle is signed with.

    Attributes:
        kind: `key` (user name and key, HTTP Basic), `token` or `oauth` (HTTP Bearer).
        secret: the key or the access token; empty for an OAuth session that has to be renewed first.
        source: where it was found, for messages.
        username: empty when only Kaggle knows it.
        refresh: renews an OAuth session's access token; None for the other kinds.
        expires: when an OAuth session's access token ends; None when unknown.
        cautions: what the user should know about where it lies.
    """

    kind: Literal["key", "token", "oauth"]
    secret: Secret
    source: str
    username: str = ""
    refresh: Secret | None = None
    expires: datetime | None = None
    cautions: tuple[str, ...] = ()


def find(environ: Mapping[str, str], home: Path) -> Credentials:
    """The credentials that Kaggle's own client would use.

    With `CID_KAGGLE_URL` set only the environment counts: what lies in files is meant for Kaggle and goes nowhere else.

    Args:
        environ: the environment variables.
        home: the user's home folder.

    Raises:
        CredentialsError: there are none, or what is there cannot be sent.
    """
    finder = _Finder(environ, home, files=not environ.get("CID_KAGGLE_URL"))
    for look in (finder.token, finder.key, finder.oauth):
        if (found := look()) is not None:
            return _checked(found)
    raise CredentialsError("; ".join(["there are no Kaggle credentials", *finder.faults]), hint=finder.advice())


def _checked(found: Credentials) -> Credentials:
    value = found.secret.reveal()
    if found.kind == "key" and value.startswith(_TOKEN_MARK):
        raise CredentialsError(
            f"the key in {found.source} is an API token ({_TOKEN_MARK}…), which Kaggle does not take as a key",
            hint="put it into KAGGLE_API_TOKEN or ~/.kaggle/access_token instead",
        )
    if value and not _SENDABLE.fullmatch(value):
        raise CredentialsError(
            f"the secret in {found.source} holds spaces or characters that no Kaggle secret has",
            hint=f"copy it again from {SETTINGS_PAGE}",
        )
    return found


class _Finder:
    def __init__(self, environ: Mapping[str, str], home: Path, *, files: bool) -> None:
        self._environ = environ
        self._home = home
        self._files = files
        self.faults: list[str] = []

    def advice(self) -> str:
        if not self._files:
            return "with CID_KAGGLE_URL only the environment counts: export KAGGLE_USERNAME=… KAGGLE_KEY=…"
        return (
            f"make an API token at {SETTINGS_PAGE} and save it as ~/.kaggle/access_token (or export KAGGLE_API_TOKEN),"
            " or run: kaggle auth login"
        )

    def token(self) -> Credentials | None:
        for value, source, path in self._tokens():
            if value:
                cautions = self._cautions(path) if path else ()
                return Credentials(kind="token", secret=Secret(value), source=source, cautions=cautions)
        return None

    def _tokens(self) -> Iterator[tuple[str, str, Path | None]]:
        """Value, where from, and the file it lies in."""
        environ = self._environ
        inside = "KAGGLE_KERNEL_RUN_TYPE" in environ and "KAGGLE_DATA_PROXY_URL" in environ
        if inside and self._files and (named := environ.get("KAGGLE_API_V1_TOKEN")):
            yield _text(Path(named)), "KAGGLE_API_V1_TOKEN", None
        if given := environ.get("KAGGLE_API_TOKEN", "").strip():
            # os.path, since pathlib raises for a token that is too long for a file name.
            if not os.path.exists(given):  # noqa: PTH110
                yield given, "KAGGLE_API_TOKEN", None
            elif self._files:
                yield _text(Path(given)), f"{given} (KAGGLE_API_TOKEN)", Path(given)
            else:
                self.faults.append("KAGGLE_API_TOKEN names a file")
        for name in ("access_token", "access_token.txt") if self._files else ():
            path = self._home / ".kaggle" / name
            yield _text(path), self._shown(path), path

    def key(self) -> Credentials | None:
        path = self._config_folder() / "kaggle.json"
        stored = self._document(path) if self._files else {}
        given = {name: self._environ.get(f"KAGGLE_{name.upper()}", "").strip() for name in ("username", "key")}
        username, key = (given[name] or str(stored.get(name) or "").strip() for name in ("username", "key"))
        if not (username and key):
            self._half_a_pair(username, key)
            return None
        return Credentials(
            kind="key",
            username=username,
            secret=Secret(key),
            source="KAGGLE_KEY" if given["key"] else self._shown(path),
            cautions=() if given["key"] else self._cautions(path),
        )

    def _half_a_pair(self, username: str, key: str) -> None:
        if username or key:
            there, missing = ("a user name", "key") if username else ("a key", "user name")
            self.faults.append(f"there is {there} without its {missing}")

    def _config_folder(self) -> Path:
        if named := self._environ.get("KAGGLE_CONFIG_DIR"):
            return Path(named)
        folder = self._home / ".kaggle"
        if folder.exists() or not sys.platform.startswith("linux"):
            return folder
        return Path(self._environ.get("XDG_CONFIG_HOME") or self._home / ".config") / "kaggle"

    def oauth(self) -> Credentials | None:
        path = self._home / ".kaggle" / "credentials.json"
        stored = self._document(path) if self._files else {}
        if not stored.get("refresh_token"):
            return None
        return Credentials(
            kind="oauth",
            username=str(stored.get("username") or ""),
            secret=Secret(str(stored.get("access_token") or "")),
            refresh=Secret(str(stored["refresh_token"])),
            expires=_moment(str(stored.get("access_token_expiration") or "")),
            source=self._shown(path),
            cautions=self._cautions(path),
        )

    def _document(self, path: Path) -> dict[str, Any]:
        if not (text := _text(path)):
            return {}
        with suppress(ValueError):
            if isinstance(document := json.loads(text), dict):
                return document
        self.faults.append(f"{self._shown(path)} is not a JSON object")
        return {}

    def _cautions(self, path: Path) -> tuple[str, ...]:
        with suppress(OSError):
            if path.stat().st_mode & 0o044:
                shown = self._shown(path)
                return (f"{shown} can be read by other users of this machine: chmod 600 {shown}",)
        return ()

    def _shown(self, path: Path) -> str:
        return f"~/{path.relative_to(self._home)}" if path.is_relative_to(self._home) else str(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _moment(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
