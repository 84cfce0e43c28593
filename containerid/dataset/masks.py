"""Masks as tools write them, run by run, and the outlines of what they cover."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from containerid.dataset.geometry import Outline, Point, area, thin

_STAIRS = 1.0
"""Pixels: what makes a slope of the stairs that a slanting edge is in a mask."""
_MOST = 1 << 17
"""Pixels: no side is longer."""
_KEPT = 0.8
"""Share of its area that an outline without stairs has at least."""
Run = tuple[int, int]
"""The first pixel of a row or a column that is covered, and the first one after it that is not."""
_Graph = dict[Point, list[Point]]


def letters(text: str) -> list[int]:
    """The lengths of runs in COCO's compressed form: six bits a letter, from the third on as differences.

    Raises:
        ValueError: it ends in the middle of a number, or has a letter that stands for none.
    """
    counts: list[int] = []
    value = bits = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64:
            raise ValueError("no run length")
        value |= (code & 31) << bits
        bits += 5
        if not code & 32:
            if code & 16:
                value -= 1 << bits
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = bits = 0
    if bits:
        raise ValueError("no run length")
    return counts


def runs(counts: Sequence[int], length: int, lines: int) -> dict[int, list[Run]]:
    """Covered runs by line, of lengths that count off a mask line by line: not covered, covered, not covered, ….

    Args:
        counts: the lengths.
        length: pixels of a line.
        lines: how many there are.

    Raises:
        ValueError: they are not the lengths of so many pixels.
    """
    fits = 0 < length < _MOST and 0 < lines < _MOST and min(counts, default=-1) >= 0
    if not fits or sum(counts) > length * lines:
        raise ValueError("no mask of that size")
    found: dict[int, list[Run]] = defaultdict(list)
    at = 0
    for index, count in enumerate(counts):
        end = at + count
        while index % 2 and at < end:
            line, first = divmod(at, length)
            last = min(end - line * length, length)
            _extend(found[line], first, last)
            at = line * length + last
        at = end
    return found


def _extend(line: list[Run], first: int, last: int) -> None:
    # A run of no length parts what belongs together.
    if line and line[-1][1] == first:
        first = line.pop()[0]
    line.append((first, last))


def outlines(rows: Mapping[int, Sequence[Run]]) -> tuple[list[Outline], int]:
    """The outer outlines of a mask, along the edges of its pixels, and how many holes are in it.

    Pixels that touch at a corner alone are two areas.

    Args:
        rows: covered runs by row.
    """
    found = list(_loops(_edges(rows)))
    return [_slopes(loop) for loop in found if area(loop) > 0], sum(area(loop) < 0 for loop in found)


def _slopes(loop: Outline) -> Outline:
    """An outline without stairs, unless that leaves too little of a small one."""
    found = thin(loop, _STAIRS)
    return found if area(found) > _KEPT * area(loop) else thin(loop, 0)


def across(columns: Mapping[int, Sequence[Run]]) -> tuple[list[Outline], int]:
    """The same of covered runs by column."""
    found, holes = outlines(columns)
    return [[(y, x) for x, y in outline] for outline in found], holes


def _edges(rows: Mapping[int, Sequence[Run]]) -> _Graph:
    """Edges between what is covered and what is not, which lies on their left as one walks along them."""
    graph: _Graph = defaultdict(list)
    for row in sorted(rows.keys() | {row + 1 for row in rows}):
        above, here = rows.get(row - 1, ()), rows.get(row, ())
        for first, last in here:
            graph[first, row + 1].append((first, row))
            graph[last, row].append((last, row + 1))
        for first, last in _without(here, above):
            graph[first, row].append((last, row))
        for first, last in _without(above, here):
            graph[last, row].append((first, row))
    return graph


def _without(runs_: Sequence[Run], others: Sequence[Run]) -> Iterator[Run]:
    """What is in the runs and not in the others; both are in order."""
    for first, last in runs_:
        at = first
        for begin, end in others:
            if end > at and begin < last:
                if begin > at:
                    yield at, begin
                at = max(at, end)
        if at < last:
            yield at, last


def _loops(graph: _Graph) -> Iterator[Outline]:
    for start in sorted(graph):
        while graph[start]:
            loop = [start]
            point = graph[start].pop()
            while point != start:
                following = graph[point]
                before = loop[-1]
                loop.append(point)
                # Where two areas touch at a corner, a turn to the right stays with the one that was followed so far.
                point = following.pop(_right(before, point, following) if len(following) > 1 else 0)
            yield loop


def _right(before: Point, point: Point, following: Sequence[Point]) -> int:
    way = (point[0] - before[0], point[1] - before[1])
    turns = [way[0] * (y - point[1]) - way[1] * (x - point[0]) for x, y in following]
    return turns.index(max(turns))
