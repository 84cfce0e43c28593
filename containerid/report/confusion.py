"""What was taken for what: a matrix where it can be read, else its largest entries."""

import math
from collections.abc import Iterator, Sequence

from containerid.report import wording
from containerid.report.outputs import Doc
from containerid.report.page import Block, Table

_MATRIX = 16
"""Classes up to which a confusion matrix is shown whole."""
_CONFUSIONS = 25


def blocks(confusion: Doc, *, boxes: bool = True) -> Iterator[Block]:
    """The matrix as a table, or its largest entries; nothing where it is none.

    Args:
        confusion: `names` and `matrix`.
        boxes: it counts boxes, the last name may be `background`: nothing is there, or nothing was seen. Else images.
    """
    names, matrix = confusion.texts("names"), confusion.rows("matrix")
    if not names or len(matrix) != len(names) or any(len(row) != len(names) for row in matrix):
        return
    at = confusion.number("conf")
    where = f" at confidence {at:g}" if at is not None else ""
    if len(names) > _MATRIX:
        yield from _confusions(names, matrix, where, "boxes" if boxes else "images")
        return
    told = f"What was taken for what{where}"
    note = "Rows are predictions, columns are the truth."
    background = boxes and names[-1] == "background"
    head = ["taken for", *(f"{name} (nothing there)" if background and name is names[-1] else name for name in names)]
    labels = [*names[:-1], "not seen"] if background else names
    rows = [[label, *(wording.count(cell) for cell in row)] for label, row in zip(labels, matrix, strict=True)]
    yield Table(told, head, rows, range(1, len(head)), _shades(matrix, background=background), note)


def _shades(matrix: Sequence[Sequence[float]], *, background: bool) -> list[list[int | None]]:
    """Each cell's share of its column, from 0 to 9: a column is all that there is of a class.

    Of what is nothing there is no such number; what was seen there is set against all that was seen of the class.
    """
    wholes = [_whole(column) for column in zip(*matrix, strict=True)]
    shades = []
    for row in matrix:
        against = [*wholes[:-1], _whole(row)] if background else wholes
        shades.append([None, *(_shade(cell, whole) for cell, whole in zip(row, against, strict=True))])
    return shades


def _whole(cells: Sequence[float]) -> float:
    return sum(cell for cell in cells if math.isfinite(cell))


def _shade(cell: float, whole: float) -> int:
    return min(9, math.ceil(9 * cell / whole)) if math.isfinite(cell) and whole > 0 and cell > 0 else 0


def _confusions(names: Sequence[str], matrix: Sequence[Sequence[float]], where: str, counted: str) -> Iterator[Block]:
    cells = [
        (cell, names[true], names[predicted])
        for predicted, row in enumerate(matrix)
        for true, cell in enumerate(row)
        if predicted != true and cell > 0
    ]
    worst = sorted(cells, key=lambda each: -each[0])[:_CONFUSIONS]
    rows = [[true, predicted, wording.count(cell)] for cell, true, predicted in worst]
    if rows:
        yield Table(f"The most frequent confusions{where}", ["what is there", "taken for", counted], rows, {2})
