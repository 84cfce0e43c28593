"""Where secrets lie: in the system's keyring where there is one, else in a file that its owner alone can read."""

import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from containerid.errors import CredentialsError
from containerid.home import Home
from containerid.redaction import HIDDEN

_FILE = "secrets.json"
_SERVICE = "containerid"


class _Ring(Protocol):
    """What is used of the library `keyring`, which is not a dependency: where it is installed it is used."""

    def get_password(self, service: str, name: str, /) -> str | None: ...
    def set_password(self, service: str, name: str, value: str, /) -> None: ...
    def delete_password(self, service: str, name: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What may be told about a secret.

    Attributes:
        length: characters of the value.
        stored: when it was put here, UTC.
        place: `keyring` or `file`.
    """

    name: str
    length: int
    stored: datetime
    place: str

    @property
    def days(self) -> int:
        """Whole days since it was put here."""
        return (datetime.now(UTC) - self.stored).days


class Keychain:
    """The secrets of one user.

    Args:
        home: the user's folder; what may be told lies in a file there, and the values where there is no keyring.
    """

    def __init__(self, home: Home) -> None:
        self._path = home.folder() / _FILE
        self._service = _SERVICE if "CID_HOME" not in os.environ else f"{_SERVICE} {home.root}"

    def entries(self) -> list[Entry]:
        """All that is here, by name. Raises CredentialsError as `get` does."""
        return [_entry(name, kept) for name, kept in sorted(self._read().items())]

    def get(self, name: str) -> str:
        """The value; empty when there is none. From then on no error and no line of the console shows it.

        Raises:
            CredentialsError: the file can be read by others, is not the user's own, or is broken.
        """
        kept = self._read().get(name)
        if kept is None:
            return ""
        value = kept.get("value")
        if kept["place"] == "keyring":
            ring = _ring()
            value = ring.get_password(self._service, name) if ring else None
        if not value:
            raise CredentialsError(f"{name} is gone from the keyring", hint=f"cid secrets set {name}")
        HIDDEN.add(value)
        return str(value)

    def put(self, name: str, value: str) -> Entry:
        """Keep a value in place of the one before."""
        HIDDEN.add(value)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        kept: dict[str, Any] = {"length": len(value), "stored": now, "place": "file", "value": value}
        with suppress(Exception):  # whatever a keyring raises, locked, without a desktop: the file is there
            if ring := _ring():
                ring.set_password(self._service, name, value)
                kept = {**kept, "place": "keyring", "value": None}
        self._write({**self._read(), name: kept})
        return _entry(name, kept)

    def remove(self, name: str) -> bool:
        """Forget a value. Returns whether there was one."""
        document = self._read()
        kept = document.pop(name, None)
        if kept is None:
            return False
        if kept["place"] == "keyring" and (ring := _ring()):
            with suppress(Exception):
                ring.delete_password(self._service, name)
        self._write(document)
        return True

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CredentialsError(f"{self._path} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, encoding="utf-8") as file:
            self._check(os.fstat(file.fileno()))
            try:
                document: dict[str, dict[str, Any]] = json.load(file)
                for name, kept in document.items():
                    _entry(name, kept)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise CredentialsError(f"{self._path} is broken", hint="move it away; cid secrets set") from error
        return document

    def _check(self, state: os.stat_result) -> None:
        if state.st_uid != os.getuid():
            raise CredentialsError(f"{self._path} belongs to another user")
        if stat.S_IMODE(state.st_mode) & 0o077:
            raise CredentialsError(
                f"{self._path} can be read by others: take its secrets as known to them",
                hint=f"chmod 600 {self._path}; then make new ones, and cid secrets set",
            )

    def _write(self, document: Mapping[str, Mapping[str, Any]]) -> None:
        """Whole or not at all, and never readable by others, not for an instant."""
        part = self._path.with_name(f".{_FILE}.{secrets.token_hex(4)}")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        finally:
            part.unlink(missing_ok=True)


def _entry(name: str, kept: Mapping[str, Any]) -> Entry:
    return Entry(name, int(kept["length"]), datetime.fromisoformat(str(kept["stored"])), str(kept["place"]))


def _ring() -> _Ring | None:
    """The system's keyring; None where the library is missing or has found none that keeps anything safe."""
    try:
        import keyring
    except ImportError:
        return None
    ring: Any = keyring.get_keyring()
    # Backends that keep values in clear, or nothing at all, put themselves below 1.
    return ring if getattr(ring, "priority", 0) >= 1 else None


def place_of(path: Path) -> str:
    """Where values would go: for the eye."""
    return "the system's keyring" if _ring() else f"{path / _FILE} (0600)"
