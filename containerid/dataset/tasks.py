"""What a task other than detection asks of labels, and of data.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from containerid.dataset.labels import Shape
from containerid.dataset.sets import Dataset
from containerid.dataset.yamlfile import DatasetError

DETECT, SEGMENT, POSE, OBB, CLASSIFY = TASKS = ("detect", "segment", "pose", "obb", "classify")
"""What sets are made for."""
CALLED = {
    DETECT: "boxes",
    SEGMENT: "polygons",
    POSE: "poses",
    OBB: "turned boxes",
    CLASSIFY: "images",
}
"""What is counted in a set for each."""
_CARRIED = ("kpt_shape", "flip_idx", "kpt_names", "channels")
"""Keys of data.yaml that a task may need."""


def complete(view: Path, dataset: Dataset, task: str) -> None:
    """Carry over to a view's data.yaml what the task needs from the set's own.

    Raises:
        DatasetError: keypoints are to be trained, and `kpt_shape` does not say how many there are.
    """
    if error := lacking(dataset, task):
        raise error
    carry(view, dataset)


def lacking(dataset: Dataset, task: str) -> DatasetError | None:
    """What the task needs of data.yaml and does not find there."""
    if task != POSE or dataset.faults or any(dataset.keypoints):
        return None
    fix = "add `kpt_shape: [17, 3]`: how many keypoints, and 2 or 3 numbers each"
    line = dataset.lines.get("kpt_shape", 0)
    return DatasetError(dataset.file, line, "there is no `kpt_shape` for a pose", fix)


def told(rows: Mapping[int, int], pose: Shape) -> str:
    """What a set is for, as far as its labels tell: polygons that all have four corners are taken for turned boxes.

    Args:
        rows: how many there are, by how many columns they have.
        pose: of a row, as data.yaml has its keypoints.
    """
    if sum(number for count, number in rows.items() if pose.is_pose(count)) * 2 > sum(rows.values()):
        return POSE
    polygons = {count for count in rows if count >= 7 and count % 2}
    if sum(rows[count] for count in polygons) * 2 <= sum(rows.values()):
        return DETECT
    return OBB if polygons == {9} else SEGMENT


def carried(dataset: Dataset) -> dict[str, Any]:
    """The keys of its data.yaml that a task may need."""
    own = _document(dataset.file) if dataset.file.is_file() else {}
    return {key: own[key] for key in _CARRIED if key in own}


def carry(file: Path, dataset: Dataset) -> None:
    """Take the keys that a task may need over into another data.yaml."""
    if keys := carried(dataset):
        text = yaml.safe_dump({**_document(file), **keys}, sort_keys=False, allow_unicode=True)
        file.write_text(text, encoding="utf-8")


def view_classes(dataset: Dataset, folder: Path, limits: Mapping[str, int]) -> Path:
    """What Ultralytics gets of a classification set: a folder of links; it writes caches beside the images.

    Args:
        dataset: as `classes.read` gives it.
        folder: made anew.
        limits: at most so many images of a split, evenly spaced.
    """
    for split, images in dataset.splits.items():
        limit = min(limits.get(split, len(images)), len(images))
        for number in range(limit):
            image = images[number * len(images) // limit]
            place = folder / split / image.relative_to(dataset.bases[split][0])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(image)
    return folder


def _document(file: Path) -> dict[str, Any]:
    document = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    return document if isinstance(document, dict) else {}
