"""One label file, line by line, as Ultralytics would take it and as it should be."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from containerid.dataset.boxes import overlaps, sizes
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
TRIANGLE = "label-triangle"
"""A row of 7 columns: a triangle in a set of polygons, a box and two more numbers in any other."""
_EACH = 10
"""Findings of one kind that a file gets; the last says how many more there are."""
_BOX = "class, centre x, centre y, width, height"
_ANEW = "write it anew"
MANY = 1 << 20
"""Classes, where nobody says how many there are."""


class Shape(NamedTuple):
    """What a row is made of.

    Attributes:
        task: `segment` and `obb` want polygons, `pose` keypoints behind each box; all else wants boxes.
        points: keypoints of a box; 0 when data.yaml has no `kpt_shape`.
        numbers: of each keypoint, 2 or 3.
    """

    task: str = "detect"
    points: int = 0
    numbers: int = 0

    @property
    def outlines(self) -> bool:
        """Rows are polygons."""
        return self.task in {"segment", "obb"}

    def is_pose(self, count: int) -> bool:
        """Whether so many columns are a box with its keypoints: a detector is trained on the box alone."""
        return self.points > 0 and not self.outlines and count == 5 + self.points * self.numbers

    def fault(self, count: int) -> str:
        """What is wrong with so many columns; empty when nothing is."""
        if self.task == "pose" and self.points:
            wanted = 5 + self.points * self.numbers
            there = f"class, box, {self.points} keypoints of {self.numbers} numbers"
            return "" if count == wanted else f"{count} columns instead of {wanted} ({there})"
        if self.is_pose(count) or (count >= 7 and count % 2) or self.task == "pose":
            return ""
        if self.outlines:
            return f"{count} columns instead of a class and three pairs of x and y or more"
        return "" if count == 5 else f"{count} columns instead of 5 ({_BOX})"


BOXES = Shape()


class Read(NamedTuple):
    """What reading a label gave.

    Attributes:
        rows: lines that hold something.
        classes: boxes per class index, of rows that can be used.
        said: what is to be said about it.
        polygons: rows of nine and more columns.
    """

    rows: list[Row]
    classes: Counter[int]
    said: list[Said]
    polygons: int


def read(path: str, classes: int, width: int = 0, height: int = 0, shape: Shape = BOXES) -> Read:
    """Read a label file.

    Args:
        path: of the file.
        classes: how many there are.
        width: of its image in pixels; 0 unknown.
        height: of its image in pixels; 0 unknown.
        shape: of a row.

    Raises:
        FileNotFoundError: there is none.
    """
    try:
        data = content(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return Read([], Counter(), [(0, "label-unreadable", ERROR, f"cannot be read ({error.strerror})", _ANEW)], 0)
    text, said = decode(data)
    return judge(text, said, classes, (width, height), shape)


def judge(text: str, said: list[Said], classes: int, size: tuple[int, int], shape: Shape) -> Read:
    """The same of a label's text, with what is said of its encoding."""
    rows = parse(text)
    counted: Counter[int] = Counter()
    if not rows and not any(severity == ERROR for _, _, severity, *_ in said):
        said.append((0, "label-empty", INFO, "the label is empty: a background image", ""))
    said += _few(_judge(rows, classes, shape, counted))
    if not shape.outlines:
        wrong = {line for line, _, severity, *_ in said if severity == ERROR}
        said += _few(overlaps([row for row in rows if row.line not in wrong]))
        said += sizes(rows, *size) if all(size) else []
    polygons = sum(len(row.words) >= 9 and not shape.is_pose(len(row.words)) for row in rows)
    return Read(rows, counted, said, polygons)


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


def _judge(rows: Sequence[Row], classes: int, shape: Shape, counted: Counter[int]) -> Iterator[Said]:
    seen: set[tuple[float, ...]] = set()
    for row in rows:
        if row.numbers:
            values = tuple(row.numbers)
            if values in seen:
                yield row.line, "label-duplicate", WARNING, "the same box stands above", "remove one of them"
                continue
            seen.add(values)
        yield from ((row.line, *each) for each in _row(row, classes, shape, counted))
    if any(len(row.words) > 5 for row in rows) and not shape.outlines and shape.task != "pose":
        yield from _polygons(rows, shape)


