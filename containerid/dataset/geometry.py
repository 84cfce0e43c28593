"""Outlines on an image, in pixels: cut, joined, thinned, and the smallest rectangle around them. Pure arithmetic."""

import math
from collections.abc import Iterator, Sequence

Point = tuple[float, float]
"""x to the right and y down, from the image's upper left corner."""
Outline = Sequence[Point]
"""The corners of a polygon in their order; the last is joined to the first."""
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom of an upright box."""
_ROUND = 48
"""Corners of the polygon that stands for an ellipse; it has 99.7 % of the area."""


def paired(numbers: Sequence[float]) -> list[Point]:
    """Points of x, y, x, y, …. Raises ValueError when they are no three points."""
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError("no polygon")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def around(points: Outline) -> Corners:
    """The upright box around points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def upright(box: Corners) -> list[Point]:
    """The corners of an upright box, clockwise from the upper left."""
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def turned(middle: Point, size: tuple[float, float], degrees: float) -> list[Point]:
    """The corners of a box of this width and height that is turned clockwise about its middle."""
    across, down = size[0] / 2, size[1] / 2
    return [_turn(middle, x, y, degrees) for x, y in upright((-across, -down, across, down))]


def ellipse(middle: Point, radii: tuple[float, float], degrees: float) -> list[Point]:
    """A polygon on an ellipse that is turned clockwise about its middle."""
    steps = (2 * math.pi * step / _ROUND for step in range(_ROUND))
    return [_turn(middle, radii[0] * math.cos(step), radii[1] * math.sin(step), degrees) for step in steps]


def _turn(middle: Point, x: float, y: float, degrees: float) -> Point:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return middle[0] + x * cosine - y * sine, middle[1] + x * sine + y * cosine


def area(outline: Outline) -> float:
    """What it encloses; negative where it runs anticlockwise on the screen."""
    following = (*outline[1:], *outline[:1])
    return math.fsum(x * v - u * y for (x, y), (u, v) in zip(outline, following, strict=True)) / 2


def cut(outline: Outline, width: float, height: float) -> list[Point]:
    """The part of a polygon that lies in the image; empty for none.

    Sutherland and Hodgman's way: where a hollow polygon falls into pieces, they stay joined along the edge.
    """
    points = list(outline)
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        if any(sign * (point[axis] - limit) < 0 for point in points):
            points = list(_half(points, axis, limit, sign))
    return points


def _half(points: Outline, axis: int, limit: float, sign: int) -> Iterator[Point]:
    before = points[-1]
    for point in points:
        inside, was = (sign * (each[axis] - limit) >= 0 for each in (point, before))
        if inside != was:
            share = (limit - before[axis]) / (point[axis] - before[axis])
            other = before[1 - axis] + share * (point[1 - axis] - before[1 - axis])
            yield (limit, other) if axis == 0 else (other, limit)
        if inside:
            yield point
        before = point


def hull(points: Outline) -> list[Point]:
    """The convex hull, clockwise on the screen; two points or one where all lie on a line (Andrew's chain)."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    below, above = _chain(ordered), _chain(ordered[::-1])
    return below[:-1] + above[:-1]


def _chain(points: Outline) -> list[Point]:
    made: list[Point] = []
    for x, y in points:
        while len(made) > 1 and _side(made[-2], made[-1], (x, y)) <= 0:
            made.pop()
        made.append((x, y))
    return made


def _side(one: Point, two: Point, three: Point) -> float:
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])


def smallest_rectangle(points: Outline) -> list[Point]:
    """The corners of the rectangle of least area around points: one of its sides lies on a side of their hull."""
    outer = hull(points)
    best: tuple[float, list[Point]] = (math.inf, [])
    for (x, y), (u, v) in zip(outer, (*outer[1:], *outer[:1]), strict=True):
        length = math.hypot(u - x, v - y)
        if not length:
            continue
        along, across = (u - x) / length, (v - y) / length
        flat = [(px * along + py * across, py * along - px * across) for px, py in outer]
        left, top, right, bottom = around(flat)
        if (right - left) * (bottom - top) < best[0]:
            corners = upright((left, top, right, bottom))
            best = (
                (right - left) * (bottom - top),
                [(a * along - b * across, a * across + b * along) for a, b in corners],
            )
    return best[1]


def join(parts: Sequence[Outline]) -> list[Point]:
    """One polygon of several: a line there and back, where they are nearest, hangs each on what is joined so far.

    So does Ultralytics' own converter. The area is the sum of theirs, as far as they do not overlap.
    """
    made: list[Point] = []
    for part in parts:
        ring = list(part) if area(part) >= 0 else list(part)[::-1]
        if not made:
            made = ring
            continue
        _, at, first = min(
            ((x - u) ** 2 + (y - v) ** 2, at, first)
            for at, (x, y) in enumerate(made)
            for first, (u, v) in enumerate(ring)
        )
        made = [*made[: at + 1], *ring[first:], *ring[: first + 1], *made[at:]]
    return made


def thin(outline: Outline, tolerance: float) -> list[Point]:
    """The polygon with fewer corners: those left out lie no further than the tolerance from it (Douglas, Peucker)."""
    if len(outline) < 5:
        return list(outline)
    far = max(range(len(outline)), key=lambda at: math.dist(outline[0], outline[at]))
    halves = (outline[: far + 1], [*outline[far:], outline[0]])
    return [point for half in halves for point in _thinned(half, tolerance)[:-1]]


def _thinned(line: Outline, tolerance: float) -> list[Point]:
    kept = {0, len(line) - 1}
    todo = [(0, len(line) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        furthest = max(range(first + 1, last), key=lambda at: _off(line[first], line[last], line[at]))
        if _off(line[first], line[last], line[furthest]) > tolerance:
            kept.add(furthest)
            todo += [(first, furthest), (furthest, last)]
    return [line[at] for at in sorted(kept)]


def _off(one: Point, two: Point, point: Point) -> float:
    """How far a point is from the line through two others."""
    length = math.dist(one, two)
    return abs(_side(one, two, point)) / length if length else math.dist(one, point)
