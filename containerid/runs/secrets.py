"""The user's secrets: set, listed, forgotten, and the key brought to Kaggle."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.errors import UsageError
from containerid.events import Caution
from containerid.home import Home
from containerid.job import Tell
from containerid.keychain import Entry, Keychain, google, sources
from containerid.training import dvc
from containerid.training.secrets import GDRIVE, GITHUB, NAMES, WANDB

if TYPE_CHECKING:
    from containerid.kaggle.backend import KaggleBackend

PURPOSE = {
    GDRIVE: "data, or models, in DVC on Google Drive",
    WANDB: "metrics at W&B while it trains (wandb.mode: online)",
    GITHUB: "pushing models from runs elsewhere (versioning.from_kernel); the code needs none",
}
_DAYS = {GDRIVE: 365, WANDB: 182, GITHUB: 90}
_SESSION_DAYS = 7
_SHORTEST = {WANDB: 40}
"""Characters: W&B takes no key that is shorter. Longer ones are as good."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret as it may be shown.

    Attributes:
        entry: what the keychain tells.
        nag: why it should be made anew; empty while it is young.
    """

    entry: Entry
    nag: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        entry = self.entry
        return {
            "name": entry.name,
            "length": entry.length,
            "stored": entry.stored.isoformat(),
            "days": entry.days,
            "place": entry.place,
            "nag": self.nag,
        }


def keep(name: str, value: str, *, home: Home, tell: Tell) -> Entry:
    """Check a value and put it into the keychain.

    Raises:
        UsageError: no run of cid uses this name, or the value cannot be right.
    """
    _check(name, value)
    if name == GDRIVE:
        value = google.complete(value, {})
        found = google.examine(value)
        if found.faults:
            raise UsageError(f"{name}: {'; '.join(found.faults)}", hint=f"cid secrets set {name} --from-dvc")
        for note in found.notes:
            tell(Caution(note))
    return Keychain(home).put(name, value)


def expect(name: str) -> None:
    """Raises UsageError when no run of cid uses a secret of this name."""
    if name not in NAMES:
        raise UsageError(f"no run uses a secret called {name}", hint=f"one of: {', '.join(NAMES)}")


def _check(name: str, value: str) -> None:
    expect(name)
    if len(value) < _SHORTEST.get(name, 8):
        raise UsageError(f"{name} is too short: {len(value)} characters", hint="copy it again, whole")
    if name != GDRIVE and any(each.isspace() for each in value):
        raise UsageError(f"{name} holds spaces or line ends, which no such key does", hint="copy it again")


def from_dvc(folder: Path, environ: Mapping[str, str] = os.environ) -> tuple[str, Path]:
    """What DVC keeps for the Google Drive remote of the project in this folder; see `keychain.sources.of_dvc`."""
    return sources.of_dvc(dvc.remote(folder), environ, Path.home())


def kept(home: Home) -> list[Kept]:
    """All that the user has given, by name; the keys of vaults are not among them."""
    keychain = Keychain(home)
    return [Kept(entry, _nag(entry, keychain)) for entry in keychain.entries() if entry.name in NAMES]


def _nag(entry: Entry, keychain: Keychain) -> str:
    if entry.name == GDRIVE and google.examine(keychain.get(GDRIVE)).kind == "session":
        if entry.days < _SESSION_DAYS:
            return ""
        return f"{entry.days} days old; {google.TESTING}"
    if entry.days < _DAYS[entry.name]:
        return ""
    return f"{entry.days} days old: make a new one, revoke this one, cid secrets set {entry.name}"


def forget(name: str, *, home: Home) -> None:
    """Take a secret out of the keychain. Raises UsageError when it is not there."""
    if name not in NAMES or not Keychain(home).remove(name):
        raise UsageError(f"there is no {name} here", hint="cid secrets list")


def push(*, home: Home, tell: Tell) -> str:
    """Bring a new key to Kaggle. Returns the private dataset that holds it."""
    return _kaggle(home).vault.renew(tell)


def vault(*, home: Home) -> tuple[str, str]:
    """The dataset with this machine's key and what is wrong with it; both empty when there is none yet."""
    return _kaggle(home).vault.look()


def _kaggle(home: Home) -> "KaggleBackend":
    from containerid.kaggle.backend import open_kaggle

    return open_kaggle(home)
