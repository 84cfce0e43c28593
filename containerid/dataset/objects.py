"""What a label says is on an image, object by object, as the task of its set reads it."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from containerid.dataset import labels, rows, tasks
from containerid.dataset.findings import ERROR
from containerid.dataset.geometry import Point, around, paired
from containerid.dataset.labels import Shape
from containerid.dataset.sets import Dataset, label_path
from containerid.dataset.shapes import Keypoint
from containerid.dataset.tasks import POSE


@dataclass(frozen=True, slots=True)
class Object:
    """An object; places are fractions of the image.

    Attributes:
        label: the index of its class.
        box: centre x and y, width and height: its own, or of what surrounds it.
        outline: corners of its polygon, or of its turned box; empty for an upright box.
        keypoints: x, y, and how well each is seen.
    """

    label: int
    box: tuple[float, float, float, float]
    outline: tuple[Point, ...] = ()
    keypoints: tuple[Keypoint, ...] = ()


def task_of(dataset: Dataset) -> str:
    """What a set is for, as far as its labels tell."""
    counts: Counter[int] = Counter()
    for image in {image for found in dataset.splits.values() for image in found}:
        path = Path(label_path(os.fspath(image)))
        if path.is_file():
            counts.update(len(row.words) for row in rows.parse(rows.decode(path.read_bytes())[0]))
    return tasks.told(counts, Shape(POSE, *dataset.keypoints))


def read(image: str, dataset: Dataset, task: str, width: int = 0, height: int = 0) -> list[Object | None]:
    """The objects of an image, with None for each row that no trainer could use.

    Args:
        image: its path.
        dataset: for classes and keypoints.
        task: one of `tasks.TASKS`.
        width: of the image in pixels; 0 unknown.
        height: of the image in pixels; 0 unknown.
    """
    shape = Shape(task, *dataset.keypoints)
    try:
        found = labels.read(label_path(image), len(dataset.names), width, height, shape)
    except FileNotFoundError:
        return []
    wrong = {line for line, kind, severity, *_ in found.said if severity == ERROR and kind != "label-mixed"}
    return [None if row.line in wrong or not row.numbers else _object(row.numbers, shape) for row in found.rows]


def _object(numbers: list[float], shape: Shape) -> Object:
    label = int(numbers[0])
    if len(numbers) == 5 or shape.is_pose(len(numbers)):
        x, y, width, height = numbers[1:5]
        return Object(label, (x, y, width, height), keypoints=keypoints_in(numbers[5:], shape.numbers))
    outline = paired(numbers[1:])
    left, top, right, bottom = around(outline)
    return Object(label, ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), tuple(outline))


def keypoints_in(numbers: Sequence[float], each: int) -> tuple[Keypoint, ...]:
    """Keypoints of 2 or 3 numbers each; without the third, Ultralytics takes what is negative for not labelled."""
    if each == 2:
        return tuple((x, y, 0 if min(x, y) < 0 else 2) for x, y in zip(numbers[::2], numbers[1::2], strict=True))
    return tuple((x, y, min(int(seen), 2)) for x, y, seen in zip(*[iter(numbers)] * 3, strict=True))
