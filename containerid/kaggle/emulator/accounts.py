"""Who is asking. Any user name and key is good; a token stands for one user, always the same."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from containerid.kaggle.emulator.answers import Problem
from containerid.kaggle.emulator.store import Document, Store, read, write

_LIFETIME = 43200


class Accounts:
    """Names behind credentials.

    Args:
        store: where issued tokens are kept.
        user: the name behind every token that was not issued here; derived from the token when empty.
    """

    def __init__(self, store: Store, user: str = "") -> None:
        self._store = store
        self._path = store.root / "tokens.json"
        self._user = user

    def who(self, headers: Mapping[str, str]) -> str:
        """The user that an Authorization header stands for.

        Raises:
            Problem: 401, there is none, or it cannot be read.
        """
        scheme, _, value = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value.strip():
            return self.behind(value.strip())
        name = _basic(value) if scheme.lower() == "basic" else ""
        if not name:
            raise Problem(401, "Unauthenticated")
        return name.lower()

    def behind(self, token: str) -> str:
        """The user of a token: whom it was issued to, else the one configured, else a name made from it."""
        issued = (read(self._path) or {}).get(_digest(token))
        return issued or self._user or f"user-{_digest(token)[:8]}"

    def issue(self, user: str) -> str:
        """A new token for this user, as kernels and OAuth sessions get one."""
        token = secrets.token_urlsafe(24)
        with self._store.lock:
            write(self._path, {**(read(self._path) or {}), _digest(token): user})
        return token

    def introspect(self, _user: str, body: Mapping[str, Any]) -> Document:
        """security.OAuthService/IntrospectToken."""
        token = str(body.get("token") or "")
        if not token:
            return {"active": False}
        return {"active": True, "username": self.behind(token), "userId": 1, "scope": "resources.admin:*"}

    def generate(self, _user: str, body: Mapping[str, Any]) -> Document:
        """users.AccountService/GenerateAccessToken: a refresh token becomes an access token of 12 hours."""
        user = self.behind(str(body.get("refreshToken") or ""))
        return {"token": self.issue(user), "expiresIn": _LIFETIME, "userName": user, "userId": 1}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _basic(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
