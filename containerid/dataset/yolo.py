"""Images with YOLO's text labels, in `labels` or beside them: with a data.yaml, or as a mere folder."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from containerid.dataset import cvat, geometry, junk, labels, rows, tasks
from containerid.dataset.findings import ERROR
from containerid.dataset.gathered import Gathered, Sample, split_named
from containerid.dataset.labels import BOXES, Shape
from containerid.dataset.objects import keypoints_in
from containerid.dataset.sets import YAML, Dataset, label_of, survey
from containerid.dataset.shapes import Drawn, Keypoint
from containerid.dataset.sought import Images
from containerid.dataset.tasks import DETECT, OBB, POSE
from containerid.dataset.yamlfile import SPLITS

CLASSES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
"""Files that name the classes, one a line."""
_CUT = frozenset({"label-area", "label-mixed"})
"""Errors of a label that need no mending in the source: what has no area is left out, mixed shapes become alike."""


def read(gathered: Gathered, file: Path | None, images: Images) -> None:
    """Read every image and its label.

    Args:
        gathered: gets samples, classes, counts and faults; where it names no task, the labels tell.
        file: the data.yaml; None for a mere folder.
        images: of the source.
    """
    if file is not None:
        dataset = _described(gathered, file)
    elif (gathered.root / "obj.data").is_file():
        names, listed = cvat.lists(gathered, images)
        dataset = _plain(gathered, images, names)
        dataset = Dataset(dataset.root, dataset.file, dataset.names, _by_split(listed, images.paths), dataset.bases)
    else:
        dataset = _plain(gathered, images, _named(gathered.root))
    _Reading(gathered, dataset).read()
    known = {image for found in dataset.splits.values() for image in found}
    gathered.counts["unlisted"] += len(set(images.paths) - known)


def _described(gathered: Gathered, file: Path) -> Dataset:
    dataset = survey(file)
    # A set without splits is what is to be split.
    absent = {f"there is no `{split}:`" for split in SPLITS} if dataset.splits else set()
    gathered.faults += [fault for fault in dataset.faults if fault.message not in absent]
    for note in dataset.notes:
        if note.severity == ERROR:
            gathered.fault(dataset.root / note.path, note.line, note.message, note.fix)
    return dataset


def _named(root: Path) -> list[str]:
    for folder in (root, root / "labels"):
        for name in CLASSES:
            try:
                text = (folder / name).read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError):
                continue
            return [line.strip() for line in text.splitlines() if line.strip()]
    return []


def _plain(gathered: Gathered, images: Images, names: Sequence[str]) -> Dataset:
    folders = tuple(sorted({image.parent for image in images.paths}))
    found = {image: split_named(os.fspath(image.parent.relative_to(gathered.root))) for image in images.paths}
    return Dataset(gathered.root, gathered.root / YAML, tuple(names), _by_split(found, images.paths), {"": folders})


def _by_split(found: dict[Path, str], paths: Sequence[Path]) -> dict[str, tuple[Path, ...]]:
    splits = ("", *SPLITS)
    return {split: tuple(path for path in paths if found.get(path, "") == split) for split in splits}


class _Reading:
    """Labels that are being read."""

    def __init__(self, gathered: Gathered, dataset: Dataset) -> None:
        self.gathered, self.dataset = gathered, dataset
        self.names = list(dataset.names) or list(gathered.names)
        self.by_position = not dataset.names
        self.shape = BOXES
        self.triangles: list[tuple[Path, int, str, str]] = []
        self.used: set[Path] = set()
        self.polygons = self.boxes = 0
        self.most = -1
        if not gathered.closed:
            gathered.names += self.names

    def read(self) -> None:
        gathered = self.gathered
        gathered.task = gathered.task or self._told()
        # A source may hold boxes where polygons are wanted: only keypoints have to be what they say.
        self.shape = Shape(POSE if gathered.task == POSE else DETECT, *self.dataset.keypoints)
        if gathered.task == POSE and not any(self.dataset.keypoints):
            fix = "write `kpt_shape: [17, 3]` into data.yaml, beside `names`: how many keypoints, and 3 numbers each"
            gathered.fault(self.dataset.file, 0, "says nothing of keypoints: there is no `kpt_shape`", fix)
            return
        gathered.keys.update(self._keys())
        seen: dict[Path, str] = {}
        for split, found in self.dataset.splits.items():
            for image in found:
                if seen.setdefault(image, split) != split:
                    gathered.leak(image, 0, f"is in {split}, and in {seen[image]}")
                elif sample := gathered.sample(image):
                    sample.split = split
                    self._label(sample)
        if self.polygons * 2 <= self.boxes:
            for path, line, message, fix in self.triangles:
                gathered.fault(path, line, message, fix)
        if not self.names and not gathered.closed:
            gathered.names += [f"class_{index}" for index in range(self.most + 1)]
            gathered.counts["unnamed"] += len(gathered.names)
        self._orphans()

    def _told(self) -> str:
        images = {image for found in self.dataset.splits.values() for image in found}
        counts: Counter[int] = Counter()
        for path in filter(None, map(self._place, images)):
            with suppress(OSError):
                counts.update(len(row.words) for row in rows.parse(rows.decode(path.read_bytes())[0]))
        return tasks.told(counts, Shape(POSE, *self.dataset.keypoints))

    def _keys(self) -> dict[str, Any]:
        keys, posed = tasks.carried(self.dataset), self.gathered.task == POSE
        if posed and any(self.dataset.keypoints):
            keys["kpt_shape"] = [self.dataset.keypoints[0], 3]
        renamed = list(self.names) != list(self.gathered.names)
        wanted = {"channels"} | ({"kpt_shape", "flip_idx", *(() if renamed else ("kpt_names",))} if posed else set())
        return {key: value for key, value in keys.items() if key in wanted}

    def _label(self, sample: Sample) -> None:
        path = self._place(sample.image)
        if path is None:
            self.gathered.counts["unlabelled"] += 1
            return
        self.used.add(path)
        across, down = map(int, sample.size)
        found = labels.read(os.fspath(path), len(self.names) or labels.MANY, across, down, self.shape)
        wrong = [each for each in found.said if each[2] == ERROR and not self._passed(each[1], each[0], found.rows)]
        for line, kind, _, message, fix in wrong:
            if kind == labels.TRIANGLE:
                self.triangles.append((path, line, message, fix))
            else:
                self.gathered.fault(path, line, message, fix)
        if all(kind == labels.TRIANGLE for _, kind, *_ in wrong):
            for row in found.rows:
                if row.numbers:
                    self._row(sample, row.numbers)

    def _passed(self, kind: str, line: int, found: Sequence[rows.Row]) -> bool:
        """Whether an error needs no mending in the source, where the task has a way with it."""
        if kind == "label-range" and self.gathered.task == OBB:
            numbers = next((row.numbers[1:] for row in found if row.line == line), [])
            return len(numbers) == 8 and min(numbers) >= -1 and max(numbers) <= 2
        return kind in _CUT

    def _place(self, image: Path) -> Path | None:
        """The label: where trainers look, and in a mere folder beside the image, or in `labels` nearby."""
        places = [label_of(image)]
        if not self.dataset.file.is_file():
            name, folder = f"{image.stem}.txt", image.parent
            above = folder.parent / "labels"
            places += [folder / name, folder / "labels" / name, above / folder.name / name, above / name]
        return next((each for each in places if each.is_file()), None)

    def _row(self, sample: Sample, row: Sequence[float]) -> None:
        self.boxes += 1
        self.most = max(self.most, int(row[0]))
        kind = int(row[0]) if self.by_position else self.names[int(row[0])]
        posed = self.shape.is_pose(len(row))
        if len(row) != 5 and not posed:
            self.polygons += 1
            parts = (geometry.paired(self._pixels(row[1:], sample)),)
            self.gathered.draw(sample, kind, Drawn(parts=parts, area=True))
            return
        x, y, wide, high = row[1:5]
        left, top, right, bottom = self._pixels((x - wide / 2, y - high / 2, x + wide / 2, y + high / 2), sample)
        points = self._points(row[5:], sample) if posed else ()
        self.gathered.counts["unposed"] += posed and self.gathered.task != POSE
        self.gathered.draw(sample, kind, Drawn((left, top, right, bottom), keypoints=points))

    def _pixels(self, fractions: Sequence[float], sample: Sample) -> list[float]:
        return [each * sample.size[at % 2] for at, each in enumerate(fractions)]

    def _points(self, numbers: Sequence[float], sample: Sample) -> tuple[Keypoint, ...]:
        across, down = sample.size
        found = keypoints_in(numbers, self.shape.numbers)
        return tuple((x * across, y * down, seen) for x, y, seen in found)

    def _orphans(self) -> None:
        for each in junk.sweep(self.dataset) if self.gathered.samples else ():
            path = self.dataset.root / each.path
            if each.severity == ERROR and path not in self.used:
                self.gathered.fault(path, each.line, each.message, each.fix)
