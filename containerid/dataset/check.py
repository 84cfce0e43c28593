"""What is wrong with a detection set, before a GPU second is spent on it. Reads everything, changes nothing."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from containerid.dataset import across, crowd, junk, pairs, pixels
from containerid.dataset.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Report, relative
from containerid.dataset.kept import Kept
from containerid.dataset.labels import TRIANGLE
from containerid.dataset.sets import Dataset, DatasetError

__all__ = ["ERROR", "INFO", "MINIMUM", "SEVERITIES", "WARNING", "Finding", "Report", "check", "refuse"]

MINIMUM = {"train": 1, "val": 1}
"""Images that a split must hold when nothing else is asked for."""
_IMBALANCE = 10
"""How many times more boxes than another a class may have before that is worth a word."""
_CHUNK, _PAYS = 2000, 30_000
_DECODE_CHUNK, _DECODE_PAYS = 64, 600
_PORTION = 1024
"""Images whose results are written down at once: so many are lost when the check is cut short."""


def refuse(error: DatasetError) -> Report:
    """The report on a set whose data.yaml cannot be used."""
    return Report([_fault(error, error.path.parent)])


def _fault(error: DatasetError, root: Path) -> Finding:
    path = relative(os.fspath(root), os.fspath(error.path))
    return Finding(path, error.line, "yaml", ERROR, error.message, error.fix)


def check(
    dataset: Dataset,
    minimum: Mapping[str, int] = MINIMUM,
    *,
    deep: bool = False,
    keep: Path | None = None,
    seconds: float | None = None,
    processes: int | None = None,
) -> Report:
    """Look at every image's entry and every line of every label.

    Args:
        dataset: as `sets.read` or `sets.survey` gives it.
        minimum: images that a split must hold.
        deep: decode every image too, and look for images that look the same; needs the `data` extra.
        keep: a folder for results, outside the set: what has not changed since is not looked at again.
        seconds: decode no longer than this; None as long as it takes.
        processes: at most so many; None takes one for each processor.
    """
    kept = Kept(keep, dataset, dict(minimum), deep=deep) if keep else None
    if kept and (report := kept.report()):
        return report
    checking = _Checking(dataset, processes)
    checking.structure(minimum)
    if deep:
        checking.deep(kept, seconds)
    checking.report.findings.sort(key=lambda finding: finding.order)
    if kept and checking.complete:
        kept.keep(checking.report)
    return checking.report


class _Checking:
    """One check of one set."""

    def __init__(self, dataset: Dataset, processes: int | None) -> None:
        self.dataset = dataset
        self.root = os.fspath(dataset.root)
        self.processes = processes
        self.paths = {split: list(map(os.fspath, images)) for split, images in dataset.splits.items()}
        self.report = Report()
        self.members: list[across.Member] = []
        self.complete = True

    def structure(self, minimum: Mapping[str, int]) -> None:
        """All that can be said without decoding a pixel."""
        report, sizes, polygons = self.report, {}, False
        boxes: dict[str, Counter[int]] = {}
        report.findings += [_fault(each, self.dataset.root) for each in self.dataset.faults]
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
        classes, keypoints = len(self.dataset.names), self.dataset.keypoints
        if len(paths) < _PAYS:
            return pairs.examine(paths, root=self.root, classes=classes, keypoints=keypoints)
        options = {"root": self.root, "classes": classes, "keypoints": keypoints}
        whole = pairs.Examined()
        for found in crowd.spread("examine", paths, options, chunk=_CHUNK, pays=_PAYS, processes=self.processes):
            whole.add(pairs.unpack(found))
        return whole

    def _totals(self, minimum: Mapping[str, int], boxes: Mapping[str, Counter[int]]) -> Iterator[Finding]:
        names, total = self.dataset.names, sum(boxes.values(), Counter[int]())
        self.report.classes = dict.fromkeys(names, 0)
        for index, name in enumerate(names):
            self.report.classes[name] += total[index]
        file = self.dataset.file.name
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

    def deep(self, kept: Kept | None, seconds: float | None) -> None:
        """Decode every image that can be opened."""
        until = time.monotonic() + seconds if seconds is not None else float("inf")
        paths = list(dict.fromkeys(member.path for member in self.members if member.size))
        known = kept.pixels(paths) if kept else {}
        todo = [path for path in paths if path not in known]
        fresh: dict[str, tuple[bytes, pixels.Decoded]] = {}
        for path, content, decoded in self._decode(todo, kept):
            fresh[path], known[path] = (content, decoded), decoded
            if kept and len(fresh) >= _PORTION:
                kept.learn(fresh)
                fresh = {}
            if time.monotonic() > until:
                break
        if kept:
            kept.learn(fresh)
        self._seen(known)
        self.report.decoded = len(known)
        self.complete = len(known) == len(paths)

    def _decode(self, paths: Sequence[str], kept: Kept | None) -> Iterator[tuple[str, bytes, pixels.Decoded]]:
        """Each image with the content that it is kept under and what decoding it gave."""
        options = {"kept": os.fspath(kept.file), "marker": kept.marker.decode()} if kept else {}
        chunks = crowd.spread(
            "decode", paths, options, chunk=_DECODE_CHUNK, pays=_DECODE_PAYS, processes=self.processes
        )
        for path, (content, fault, seen) in zip(paths, chain.from_iterable(chunks), strict=False):
            yield path, bytes.fromhex(content), (fault, bytes.fromhex(seen))

    def _seen(self, known: Mapping[str, pixels.Decoded]) -> None:
        advice = "bring the original, or remove it and its label"
        for path, (fault, _) in known.items():
            if fault:
                message = f"its pixels cannot be decoded: {fault}"
                self.report.findings.append(
                    Finding(relative(self.root, path), 0, "image-corrupt", ERROR, message, advice)
                )
        prints = {path: seen for path, (_, seen) in known.items() if seen}
        self.report.findings += across.lookalikes(self.members, prints, self.root)


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
