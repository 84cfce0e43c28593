"""What a detection set holds, in numbers: images, boxes and classes by split, sizes, shapes and places."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from containerid.dataset import images, labels
from containerid.dataset.findings import ERROR
from containerid.dataset.geometry import around, paired
from containerid.dataset.sets import Dataset, label_path

SMALL, MEDIUM, LARGE = "small", "medium", "large"
SIZES = {SMALL: "below 32x32 pixels", MEDIUM: "up to 96x96", LARGE: "above"}
"""As COCO's evaluation has them, by area at the image's own size; COCO takes the mask's area, this the box's."""
SHAPES = (
    (0.25, "below 1:4"),
    (0.5, "1:4 to 1:2"),
    (0.8, "1:2 to 4:5"),
    (1.25, "about square"),
    (2, "5:4 to 2:1"),
    (4, "2:1 to 4:1"),
    (math.inf, "above 4:1"),
)
"""Width to height, in pixels, up to which a box has each shape."""
GRID = 10
"""Rows and columns that the places of boxes are counted in."""
_SHARES = (0, 0.25, 0.5, 0.75, 1)


@dataclass(slots=True)
class Split:
    """The numbers of one split.

    Attributes:
        images: how many.
        boxes: how many.
        backgrounds: images without a box.
        classes: boxes by class index.
        with_class: images by class index.
    """

    images: int = 0
    boxes: int = 0
    backgrounds: int = 0
    classes: Counter[int] = field(default_factory=Counter)
    with_class: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Stats:
    """The numbers of a set.

    Attributes:
        names: classes by their index.
        splits: by name.
        per_image: images by how many boxes they have.
        sizes: boxes by `SIZES`; those of images whose size is known.
        shapes: boxes by `SHAPES`, the narrowest first.
        image_sizes: images by (width, height) in pixels.
        sides: of each box, the root of its share of the image.
        places: boxes by (row, column) of their middle, in a grid of `GRID`.
        unusable: rows and images that no trainer could use; `cid data check` says which.
    """

    names: tuple[str, ...]
    splits: dict[str, Split] = field(default_factory=dict)
    per_image: Counter[int] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    image_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    sides: list[float] = field(default_factory=list)
    places: Counter[tuple[int, int]] = field(default_factory=Counter)
    unusable: int = 0

    @property
    def quartiles(self) -> list[float]:
        """The smallest, the quartiles and the largest of `sides`; empty when there is no box."""
        ordered = sorted(self.sides)
        return [ordered[round(share * (len(ordered) - 1))] for share in _SHARES] if ordered else []

    def grid(self) -> list[list[int]]:
        """Boxes by row and column."""
        return [[self.places[row, column] for column in range(GRID)] for row in range(GRID)]

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "splits": {name: self._split(split) for name, split in self.splits.items()},
            "boxes_per_image": {str(count): number for count, number in sorted(self.per_image.items())},
            "box_sizes": {size: self.sizes[size] for size in SIZES},
            "box_shapes": {shape: self.shapes[shape] for _, shape in SHAPES},
            "box_sides": [round(side, 4) for side in self.quartiles],
            "image_sizes": [[*size, number] for size, number in self.image_sizes.most_common()],
            "places": self.grid(),
            "unusable": self.unusable,
        }

    def _split(self, split: Split) -> dict[str, Any]:
        classes = [
            {"index": index, "name": name, "boxes": split.classes[index], "images": split.with_class[index]}
            for index, name in enumerate(self.names)
        ]
        return {"images": split.images, "boxes": split.boxes, "backgrounds": split.backgrounds, "classes": classes}


def count(dataset: Dataset) -> Stats:
    """Count what a set holds. What cannot be used is passed over and counted.

    Args:
        dataset: as `sets.survey` gives it.
    """
    stats = Stats(dataset.names)
    for name, found in dataset.splits.items():
        split = stats.splits[name] = Split()
        for image in found:
            _image(stats, split, os.fspath(image))
    return stats


def _image(stats: Stats, split: Split, image: str) -> None:
    look = images.look(image)
    if any(severity == ERROR for _, severity, *_ in look.said):
        stats.unusable += 1
        return
    split.images += 1
    if look.width and look.height:
        stats.image_sizes[look.width, look.height] += 1
    rows = boxes(image, len(stats.names), look.width, look.height)
    stats.unusable += rows.count(())
    usable = [row for row in rows if row]
    split.backgrounds += not usable
    stats.per_image[len(usable)] += 1
    split.with_class.update({int(row[0]) for row in usable})
    for row in usable:
        split.boxes += 1
        split.classes[int(row[0])] += 1
        _box(stats, row[1:], look.width, look.height)


def boxes(image: str, classes: int, width: int, height: int) -> list[tuple[float, ...]]:
    """The boxes of an image's label: class, centre, width and height; an empty one for each row that is none."""
    try:
        read = labels.read(label_path(image), classes, width, height)
    except FileNotFoundError:
        return []
    wrong = {line for line, kind, severity, *_ in read.said if severity == ERROR and kind != "label-mixed"}
    return [() if row.line in wrong or not row.numbers else _around(row.numbers) for row in read.rows]


def _around(row: Sequence[float]) -> tuple[float, ...]:
    if len(row) == 5:
        return tuple(row)
    left, top, right, bottom = around(paired(row[1:]))
    return row[0], (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _box(stats: Stats, box: Sequence[float], width: int, height: int) -> None:
    x, y, across, down = box
    column, row = (min(max(int(each * GRID), 0), GRID - 1) for each in (x, y))
    stats.places[row, column] += 1
    stats.sides.append(math.sqrt(across * down))
    if width and height:
        stats.sizes[_size(across * width * down * height)] += 1
        shape = across * width / (down * height)
        stats.shapes[next(name for limit, name in SHAPES if shape <= limit)] += 1


def _size(area: float) -> str:
    return SMALL if area < 32**2 else MEDIUM if area <= 96**2 else LARGE
