"""Images with YOLO's text labels, in `labels` or beside them: with a data.yaml, or as a mere folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from containerid.dataset import cvat, junk, labels
from containerid.dataset.findings import ERROR
from containerid.dataset.gathered import Gathered, Images, Sample, around, split_named
from containerid.dataset.sets import YAML, Dataset, label_of, survey
from containerid.dataset.yamlfile import SPLITS

CLASSES = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
"""Files that name the classes, one a line."""
_MANY = 1 << 20
_CUT = frozenset({"label-area", "label-mixed"})
"""Errors of a label that need no mending in the source: what has no area is left out, polygons become boxes."""


def read(gathered: Gathered, file: Path | None, images: Images) -> None:
    """Read every image and its label.

    Args:
        gathered: gets samples, classes, counts and faults.
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
        self.triangles: list[tuple[Path, int, str, str]] = []
        self.used: set[Path] = set()
        self.polygons = self.boxes = 0
        self.most = -1
        if not gathered.closed:
            gathered.names += self.names

    def read(self) -> None:
        seen: dict[Path, str] = {}
        for split, found in self.dataset.splits.items():
            for image in found:
                if seen.setdefault(image, split) != split:
                    self.gathered.leak(image, 0, f"is in {split}, and in {seen[image]}")
                elif sample := self.gathered.sample(image):
                    sample.split = split
                    self._label(sample)
        if self.polygons * 2 <= self.boxes:
            for path, line, message, fix in self.triangles:
                self.gathered.fault(path, line, message, fix)
        if not self.names and not self.gathered.closed:
            self.gathered.names += [f"class_{index}" for index in range(self.most + 1)]
        self._orphans()

    def _label(self, sample: Sample) -> None:
        path = next((each for each in self._places(sample.image) if each.is_file()), None)
        if path is None:
            self.gathered.counts["unlabelled"] += 1
            return
        self.used.add(path)
        across, down = map(int, sample.size)
        found = labels.read(os.fspath(path), len(self.names) or _MANY, across, down)
        unclear = set()
        for line, kind, severity, message, fix in found.said:
            if kind == labels.TRIANGLE:
                self.triangles.append((path, line, message, fix))
            elif severity == ERROR and kind not in _CUT:
                unclear.add(line)
                self.gathered.fault(path, line, message, fix)
        for row in found.rows:
            if row.numbers and not unclear:
                self._row(sample, row.numbers)

    def _places(self, image: Path) -> list[Path]:
        """Where the label may be: where trainers look, and in a mere folder beside the image, or in `labels` nearby."""
        if self.dataset.file.is_file():
            return [label_of(image)]
        name, folder = f"{image.stem}.txt", image.parent
        above = folder.parent / "labels"
        return [label_of(image), folder / name, folder / "labels" / name, above / folder.name / name, above / name]

    def _row(self, sample: Sample, row: Sequence[float]) -> None:
        self.boxes += 1
        self.most = max(self.most, int(row[0]))
        index = int(row[0]) if self.by_position else self._index(self.names[int(row[0])])
        if index is None:
            return
        if len(row) == 5:
            x, y, wide, high = row[1:]
            corners = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
        else:
            self.polygons += 1
            self.gathered.counts["polygon"] += 1
            corners = around(row[1:])
        across, down = sample.size
        self.gathered.box(sample, index, [each * side for each, side in zip(corners, (across, down) * 2, strict=True)])

    def _index(self, name: str) -> int | None:
        return self.gathered.index_of(name)

    def _orphans(self) -> None:
        for each in junk.sweep(self.dataset) if self.gathered.samples else ():
            path = self.dataset.root / each.path
            if each.severity == ERROR and path not in self.used:
                self.gathered.fault(path, each.line, each.message, each.fix)
