"""How a training went, epoch by epoch, as charts from results.csv."""

import math
from collections.abc import Iterator, Mapping, Sequence

from containerid.report import wording
from containerid.report.charts import Axes, Chart, Line, line_chart, number
from containerid.report.outputs import Outputs
from containerid.report.page import Block, Charts, More, Section, Table, Words

_LOSSES = {
    "box_loss": "Box loss",
    "cls_loss": "Class loss",
    "dfl_loss": "Distribution focal loss",
    "seg_loss": "Mask loss",
}
_OF = {"B": "", "M": " of masks", "P": " of key points"}
"""What Ultralytics measures, by the letter that it puts behind a metric."""
_TOP = {"metrics/accuracy_top1": "top 1", "metrics/accuracy_top5": "top 5"}
_FITNESS = ("metrics/mAP50-95(B)", "metrics/accuracy_top1")
_GROUPS = ("weights", "normalisation", "biases", "matrices")
"""Ultralytics' groups of parameters, in the order of its columns `lr/pg0`, `lr/pg1`, …"""
_APART = 3
"""A learning rate that is as many times the usual one at its highest would press all others flat."""


def section(outputs: Outputs) -> Section:
    """The section about the training."""
    history = outputs.history
    blocks: list[Block] = []
    best = outputs.metadata.number("best_epoch")
    if found := charts(history, best):
        best = best_epoch(history) if best is None else best
        of = f"epoch {best:.0f}, whose weights are the best" if best is not None else "the last epoch"
        blocks += [Words(f"The numbers beside the names are those of {of}."), Charts(found)]
    if table := _table(history):
        blocks.append(More(f"Every number of {wording.plural(len(table.rows), 'epoch')}", [table]))
    return Section("Training", blocks)


def charts(history: Mapping[str, Sequence[float]], best: float | None = None) -> list[Chart]:
    """Losses of training beside those of validation, metrics, and the learning rate.

    Args:
        history: the columns of results.csv.
        best: the best epoch, where it is known; else it is looked up.
    """
    best = best_epoch(history) if best is None else best
    mark = (best, f"best: {best:.0f}") if best is not None else None
    epochs, shares = (
        Axes(x="epoch", low=0, whole=True, mark=mark),
        Axes(x="epoch", low=0, high=1, whole=True, mark=mark),
    )
    wanted = [
        *(line_chart(title, lines(history, columns), shares) for title, columns in _measured()),
        line_chart("Accuracy of validation", lines(history, _TOP), shares),
        *(line_chart(title, _both(history, loss), epochs) for loss, title in _losses(history).items()),
        _rates(history, epochs),
    ]
    return [each for each in wanted if each is not None]


def _measured() -> Iterator[tuple[str, dict[str, str]]]:
    for letter, of in _OF.items():
        both = (("mAP", ("mAP50", "mAP50-95")), ("Precision and recall", ("precision", "recall")))
        for title, names in both:
            yield f"{title}{of} in validation", {f"metrics/{name}({letter})": name for name in names}


def lines(history: Mapping[str, Sequence[float]], columns: Mapping[str, str]) -> list[Line]:
    """Columns that are there, as lines over the epochs."""
    epochs = history.get("epoch", ())
    return [
        Line(name, list(zip(epochs, history[column], strict=True)))
        for column, name in columns.items()
        if column in history
    ]


def best_epoch(history: Mapping[str, Sequence[float]]) -> float | None:
    """The epoch whose weights are the best ones, as far as results.csv can say."""
    column = next((name for name in _FITNESS if name in history), "")
    pairs = zip(history[column], history.get("epoch", ()), strict=True) if column else ()
    finite = [(value, epoch) for value, epoch in pairs if math.isfinite(value) and math.isfinite(epoch)]
    return max(finite)[1] if finite else None


def _losses(history: Mapping[str, Sequence[float]]) -> dict[str, str]:
    found = dict.fromkeys(name.partition("/")[2] for name in history if name.startswith("train/"))
    return {name: _LOSSES.get(name, name.replace("_", " ").capitalize()) for name in found}


def _both(history: Mapping[str, Sequence[float]], loss: str) -> list[Line]:
    return lines(history, {f"train/{loss}": "training", f"val/{loss}": "validation"})


def _rates(history: Mapping[str, Sequence[float]], axes: Axes) -> Chart | None:
    """One line for the groups of parameters that have the same rate all along; what would press them flat is told."""
    groups = [name for name in history if name.startswith("lr/")]
    different: dict[tuple[float, ...], str] = {}
    for index, name in enumerate(groups):
        known = _GROUPS[index] if 3 <= len(groups) <= len(_GROUPS) else f"group {index}"
        different.setdefault(tuple(history[name]), known)
    usual = _highest(next(iter(different), ()))
    drawn = {rates: name for rates, name in different.items() if _highest(rates) <= _APART * usual}
    apart = [f"{name} start at {number(_highest(rates))}" for rates, name in different.items() if rates not in drawn]
    note = f"not drawn: {' and '.join(apart)}, to warm up" if apart else ""
    epochs = history.get("epoch", ())
    names = drawn.items() if len(drawn) > 1 else ((rates, "learning rate") for rates in drawn)
    found = [Line(name, list(zip(epochs, rates, strict=True))) for rates, name in names]
    return line_chart("Learning rate", found, axes, note)


def _highest(rates: Sequence[float]) -> float:
    return max((rate for rate in rates if math.isfinite(rate)), default=0.0)


def _table(history: Mapping[str, Sequence[float]]) -> Table | None:
    names = [name for name in history if name != "epoch"]
    if not names or "epoch" not in history:
        return None
    rows = [
        [number(epoch), *(number(history[name][index]) for name in names)]
        for index, epoch in enumerate(history["epoch"])
    ]
    return Table("results.csv", ["epoch", *names], rows, range(1, len(names) + 1))
