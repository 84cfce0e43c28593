"""Google credentials for DVC, of both kinds: what they must hold, and how long they last.

Sources: pydrive2's reading of the variable (a KeyError for each missing key), oauth2client's
`ServiceAccountCredentials.from_json_keyfile_dict`, Google's rules for apps whose publishing status is "Testing".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from containerid.errors import UsageError

_SESSION = (
    *("access_token", "client_id", "client_secret", "refresh_token"),
    *("token_expiry", "token_uri", "user_agent", "invalid"),
)
_SERVICE = ("type", "client_email", "private_key", "private_key_id", "client_id")
_FILLED = {
    # An access token that has ended is renewed with the refresh token before it is used.
    "access_token": "",
    "token_expiry": "2000-01-01T00:00:00Z",
    "token_uri": "https://oauth2.googleapis.com/token",
    "user_agent": None,
    "invalid": False,
}
_BLOCKED = "710796635688-"
"""DVC's own app, which Google blocks (iterative/dvc#10516)."""

TESTING = (
    "Google ends a session of an app in status `Testing` after 7 days; set the app to `In production` "
    "(console.cloud.google.com, OAuth consent screen) and sign in again, and it lasts"
)
WHOLE_DRIVE = "this session opens the whole Google Drive, not only the folder of the remote"


@dataclass(frozen=True, slots=True)
class Examined:
    """What a credentials document is.

    Attributes:
        kind: `session` (somebody signed in) or `service account`.
        faults: why DVC would not take it; empty when it would.
        notes: what its owner should know.
    """

    kind: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def examine(value: str) -> Examined:
    """Look at credentials as DVC will. No network is used. Raises UsageError for what is no such document."""
    document = _read(value)
    if document.get("type") == "service_account":
        faults = _missing(document, _SERVICE)
        notes = [
            "a service account reads what is shared with it; it cannot write to a personal Drive, "
            "but to a Shared Drive of which it is a member"
        ]
        return Examined("service account", tuple(faults), tuple(notes))
    faults = _missing(document, _SESSION)
    if document.get("invalid") is True:
        faults.append("it is marked as invalid: Google has refused it; sign in again with `dvc pull`")
    notes = [WHOLE_DRIVE, TESTING]
    if str(document.get("client_id", "")).startswith(_BLOCKED):
        notes.append("it is of DVC's own app, which Google blocks for many: make an OAuth client of your own")
    return Examined("session", tuple(faults), tuple(notes))


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long credentials serve: whether they do, and the same in words."""

    good: bool
    words: str


def lasts(value: str, now: datetime | None = None) -> Lasting:
    """How long a session lasts by its own word. Raises UsageError for what is no credentials document.

    Args:
        value: the document.
        now: with its time zone; the time by default.
    """
    document = _read(value)
    if document.get("type") == "service_account":
        return Lasting(good=True, words="the key of a service account has no end of its own")
    end, over = _end(document), False
    words = "its end is not known"
    if end is not None:
        over = end <= (now or datetime.now(UTC))
        words = f"{'ended' if over else 'until'} {end:%Y-%m-%d}"
    if document.get("refresh_token"):
        return Lasting(good=True, words=f"{words}; the refresh token renews it")
    return Lasting(not over, f"{words}, and nothing renews it: sign in again with `dvc pull`")


def _end(document: Mapping[str, Any]) -> datetime | None:
    try:
        end = datetime.fromisoformat(str(document.get("token_expiry")))
    except ValueError:
        return None
    return end if end.tzinfo else end.replace(tzinfo=UTC)


def complete(value: str, settings: Mapping[str, str]) -> str:
    """A session with the keys filled in that DVC asks for and that need not come from Google.

    Args:
        value: the document.
        settings: of the DVC remote: `gdrive_client_id` and `gdrive_client_secret` where they are set.
    """
    document = _read(value)
    if document.get("type") == "service_account":
        return json.dumps(document)
    known = {name: settings.get(f"gdrive_{name}") for name in ("client_id", "client_secret")}
    filled = {name: each for name, each in {**_FILLED, **known}.items() if name in _FILLED or each}
    return json.dumps({**filled, **document})


def _read(value: str) -> dict[str, Any]:
    try:
        document = json.loads(value)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UsageError(
            "Google credentials are a JSON document, and this is none",
            hint="cid secrets set GDRIVE_CREDENTIALS_DATA --from-dvc, or --from-file key.json",
        )
    return document


def _missing(document: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    missing = [key for key in keys if key not in document]
    return [f"DVC asks for {', '.join(missing)}, which it does not hold"] if missing else []
