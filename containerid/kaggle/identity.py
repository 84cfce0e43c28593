"""Whose credentials they are, and how an OAuth session gets its next access token."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from containerid.errors import BackendError, CidError, CredentialsError, Unreachable
from containerid.kaggle.credentials import SETTINGS_PAGE, Credentials, Secret

_EARLY = timedelta(minutes=5)
Call = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A method such as `security.OAuthService/IntrospectToken` and its request, to its answer."""


def introspect(call: Call, credentials: Credentials) -> str:
    """The user name that belongs to an access token. Raises CredentialsError when it is not valid any more."""
    try:
        body = call("security.OAuthService/IntrospectToken", {"token": credentials.secret.reveal()})
    except Unreachable:
        raise
    except (BackendError, CredentialsError):
        body = {}
    if not (body.get("active") and body.get("username")):
        raise CredentialsError(
            f"the access token from {credentials.source} is not valid any more",
            hint=f"make a new one at {SETTINGS_PAGE}; while the old one is there, it hides a kaggle.json",
        )
    return str(body["username"])


def is_due(credentials: Credentials) -> bool:
    """An OAuth session whose access token has ended, or is about to."""
    if credentials.refresh is None:
        return False
    if not (credentials.secret.reveal() and credentials.expires):
        return True
    return credentials.expires < datetime.now(UTC) + _EARLY


def renew(call: Call, credentials: Credentials) -> Credentials:
    """The OAuth session with its next access token, good for 12 hours, as Kaggle's own client asks for it.

    Raises:
        CredentialsError: the session has ended.
    """
    refresh = credentials.refresh.reveal() if credentials.refresh else ""
    request = {"refreshToken": refresh, "apiVersion": "API_VERSION_V1", "expirationDuration": "43200s"}
    try:
        body = call("users.AccountService/GenerateAccessToken", request)
        ends = datetime.now(UTC) + timedelta(seconds=float(body["expiresIn"]))
        token, name = Secret(str(body["token"])), str(body.get("userName") or credentials.username)
    except Unreachable:
        raise
    except (CidError, KeyError, ValueError) as error:
        raise CredentialsError(
            f"the session in {credentials.source} cannot be renewed: {error}", hint="kaggle auth login"
        ) from error
    return replace(credentials, secret=token, expires=ends, username=name)
