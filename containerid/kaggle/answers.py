"""What Kaggle answers, in types of ours; read leniently, since real answers hold more, less, or other than agreed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from containerid.job import State, Status
from containerid.kaggle.refusals import read_failure

_PAGE = re.compile(r"/(?:code/)?([^/\s?#]+)/([^/\s?#]+?)(?:\s+v\d+)?/?(?:[?#].*)?$")


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push that Kaggle took.

    Attributes:
        kernel: `owner/slug` as Kaggle made it from the title; it may differ from what was asked.
        version: the new version's number, from 1.
        url: the kernel's page.
        missing: kind of source to the names that Kaggle did not take; the run has started without them.
    """

    kernel: str
    version: int
    url: str
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as Kaggle keeps it.

    Attributes:
        kernel: `owner/slug`.
        version: the newest version's number; 0 when Kaggle does not say.
        source: the script of the version that was asked for; empty in listings.
        shape: the machine shape; `None` (the word) for a CPU.
        ran: when it last ran; None when never.
    """

    kernel: str
    title: str = ""
    version: int = 0
    source: str = ""
    private: bool = True
    gpu: bool = False
    internet: bool = False
    shape: str = ""
    datasets: tuple[str, ...] = ()
    ran: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Hours of one accelerator in the current week.

    Attributes:
        reserved_h: held by sessions that run now.
        refresh: when the week ends; None when Kaggle does not say.
        origin: which Kaggle says so.
        skew: seconds by which its clock is ahead of this machine's.
    """

    used_h: float
    reserved_h: float
    total_h: float
    refresh: datetime | None
    origin: str = ""
    skew: float = 0.0

    @property
    def left_h(self) -> float:
        """Hours that a new session can have."""
        return max(0.0, self.total_h - self.used_h - self.reserved_h)


@dataclass(frozen=True, slots=True)
class File:
    """An output. `url` is signed and ends to work after a while; `size` in bytes, None where Kaggle gives none."""

    name: str
    url: str
    size: int | None = None


_STATES = {
    "queued": State.QUEUED,
    "newscript": State.QUEUED,
    "running": State.RUNNING,
    "cancelrequested": State.RUNNING,
    "complete": State.SUCCEEDED,
    "error": State.FAILED,
    "cancelacknowledged": State.CANCELLED,
}


def read_status(body: Mapping[str, Any]) -> Status:
    """The state that a status answer stands for. The map is total: a word that is new to us means that it runs.

    A missing status is the protocol's way to write QUEUED, its default.
    """
    word = str(body.get("status") or "QUEUED")
    plain = re.sub(r"[^a-z]", "", word.lower()).removeprefix("kernelworkerstatus")
    said = body.get("failureMessage")
    if plain not in _STATES:
        return Status(State.RUNNING, f'Kaggle says "{word}", which this version of cid does not know')
    return read_failure(_STATES[plain], said if isinstance(said, str) else "")


def page_of(kernel: str, *named: str) -> str:
    """`owner/slug` out of a kernel's address, or of `/code/owner/slug v3`; `kernel` when none of `named` tells it."""
    for text in named:
        if match := _PAGE.search(text if "/" in text.lstrip("/") else ""):
            return f"{match[1]}/{match[2]}"
    return kernel


def hours(duration: object) -> float:
    """A protocol duration, such as `108000s` or `1.5s`, in hours.

    kagglesdk's own reading of durations is right, its writing is not: it drops whole days.
    """
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)s?", str(duration).strip()) if duration is not None else None
    return float(match[1]) / 3600 if match else 0.0


def read_quota(body: Mapping[str, Any], accelerator: str) -> Quota:
    """The quota of `gpu` or `tpu` from a quota answer; zeros where it says nothing."""
    part = body.get(f"{accelerator}Quota") or {}
    used, reserved, total = (hours(part.get(key)) for key in ("timeUsed", "timeReserved", "totalTimeAllowed"))
    return Quota(used, reserved, total, moment(body.get("quotaRefreshTime")))


def moment(text: object) -> datetime | None:
    """A protocol time, such as `2026-11-28T00:00:00.123Z`: UTC. None for anything else."""
    try:
        read = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def without_nulls(value: Any) -> Any:
    """The same JSON without null members, which kagglesdk cannot read where it expects a list."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value if each is not None] if isinstance(value, list) else value
