"""results.csv: what each epoch reached."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

Row = dict[str, float]
FILE = "results.csv"
FITNESS = "metrics/mAP50-95(B)"
"""By which Ultralytics chooses the best epoch."""


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


def best(rows: Sequence[Row]) -> Row:
    """The epoch with the best fitness, the first of equals; empty where nothing says which it is."""
    rated = [row for row in rows if row.get(FITNESS) == row.get(FITNESS) and FITNESS in row]
    return max(rated, key=lambda row: row[FITNESS]) if rated else {}


def loss(row: Row, split: str) -> float | None:
    """The sum of an epoch's losses on `train` or `val`; None where it has none."""
    losses = [value for name, value in row.items() if name.startswith(f"{split}/") and name.endswith("_loss")]
    return sum(losses) if losses else None


def seconds(rows: Sequence[Row], known: float) -> float:
    """That the training took over all legs; `known` where no curve tells."""
    return max(rows[-1].get("time", 0), known) if rows else known
