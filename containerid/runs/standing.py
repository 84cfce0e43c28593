"""Where a run stands among the earlier ones of its experiment."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from containerid.dvc import upward
from containerid.errors import CidError
from containerid.runs.registry import Run

METRICS = ("val/mAP50", "val/accuracy_top1")
"""Of a detector, and of a classifier."""
_LAST = "report"
"""The phase in which a run that was trained to its end ends, its gates met or not."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A run beside the best one before it.

    Attributes:
        metric: what they are measured by.
        value: of the run; `best` of the other.
        run: the other's id.
        same_data: they were trained on the same data, as far as is known.
    """

    metric: str
    value: float
    best: float
    run: str
    same_data: bool

    def __str__(self) -> str:
        """Such as `+0.021 against exp001-…, the best before`."""
        data = "" if self.same_data else ", on other data"
        return f"{self.value - self.best:+.3f} against {self.run}, the best before{data}"

    def document(self) -> dict[str, Any]:
        """As JSON has it, with the difference."""
        return {**asdict(self), "difference": round(self.value - self.best, 6)}


def stand(run: Run, runs: Iterable[Run], metric: str = "") -> Standing | None:
    """How far a run is from the best of its experiment that is older; None without either.

    Args:
        run: that was trained to its end.
        runs: of the registry. Quick ones, other experiments, other tasks and those that ended on the way do not count.
        metric: of the results; more is better. The first of `METRICS` that the run has, unless another is named.
    """
    metric = metric or next((name for name in METRICS if _value(run, name) is not None), METRICS[0])
    value = _value(run, metric)
    if value is None:
        return None
    earlier = [each for each in runs if each.created < run.created and _alike(each, run)]
    rated = {each.run: score for each in earlier if (score := _value(each, metric)) is not None}
    if not rated:
        return None
    best = max(earlier, key=lambda each: rated.get(each.run, float("-inf")))
    return Standing(metric, value, rated[best.run], best.run, _same_data(run, best))


def _value(run: Run, metric: str) -> float | None:
    ended = run.result is not None and run.result.phase == _LAST and not run.spec.get("quick")
    return run.result.metrics.get(metric) if ended and run.result else None


def _alike(run: Run, other: Run) -> bool:
    if (run.project, run.experiment) != (other.project, other.experiment):
        return False
    names = {str(each.spec.get("params", {}).get("model", {}).get("architecture", "")) for each in (run, other)}
    if len(names) == 1:
        return True
    # Only asked where it may differ: what reads the schemas of params.yaml is slow to load.
    from containerid.config.architectures import task

    return len({task(name) for name in names if name}) == 1


def _same_data(run: Run, other: Run) -> bool:
    digests = {each.spec.get("data", {}).get("digest") for each in (run, other)} - {"", None}
    return len(digests) <= 1


def versions(run: Run) -> list[str]:
    """The versions that a run's model was promoted to, the newest first; git is asked only where there can be one."""
    if not run.outputs or not any((each / ".git").exists() for each in upward(Path(run.folder))):
        return []
    from containerid.git import Repository
    from containerid.runs.versions import facts, promoted

    with suppress(CidError):
        found = promoted(Repository.open(Path(run.folder)))
        return [tag.name for _, tag in found if facts(tag).get("run") == run.run]
    return []
