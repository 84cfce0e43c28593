"""Slots and weekly hours: what a session takes of them, and when a push is refused for want of them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from containerid.kaggle.emulator.answers import duration, moment
from containerid.kaggle.emulator.store import Document, Store, read, write

_TPU_HOURS = 20
_SATURDAY = 5


class Billed(Protocol):
    """What the quota needs to know of a session that is going on."""

    @property
    def id(self) -> int:
        """The session's number."""

    @property
    def owner(self) -> str:
        """Whose hours it takes."""

    @property
    def kind(self) -> str:
        """`CPU`, `GPU` or `TPU`."""

    @property
    def limit(self) -> float:
        """Seconds it may take."""

    @property
    def began(self) -> float | None:
        """When it left the queue, seconds since 1970; None while it has not."""


class Quota:
    """One account's slots and hours. Hours are wall-clock time of sessions since Saturday, 00:00 UTC; queueing is free.

    Args:
        store: where the hours of ended sessions are kept, those of deleted kernels too.
        slots: sessions at a time for each kind: CPU, GPU, TPU.
        weekly_hours: of GPU.
        clock: seconds since 1970.
    """

    def __init__(self, store: Store, *, slots: dict[str, int], weekly_hours: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._path = store.root / "usage.json"
        self._slots = slots
        self._hours = {"GPU": float(weekly_hours), "TPU": float(_TPU_HOURS)}
        self._clock = clock

    def refusal(self, owner: str, kind: str, live: Iterable[Billed]) -> str:
        """Why no session of this kind may begin now, in Kaggle's words; empty when one may."""
        going = [session for session in live if session.owner == owner and session.kind == kind]
        if len(going) >= self._slots[kind]:
            return f"Maximum batch {kind} session count of {self._slots[kind]} reached."
        hours = self._hours.get(kind)
        if hours is not None and self.used(owner, kind, going) >= hours * 3600:
            return f"Maximum weekly {kind} quota of {hours:.2f} hours reached."
        return ""

    def bill(self, session: Billed, seconds: float) -> None:
        """Write down what an ended session took, in seconds. Doing so twice changes nothing."""
        entry = {"owner": session.owner, "kind": session.kind, "began": session.began, "seconds": seconds}
        with self._store.lock:
            write(self._path, {str(session.id): entry, **(read(self._path) or {})})

    def used(self, owner: str, kind: str, live: Iterable[Billed]) -> float:
        """Seconds used this week, by ended sessions and by those that go on."""
        ended = [each for each in (read(self._path) or {}).values() if (each["owner"], each["kind"]) == (owner, kind)]
        spent: float = sum(each["seconds"] for each in ended if each["began"] >= self._week().timestamp())
        return spent + sum(self._elapsed(each) for each in live if (each.owner, each.kind) == (owner, kind))

    def _elapsed(self, session: Billed) -> float:
        return 0.0 if session.began is None else max(self._clock() - session.began, 0.0)

    def _week(self) -> datetime:
        now = datetime.fromtimestamp(self._clock(), UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=(now.weekday() - _SATURDAY) % 7)

    def statistics(self, owner: str, live: Iterable[Billed]) -> Document:
        """kernels.KernelsApiService/GetAcceleratorQuotaStatistics."""
        going = list(live)
        refresh = self._week() + timedelta(days=7)
        return {
            "quotaRefreshTime": moment(refresh.timestamp()),
            "gpuQuota": self._share(owner, "GPU", going),
            "tpuQuota": self._share(owner, "TPU", going),
        }

    def _share(self, owner: str, kind: str, live: list[Billed]) -> Document:
        mine = [session for session in live if (session.owner, session.kind) == (owner, kind)]
        used = self.used(owner, kind, mine)
        return {
            "timeUsed": duration(used),
            "timeReserved": duration(sum(max(each.limit - self._elapsed(each), 0.0) for each in mine)),
            "totalTimeAllowed": duration(self._hours[kind] * 3600),
            "hasEverRun": used > 0,
        }
