"""What is wrong with a detection set, before a GPU second is spent on it. Reads everything, changes nothing."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from containerid.dataset import across, crowd, junk, pairs
from containerid.dataset.decoding import decode
from containerid.dataset.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Report, relative
from containerid.dataset.kept import Kept
from containerid.dataset.labels import TRIANGLE, Shape
from containerid.dataset.sets import Dataset, DatasetError, shown

__all__ = ["ERROR", "INFO", "MINIMUM", "SEVERITIES", "WARNING", "Finding", "Report", "check", "refuse"]

MINIMUM = {"train": 1, "val": 1}
"""Images that a split must hold when nothing else is asked for."""
_IMBALANCE = 10
"""How many times more boxes than another a class may have before that is worth a word."""
_CHUNK, _PAYS = 2000, 30_000


def refuse(error: DatasetError) -> Report:
    """The report on a set whose data.yaml cannot be used."""
    return Report([_fault(error, error.path.parent)])


def _fault(error: DatasetError, root: Path, file: Path | None = None) -> Finding:
    path = shown(root, error.path) if error.path == file else relative(os.fspath(root), os.fspath(error.path))
    return Finding(path, error.line, "yaml", ERROR, error.message, error.fix)


def check(
    dataset: Dataset,
    minimum: Mapping[str, int] = MINIMUM,
    *,
    task: str = "detect",
    deep: bool = False,
    keep: Path | None = None,
    seconds: float | None = None,
    processes: int | None = None,
) -> Report:
    """Look at every image's entry and every line of every label.

    Args:
        dataset: as `sets.read` or `sets.survey` gives it.
        minimum: images that a split must hold.
        task: what the set is for: other rows are asked of a label then.
        deep: decode every image too, and look for images that look the same; needs the `data` extra.
        keep: a folder for results, outside the set: what has not changed since is not looked at again.
        seconds: decode no longer than this; None as long as it takes.
        processes: at most so many; None takes one for each processor.
    """
    kept = Kept(keep, dataset, {"minimum": dict(minimum), "task": task}, deep=deep) if keep else None
    if kept and (report := kept.report()):
        return report
    checking = _Checking(dataset, Shape(task, *dataset.keypoints), processes)
    checking.structure(minimum)
    whole = True
    if deep:
        found = decode(checking.members, checking.root, kept, seconds=seconds, processes=processes)
        checking.report.findings += found.findings
        checking.report.decoded, whole = found.decoded, found.whole
    checking.report.findings.sort(key=lambda finding: finding.order)
    if kept and whole:
        kept.keep(checking.report)
    return checking.report


class _Checking:
    """One check of one set."""

    def __init__(self, dataset: Dataset, shape: Shape, processes: int | None) -> None:
        self.dataset, self.shape = dataset, shape
        self.root = os.fspath(dataset.root)
        self.processes = processes
        self.paths = {split: list(map(os.fspath, images)) for split, images in dataset.splits.items()}
        self.report = Report()
        self.members: list[across.Member] = []

    def structure(self, minimum: Mapping[str, int]) -> None:
        """All that can be said without decoding a pixel."""
        report, sizes, polygons = self.report, {}, False
        boxes: dict[str, Counter[int]] = {}
        report.findings += [_fault(each, self.dataset.root, self.dataset.file) for each in self.dataset.faults]
        report.findings += self.dataset.notes
        seen: set[Finding] = set()
        for split, paths in self.paths.items():
            found = self._examine(paths)
            # Of an image in two splits everything is said once.
            report.findings += [each for each in found.findings if each not in seen]
            seen.update(found.findings)
            numbers = {name: found.counts[name] for name in ("labels", "boxes", "backgrounds")}
            report.counts[split] = {"images": len(paths), **numbers}
            sizes[split], boxes[split] = found.sizes, found.classes
            polygons = polygons or found.polygons * 2 > found.counts["boxes"]
            _widen(report.sizes, found)
        report.findings = [_settle(each, polygons=polygons) for each in report.findings]
        self.members = across.members(self.paths, sizes)
        report.findings += across.duplicates(self.members, self.root)
        report.findings += junk.sweep(self.dataset)
        report.findings += self._totals(minimum, boxes)

    def _examine(self, paths: Sequence[str]) -> pairs.Examined:
        options: dict[str, Any] = {"root": self.root, "classes": self.dataset.classes, "shape": self.shape}
        if len(paths) < _PAYS:
            return pairs.examine(paths, **options)
        whole = pairs.Examined()
        for found in crowd.spread("examine", paths, options, chunk=_CHUNK, pays=_PAYS, processes=self.processes):
            whole.add(pairs.unpack(found))
        return whole

    def _totals(self, minimum: Mapping[str, int], boxes: Mapping[str, Counter[int]]) -> Iterator[Finding]:
        names, total = self.dataset.names, sum(boxes.values(), Counter[int]())
        self.report.classes = dict.fromkeys(names, 0)
        for index, name in enumerate(names):
            self.report.classes[name] += total[index]
        file = self.dataset.shown
        faulty = {fault.line for fault in self.dataset.faults}
        asked = {split: least for split, least in minimum.items() if self.dataset.lines.get(split) not in faulty}
        yield from _few(self.report.counts, asked, file, self.dataset.lines)
        yield from _unlabelled(self.report.counts, file, self.dataset.lines)
        line = self.dataset.lines.get("names", 0)
        for index in sorted(self.dataset.unnamed & total.keys()):
            boxes_are = "1 box is" if total[index] == 1 else f"{total[index]} boxes are"
            message = f"{boxes_are} of class {index}, which has no name"
            yield Finding(file, line, "class-range", ERROR, message, "name it in `names`, or correct the labels")
        if total and not self.dataset.faults:
            named = {index: name for index, name in enumerate(names) if index not in self.dataset.unnamed}
            yield from _classes(named, total, boxes.get("train", Counter()), file, line)


def _settle(finding: Finding, *, polygons: bool) -> Finding:
    if finding.kind != TRIANGLE:
        return finding
    if polygons:
        message = "a polygon; the box around it will be used"
        return replace(finding, kind="label-polygon", severity=WARNING, message=message, fix="write a box")
    return replace(finding, kind="label-columns")


def _widen(sizes: dict[str, list[int]], found: pairs.Examined) -> None:
    both = pairs.Examined(smallest=sizes.get("smallest", []), largest=sizes.get("largest", []))
    both.measure(found.smallest)
    both.measure(found.largest)
    if both.smallest:
        sizes.update(smallest=both.smallest, largest=both.largest)


def _few(
    counts: Mapping[str, Mapping[str, int]], minimum: Mapping[str, int], file: str, lines: Mapping[str, int]
) -> Iterator[Finding]:
    for split, least in minimum.items():
        found = counts[split]["images"] if split in counts else 0
        if found < least and (split in counts or split not in ("train", "val")):
            message = f"{split} has {found} image{'s' * (found != 1)}, at least {least} are asked for"
            yield Finding(file, lines.get(split, 0), "too-few", ERROR, message, "add images, or lower data.minimum")


def _unlabelled(counts: Mapping[str, Mapping[str, int]], file: str, lines: Mapping[str, int]) -> Iterator[Finding]:
    for split, numbers in counts.items():
        line = lines.get(split, 0)
        if not numbers["images"] or split == "test":
            continue
        if not numbers["labels"]:
            message = f"none of the {numbers['images']} images of {split} has a label"
            yield Finding(file, line, "no-labels", ERROR, message, "bring `labels`, beside `images`")
        elif not numbers["boxes"]:
            yield Finding(file, line, "no-boxes", WARNING, f"{split} holds no box at all", "check the labels")


def _classes(
    names: Mapping[int, str], total: Counter[int], train: Counter[int], file: str, line: int
) -> Iterator[Finding]:
    most = max(names, key=lambda index: total[index])
    for index, name in names.items():
        if not total[index]:
            yield Finding(file, line, "class-unused", WARNING, f"no box is of class {index}, {name}", "label some")
        elif not train[index] and train:
            message = f"class {index}, {name}, is in no label of train"
            yield Finding(file, line, "class-untrained", WARNING, message, "move some of its images to train")
        elif total[index] * _IMBALANCE <= total[most]:
            message = f"{total[index]} boxes of class {index}, {name}, and {total[most]} of {names[most]}"
            yield Finding(file, line, "class-imbalance", WARNING, message, "label more of it")
