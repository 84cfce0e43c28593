"""Which secrets a run needs, and how they get there: closed in the spec, or through the environment of a process here.

Most runs need none. One that records at W&B while it trains needs W&B's key; one that pulls from, or pushes to, a DVC
remote on Google Drive needs its credentials; one that pushes its model to a branch needs a token of the git host.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from containerid.errors import CredentialsError
from containerid.home import Home
from containerid.job import Spec, Tell
from containerid.keychain import Keychain
from containerid.platform import Backend
from containerid.redaction import HIDDEN
from containerid.training import secrets

_WAYS_OUT = {
    secrets.WANDB: "cid secrets set WANDB_API_KEY; or --set wandb.mode=offline and `wandb sync` after the fetch",
    secrets.GITHUB: "cid secrets set GITHUB_TOKEN; or versioning.from_kernel: never",
    secrets.GDRIVE: "cid secrets set GDRIVE_CREDENTIALS_DATA --from-dvc; or `dvc pull` here and cid data push",
}


@runtime_checkable
class Sealer(Protocol):
    """A backend whose runs are elsewhere and cannot be handed anything but a spec."""

    def seal(self, spec: Spec, values: Mapping[str, str], tell: Tell) -> Spec:
        """The spec with these secrets closed, which only this very run can open."""


def needed(spec: Spec, folder: Path) -> list[str]:
    """Names of the secrets that a run needs; `folder` is the project's, whose DVC remote is looked at."""
    online = spec.params.get("wandb", {}).get("mode") == "online"
    from containerid.training import dvc

    pushes = spec.publish.asked and bool(spec.code.ref)
    drive = (spec.data.provider == "dvc" or pushes) and dvc.on_drive(folder)
    return secrets.needed(online=online, drive=drive, pushes=pushes)


def require(spec: Spec, backend: Backend, *, home: Home, folder: Path) -> dict[str, str]:
    """The values that a run elsewhere needs, those in the environment before those in the keychain.

    Raises:
        CredentialsError: one is missing; the hint says how to give it, and how to do without.
    """
    names = needed(spec, folder) if isinstance(backend, Sealer) else []
    values = _values(names, home)
    if missing := [name for name in names if not values[name]]:
        raise CredentialsError(
            f"this run needs {' and '.join(missing)}, which you have not given to cid",
            hint="; ".join(_way_out(name, spec) for name in missing),
        )
    return values


def _way_out(name: str, spec: Spec) -> str:
    if name == secrets.GDRIVE and spec.data.provider != "dvc":
        return "cid secrets set GDRIVE_CREDENTIALS_DATA --from-dvc; or versioning.from_kernel: never"
    return _WAYS_OUT[name]


def seal(spec: Spec, backend: Backend, tell: Tell, *, home: Home, folder: Path) -> Spec:
    """The spec with what the run needs, and nothing else.

    Args:
        spec: with its data where it will be: what Kaggle attaches needs no credentials.
        backend: where it goes.
        tell: gets the steps.
        home: of the user, with the keychain.
        folder: of the project.

    Raises:
        CredentialsError: a secret is missing.
        Refused, Unreachable: the platform does not take the key.
    """
    if isinstance(backend, Sealer):
        values = require(spec, backend, home=home, folder=folder)
        return backend.seal(spec, values, tell) if values else replace(spec, secrets={})
    given = {name for name, value in _values(needed(spec, folder), home).items() if value}
    return replace(spec, secrets=dict.fromkeys(sorted(given), ""))


def _values(names: list[str], home: Home) -> dict[str, str]:
    if not names:
        return {}
    keychain = Keychain(home)
    found = {name: os.environ.get(name, "").strip() or keychain.get(name) for name in names}
    for value in filter(None, found.values()):
        HIDDEN.add(value)
    return found
