"""The key to what a run's kernel carries closed: in a private dataset, which is attached to that run alone.

Ciphertext and key both lie at Kaggle, in two objects of one account. So this keeps a secret out of sources, logs,
repositories and outputs, and from whoever gets to see one of the two; not from Kaggle, nor from who holds the account.

Each machine has a key of its own. The first calls its dataset `cid-vault`; another finds the name taken and adds six
digits, so that no machine ever takes the key away from a run that another has sent.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from containerid.clock import Clock
from containerid.errors import NotFound, Refused
from containerid.events import Step
from containerid.home import Home
from containerid.job import Spec, Tell
from containerid.kaggle.account import REHEARSAL, Account
from containerid.kaggle.datasets import READY
from containerid.kaggle.scratch import scratch
from containerid.keychain import Keychain
from containerid.redaction import HIDDEN
from containerid.training.sealed import KEY_BYTES, key_file, key_id, seal

SLUG = "cid-vault"
_NOTES = "keys of cid: opens what the kernels of this account carry closed; keep it private"
_KEPT = 2
"""Keys in the dataset: the one in use, and the one before for runs that were sent with it and wait."""

_PATIENCE = 300.0
"""Seconds until Kaggle must list a file of a version that it calls ready."""


@dataclass(frozen=True, slots=True)
class _Record:
    """What this machine knows of its vault: the dataset's slug, and keys in base64, the one in use first."""

    slug: str = ""
    keys: tuple[str, ...] = ()


class Vault:
    """One account's vault, as far as it is this machine's.

    Args:
        account: at which Kaggle.
        home: the user's folder, whose keychain holds the key.
        clock: for the wait until Kaggle shows a new version.
    """

    def __init__(self, account: Account, home: Home, clock: Clock) -> None:
        self._account = account
        self._home = home
        self._clock = clock
        self._keychain = Keychain(home)

    def seal(self, spec: Spec, values: Mapping[str, str], tell: Tell) -> Spec:
        """The spec with these secrets closed, once their key is where the run will find it.

        Raises:
            Refused: Kaggle does not take the dataset.
            Unreachable: it is not ready after half an hour.
        """
        record = self._record()
        if not record.keys or not self._is_there(record):
            record = self._put(record if record.keys else self._new(record), tell)
        key, dataset = base64.b64decode(record.keys[0]), self._dataset(record)
        closed = {
            name: str(seal(value, name=name, run=spec.run, key=key, dataset=dataset)) for name, value in values.items()
        }
        told = ", ".join(f"{name} ({len(value)} characters)" for name, value in values.items())
        tell(Step("secrets", f"{told}: sealed for this run, the key is in {dataset}"))
        return replace(spec, secrets=closed)

    def renew(self, tell: Tell) -> str:
        """Make a new key and bring it there; what was sealed with the one before the last stays closed for ever.

        Returns:
            The dataset.
        """
        return self._dataset(self._put(self._new(self._record()), tell))

    def look(self) -> tuple[str, str]:
        """The dataset and what is wrong with it; both empty when this machine has none, the second when all is well."""
        record = self._record()
        if not record.keys:
            return "", ""
        dataset = self._dataset(record)
        return dataset, "" if self._is_there(record) else "it is not ready, or does not hold this machine's key"

    def _is_there(self, record: _Record) -> bool:
        dataset = self._dataset(record)
        if self._account.datasets.state(dataset) != READY:
            return False
        return key_file(_identity(record.keys[0])) in self._files(dataset)

    def _files(self, dataset: str) -> set[str]:
        try:
            return self._account.datasets.files(dataset)
        except (NotFound, Refused):
            return set()

    def _new(self, record: _Record) -> _Record:
        key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        return replace(record, slug=record.slug or self._free_slug(), keys=(key, *record.keys)[:_KEPT])

    def _free_slug(self) -> str:
        taken = self._account.datasets.state(f"{self._account.owner}/{SLUG}")
        return f"{SLUG}-{secrets.token_hex(3)}" if taken else SLUG

    def _put(self, record: _Record, tell: Tell) -> _Record:
        """Keep the record, then send its keys as the only version, and wait until a run would get them."""
        self._keep(record)
        dataset = self._dataset(record)
        with scratch(self._home) as folder:
            files = [folder / key_file(_identity(key)) for key in record.keys]
            for path, key in zip(files, record.keys, strict=True):
                path.touch(mode=0o600)
                path.write_text(key, encoding="ascii")
            tell(Step("vault", f"the key goes to {dataset}, which is private"))
            self._account.datasets.put(dataset, files, lambda _: None, notes=_NOTES, last=True)
        self._account.datasets.wait(dataset, tell)
        self._await(dataset, files[0].name)
        return record

    def _await(self, dataset: str, name: str) -> None:
        """A version that was there before is `ready` as well: the new one is there when it lists the new key."""
        for _ in self._clock.polls(first=2, cap=30, limit=_PATIENCE) if name not in self._files(dataset) else ():
            if name in self._files(dataset):
                return
        if name not in self._files(dataset):
            raise Refused(f"{dataset} does not show its new key", hint="the same command again, later", retryable=True)

    def _dataset(self, record: _Record) -> str:
        return f"{self._account.owner}/{record.slug}"

    @property
    def _entry(self) -> str:
        """Its name in the keychain. The embedded Kaggle changes its address and stays the same."""
        owner = self._account.owner
        return f"vault {owner}" if owner == REHEARSAL else f"vault {owner} {self._account.origin.pages}"

    def _record(self) -> _Record:
        if not (kept := self._keychain.get(self._entry)):
            return _Record()
        document = json.loads(kept)
        for key in document["keys"]:
            HIDDEN.add(key)
        return _Record(document["slug"], tuple(document["keys"]))

    def _keep(self, record: _Record) -> None:
        for key in record.keys:
            HIDDEN.add(key)
        self._keychain.put(self._entry, json.dumps({"slug": record.slug, "keys": list(record.keys)}))


def _identity(key: str) -> str:
    return key_id(base64.b64decode(key))