def _polygons(rows: Sequence[Row], shape: Shape) -> Iterator[Said]:
    """What boxes are made of: one word a file."""
    widths = {5 if shape.is_pose(len(row.words)) else len(row.words) for row in rows}
    polygons = [
        row for row in rows if len(row.numbers) >= 7 and len(row.numbers) % 2 and not shape.is_pose(len(row.numbers))
    ]
    if polygons and 5 in widths:
        yield polygons[0].line, "label-mixed", *_mixed(polygons)
    elif long := [row for row in polygons if len(row.words) > 7]:
        message = f"{len(long)} polygon{'s' * (len(long) > 1)}; the box around each will be used"
        yield long[0].line, "label-polygon", WARNING, message, "train a segment model, or write boxes"


def _mixed(polygons: Sequence[Row]) -> tuple[str, str, str]:
    if min(len(row.numbers) for row in polygons) == 7:
        return ERROR, "polygons among boxes: Ultralytics drops the whole image", "write them all as boxes"
    return WARNING, "polygons among boxes; the box around each will be used", "write them all as boxes"


def _row(row: Row, classes: int, shape: Shape, counted: Counter[int]) -> Iterator[tuple[str, str, str, str]]:
    count = len(row.words)
    if not row.numbers:
        yield _unreadable(row.words)
    elif shape.outlines and count == 5:
        yield "label-box", ERROR, "a box where a polygon is needed: Ultralytics refuses the set", "write a polygon"
    elif not (count == 5 and shape.task == "detect") and (fault := shape.fault(count)):
        yield "label-columns", ERROR, fault, _ANEW
    else:
        good = list(_class(row, classes))
        yield from good
        if not any(severity == ERROR for _, severity, *_ in good):
            counted[int(row.numbers[0])] += 1
        yield from _shape(row.numbers[1:], shape)


def _shape(numbers: Sequence[float], shape: Shape) -> Iterator[tuple[str, str, str, str]]:
    if shape.outlines:
        yield from _outline(numbers)
    elif shape.is_pose(len(numbers) + 1):
        yield from _box(numbers[:4])
        if shape.task == "pose" and (far := _keypoint(numbers[4:], shape.numbers)):
            yield far
    elif shape.task == "pose" or len(numbers) == 4:
        yield from _box(numbers[:4])
    else:
        yield from _polygon(numbers)


def _keypoint(numbers: Sequence[float], each: int) -> tuple[str, str, str, str] | None:
    """What lies outside of the image; the third number says whether a keypoint can be seen."""
    seen = [-1.0 for number in numbers[2::3] if number < 0] if each == 3 else []
    return _outside([*numbers[::each], *numbers[1::each], *seen])


def _unreadable(words: Sequence[str]) -> tuple[str, str, str, str]:
    text = " ".join(words)[:60]
    for mark, name in ((",", "commas"), (";", "semicolons"), ("|", "bars")):
        if mark in text:
            return "label-format", ERROR, f"{name} instead of spaces: {text}", "separate the numbers by spaces"
    if words[0].isidentifier() and words[0].lower() not in {"nan", "inf", "infinity"}:
        return "label-format", ERROR, f"a class's name instead of its number: {text}", "write the number"
    return "label-format", ERROR, f"not finite numbers: {text}", _ANEW


def _class(row: Row, classes: int) -> Iterator[tuple[str, str, str, str]]:
    word, index = row.words[0], row.numbers[0]
    if index != int(index) or not 0 <= index < classes:
        known = f"none of 0 to {classes - 1}" if classes < MANY else "no class"
        message = f"class {word[:20]} is {known}"
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


def _polygon(points: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    """A polygon in a set of boxes."""
    far = _outside(points)
    if len(points) == 6 and (far or _may_be_box(points)):
        # Whether it may be a triangle after all, the other labels of the set tell.
        kind = "label-columns" if far else TRIANGLE
        yield kind, ERROR, f"7 columns instead of 5 ({_BOX})", _ANEW
        return
    found = list(_outline(points))
    yield from found
    if len(points) == 6 and not any(severity == ERROR for _, severity, *_ in found):
        yield "label-polygon", WARNING, "a polygon; the box around it will be used", "write a box"


def _outline(points: Sequence[float]) -> Iterator[tuple[str, str, str, str]]:
    xs, ys = points[::2], points[1::2]
    if far := _outside(points):
        yield far
    elif max(xs) <= min(xs) or max(ys) <= min(ys):
        yield "label-area", ERROR, "the polygon has no area", "remove it"
    elif min(points) < -_NOISE or max(points) > 1 + _NOISE:
        yield "label-edge", WARNING, "a number lies a little outside 0 to 1", "cut the polygon at the image's edge"


def _may_be_box(points: Sequence[float]) -> bool:
    x, y, width, height = points[:4]
    return min(width, height) > 0 and max(abs(2 * x - 1) + width, abs(2 * y - 1) + height) <= 1 + ROUNDING
