"""How a training went, epoch by epoch, as charts from results.csv."""

import math
from collections.abc import Mapping, Sequence

from containerid.report.charts import Axes, Chart, Line, line_chart, number
from containerid.report.outputs import Outputs
from containerid.report.page import Block, Charts, More, Section, Table

_LOSSES = {
    "box_loss": "Box loss",
    "cls_loss": "Class loss",
    "dfl_loss": "Distribution focal loss",
    "seg_loss": "Mask loss",
}
_MAP = {"metrics/mAP50(B)": "mAP50", "metrics/mAP50-95(B)": "mAP50-95"}
_RATES = {"metrics/precision(B)": "precision", "metrics/recall(B)": "recall"}
_TOP = {"metrics/accuracy_top1": "top 1", "metrics/accuracy_top5": "top 5"}
_FITNESS = ("metrics/mAP50-95(B)", "metrics/accuracy_top1")


def section(outputs: Outputs) -> Section:
    """The section about the training."""
    history = outputs.history
    blocks: list[Block] = []
    if found := charts(history, outputs.metadata.number("best_epoch")):
        blocks.append(Charts(found))
    if table := _table(history):
        blocks.append(More(f"Every number of {len(table.rows)} epochs", [table]))
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
        line_chart("mAP of validation", lines(history, _MAP), shares),
        line_chart("Precision and recall of validation", lines(history, _RATES), shares),
        line_chart("Accuracy of validation", lines(history, _TOP), shares),
        *(line_chart(title, _both(history, loss), epochs) for loss, title in _losses(history).items()),
        line_chart("Learning rate", lines(history, _rates(history)), Axes(x="epoch", low=0, whole=True)),
    ]
    return [each for each in wanted if each is not None]


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
    pairs = zip(history.get(column, ()), history.get("epoch", ()), strict=True)
    finite = [(value, epoch) for value, epoch in pairs if math.isfinite(value) and math.isfinite(epoch)]
    return max(finite)[1] if len(finite) > 1 else None


def _losses(history: Mapping[str, Sequence[float]]) -> dict[str, str]:
    found = dict.fromkeys(name.partition("/")[2] for name in history if name.startswith("train/"))
    return {name: _LOSSES.get(name, name.replace("_", " ").capitalize()) for name in found}


def _both(history: Mapping[str, Sequence[float]], loss: str) -> list[Line]:
    return lines(history, {f"train/{loss}": "training", f"val/{loss}": "validation"})


def _rates(history: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """One line for the parameter groups that have the same rate all along."""
    different: dict[tuple[float, ...], str] = {}
    for name in history:
        if name.startswith("lr/"):
            different.setdefault(tuple(history[name]), name)
    return {name: name.partition("/")[2] for name in different.values()}


def _table(history: Mapping[str, Sequence[float]]) -> Table | None:
    names = [name for name in history if name != "epoch"]
    if not names or "epoch" not in history:
        return None
    rows = [
        [number(epoch), *(number(history[name][index]) for name in names)]
        for index, epoch in enumerate(history["epoch"])
    ]
    return Table("results.csv", ["epoch", *names], rows, range(1, len(names) + 1))
