"""What a task other than detection asks of labels, and of data.yaml."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from containerid.dataset.findings import ERROR, Finding, Report
from containerid.dataset.labels import KEYPOINTS, Keypoints, columns
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
_MEANT = {
    DETECT: frozenset({KEYPOINTS}),
    SEGMENT: frozenset({"label-polygon", KEYPOINTS}),
    OBB: frozenset({"label-polygon", KEYPOINTS}),
    POSE: frozenset({"label-polygon", "label-columns", "label-mixed"}),
}
"""Kinds of findings that are none in a set for this task. A row with keypoints has columns of its own."""
_UNKNOWN = frozenset({"label-range", "label-area", "label-edge"})
"""What cannot be told of rows of which nobody says how many keypoints they have."""
_CARRIED = ("kpt_shape", "flip_idx", "kpt_names", "channels")
"""Keys of data.yaml that a task may need."""


def settle(report: Report, task: str, keypoints: Keypoints | None = None) -> Report:
    """The report on a set for a task: what is meant to be so is no finding.

    Args:
        report: of a check.
        task: one of `TASKS`.
        keypoints: as data.yaml has them; None where it says nothing.
    """
    meant = _MEANT.get(task, frozenset()) | (_UNKNOWN if task == POSE and not keypoints else frozenset())
    # What else is said of a row that is none of keypoints is about the box or polygon that it is not either.
    odd = {(each.path, each.line) for each in report.findings if each.kind == KEYPOINTS and task == POSE}
    found = (
        _strictly(each, task)
        for each in report.findings
        if each.kind not in meant and (each.kind == KEYPOINTS or (each.path, each.line) not in odd)
    )
    return replace(report, findings=sorted(found, key=lambda finding: finding.order))


def _strictly(finding: Finding, task: str) -> Finding:
    if finding.kind != "label-mixed" or task == DETECT:
        return finding
    message = "boxes among polygons: Ultralytics drops the whole image"
    return replace(finding, severity=ERROR, message=message, fix="write them all as polygons")


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
    if task != POSE or dataset.faults or dataset.keypoints:
        return None
    fix = "add `kpt_shape: [17, 3]`: how many keypoints, and 2 or 3 numbers each"
    line = dataset.lines.get("kpt_shape", 0)
    return DatasetError(dataset.file, line, "there is no `kpt_shape` for a pose", fix)


def told(rows: Mapping[int, int], keypoints: Keypoints | None = None) -> str:
    """What a set is for, as far as its labels tell: polygons that all have four corners are taken for turned boxes.

    Args:
        rows: how many there are, by how many columns they have.
        keypoints: as data.yaml has them.
    """
    if rows.get(columns(keypoints), 0) * 2 > sum(rows.values()):
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
