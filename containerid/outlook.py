"""What a platform can tell before anything is sent to it: whose account, hours left, places taken, what is missing.

A backend whose time is counted offers `Metered` beside `Backend`; the use cases ask for nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from containerid.errors import CidError
from containerid.job import Spec


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of GPU in the platform's current week.

    Attributes:
        reserved: held by sessions that run now; they are neither used nor left.
        refresh: when the week ends; None when the platform does not say.
    """

    used: float
    reserved: float
    total: float
    refresh: datetime | None = None

    @property
    def left(self) -> float:
        """What a new session can have."""
        return max(0.0, self.total - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that takes a place now.

    Attributes:
        handle: the platform's name for it.
        kind: `gpu` or `cpu`.
        state: `queued` or `running`.
        run: the run of this registry that it belongs to; empty for somebody else's.
    """

    handle: str
    kind: str
    state: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How an account stands.

    Attributes:
        account: whose it is and where the credentials were found, for the eye.
        hours: of GPU; None when the platform does not tell.
        places: sessions at a time, for each kind.
        sessions: what takes them.
    """

    account: str
    hours: Hours | None
    places: Mapping[str, int]
    sessions: tuple[Session, ...] = ()

    def taken(self, kind: str) -> tuple[Session, ...]:
        """The sessions of one kind."""
        return tuple(each for each in self.sessions if each.kind == kind)

    def full(self, kind: str) -> bool:
        """No session of this kind can begin before another ends."""
        return len(self.taken(kind)) >= self.places.get(kind, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the plan.

    Attributes:
        label, value: for the eye.
        fault: what speaks against the push; None when nothing does.
        doubt: the fault is a reason to ask, and none to refuse when the answer is yes.
    """

    label: str
    value: str
    fault: CidError | None = None
    doubt: bool = False


@runtime_checkable
class Metered(Protocol):
    """A backend that counts hours and places, and can look at what a run needs before it is sent."""

    def outlook(self, own: Mapping[str, str]) -> Outlook:
        """How the account stands. No side effect.

        Args:
            own: handles of this registry's runs that may be active, to their run ids.

        Raises:
            CredentialsError, Unreachable: the account cannot be asked.
        """

    def inspect(self, spec: Spec) -> Iterator[Finding]:
        """What the run needs there, looked at one by one. No side effect."""
