"""What sets for one task alone have to count: corners of polygons, angles of turned boxes, keypoints."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from containerid.dataset import geometry, tasks
from containerid.dataset.objects import Object
from containerid.dataset.sets import Dataset
from containerid.dataset.tasks import OBB, POSE, SEGMENT

STEP = 15
"""Degrees that are counted together."""
_SHARES = (0, 0.25, 0.5, 0.75, 1)


def quartiles(values: Sequence[float]) -> list[float]:
    """The smallest, the quartiles and the largest; empty of none."""
    ordered = sorted(values)
    return [ordered[round(share * (len(ordered) - 1))] for share in _SHARES] if ordered else []


def sides(corners: geometry.Outline, size: tuple[int, int]) -> tuple[float, float]:
    """The longer and the shorter side of a turned box, in pixels."""
    one, two, three = ((x * size[0], y * size[1]) for x, y in corners[:3])
    lengths = math.dist(one, two), math.dist(two, three)
    return max(lengths), min(lengths)


class Figures(Protocol):
    """What is counted besides boxes."""

    def add(self, each: Object, size: tuple[int, int]) -> None:
        """Count an object of an image of this width and height in pixels, 0 unknown."""

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""


class Polygons:
    """Figures of a set for segmentation.

    Attributes:
        corners: how many each polygon has.
        filled: its share of the box around it.
    """

    def __init__(self) -> None:
        self.corners: list[int] = []
        self.filled: list[float] = []

    def add(self, each: Object, size: tuple[int, int]) -> None:  # noqa: ARG002
        """Count an object; an upright box has four corners and fills itself."""
        box = each.box[2] * each.box[3]
        self.corners.append(len(each.outline) or 4)
        self.filled.append(min(abs(geometry.area(each.outline)) / box, 1.0) if each.outline and box else 1.0)

    def document(self) -> dict[str, Any]:
        """The least, the quartiles and the most of each."""
        filled = [round(share, 4) for share in quartiles(self.filled)]
        return {"polygons": {"corners": quartiles(self.corners), "filled": filled}}


class Angles:
    """Figures of a set of turned boxes.

    Attributes:
        steps: boxes by the angle of their longer side, in steps of `STEP` degrees, clockwise from the right.
        upright: boxes that are turned by none.
    """

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()
        self.upright = 0

    def add(self, each: Object, size: tuple[int, int]) -> None:
        """Count an object."""
        width, height = size if all(size) else (1, 1)
        points = [(x * width, y * height) for x, y in each.outline[:3]]
        if len(points) < 3:
            points = geometry.upright((0, 0, each.box[2] * width, each.box[3] * height))[:3]
        one, other = max((points[:2], points[1:]), key=lambda pair: math.dist(*pair))
        angle = round(math.degrees(math.atan2(other[1] - one[1], other[0] - one[0])), 3) % 180
        self.steps[int(angle // STEP)] += 1
        self.upright += min(angle % 90, 90 - angle % 90) < 0.5

    def document(self) -> dict[str, Any]:
        """Boxes by their angle, from and to in degrees, and those that are upright."""
        steps = [[step * STEP, (step + 1) * STEP, self.steps[step]] for step in range(180 // STEP)]
        return {"angles": steps, "upright": self.upright}


class Joints:
    """Figures of a set of poses.

    Attributes:
        names: of the keypoints; their numbers where nobody names them.
        seen: how often each is not labelled (0), hidden (1) and seen (2).
        labelled: keypoints of each object that are hidden or seen.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.seen = [Counter[int]() for _ in names]
        self.labelled: list[int] = []

    def add(self, each: Object, size: tuple[int, int]) -> None:  # noqa: ARG002
        """Count an object."""
        for counter, (_, _, seen) in zip(self.seen, each.keypoints, strict=False):
            counter[seen] += 1
        self.labelled.append(sum(seen > 0 for *_, seen in each.keypoints))

    def document(self) -> dict[str, Any]:
        """Each keypoint, and how many an object has: the least, the quartiles and the most."""
        found = [
            {"index": at, "name": name, "seen": counter[2], "hidden": counter[1], "unlabelled": counter[0]}
            for at, (name, counter) in enumerate(zip(self.names, self.seen, strict=True))
        ]
        return {"keypoints": found, "labelled": quartiles(self.labelled)}


def figures_of(task: str, dataset: Dataset) -> Figures | None:
    """What is counted in a set for a task; None where that is nothing but boxes."""
    if task == POSE:
        return Joints(_names(dataset))
    return Polygons() if task == SEGMENT else Angles() if task == OBB else None


def _names(dataset: Dataset) -> list[str]:
    count = dataset.keypoints[0] if dataset.keypoints else 0
    known = tasks.carried(dataset).get("kpt_names")
    first = next(iter(known.values()), None) if isinstance(known, dict) else None
    if isinstance(first, list) and len(first) == count:
        return [str(name) for name in first]
    return [str(number) for number in range(count)]
