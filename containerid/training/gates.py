"""Bounds that a run's metrics must keep."""

from collections.abc import Mapping


def unmet(gates: Mapping[str, float], metrics: Mapping[str, float]) -> list[str]:
    """The gates that are not met, each as a short phrase, in the order in which they are written.

    Args:
        gates: metric to bound; `speed/…` must not exceed it, everything else must reach it.
        metrics: flat; a metric that was not measured meets no gate.
    """
    return [phrase for name, bound in gates.items() if (phrase := _phrase(name, bound, metrics.get(name)))]


def _phrase(name: str, bound: float, value: float | None) -> str:
    if value is None:
        return f"{name} was not measured"
    upper = name.startswith("speed/")
    # Written so that a metric which is not a number meets nothing.
    met = value <= bound if upper else value >= bound
    return "" if met else f"{name} {value:.4g} {'>' if upper else '<'} {bound:g}"
