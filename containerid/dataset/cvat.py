"""CVAT: its XML for images (1.1), and its export called YOLO 1.1 with obj.data and obj.names."""

import math
from pathlib import Path

from containerid.dataset import geometry, markup, masks
from containerid.dataset.gathered import Gathered, Sample, numbers, split_named
from containerid.dataset.shapes import Drawn, Keypoint
from containerid.dataset.sought import Images, located
from containerid.dataset.tasks import POSE
from containerid.dataset.yamlfile import DatasetError

_PASSED = frozenset({"polyline", "points", "cuboid", "skeleton", "tag"})
"""Shapes that are no area. Skeletons are taken where poses are wanted."""


def read(gathered: Gathered, files: list[Path], images: Images) -> None:
    """Read `annotations.xml`, and every image that it does not name as background.

    Args:
        gathered: gets samples, classes, counts and faults.
        files: those that were found, mostly one.
        images: of the source.
    """
    seen: set[Path] = set()
    for file in files:
        try:
            root = markup.read(file)
        except DatasetError as error:
            gathered.faults.append(error)
            continue
        if root.all("track"):
            gathered.fault(file, root.all("track")[0].line, "is CVAT for video", "export it as CVAT for images 1.1")
            continue
        reading = _File(gathered, file, root)
        for node in root.all("image"):
            reading.image(node, images, seen)
    for image in images.paths:
        if image not in seen and gathered.sample(image):
            gathered.counts["unlabelled"] += 1


class _File:
    """One file that is being read."""

    def __init__(self, gathered: Gathered, file: Path, root: markup.Node) -> None:
        self.gathered, self.file = gathered, file
        self.skeletons: dict[str, list[str]] = {}
        meta = root.find("meta")
        for holder in meta.children if meta else ():
            if labels := holder.find("labels"):
                self._labels(labels.all("label"))

    def _labels(self, labels: list[markup.Node]) -> None:
        posed, gathered = self.gathered.task == POSE, self.gathered
        for label in labels:
            kind, name = label.word("type"), label.word("name")
            if posed and kind == "skeleton" and (not gathered.closed or name in gathered.names):
                order = [each.word("name") for each in labels if each.word("parent") == name]
                self.skeletons[name] = order
                gathered.pose((self.file, label.line), {name: order}, len(order))
            elif name and not posed and not gathered.closed and kind not in _PASSED:
                gathered.index_of(name)

    def image(self, node: markup.Node, images: Images, seen: set[Path]) -> None:
        gathered, name, place = self.gathered, node.attributes.get("name", ""), (self.file, node.line)
        image = located(gathered, images.find(name, self.file.parent), name, place)
        if image is None:
            return
        if image in seen:
            gathered.fault(*place, f"{name} stands there twice", "merge its boxes into one <image>")
            return
        seen.add(image)
        try:
            across, down = numbers([node.attributes.get(side, "0") for side in ("width", "height")])
        except ValueError:
            across = down = 0.0
        sample = gathered.sample(image, (across, down), place)
        if sample:
            sample.split = split_named(node.attributes.get("subset", ""))
            for shape in node.children:
                self._shape(shape, sample)

    def _shape(self, shape: markup.Node, sample: Sample) -> None:
        tag, name = shape.tag, shape.attributes.get("label", "")
        skeleton = self.skeletons.get(name) if tag == "skeleton" else None
        if tag in _PASSED and not skeleton:
            self.gathered.counts["skeleton" if tag == "skeleton" else "shape"] += 1
            return
        try:
            drawn = _skeleton(shape, skeleton) if skeleton else _DRAWN[tag](shape.attributes)
            name = shape.attributes["label"]
        except KeyError as error:
            message = f"<{tag}> has no {error.args[0]}" if tag in {*_DRAWN, *_PASSED} else f"<{tag}> is not known"
            self.gathered.fault(self.file, shape.line, message, "export it as CVAT for images 1.1")
        except ValueError:
            self.gathered.fault(self.file, shape.line, f"<{tag}> has what is no number", "correct it")
        else:
            self.gathered.draw(sample, name, drawn)


