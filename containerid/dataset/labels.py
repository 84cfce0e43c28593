"""One label file, line by line, as Ultralytics would take it and as it should be."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from containerid.dataset.findings import ERROR, INFO, WARNING
from containerid.dataset.rows import Row, Said, content, decode, parse

TOLERANCE = 0.01
"""How far outside 0 to 1 Ultralytics lets a coordinate be."""
ROUNDING = 2e-4
"""What four decimals can add to how far a box reaches from the image's middle, the edge being 1."""
_NOISE = 1e-6
"""How far outside 0 to 1 a number may be that is 1 but for the rounding of whatever wrote it."""
_NOTHING = 2**-24
"""Below this a side vanishes: its ends are the same number in the 32 bits that a trainer keeps."""
ALIKE = 0.95
"""Share of their union from which two boxes of one class are taken for one that was drawn twice."""
TRIANGLE = "label-triangle"
"""A row of 7 columns: a triangle in a set of polygons, a box and two more numbers in any other."""
KEYPOINTS = "label-keypoints"
"""A row that is not what a set of keypoints has; an error in a set that is for poses alone."""
_EACH = 10
"""Findings of one kind that a file gets; the last says how many more there are."""
_BOX = "class, centre x, centre y, width, height"

Keypoints = tuple[int, int]
"""How many keypoints a row has after its box, and 2 or 3 numbers each: x, y and, with 3, how well it is seen."""


def columns(keypoints: Keypoints | None) -> int:
    """How many numbers a row with keypoints has; 0 for a set without."""
    return 5 + keypoints[0] * keypoints[1] if keypoints else 0


class Read(NamedTuple):
    """What reading a label gave.

    Attributes:
        rows: lines that hold something.
        classes: boxes per class index, of rows that can be used.
        said: what is to be said about it.
        polygons: rows of nine and more columns, and no keypoints.
    """

    rows: list[Row]
    classes: Counter[int]
    said: list[Said]
    polygons: int


