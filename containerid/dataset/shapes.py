"""What somebody drew around an object, and the numbers that a label of each task makes of it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from containerid.dataset import geometry as g
from containerid.dataset.tasks import CLASSIFY, DETECT, OBB, POSE, SEGMENT

Size = tuple[float, float]
"""Width and height in pixels; 0 unknown."""
Numbers = tuple[float, ...]
"""What stands after the class in a label: fractions of the image."""
Keypoint = tuple[float, float, int]
"""x, y, and 0 where it is not labelled, 1 where it is hidden, 2 where it is seen."""
_SLACK = 1e-4
"""Share of the longer side that rounding may put a box over the edge without a word."""
_LEAST = 8
"""Pixels: a smaller box shows nothing."""
_NOTHING = 1e-9
"""Share of the image below which an area is none."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A shape on an image, in the pixels that its annotations count in; a source fills in what it has.

    Attributes:
        box: the upright box.
        parts: outlines of the area that it covers; several of one that is parted.
        corners: the four of a turned box.
        keypoints: in the order of the skeleton.
        area: it was drawn as an area, and the box around it is a stopgap.
    """

    box: g.Corners | None = None
    parts: tuple[g.Outline, ...] = ()
    corners: g.Outline = ()
    keypoints: tuple[Keypoint, ...] = ()
    area: bool = False

    @property
    def around(self) -> g.Corners:
        """The upright box, its own or the one around it."""
        return self.box or g.around([*self.corners, *(point for part in self.parts for point in part)])


def boxed(drawn: Drawn, size: Size, counts: Counter[str]) -> Numbers | None:
    """Centre, width and height, cut at the image's edge; None where nothing is left."""
    counts["polygon"] += drawn.area
    counts["turned"] += bool(drawn.corners) and not drawn.area
    return _box(drawn.around, size, counts)


def _box(box: g.Corners, size: Size, counts: Counter[str]) -> Numbers | None:
    across, down = size
    left, right = (min(max(each, 0.0), across) / across for each in (box[0], box[2]))
    top, bottom = (min(max(each, 0.0), down) / down for each in (box[1], box[3]))
    if right <= left or bottom <= top:
        counts["no-area"] += 1
        return None
    counts["clipped"] += _over(box, size)
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _over(box: g.Corners, size: Size) -> bool:
    slack = _SLACK * max(size)
    return min(box) < -slack or box[2] > size[0] + slack or box[3] > size[1] + slack


def outlined(drawn: Drawn, size: Size, counts: Counter[str]) -> Numbers | None:
    """One polygon: what lies in the image of all parts. A box becomes its corners, as in Ultralytics' converter."""
    counts["rectangle"] += not drawn.parts
    parts = drawn.parts or (drawn.corners or _rectangle(drawn.around),)
    inside = _inside(parts, size, counts)
    counts["joined"] += len(inside) > 1
    return _flat(_four(g.join(inside)), size) if inside else None


def _inside(parts: Sequence[g.Outline], size: Size, counts: Counter[str]) -> list[list[g.Point]]:
    inside = [
        part for part in (g.cut(part, *size) for part in parts) if abs(g.area(part)) > _NOTHING * size[0] * size[1]
    ]
    counts["no-area"] += not inside
    counts["clipped"] += bool(inside) and any(_over(g.around(part), size) for part in parts)
    return inside


def _rectangle(box: g.Corners) -> g.Outline:
    return g.upright(box) if box[2] > box[0] and box[3] > box[1] else ()


def _four(outline: Sequence[g.Point]) -> list[g.Point]:
    """A fourth corner on the first side of a triangle: seven columns might be a box and two numbers more."""
    points = list(outline)
    if len(points) == 3:
        (x, y), (u, v) = points[:2]
        points.insert(1, ((x + u) / 2, (y + v) / 2))
    return points


def _flat(points: Sequence[g.Point], size: Size) -> Numbers:
    return tuple(each / side for point in points for each, side in zip(point, size, strict=True))


def cornered(drawn: Drawn, size: Size, counts: Counter[str]) -> Numbers | None:
    """Four corners of a turned box.

    Those that were drawn are kept, and those of a polygon with four. Around any other area, and around what the edge
    leaves of a box, it is the smallest rectangle; its corners are drawn to the edge, as Ultralytics does in training.
    """
    four = drawn.corners or (drawn.parts[0] if len(drawn.parts) == 1 and len(drawn.parts[0]) == 4 else ())
    counts["around"] += bool(drawn.parts) and not four
    counts["upright"] += not drawn.parts and not four
    parts = (four,) if four else drawn.parts or (_rectangle(drawn.around),)
    inside = _inside(parts, size, counts)
    if not inside:
        return None
    corners = (
        inside[0] if four and inside[0] == list(four) else g.smallest_rectangle([p for part in inside for p in part])
    )
    return _flat([(min(max(x, 0.0), size[0]), min(max(y, 0.0), size[1])) for x, y in corners], size)


def posed(drawn: Drawn, size: Size, counts: Counter[str]) -> Numbers | None:
    """The box, then x, y and visibility of each keypoint. None where not one is labelled, as in COCO's evaluation."""
    points = [_point(each, size, counts) for each in drawn.keypoints]
    labelled = [(x, y) for x, y, seen in points if seen]
    if not labelled:
        counts["no-keypoints"] += 1
        return None
    has_box = drawn.box or drawn.corners or drawn.parts
    box = _box(drawn.around if has_box else g.around(labelled), size, counts)
    flat = (each for x, y, seen in points for each in (x / size[0], y / size[1], float(seen)))
    return (*box, *flat) if box else None


def _point(point: Keypoint, size: Size, counts: Counter[str]) -> Keypoint:
    x, y, seen = point
    if not seen:
        return 0.0, 0.0, 0
    if _over((x, y, x, y), size):
        counts["keypoint-outside"] += 1
        return 0.0, 0.0, 0
    return min(max(x, 0.0), size[0]), min(max(y, 0.0), size[1]), seen


def cropped(drawn: Drawn, size: Size, counts: Counter[str]) -> Numbers | None:
    """As `boxed`, of what is large enough to be looked at."""
    box = boxed(drawn, size, counts)
    if box and min(box[2] * size[0], box[3] * size[1]) < _LEAST:
        counts["small"] += 1
        return None
    return box


TAKE: Mapping[str, Callable[[Drawn, Size, Counter[str]], Numbers | None]] = {
    DETECT: boxed,
    SEGMENT: outlined,
    OBB: cornered,
    POSE: posed,
    CLASSIFY: cropped,
}
"""What a set for each task has after the class. A set of classes is cut out of boxes."""
