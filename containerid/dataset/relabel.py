"""A label written anew, as far as it can be understood without a guess."""

import codecs
import re
from collections.abc import Iterator, Sequence

from containerid.dataset.findings import ERROR
from containerid.dataset.labels import TOLERANCE, Shape, judge
from containerid.dataset.rows import parse, plain

_SEPARATORS = re.compile(r"[;,|]\s*|\s+")
_THIN = 1e-5
"""Share of the image below which a side would be written as nothing."""


class Unclear(Exception):
    """What a row means is anybody's guess; the message says which."""


def relabel(data: bytes, classes: int, *, triangles: bool = False) -> tuple[str, list[str]]:
    """A label's text as it should be, and what was done to it.

    Args:
        data: the file as it is.
        classes: how many there are.
        triangles: rows of 7 columns are such, not boxes with two more numbers.

    Raises:
        Unclear: a row has other columns, class or numbers than a label can have.
    """
    text, done = reencode(data)
    rows, kept = [], set()
    for line, numbers in _rows(text, done):
        again = numbers[-2:] if triangles and len(numbers) == 7 else []
        box = _box(line, numbers + again, classes, done)
        if box is None:
            continue
        written = f"{int(numbers[0])} {' '.join(f'{each:.6f}'.rstrip('0').rstrip('.') for each in box)}"
        if written in kept:
            done.append(f"line {line} stood there twice")
            continue
        kept.add(written)
        rows.append(written)
    if not done:
        return text, []
    return "".join(f"{row}\n" for row in rows), done


def tidy(data: bytes, classes: int, shape: Shape) -> tuple[str, list[str]]:
    """A label of polygons or keypoints: its rows as they are, none twice, and what was done.

    Raises:
        Unclear: a row is none that the task knows.
    """
    text, done = reencode(data)
    said = judge(text, [], classes, (0, 0), shape).said
    for line, _, severity, message, _ in said:
        if severity == ERROR:
            raise Unclear(f"line {line}: {message}")
    twice = {line for line, kind, *_ in said if kind == "label-duplicate"}
    if twice:
        done += [f"line {line} stood there twice" for line in sorted(twice)]
        text = "".join(f"{row}\n" for number, row in enumerate(text.splitlines(), 1) if number not in twice)
    return text, done


def reencode(data: bytes) -> tuple[str, list[str]]:
    """A label's text with its rows as they are, and what was done to its encoding.

    Raises:
        Unclear: it is no text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16"), ["was UTF-16"]
    if data[1::2] and not any(data[1::2]):
        return data.decode("utf-16-le"), ["was UTF-16"]
    done = []
    if data.startswith(codecs.BOM_UTF8):
        done.append("had a byte-order mark")
    if b"\r" in data:
        done.append("had the line ends of Windows")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unclear("it is not UTF-8 text") from error
    clear = plain(text)
    if clear != text and b"\r" not in data:
        done.append("had other white space than spaces")
    return clear, done


def _rows(text: str, done: list[str]) -> Iterator[tuple[int, list[float]]]:
    for row in parse(text):
        words, numbers = row.words, row.numbers
        if not numbers:
            # `0,0.5,0.5,0.4,0.4` is clear; `0 0,5 0,5 0,4 0,4` would come out as nine columns.
            again = parse(" ".join(_SEPARATORS.split(" ".join(words))))
            if not again or len(again[0].numbers) != 5:
                raise Unclear(f"line {row.line}: {' '.join(words)[:60]}")
            done.append(f"line {row.line} had other separators than spaces")
            numbers = again[0].numbers
        elif not words[0].isdigit() and numbers[0] == int(numbers[0]):
            done.append(f"line {row.line} had the class {words[0]}")
        yield row.line, numbers


def _box(line: int, numbers: Sequence[float], classes: int, done: list[str]) -> list[float] | None:
    """A row's box within the image; None when it has no area."""
    index, values = numbers[0], list(numbers[1:])
    if index != int(index) or not 0 <= index < classes:
        raise Unclear(f"line {line}: class {index:g}")
    if not all(-TOLERANCE <= each <= 1 + TOLERANCE for each in values):
        raise Unclear(f"line {line}: numbers outside 0 to 1")
    if len(values) >= 8 and len(values) % 2 == 0:
        done.append(f"line {line} was a polygon")
        corners = [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]
    elif len(values) == 4:
        x, y, width, height = values
        corners = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    else:
        raise Unclear(f"line {line}: {len(numbers)} columns")
    left, top, right, bottom = (min(1.0, max(0.0, each)) for each in corners)
    if right - left < _THIN or bottom - top < _THIN or (len(values) == 4 and min(values[2:]) <= 0):
        done.append(f"line {line} had no area")
        return None
    if [left, top, right, bottom] == corners and len(values) == 4:
        return values
    if len(values) == 4 and max(abs(a - b) for a, b in zip((left, top, right, bottom), corners, strict=True)) > 1e-4:
        done.append(f"line {line} reached over the edge")
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
