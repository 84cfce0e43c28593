"""What cid has made in an account: kernels and datasets whose names begin with `cid-`, and which sessions go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from containerid.clock import Clock
from containerid.crew import at_once
from containerid.errors import CidError, NotFound, Unreachable
from containerid.home import Home
from containerid.kaggle import kernel
from containerid.kaggle.account import REHEARSAL, Account

PREFIX = "cid-"
_MOST = 500
_WORKERS = 4
_OLDER = 4
"""Versions of a kernel, beside its newest, of which a session may go on."""

_RECENT = timedelta(hours=24)
"""A session lasts 12 hours at most, and some more in the queue."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that goes on: `owner/slug`, the version's number as text, `queued` or `running`."""

    handle: str
    version: str
    state: str


def open_estate(home: Home, backend: str = "kaggle") -> "Estate":
    """The account's that a backend uses."""
    return Estate(Account(home, "", rehearses=backend == REHEARSAL, clock=Clock()))


class Estate:
    """One account's. Every method may raise CredentialsError and Unreachable."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self._account.owner

    def kernels(self) -> dict[str, int]:
        """`owner/slug` of each kernel to its newest version's number."""
        found = (each for each in self._account.api.mine(_MOST) if _is_ours(each.kernel))
        return {each.kernel: each.version for each in found}

    def cargo(self, name: str) -> Mapping[str, Any]:
        """What the source of a kernel carries; empty when cid did not write it."""
        source = self._account.api.get(name).source
        try:
            return kernel.read_cargo(source)
        except (CidError, RecursionError):
            return {}

    def datasets(self) -> list[str]:
        """`owner/slug` of each dataset."""
        return [name for name in self._account.datasets.mine(PREFIX.strip("-")) if _is_ours(name)]

    def sessions(self, names: Mapping[str, int]) -> list[Session]:
        """What goes on of these kernels, older versions too."""
        self._account.owner  # noqa: B018 - signs in before there are threads
        asked = [(name, number) for name, newest in names.items() for number in _numbers(newest)]
        return [each for each in at_once(self._session, asked, _WORKERS) if each]

    def recent(self, others: Sequence[str] = (), most: int = 20) -> list[Session]:
        """What goes on of the kernels that have run within a day; `others` are looked at beside those listed."""
        since = datetime.now(UTC) - _RECENT
        listed = [each for each in self._account.api.mine(most) if each.ran is None or each.ran > since]
        names = {each.kernel: each.version for each in listed if _is_ours(each.kernel)}
        return self.sessions({**dict.fromkeys(others, 1), **names})

    def _session(self, asked: tuple[str, int]) -> Session | None:
        name, number = asked
        version = str(number) if number else ""
        try:
            state = self._account.api.status(name, version).state
        except NotFound:
            return None
        return None if state.final else Session(name, version, str(state))

    def delete_kernel(self, name: str) -> None:
        """With all its versions, logs and outputs; a session that goes on ends."""
        try:
            self._account.api.delete(name)
        except Unreachable:
            if self._is_there(name):
                raise

    def _is_there(self, name: str) -> bool:
        try:
            self._account.api.get(name)
        except NotFound:
            return False
        return True

    def delete_dataset(self, name: str) -> None:
        """With all its versions."""
        self._account.datasets.delete(name)


def _is_ours(name: str) -> bool:
    return name.partition("/")[2].startswith(PREFIX)


def _numbers(newest: int) -> Sequence[int]:
    return range(newest, max(newest - 1 - _OLDER, 0), -1) if newest else (0,)
