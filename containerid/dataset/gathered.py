"""What was read of somebody's annotations, before anything is written: images, labels, and what was passed over."""

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerid.dataset import images
from containerid.dataset.findings import ERROR, relative
from containerid.dataset.headers import READERS, Broken, Source, kind_of
from containerid.dataset.shapes import TAKE, Drawn, Size
from containerid.dataset.skeletons import described
from containerid.dataset.tasks import DETECT
from containerid.dataset.yamlfile import DatasetError

DEFAULT = "0.8/0.1/0.1"
"""The shares of train, val and test where nobody asks for others."""
_LIKE = 0.02
"""How far the shape that annotations give an image may be from its own, as a share."""
_FAR = 1e9
"""Pixels: a number beyond is no place on an image."""
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


Row = tuple[float, ...]
"""The index of a class, and what stands after it in a label, as the task has it."""


class Refused(Exception):
    """A source with faults that have to be mended in it.

    Attributes:
        faults: all that were found.
    """

    def __init__(self, faults: Sequence[DatasetError]) -> None:
        super().__init__(str(faults[0]))
        self.faults = tuple(faults)


@dataclass(slots=True)
class Sample:
    """An image and what is on it.

    Attributes:
        image: absolute.
        name: relative to the source, POSIX; in the order of names everything is done.
        size: of the image in pixels.
        rows: of its label; inside the image, none twice.
        split: the source's own; empty where it has none.
    """

    image: Path
    name: str
    size: Size
    rows: list[Row] = field(default_factory=list)
    split: str = ""


@dataclass(slots=True)
class Gathered:
    """A source as far as it was read.

    Attributes:
        root: its folder; absolute.
        task: what the set is for, one of `tasks.TASKS`.
        names: classes by their index, in the order given, or of the source, or of first sight.
        closed: no class is added to `names`; boxes of others are passed over.
        samples: images, by name.
        faults: what must be mended in the source before it can be taken over.
        leaks: what must be mended before the source's own splits can be.
        counts: of what was changed or passed over, by the words of `WORDS`.
        keys: of data.yaml, besides splits and names.
        others: objects of classes that were not asked for.
    """

    root: Path
    task: str = DETECT
    names: list[str] = field(default_factory=list)
    closed: bool = False
    samples: list[Sample] = field(default_factory=list)
    faults: list[DatasetError] = field(default_factory=list)
    leaks: list[DatasetError] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    keys: dict[str, Any] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)

    def fault(self, path: Path, line: int, message: str, fix: str = "") -> None:
        """Note what must be mended in the source."""
        self.faults.append(DatasetError(path, line, message, fix))

    def leak(self, path: Path, line: int, message: str) -> None:
        """Note an image that two splits of the source have."""
        self.leaks.append(DatasetError(path, line, message, f"leave it in one, or split anew: --split {DEFAULT}"))

    def wants(self, name: str) -> bool:
        """Whether a class was asked for; one that was not is counted."""
        asked = not self.closed or name in self.names
        if not asked:
            self.counts["other-class"] += 1
            self.others[name] += 1
        return asked

    def index_of(self, name: str) -> int:
        """The index of a class, which may be a new one."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def pose(self, place: tuple[Path, int], names: Mapping[str, Sequence[str]], count: int) -> None:
        """Note how many keypoints the objects have; a fault where others have another number.

        Args:
            place: file and line that say so.
            names: of the keypoints, by the class's name; none of a class whose keypoints have no names.
            count: how many.
        """
        known = self.keys.get("kpt_shape", [count])[0]
        if known == count:
            told = {self.index_of(name): each for name, each in names.items()}
            self.keys.update(described(told, count))
        else:
            message = f"has {count} keypoints, and there are {known} elsewhere: a pose model has one number of them"
            self.fault(*place, message, "take one class: --names NAME")

    def draw(self, sample: Sample, kind: str | int, drawn: Drawn) -> None:
        """Give a sample what its task makes of a shape.

        Args:
            sample: with its size known.
            kind: the class's name, or its index.
            drawn: in pixels from the image's corner.
        """
        if isinstance(kind, str) and not self.wants(kind):
            return
        made = TAKE[self.task](drawn, sample.size, self.counts)
        if made is None:
            return
        row = (self.index_of(kind) if isinstance(kind, str) else kind, *made)
        if row in sample.rows:
            self.counts["twice"] += 1
        else:
            sample.rows.append(row)

    def sample(self, image: Path, stated: Size = (0, 0), place: tuple[Path, int] | None = None) -> Sample | None:
        """A sample for an image that can be used; else a fault is noted.

        Args:
            image: absolute.
            stated: the size that its annotations give it, which their pixels count in.
            place: file and line where they do.
        """
        size = self._measure(image, stated, place or (image, 0))
        if size is None:
            return None
        made = Sample(image, relative(os.fspath(self.root), os.fspath(image)), size)
        self.samples.append(made)
        return made

    def _measure(self, image: Path, stated: Size, place: tuple[Path, int]) -> Size | None:
        look = images.look(os.fspath(image))
        for kind, severity, message, fix in look.said:
            if severity == ERROR:
                self.fault(image, 0, message, fix)
                return None
            if kind == "image-rotated" and _lies(image):
                look = look._replace(width=look.height, height=look.width)
        across, down = stated
        if not (look.width and look.height):
            return (across, down) if across > 0 and down > 0 else (1, 1)
        if not (across > 0 and down > 0):
            return look.width, look.height
        if abs(across * look.height - down * look.width) > _LIKE * max(across * look.height, down * look.width):
            message = f"gives {image.name} {across:g}x{down:g} pixels; upright, it has {look.width}x{look.height}"
            self.fault(*place, message, "export the annotations anew, or bring the image that they were made for")
            return None
        return across, down


def _lies(image: Path) -> bool:
    """Its EXIF turns it by a quarter, so that width and height change places."""
    with image.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        source = Source(file.fileno(), size)
        try:
            return READERS[kind_of(source.head)](source).orientation >= 5
        except (Broken, KeyError):
            return False


def numbers(words: Sequence[object]) -> list[float]:
    """Words as finite numbers. Raises ValueError when one is none."""
    try:
        found = [float(word) if isinstance(word, str | int | float) else math.nan for word in words]
    except OverflowError:
        found = [math.inf]
    if not all(map(math.isfinite, found)):
        raise ValueError("not finite")
    if max(map(abs, found), default=0) > _FAR:
        raise ValueError("far outside any image")
    return found


def split_named(text: str) -> str:
    """The split that a path or a name speaks of, by its last word that is one; empty for none."""
    words = re.split(r"[^a-z]+", text.lower())
    return next((_SPLITS[word] for word in reversed(words) if word in _SPLITS), "")
