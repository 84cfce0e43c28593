"""What the phases of one leg share: what was asked for, and what has been found so far."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from containerid.config import Params
from containerid.dataset.check import Report
from containerid.dataset.sets import Dataset
from containerid.job import Metrics, Spec
from containerid.training.budget import Budget
from containerid.training.checkpoint import Checkpoint
from containerid.training.data import Place
from containerid.training.hardware import Hardware
from containerid.training.log import Log
from containerid.training.stop import Stop
from containerid.training.tracking import Tracking


def now(ago: float = 0) -> str:
    """ISO 8601, UTC, to the second; `ago` seconds before now."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="seconds")


@dataclass(slots=True)
class Session:
    """One leg on its way. The first block is given, the second is filled by the phases in order.

    Attributes:
        spec, params: what was asked for.
        spec_file: where the spec lies.
        out: the output folder; absolute.
        place: the project's folder, mounts and scratch.
        budget: of time, for this leg.
        past: what the leg before left; None for a first leg.
        checkpoint: what this leg tells about its own, as in a Result.
        phase: the one that runs, or ran last.
        timeline: seconds of each phase that has ended, those before this process included; see `Result`.
        folder: the data as it was provided; None when an own trainer needs none.
        digest: of the data.
        view: the data.yaml that the trainer gets; its images are links.
        seconds: that the training took; `before`, those of it that an earlier leg took, or one that was killed.
        batch: images a step, over all GPUs, as the trainer had it in the end: fewer than were asked for where the
            memory did not do. 0 when nobody knows.
        token: what the git remote takes when the model is pushed; kept out of the environment of whatever trains.
        published: what came of that, as in a Result.
        extras: what evaluation found beside the flat metrics.
    """

    spec: Spec
    params: Params
    spec_file: Path
    out: Path
    place: Place
    log: Log
    stop: Stop
    budget: Budget

    started: str = field(default_factory=now)
    phase: str = ""
    past: Checkpoint | None = None
    checkpoint: dict[str, Any] = field(default_factory=dict)
    timeline: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    hardware: Hardware = field(default_factory=lambda: Hardware("cpu", ""))
    folder: Path | None = None
    digest: str = ""
    dataset: Dataset | None = None
    report: Report = field(default_factory=Report)
    view: Path | None = None
    tracking: Tracking = field(default_factory=Tracking)
    seconds: float = 0
    before: float = 0
    epochs: int = 0
    batch: int = 0
    metrics: Metrics = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    token: str = field(default="", repr=False)
    published: dict[str, str] = field(default_factory=dict)

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.out / "weights" / "best.pt"
