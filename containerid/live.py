"""How a run that goes on looks: its cells in the live line and the live table, and its epochs."""

from collections.abc import Iterator

from containerid.events import Progress, Waited
from containerid.text import duration

COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "lost": "red",
    "refused": "red",
    "cancelled": "yellow",
    "paused": "yellow",
}
BOARD = ("run", "state", "elapsed", "epoch", "score", "to go", "GPU", "memory", "billed")
WORDS = ("{}", "{}", "{}", "epoch {}", "{}", "{} to go", "GPU {}", "GPU memory {}", "{} billed")
_SCORES = {
    "val/mAP50": "val mAP50",
    "val/mAP50-95": "val mAP50-95",
    "val/accuracy_top1": "val top 1",
    "val/accuracy_top5": "val top 5",
}
"""What an epoch is known by, and what it is called: a run's end tells those of the test split as well."""


def _scores(progress: Progress | None) -> Iterator[tuple[str, float]]:
    metrics = progress.metrics if progress else {}
    return ((label, metrics[name]) for name, label in _SCORES.items() if name in metrics)


def cells(wait: Waited) -> list[str]:
    """What the live line and the live table show of a run, in the order of `BOARD`."""
    progress = wait.progress
    score = next((f"{label} {value:.3f}" for label, value in _scores(progress)), "")
    return [
        wait.run,
        word(wait),
        duration(wait.elapsed),
        f"{progress.epoch}/{progress.epochs}" if progress else "",
        score,
        duration(progress.eta) if progress and progress.eta else "",
        f"{wait.gpu:.0%}" if wait.gpu is not None else "",
        f"{wait.memory:.0%}" if wait.memory is not None else "",
        f"{wait.billed:.2f} h" if wait.billed else "",
    ]


def best(progress: Progress) -> float:
    """What its epochs are compared by; 0 where there is nothing."""
    return next(_scores(progress), ("", 0.0))[1]


def word(wait: Waited) -> str:
    """Its state, or that it is silent."""
    return "stalled" if wait.stalled else wait.state


def look(wait: Waited) -> str:
    """The colour of its line."""
    return "yellow" if wait.stalled else COLOURS.get(wait.state, "cyan")


def epoch(progress: Progress) -> str:
    """One line for one epoch; of a trainer whose metrics nobody knows, the first two."""
    named = list(_scores(progress)) or [(name, value) for name, value in list(progress.metrics.items())[:2]]
    eta = [f"{duration(progress.eta)} to go"] if progress.eta else []
    width = len(str(progress.epochs))
    told = [f"{name} {value:.3f}" for name, value in named]
    return "  ".join([f"epoch {progress.epoch:>{width}}/{progress.epochs}", *told, *eta])
