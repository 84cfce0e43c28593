"""Bounds that a run's metrics must keep."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gate:
    """One bound, held against what was measured.

    Attributes:
        metric: such as `val/mAP50`.
        kind: `at least` or `at most`.
        value: None when it was not measured; such a gate is not met.
    """

    metric: str
    bound: float
    kind: str
    value: float | None
    met: bool

    def __str__(self) -> str:
        """In a phrase, as a reason quotes a gate that is not met."""
        if self.value is None:
            return f"{self.metric} was not measured"
        holds, fails = ("≤", ">") if self.kind == "at most" else ("≥", "<")
        return f"{self.metric} {self.value:.4g} {holds if self.met else fails} {self.bound:g}"


def judge(gates: Mapping[str, float], metrics: Mapping[str, float]) -> list[Gate]:
    """Every gate, in the order in which they are written.

    Args:
        gates: metric to bound; `speed/…` must not exceed it, everything else must reach it.
        metrics: flat; a metric that was not measured meets no gate.
    """
    return [_judge(name, bound, metrics.get(name)) for name, bound in gates.items()]


def _judge(name: str, bound: float, value: float | None) -> Gate:
    upper = name.startswith("speed/")
    # Written so that a metric which is not a number meets nothing.
    met = value is not None and (value <= bound if upper else value >= bound)
    return Gate(name, bound, "at most" if upper else "at least", value, met)