def read(path: str, classes: int, width: int = 0, height: int = 0, keypoints: Keypoints | None = None) -> Read:
    """Read a label file.

    Args:
        path: of the file.
        classes: how many there are.
        width: of its image in pixels; 0 unknown.
        height: of its image in pixels; 0 unknown.
        keypoints: of a row, as data.yaml has them; None where it has none.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        data = content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return Read([], Counter(), [(0, "label-unreadable", ERROR, f"cannot be read ({error.strerror})", "")], 0)
    text, said = decode(data)
    rows = parse(text)
    counted: Counter[int] = Counter()
    if not rows and not any(severity == ERROR for _, _, severity, *_ in said):
        said.append((0, "label-empty", INFO, "the label is empty: a background image", ""))
    said += _few(_judge(rows, classes, counted, keypoints))
    said += _overlaps(rows, said)
    if width and height:
        said += _sizes(rows, width, height)
    return Read(rows, counted, said, sum(9 <= len(row.words) != columns(keypoints) for row in rows))


def _few(said: Iterator[Said]) -> Iterator[Said]:
    kept: dict[str, list[Said]] = {}
    for each in said:
        kept.setdefault(each[1], []).append(each)
    for found in kept.values():
        yield from found[: _EACH - 1]
        if len(found) >= _EACH:
            line, kind, severity, message, fix = found[_EACH - 1]
            more = len(found) - _EACH
            yield line, kind, severity, f"{message} (and {more} more like it)" if more else message, fix


def _judge(rows: Sequence[Row], classes: int, counted: Counter[int], keypoints: Keypoints | None) -> Iterator[Said]:
    seen: set[tuple[float, ...]] = set()
    widths = {len(row.words) for row in rows}
    posed = columns(keypoints)
    polygons = [row for row in rows if len(row.numbers) >= 7 and len(row.numbers) % 2 and len(row.numbers) != posed]
    for row in rows:
        if row.numbers:
            values = tuple(row.numbers)
            if values in seen:
                yield row.line, "label-duplicate", WARNING, "the same box stands above", "remove one of them"
                continue
            seen.add(values)
        yield from ((row.line, *each) for each in _row(row, classes, counted, keypoints))
    if polygons and 5 in widths:
        yield polygons[0].line, "label-mixed", *_mixed(polygons)
    elif long := [row for row in polygons if len(row.words) > 7]:
        message = f"{len(long)} polygon{'s' * (len(long) > 1)}; the box around each will be used"
        yield long[0].line, "label-polygon", WARNING, message, "train a segment model, or write boxes"


def _mixed(polygons: Sequence[Row]) -> tuple[str, str, str]:
    if min(len(row.numbers) for row in polygons) == 7:
        return ERROR, "polygons among boxes: Ultralytics drops the whole image", "write them all as boxes"
    return WARNING, "polygons among boxes; the box around each will be used", "write them all as boxes"


def _row(
    row: Row, classes: int, counted: Counter[int], keypoints: Keypoints | None
) -> Iterator[tuple[str, str, str, str]]:
    count, posed = len(row.words), columns(keypoints)
    if keypoints and row.numbers and count != posed:
        message = f"{count} columns instead of {posed} (class, box, {keypoints[0]} keypoints of {keypoints[1]} numbers)"
        yield KEYPOINTS, ERROR, message, "write it anew, or correct `kpt_shape`"
    if not row.numbers:
        yield _unreadable(row.words)
    elif count not in {5, posed} and (count < 7 or count % 2 == 0):
        yield "label-columns", ERROR, f"{count} columns instead of 5 ({_BOX})", "write it anew"
    else:
        good = list(_class(row, classes))
        yield from good
        if not any(severity == ERROR for _, severity, *_ in good):
            counted[int(row.numbers[0])] += 1
        if keypoints and count == posed:
            yield from _box(row.numbers[1:5])
            yield from _points(row.numbers[5:], keypoints[1])
        else:
            yield from _box(row.numbers[1:]) if count == 5 else _polygon(row.numbers[1:])


def _unreadable(words: Sequence[str]) -> tuple[str, str, str, str]:
    text = " ".join(words)[:60]
    for mark, name in ((",", "commas"), (";", "semicolons"), ("|", "bars")):
        if mark in text:
            return "label-format", ERROR, f"{name} instead of spaces: {text}", "separate the numbers by spaces"
    if words[0].isidentifier() and words[0].lower() not in {"nan", "inf", "infinity"}:
        return "label-format", ERROR, f"a class's name instead of its number: {text}", "write the number"
    return "label-format", ERROR, f"not five finite numbers: {text}", "write it anew"


def _class(row: Row, classes: int) -> Iterator[tuple[str, str, str, str]]:
    word, index = row.words[0], row.numbers[0]
    if index != int(index) or not 0 <= index < classes:
        message = f"class {word[:20]} is none of 0 to {classes - 1}"
        yield "label-class", ERROR, message, "correct it, or add the class to `names`"
    elif not word.isdigit():
        yield "label-class-form", WARNING, f"the class is written {word[:20]}, not {int(index)}", f"write {int(index)}"


def _outside(numbers: Sequence[float]) -> tuple[str, str, str, str] | None:
    least, most = min(numbers), max(numbers)
    if least >= -TOLERANCE and most <= 1 + TOLERANCE:
        return None
    worst = most if most > 1 + TOLERANCE else least
    pixels = most > 2
    advice = "divide by the image's width and height" if pixels else "correct it"
    return "label-range", ERROR, f"{worst:g} lies outside 0 to 1{' (pixels?)' * pixels}", advice


def _box(box: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    x, y, width, height = box
    if far := _outside(box):
        yield far
    elif width < _NOTHING or height < _NOTHING:
        yield "label-area", ERROR, f"the box has no area: {width:g} x {height:g}", "remove it"
    elif min(box) < -_NOISE or max(box) > 1 + _NOISE:
        yield "label-edge", WARNING, "a number lies a little outside 0 to 1", "cut the box at the image's edge"
    elif max(abs(2 * x - 1) + width, abs(2 * y - 1) + height) > 1 + ROUNDING:
        yield "label-edge", WARNING, "the box reaches over the edge of the image", "cut it at the image's edge"


def _points(numbers: Sequence[float], each: int) -> Iterator[tuple[str, str, str, str]]:
    places = [numbers[at + axis] for at in range(0, len(numbers), each) for axis in (0, 1)]
    if far := _outside(places):
        yield far
    elif each == 3 and min(numbers[2::3]) < 0:
        yield "label-range", ERROR, f"a keypoint is seen {min(numbers[2::3]):g}", "write 0, 1 or 2"


def _polygon(points: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    xs, ys = points[::2], points[1::2]
    far = _outside(points)
    if len(points) == 6 and (far or _may_be_box(points)):
        # Whether it may be a triangle after all, the other labels of the set tell.
        kind = "label-columns" if far else TRIANGLE
        yield kind, ERROR, f"7 columns instead of 5 ({_BOX})", "write it anew"
    elif far:
        yield far
    elif max(xs) <= min(xs) or max(ys) <= min(ys):
        yield "label-area", ERROR, "the polygon has no area", "remove it"
    elif len(points) == 6:
        yield "label-polygon", WARNING, "a polygon; the box around it will be used", "write a box"
    elif min(points) < -_NOISE or max(points) > 1 + _NOISE:
        yield "label-edge", WARNING, "a number lies a little outside 0 to 1", "cut the polygon at the image's edge"


def _may_be_box(points: Sequence[float]) -> bool:
    x, y, width, height = points[:4]
    return min(width, height) > 0 and max(abs(2 * x - 1) + width, abs(2 * y - 1) + height) <= 1 + ROUNDING


def _overlaps(rows: Sequence[Row], said: Sequence[Said]) -> list[Said]:
    if len(rows) < 2:
        return []
    wrong = {line for line, _, severity, *_ in said if severity == ERROR}
    boxes = [row for row in rows if len(row.numbers) == 5 and row.line not in wrong]
    boxes.sort(key=lambda row: row.numbers[1])
    found = []
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            # Boxes that are alike are about as wide, and lie closer than that: a label may hold thousands.
            if other.numbers[1] - one.numbers[1] > (1 - ALIKE) * one.numbers[3]:
                break
            if one.numbers[0] == other.numbers[0] and ALIKE < _overlap(one.numbers[1:], other.numbers[1:]) < 1 - 1e-9:
                line = max(one.line, other.line)
                found.append((line, "label-overlap", WARNING, "nearly the same box stands above", "remove one of them"))
    return list(_few(iter(found)))


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


def _sizes(rows: Sequence[Row], width: int, height: int) -> Iterator[Said]:
    for row in rows:
        if len(row.numbers) == 5:
            across, down = row.numbers[3] * width, row.numbers[4] * height
            if 0 < min(across, down) < 2:
                message = f"the box is {across:.1f} x {down:.1f} pixels"
                yield row.line, "label-tiny", INFO, message, "see whether it is meant"
            elif min(row.numbers[3:]) >= 0.999 and max(row.numbers[3:]) <= 1:
                yield row.line, "label-whole", INFO, "the box is the whole image", "see whether it is meant"
