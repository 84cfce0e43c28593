"""results.csv: what each epoch reached."""

import csv
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean

Row = dict[str, float]
FILE = "results.csv"
FITNESS = "metrics/mAP50-95(B)"
"""By which Ultralytics chooses the best epoch of a detector."""
_ACCURACY = ("metrics/accuracy_top1", "metrics/accuracy_top5")
"""Whose mean it takes of a classifier."""


def read(out: Path) -> list[Row]:
    """One row an epoch, by the names of its columns; none where there is no such file, or no such trainer.

    What is no number is left out of its row.
    """
    rows: list[Row] = []
    with suppress(OSError, csv.Error), (out / FILE).open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            row: Row = {}
            for name, value in line.items():
                with suppress(TypeError, ValueError, AttributeError):
                    row[name.strip()] = float(value)
            rows.append(row)
    return rows


def fitness(row: Row) -> float | None:
    """How good an epoch was, as Ultralytics rates it; None where nothing says so."""
    found = [row[name] for name in ((FITNESS,) if FITNESS in row else _ACCURACY) if name in row]
    return fmean(found) if found and not math.isnan(sum(found)) else None


def best(rows: Sequence[Row]) -> Row:
    """The epoch with the best fitness, of equals the last: Ultralytics keeps its weights. Empty where none is rated."""
    rated = [(rating, number) for number, row in enumerate(rows) if (rating := fitness(row)) is not None]
    return rows[max(rated)[1]] if rated else {}


def loss(row: Row, split: str) -> float | None:
    """The sum of an epoch's losses on `train` or `val`; None where it has none."""
    losses = [value for name, value in row.items() if name.startswith(f"{split}/") and name.endswith("loss")]
    return sum(losses) if losses else None


def seconds(rows: Sequence[Row], known: float) -> float:
    """That the training took over all legs; `known` where no curve tells."""
    return max(rows[-1].get("time", 0), known) if rows else known
