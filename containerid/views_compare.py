"""How runs look beside each other on the screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from containerid.console import Screen
from containerid.report import wording
from containerid.report.compare import Comparison, best, comparable, gap
from containerid.report.origins import written

if TYPE_CHECKING:
    from containerid.runs.reproduce import Again

_LONG = 28


def show_comparison(screen: Screen, comparison: Comparison) -> None:
    """The runs by a letter each, their metrics with the best marked, and what differs."""
    for letter, run in zip(comparison.letters, comparison.runs, strict=True):
        outcome, proof = run.result.text("outcome") or "no result", run.result.text("proof")
        quick = ", a --quick run" if run.spec.get("quick") else ""
        screen.say(f"{letter}  {run.run}  {outcome}{f', {proof}' if proof else ''}{quick}")
    two = len(comparison.runs) == 2
    rows = []
    for name, values in comparison.metrics:
        top = best(name, values) if comparable(name, comparison.runs) else frozenset()
        cells = [wording.value(name, value) + (" *" if index in top else "") for index, value in enumerate(values)]
        rows.append([wording.metric(name), *cells, *([gap(name, values)] if two else [])])
    if rows:
        screen.table(["metric", *comparison.letters, *(["B − A"] if two else [])], rows)
    _differing(screen, "parameter", comparison.letters, comparison.params)
    _differing(screen, "origin", comparison.letters, comparison.origins)
    if not comparison.params:
        screen.say("all parameters are the same")


def show_difference(screen: Screen, again: "Again") -> None:
    """How far the metrics of a run that was made again are from what they were."""
    metrics = again.metrics()
    rows = [
        [
            wording.metric(name),
            wording.value(name, each["before"]),
            wording.value(name, each["after"]),
            gap(name, [each["before"], each["after"]]),
        ]
        for name, each in metrics.items()
    ]
    if rows:
        screen.table(["metric", "before", "now", "difference"], rows)
    known = [(name, each["difference"]) for name, each in metrics.items()]
    apart = [abs(gone) for name, gone in known if gone is not None and not name.startswith("speed/")]
    if apart:
        told = "the metrics are the same" if max(apart) == 0 else f"the metrics differ by at most {max(apart):.4f}"
        screen.say(f"{told}; the speeds are the machine's" if len(apart) < len(metrics) else told)


def _differing(screen: Screen, what: str, letters: Sequence[str], rows: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    if rows:
        screen.table([what, *letters], ([name, *(_short(value) for value in values)] for name, values in rows))


def _short(value: object) -> str:
    text = "–" if value is None else written(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
