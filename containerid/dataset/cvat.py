"""CVAT: its XML for images (1.1), and its export called YOLO 1.1 with obj.data and obj.names."""

import math
from pathlib import Path

from containerid.dataset import markup
from containerid.dataset.gathered import Gathered, Images, Sample, around, located, numbers, split_named
from containerid.dataset.yamlfile import DatasetError

_PASSED = frozenset({"polyline", "points", "cuboid", "skeleton", "tag"})
"""Shapes that are no area."""


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
        _classes(gathered, root)
        for node in root.all("image"):
            _image(gathered, file, node, images, seen)
    for image in images.paths:
        if image not in seen and gathered.sample(image):
            gathered.counts["unlabelled"] += 1


def _classes(gathered: Gathered, root: markup.Node) -> None:
    meta = root.find("meta")
    for holder in meta.children if meta and not gathered.closed else ():
        labels = holder.find("labels")
        for label in labels.all("label") if labels else ():
            if (name := label.word("name")) and label.word("type") not in _PASSED:
                gathered.index_of(name)


def _image(gathered: Gathered, file: Path, node: markup.Node, images: Images, seen: set[Path]) -> None:
    name, place = node.attributes.get("name", ""), (file, node.line)
    image = located(gathered, images.find(name, file.parent), name, place)
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
            _shape(gathered, file, shape, sample)


def _shape(gathered: Gathered, file: Path, shape: markup.Node, sample: Sample) -> None:
    if shape.tag in _PASSED:
        gathered.counts["shape"] += 1
        return
    try:
        corners = _CORNERS[shape.tag](shape.attributes)
        name = shape.attributes["label"]
    except KeyError as error:
        message = f"<{shape.tag}> has no {error.args[0]}" if shape.tag in _CORNERS else f"<{shape.tag}> is not known"
        gathered.fault(file, shape.line, message, "export it as CVAT for images 1.1")
        return
    except ValueError:
        gathered.fault(file, shape.line, f"<{shape.tag}> has what is no number", "correct it")
        return
    index = gathered.index_of(name)
    if index is not None:
        gathered.counts["polygon"] += shape.tag != "box"
        gathered.box(sample, index, corners)


def _box(attributes: dict[str, str]) -> tuple[float, float, float, float]:
    left, top, right, bottom = numbers([attributes[each] for each in ("xtl", "ytl", "xbr", "ybr")])
    angle = math.radians(numbers([attributes.get("rotation", "0")])[0])
    if not angle:
        return left, top, right, bottom
    # The box around one that is turned about its middle.
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    across, down = right - left, bottom - top
    wide, high = (across * cosine + down * sine) / 2, (across * sine + down * cosine) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - wide, y - high, x + wide, y + high


def _polygon(attributes: dict[str, str]) -> tuple[float, float, float, float]:
    points = numbers([word for pair in attributes["points"].split(";") for word in pair.split(",")])
    if len(points) < 6 or len(points) % 2:
        raise ValueError("no polygon")
    return around(points)


def _ellipse(attributes: dict[str, str]) -> tuple[float, float, float, float]:
    x, y, across, down = numbers([attributes[each] for each in ("cx", "cy", "rx", "ry")])
    angle = math.radians(numbers([attributes.get("rotation", "0")])[0])
    wide = math.hypot(across * math.cos(angle), down * math.sin(angle))
    high = math.hypot(across * math.sin(angle), down * math.cos(angle))
    return x - wide, y - high, x + wide, y + high


def _mask(attributes: dict[str, str]) -> tuple[float, float, float, float]:
    left, top, across, down = numbers([attributes[each] for each in ("left", "top", "width", "height")])
    return left, top, left + across, top + down


_CORNERS = {"box": _box, "polygon": _polygon, "ellipse": _ellipse, "mask": _mask}


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
