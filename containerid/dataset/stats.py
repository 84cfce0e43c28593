"""What a set holds, in numbers: images, objects and classes by split, sizes, shapes and places."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from containerid.dataset import classes, geometry, images, objects
from containerid.dataset.figures import Figures, figures_of, quartiles, sides
from containerid.dataset.findings import ERROR
from containerid.dataset.objects import Object
from containerid.dataset.sets import Dataset
from containerid.dataset.tasks import CLASSIFY, DETECT, OBB

SMALL, MEDIUM, LARGE = "small", "medium", "large"
SIZES = {SMALL: "below 32x32 pixels", MEDIUM: "up to 96x96", LARGE: "above"}
"""As COCO's evaluation has them, by area at the image's own size: of the polygon, or of the box where there is none."""
SHAPES = (
    (0.25, "below 1:4"),
    (0.5, "1:4 to 1:2"),
    (0.8, "1:2 to 4:5"),
    (1.25, "about square"),
    (2, "5:4 to 2:1"),
    (4, "2:1 to 4:1"),
    (math.inf, "above 4:1"),
)
"""Width to height, in pixels, up to which a box has each shape; the longer side to the other of one that is turned."""
GRID = 10
"""Rows and columns that the places of boxes are counted in."""


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
        task: what the set is for.
        splits: by name.
        per_image: images by how many boxes they have.
        sizes: boxes by `SIZES`; those of images whose size is known.
        shapes: boxes by `SHAPES`, the narrowest first.
        image_sizes: images by (width, height) in pixels.
        sides: of each box, the root of its share of the image.
        places: boxes by (row, column) of their middle, in a grid of `GRID`.
        unusable: rows and images that no trainer could use; `cid data check` says which.
        figures: what sets for this task alone have; None of boxes.
    """

    names: tuple[str, ...]
    task: str = DETECT
    splits: dict[str, Split] = field(default_factory=dict)
    per_image: Counter[int] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    image_sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    sides: list[float] = field(default_factory=list)
    places: Counter[tuple[int, int]] = field(default_factory=Counter)
    unusable: int = 0
    figures: Figures | None = None

    @property
    def quartiles(self) -> list[float]:
        """The smallest, the quartiles and the largest of `sides`; empty when there is no box."""
        return quartiles(self.sides)

    def grid(self) -> list[list[int]]:
        """Boxes by row and column."""
        return [[self.places[row, column] for column in range(GRID)] for row in range(GRID)]

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        told = {
            "task": self.task,
            "splits": {name: self._split(split) for name, split in self.splits.items()},
            "image_sizes": [[*size, number] for size, number in self.image_sizes.most_common()],
            "unusable": self.unusable,
        }
        if self.task == CLASSIFY:
            return told
        return {
            **told,
            **(self.figures.document() if self.figures else {}),
            "boxes_per_image": {str(count): number for count, number in sorted(self.per_image.items())},
            "box_sizes": {size: self.sizes[size] for size in SIZES},
            "box_shapes": {shape: self.shapes[shape] for _, shape in SHAPES},
            "box_sides": [round(side, 4) for side in self.quartiles],
            "places": self.grid(),
        }

    def _split(self, split: Split) -> dict[str, Any]:
        if self.task == CLASSIFY:
            counts = zip(range(len(self.names)), self.names, strict=True)
            sorted_ = [{"index": index, "name": name, "images": split.classes[index]} for index, name in counts]
            return {"images": split.images, "classes": sorted_}
        classes_ = [
            {"index": index, "name": name, "boxes": split.classes[index], "images": split.with_class[index]}
            for index, name in enumerate(self.names)
        ]
        return {"images": split.images, "boxes": split.boxes, "backgrounds": split.backgrounds, "classes": classes_}


def count(dataset: Dataset, task: str = DETECT) -> Stats:
    """Count what a set holds. What cannot be used is passed over and counted.

    Args:
        dataset: as `sets.survey` gives it, or `classes.read`.
        task: what it is for, one of `tasks.TASKS`.
    """
    stats = Stats(dataset.names, task, figures=figures_of(task, dataset))
    for name, found in dataset.splits.items():
        split = stats.splits[name] = Split()
        for image in found:
            look = _image(stats, split, os.fspath(image))
            if look and task == CLASSIFY:
                split.classes[classes.label_of(dataset, name, image)] += 1
            elif look:
                _objects(stats, split, objects.read(os.fspath(image), dataset, task, *look), look)
    return stats


def _image(stats: Stats, split: Split, image: str) -> tuple[int, int] | None:
    """Its size, 0 unknown; None where it cannot be used."""
    look = images.look(image)
    if any(severity == ERROR for _, severity, *_ in look.said):
        stats.unusable += 1
        return None
    split.images += 1
    if look.width and look.height:
        stats.image_sizes[look.width, look.height] += 1
    return look.width, look.height


def _objects(stats: Stats, split: Split, found: Sequence[Object | None], size: tuple[int, int]) -> None:
    stats.unusable += found.count(None)
    usable = [each for each in found if each]
    split.boxes += len(usable)
    split.backgrounds += not usable
    stats.per_image[len(usable)] += 1
    split.classes.update(each.label for each in usable)
    split.with_class.update({each.label for each in usable})
    for each in usable:
        _box(stats, each, size)
        if stats.figures:
            stats.figures.add(each, size)


def _box(stats: Stats, each: Object, size: tuple[int, int]) -> None:
    (x, y, across, down), (width, height) = each.box, size
    column, row = (min(max(int(place * GRID), 0), GRID - 1) for place in (x, y))
    stats.places[row, column] += 1
    stats.sides.append(math.sqrt(max(across * down, 0)))
    if width and height:
        pixels = across * width, down * height
        area = abs(geometry.area(each.outline)) * width * height if each.outline else pixels[0] * pixels[1]
        stats.sizes[SMALL if area < 32**2 else MEDIUM if area <= 96**2 else LARGE] += 1
        if stats.task == OBB and len(each.outline) == 4:
            pixels = sides(each.outline, size)
        stats.shapes[next(name for limit, name in SHAPES if pixels[0] <= limit * pixels[1])] += 1
