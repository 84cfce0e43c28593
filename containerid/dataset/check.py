"""What is wrong with a detection set, before a GPU second is spent on it. Reads everything, changes nothing."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from containerid.dataset.sets import Dataset, DatasetError, label_of

SEVERITIES = ERROR, WARNING, INFO = "error", "warning", "info"
MINIMUM = {"train": 1, "val": 1}
"""Images that a split must hold when nothing else is asked for."""
_TOLERANCE = 0.01
"""How far over the edge of an image Ultralytics lets a coordinate be."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or unusual.

    Attributes:
        path: relative to the set, POSIX.
        line: 1-based; 0 when it is the file as a whole.
        kind: a fixed word for programs, such as `label-class`.
        severity: `error` stops a run; `warning` and `info` do not.
        message: what is wrong.
        fix: what to do.
    """

    path: str
    line: int
    kind: str
    severity: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """`path:line: severity: message`, as compilers write it."""
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.severity}: {self.message}"


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        counts: per split `images`, `labels`, `boxes` and `backgrounds` (images without a box).
        classes: boxes per class name, over all splits.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """The findings that stop a run."""
        return [each for each in self.findings if each.severity == ERROR]

    @property
    def verdict(self) -> str:
        """The first error and how many more there are; empty for a set that can be used."""
        if not self.errors:
            return ""
        more = f" (and {len(self.errors) - 1} more errors)" if len(self.errors) > 1 else ""
        return f"the data cannot be used: {self.errors[0]}{more}"


def refuse(error: DatasetError) -> Report:
    """The report on a set whose data.yaml cannot be used."""
    return Report([Finding(error.path.name, error.line, "yaml", ERROR, error.message, error.fix)])


def check(dataset: Dataset, minimum: Mapping[str, int] = MINIMUM) -> Report:
    """Look at every image's entry and every line of every label.

    Args:
        dataset: as `dataset.read` gives it.
        minimum: images that a split must hold.
    """
    report = Report()
    boxes: Counter[int] = Counter()
    for split, images in dataset.splits.items():
        counts = Counter[str](images=len(images), labels=0, boxes=0, backgrounds=0)
        for image in images:
            report.findings += _check_image(dataset, image)
            report.findings += _check_label(dataset, image, counts, boxes)
        report.findings += _check_orphans(dataset, images)
        report.counts[split] = dict(counts)
    report.findings += _check_sizes(report.counts, minimum)
    report.classes = {name: boxes[index] for index, name in enumerate(dataset.names)}
    return report


def _relative(dataset: Dataset, path: Path) -> str:
    return Path(os.path.relpath(path, dataset.root)).as_posix()


def _check_image(dataset: Dataset, image: Path) -> Iterator[Finding]:
    try:
        empty = image.stat().st_size == 0
    except OSError as error:
        yield Finding(_relative(dataset, image), 0, "image-missing", ERROR, f"cannot be read ({error.strerror})")
        return
    if empty:
        yield Finding(_relative(dataset, image), 0, "image-empty", ERROR, "the image is empty", "remove it")


def _check_label(dataset: Dataset, image: Path, counts: Counter[str], boxes: Counter[int]) -> Iterator[Finding]:
    label = label_of(image)
    name = _relative(dataset, label)
    try:
        text = label.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        counts["backgrounds"] += 1
        fix = "add an empty label if there is nothing to find in it"
        yield Finding(_relative(dataset, image), 0, "label-missing", WARNING, "the image has no label", fix)
        return
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error.strerror})"
        yield Finding(name, 0, "label-encoding", ERROR, reason, "save it as UTF-8")
        return
    rows = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    counts["labels"] += 1
    counts["boxes"] += len(rows)
    counts["backgrounds"] += not rows
    yield from _check_rows(name, rows, len(dataset.names), boxes)


def _check_rows(
    name: str, rows: Sequence[tuple[int, list[str]]], classes: int, boxes: Counter[int]
) -> Iterator[Finding]:
    if not rows:
        yield Finding(name, 0, "label-empty", INFO, "the label is empty: a background image")
    seen: set[tuple[str, ...]] = set()
    widths = {len(row) for _, row in rows}
    for number, row in rows:
        if tuple(row) in seen:
            yield Finding(name, number, "label-duplicate", WARNING, "the same row stands above", "remove one of them")
        seen.add(tuple(row))
        for kind, severity, message in _check_row(row, classes, boxes, mixed=5 in widths):
            yield Finding(name, number, kind, severity, message)


def _check_row(row: Sequence[str], classes: int, boxes: Counter[int], *, mixed: bool) -> Iterator[tuple[str, str, str]]:
    try:
        numbers = [float(each) for each in row]
    except ValueError:
        yield "label-format", ERROR, f"not numbers: {' '.join(row)[:60]}"
        return
    if not all(map(math.isfinite, numbers)):
        yield "label-format", ERROR, "a number is not finite"
    elif len(numbers) != 5 and (len(numbers) < 7 or len(numbers) % 2 == 0):
        yield "label-columns", ERROR, f"{len(numbers)} columns instead of 5 (class, centre x, centre y, width, height)"
    else:
        yield from _check_class(row[0], numbers[0], classes, boxes)
        yield from _check_polygon(numbers[1:], mixed=mixed) if len(numbers) > 5 else _check_box(numbers[1:])


def _check_class(text: str, index: float, classes: int, boxes: Counter[int]) -> Iterator[tuple[str, str, str]]:
    if index != int(index) or not 0 <= index < classes:
        yield "label-class", ERROR, f"class {text} is none of 0 to {classes - 1}"
        return
    boxes[int(index)] += 1
    if not text.lstrip("+").isdigit():
        yield "label-class-form", WARNING, f"the class is written {text}, not {int(index)}"


def _check_polygon(points: Sequence[float], *, mixed: bool) -> Iterator[tuple[str, str, str]]:
    if mixed:
        yield "label-mixed", ERROR, "a polygon among boxes: Ultralytics drops the whole image"
    else:
        yield "label-polygon", WARNING, "a polygon; the box around it will be used"
    yield from _check_range(points)


def _check_box(box: Sequence[float]) -> Iterator[tuple[str, str, str]]:
    outside = list(_check_range(box))
    yield from outside
    x, y, width, height = box
    if width <= 0 or height <= 0:
        yield "label-area", ERROR, "the box has no area"
    elif not outside and max(_reach(x, width), _reach(y, height)) > 1 + _TOLERANCE / 10:
        yield "label-edge", WARNING, "the box reaches over the edge of the image"


def _reach(centre: float, size: float) -> float:
    """How far a box reaches from the middle of the image, 1 being its edge."""
    return abs(2 * centre - 1) + size


def _check_range(numbers: Iterable[float]) -> Iterator[tuple[str, str, str]]:
    outside = [each for each in numbers if not 0 <= each <= 1]
    far = [each for each in outside if not -_TOLERANCE <= each <= 1 + _TOLERANCE]
    if far:
        advice = " (pixels?)" if max(map(abs, far)) > 2 else ""
        yield "label-range", ERROR, f"{far[0]:g} lies outside 0 to 1{advice}"
    elif outside:
        yield "label-range", WARNING, f"{outside[0]:g} lies a little outside 0 to 1"


def _check_orphans(dataset: Dataset, images: Sequence[Path]) -> Iterator[Finding]:
    expected = {label_of(image) for image in images}
    folded = {os.fspath(path).casefold() for path in expected}
    for folder in sorted({path.parent for path in expected}):
        if not folder.is_dir():
            continue
        found = (Path(entry.path) for entry in os.scandir(folder) if entry.name.lower().endswith(".txt"))
        for path in sorted(path for path in found if path not in expected and path.name != "classes.txt"):
            near = os.fspath(path).casefold() in folded
            message = "differs from its image's name by letter case" if near else "the label has no image"
            kind = "label-case" if near else "label-orphan"
            yield Finding(_relative(dataset, path), 0, kind, ERROR, message, "rename it" if near else "remove it")


def _check_sizes(counts: Mapping[str, Mapping[str, int]], minimum: Mapping[str, int]) -> Iterator[Finding]:
    for split, least in minimum.items():
        if (found := counts.get(split, {}).get("images", 0)) < least:
            message = f"{split} has {found} image{'s' * (found != 1)}, at least {least} are asked for"
            yield Finding("data.yaml", 0, "too-few", ERROR, message, "add images, or lower the limit")
    for split, numbers in counts.items():
        if numbers["images"] and not numbers["boxes"] and split != "test":
            yield Finding("data.yaml", 0, "no-boxes", WARNING, f"{split} holds no box at all", "check the labels")
