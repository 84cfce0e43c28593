"""What was read of somebody's annotations, before anything is written: images, boxes, and what was passed over."""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from containerid.dataset import images
from containerid.dataset.findings import ERROR, relative
from containerid.dataset.headers import READERS, Broken, Source, kind_of
from containerid.dataset.tree import walk
from containerid.dataset.yamlfile import DatasetError

DEFAULT = "0.8/0.1/0.1"
"""The shares of train, val and test where nobody asks for others."""
_LIKE = 0.02
"""How far the shape that annotations give an image may be from its own, as a share."""
_SLACK = 1e-4
"""Share of the longer side that rounding may put a box over the edge without a word."""
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Size = tuple[float, float]
"""Width and height in pixels; 0 unknown."""


class Box(NamedTuple):
    """A box: the index of its class, then centre, width and height as fractions of the image."""

    label: int
    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Sample:
    """An image and its boxes.

    Attributes:
        image: absolute.
        name: relative to the source, POSIX; in the order of names everything is done.
        size: of the image in pixels.
        boxes: inside the image, none twice.
        split: the source's own; empty where it has none.
    """

    image: Path
    name: str
    size: Size
    boxes: list[Box] = field(default_factory=list)
    split: str = ""


@dataclass(slots=True)
class Gathered:
    """A source as far as it was read.

    Attributes:
        root: its folder; absolute.
        names: classes by their index, in the order given, or of the source, or of first sight.
        closed: no class is added to `names`; boxes of others are passed over.
        samples: images, by name.
        faults: what must be mended in the source before it can be taken over.
        leaks: what must be mended before the source's own splits can be.
        counts: of what was changed or passed over, by the words of `WORDS`.
    """

    root: Path
    names: list[str] = field(default_factory=list)
    closed: bool = False
    samples: list[Sample] = field(default_factory=list)
    faults: list[DatasetError] = field(default_factory=list)
    leaks: list[DatasetError] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, path: Path, line: int, message: str, fix: str = "") -> None:
        """Note what must be mended in the source."""
        self.faults.append(DatasetError(path, line, message, fix))

    def leak(self, path: Path, line: int, message: str) -> None:
        """Note an image that two splits of the source have."""
        self.leaks.append(DatasetError(path, line, message, f"leave it in one, or split anew: --split {DEFAULT}"))

    def index_of(self, name: str) -> int | None:
        """The index of a class, which may be a new one; None for one that was not asked for."""
        if name not in self.names:
            if self.closed:
                self.counts["other-class"] += 1
                return None
            self.names.append(name)
        return self.names.index(name)

    def box(self, sample: Sample, index: int, corners: Sequence[float]) -> None:
        """Give a sample a box, cut at the image's edge.

        Args:
            sample: with its size known.
            index: of the class.
            corners: left, top, right and bottom in pixels from the image's corner.
        """
        across, down = sample.size
        left, right = (min(max(each, 0.0), across) / across for each in (corners[0], corners[2]))
        top, bottom = (min(max(each, 0.0), down) / down for each in (corners[1], corners[3]))
        if right <= left or bottom <= top:
            self.counts["no-area"] += 1
            return
        slack = _SLACK * max(across, down)
        if min(corners) < -slack or corners[2] > across + slack or corners[3] > down + slack:
            self.counts["clipped"] += 1
        box = Box(index, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        if box in sample.boxes:
            self.counts["twice"] += 1
        else:
            sample.boxes.append(box)

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
    return found


def around(points: Sequence[float]) -> tuple[float, float, float, float]:
    """The box around points x, y, x, y, …: left, top, right, bottom."""
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def split_named(text: str) -> str:
    """The split that a path or a name speaks of, by its last word that is one; empty for none."""
    words = re.split(r"[^a-z]+", text.lower())
    return next((_SPLITS[word] for word in reversed(words) if word in _SPLITS), "")


class Images:
    """Every image below a folder, to be found by what annotations call it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = sorted(_below(root), key=lambda path: path.relative_to(root).as_posix())
        self._known = set(map(os.fspath, self.paths))
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._stems: dict[str, list[Path]] = defaultdict(list)
        for path in self.paths:
            self._named[path.name.casefold()].append(path)
            self._stems[path.stem.casefold()].append(path)

    def find(self, name: str, folder: Path, stem: str = "") -> list[Path]:
        """What an image's name may mean: one path when it is clear, none, or several.

        Args:
            name: as annotations write it, with folders or without, of another machine perhaps.
            folder: where the annotations lie; what is nearest to it is preferred.
            stem: of the file that annotates this image alone; it counts where the name leads nowhere.
        """
        plain = name.strip().replace("\\", "/")
        for base in (folder, self.root):
            path = os.path.normpath(base / plain)
            if plain and path in self._known:
                return [Path(path)]
        found = self._ending(plain) if plain else []
        return self._nearest(found or self._stems.get(stem.casefold(), []), folder)

    def _ending(self, plain: str) -> list[Path]:
        parts = [part for part in plain.casefold().split("/") if part not in {"", ".", ".."}]
        found = self._named.get(parts[-1], []) if parts else []
        for count in range(len(parts), 1, -1):
            tail = [path for path in found if list(map(str.casefold, path.parts[-count:])) == parts[-count:]]
            if tail:
                return tail
        return found

    def _nearest(self, found: Sequence[Path], folder: Path) -> list[Path]:
        if len(found) < 2:
            return list(found)
        shared = [len(os.path.commonpath([path, folder])) for path in found]
        return [path for path, length in zip(found, shared, strict=True) if length == max(shared)]


def _below(root: Path) -> Iterator[Path]:
    for folder, _, files, _ in walk(os.fspath(root)):
        yield from (Path(folder, name) for name in files if images.is_image(name))


def located(gathered: Gathered, found: Sequence[Path], name: str, place: tuple[Path, int]) -> Path | None:
    """The one image that was found; else a fault is noted."""
    if len(found) == 1:
        return found[0]
    if not found and images.suffix_of(name) and not images.is_image(Path(name).name):
        gathered.fault(
            *place, f"its image {name[:80]} is of a kind that Ultralytics does not read", "convert it to PNG"
        )
    elif not found:
        gathered.fault(*place, f"its image {name[:80]} is not there", "bring the image, or take its annotation out")
    else:
        told = " and ".join(path.relative_to(gathered.root).as_posix() for path in found[:2])
        gathered.fault(*place, f"its image {name[:80]} may be {told}", "write its folder too")
    return None