def _box(attributes: dict[str, str]) -> Drawn:
    left, top, right, bottom = numbers([attributes[each] for each in ("xtl", "ytl", "xbr", "ybr")])
    angle = numbers([attributes.get("rotation", "0")])[0]
    if not angle:
        return Drawn((left, top, right, bottom))
    middle = (left + right) / 2, (top + bottom) / 2
    return Drawn(corners=geometry.turned(middle, (right - left, bottom - top), angle))


def _polygon(attributes: dict[str, str]) -> Drawn:
    return Drawn(parts=(geometry.paired(_numbers_of(attributes["points"])),), area=True)


def _numbers_of(points: str) -> list[float]:
    return numbers([word for pair in points.split(";") for word in pair.split(",")])


def _ellipse(attributes: dict[str, str]) -> Drawn:
    x, y, across, down = numbers([attributes[each] for each in ("cx", "cy", "rx", "ry")])
    turn = numbers([attributes.get("rotation", "0")])[0]
    angle = math.radians(turn)
    wide = math.hypot(across * math.cos(angle), down * math.sin(angle))
    high = math.hypot(across * math.sin(angle), down * math.cos(angle))
    box = x - wide, y - high, x + wide, y + high
    corners = geometry.turned((x, y), (2 * across, 2 * down), turn)
    return Drawn(box, (geometry.ellipse((x, y), (across, down), turn),), corners, area=True)


def _mask(attributes: dict[str, str]) -> Drawn:
    left, top, across, down = numbers([attributes[each] for each in ("left", "top", "width", "height")])
    lengths = [int(each) for each in numbers(attributes["rle"].split(","))]
    # Lengths that count row by row inside the box; of holes nothing is left.
    found, _ = masks.outlines(masks.runs(lengths, int(across), int(down)))
    parts = tuple([(left + x, top + y) for x, y in outline] for outline in found)
    return Drawn((left, top, left + across, top + down), parts, area=True)


_DRAWN = {"box": _box, "polygon": _polygon, "ellipse": _ellipse, "mask": _mask}


def _skeleton(shape: markup.Node, order: list[str]) -> Drawn:
    found: dict[str, Keypoint] = {}
    for point in shape.all("points"):
        x, y = _numbers_of(point.attributes["points"])
        seen = 0 if point.attributes.get("outside") == "1" else 1 if point.attributes.get("occluded") == "1" else 2
        found[point.attributes["label"]] = x, y, seen
    return Drawn(keypoints=tuple(found.get(each, (0.0, 0.0, 0)) for each in order))


def lists(gathered: Gathered, images: Images) -> tuple[list[str], dict[Path, str]]:
    """What the export called YOLO says: its classes, and the split of each image that it lists.

    Args:
        gathered: gets faults.
        images: of the source.
    """
    root = gathered.root
    try:
        words = dict(
            line.split("=", 1) for line in (root / "obj.data").read_text("utf-8-sig").splitlines() if "=" in line
        )
        names = (root / "obj.names").read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        gathered.fault(root / "obj.data", 0, "it or obj.names cannot be read", "export it anew")
        return [], {}
    splits: dict[Path, str] = {}
    for key, value in sorted(words.items()):
        split = split_named(key.strip())
        if split:
            _list(gathered, root / Path(value.strip()).name, split, images, splits)
    return [name.strip() for name in names if name.strip()], splits


def _list(gathered: Gathered, file: Path, split: str, images: Images, splits: dict[Path, str]) -> None:
    try:
        entries = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        gathered.fault(file, 0, "cannot be read, and obj.data names it", "export it anew")
        return
    for line, entry in enumerate(entries, 1):
        if entry.strip():
            name = entry.strip().removeprefix("data/")
            image = located(gathered, images.find(name, gathered.root), name, (file, line))
            if image and splits.setdefault(image, split) != split:
                gathered.leak(file, line, f"{name} is in {splits[image]} already")
