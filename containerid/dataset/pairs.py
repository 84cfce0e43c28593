"""Images with their labels, one after the other: what can be said of each alone."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from containerid.dataset import images, labels
from containerid.dataset.findings import ERROR, WARNING, Finding, relative
from containerid.dataset.sets import label_path

_ADVICE = "add an empty label if there is nothing to find in it"


@dataclass(slots=True)
class Examined:
    """What a number of images gave.

    Attributes:
        findings: of the images and of their labels.
        sizes: bytes of each image; 0 for one that cannot be used.
        smallest: [width, height] in pixels, by area; empty when none is known.
        largest: the same.
        counts: `labels`, `boxes` and `backgrounds`.
        classes: boxes per class index.
        polygons: rows that can only be polygons.
    """

    findings: list[Finding] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    smallest: list[int] = field(default_factory=list)
    largest: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    classes: Counter[int] = field(default_factory=Counter)
    polygons: int = 0

    def add(self, other: "Examined") -> None:
        """Take in what other images gave, which come after these."""
        self.findings += other.findings
        self.sizes += other.sizes
        for size in (other.smallest, other.largest):
            self.measure(size)
        self.counts += other.counts
        self.classes += other.classes
        self.polygons += other.polygons

    def measure(self, size: list[int]) -> None:
        """Take in one image's size; nothing when it is unknown."""
        if not size or not (area := size[0] * size[1]):
            return
        if not self.smallest or area < self.smallest[0] * self.smallest[1]:
            self.smallest = size
        if not self.largest or area > self.largest[0] * self.largest[1]:
            self.largest = size


def examine(paths: Iterable[str], *, root: str, classes: int, shape: Sequence[Any] = labels.BOXES) -> Examined:
    """Look at images and read their labels.

    Args:
        paths: of the images; absolute.
        root: the set's folder.
        classes: how many there are.
        shape: `labels.Shape` of a row, or a list of the same.
    """
    found, of = Examined(), (root, classes, labels.Shape(*shape))
    for path in paths:
        look = images.look(path)
        found.measure([look.width, look.height])
        wrong = False
        if look.said:
            name = relative(root, path)
            found.findings += [Finding(name, 0, *said) for said in look.said]
            wrong = any(severity == ERROR for _, severity, *_ in look.said)
        found.sizes.append(0 if wrong else look.size)
        _label(found, path, of, look)
    return found


def _label(found: Examined, image: str, of: tuple[str, int, labels.Shape], look: images.Look) -> None:
    path, (root, classes, shape) = label_path(image), of
    try:
        read = labels.read(path, classes, look.width, look.height, shape)
    except FileNotFoundError:
        found.counts["backgrounds"] += 1
        if not look.size:
            return
        message = "the image has no label" if not os.path.lexists(path) else "the image's label is a link to nowhere"
        found.findings.append(Finding(relative(root, image), 0, "label-missing", WARNING, message, _ADVICE))
        return
    if read.said:
        name = relative(root, path)
        found.findings += [Finding(name, *said) for said in read.said]
    found.counts["labels"] += 1
    found.counts["boxes"] += len(read.rows)
    if not read.rows:
        found.counts["backgrounds"] += 1
    found.classes.update(read.classes)
    found.polygons += read.polygons


def pack(found: Examined) -> dict[str, Any]:
    """Plain JSON types, to cross to another process."""
    findings = [[f.path, f.line, f.kind, f.severity, f.message, f.fix] for f in found.findings]
    plain = {name: getattr(found, name) for name in ("sizes", "smallest", "largest", "polygons")}
    return {**plain, "findings": findings, "counts": dict(found.counts), "classes": list(found.classes.items())}


def unpack(document: dict[str, Any]) -> Examined:
    """Read back what `pack` gave."""
    plain = {name: document[name] for name in ("sizes", "smallest", "largest", "polygons")}
    findings = [Finding(*each) for each in document["findings"]]
    return Examined(
        **plain, findings=findings, counts=Counter(document["counts"]), classes=Counter(dict(document["classes"]))
    )
