"""Boxes of a label beside one another, and beside their image."""

from collections.abc import Iterator, Sequence

from containerid.dataset.findings import INFO, WARNING
from containerid.dataset.rows import Row, Said

ALIKE = 0.95
"""Share of their union from which two boxes of one class are taken for one that was drawn twice."""


def overlaps(rows: Sequence[Row]) -> Iterator[Said]:
    """Boxes of one class that were drawn twice."""
    boxes = sorted((row for row in rows if len(row.numbers) == 5), key=lambda row: row.numbers[1])
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            # Boxes that are alike are about as wide, and lie closer than that: a label may hold thousands.
            if other.numbers[1] - one.numbers[1] > (1 - ALIKE) * one.numbers[3]:
                break
            if one.numbers[0] == other.numbers[0] and ALIKE < _overlap(one.numbers[1:], other.numbers[1:]) < 1 - 1e-9:
                line = max(one.line, other.line)
                yield line, "label-overlap", WARNING, "nearly the same box stands above", "remove one of them"


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union."""
    width, height = (
        min(one[axis] + one[axis + 2] / 2, other[axis] + other[axis + 2] / 2)
        - max(one[axis] - one[axis + 2] / 2, other[axis] - other[axis + 2] / 2)
        for axis in (0, 1)
    )
    shared = max(0.0, width) * max(0.0, height)
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union > 0 else 0.0


def sizes(rows: Sequence[Row], width: int, height: int) -> Iterator[Said]:
    """Boxes that are suspiciously small or large, of an image of this many pixels."""
    for row in rows:
        if len(row.numbers) == 5:
            across, down = row.numbers[3] * width, row.numbers[4] * height
            if 0 < min(across, down) < 2:
                message = f"the box is {across:.1f} x {down:.1f} pixels"
                yield row.line, "label-tiny", INFO, message, "see whether it is meant"
            elif min(row.numbers[3:]) >= 0.999 and max(row.numbers[3:]) <= 1:
                yield row.line, "label-whole", INFO, "the box is the whole image", "see whether it is meant"
