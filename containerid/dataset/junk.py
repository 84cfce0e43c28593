"""What lies among images and labels and does not belong there: orphans, caches, droppings of other programs."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from containerid.dataset.findings import ERROR, WARNING, Finding, relative
from containerid.dataset.images import FORMATS, is_image
from containerid.dataset.rows import decode
from containerid.dataset.sets import YAML, Dataset, images_of, label_path
from containerid.dataset.tree import Folder, roots, walk

WELCOME = frozenset({YAML, ".gitignore", ".gitkeep", ".gitattributes", ".dvcignore", ".keep"})
"""Files that may lie anywhere in a set."""
_CLASSES = "classes.txt"
_DROPPINGS = frozenset({"thumbs.db", "ehthumbs.db", ".ds_store", "desktop.ini"})
_CACHES = (".cache", ".npy")
_UNREAD = frozenset(["gif", "svg", "raw", "cr2", "nef", "arw", "psd", "ico", "jfif", "jpe", "pfm", "tga", "ppm", "pgm"])
_SHOWN = 50
"""Images of one folder that no split names and that are reported one by one."""


@dataclass(slots=True)
class _Known:
    """What belongs to the set.

    Attributes:
        root: the set's folder.
        images: every image that a split names.
        labels: where their labels are or would be.
        folded: the same in one letter case.
        lists: files that data.yaml names.
        folders: that images of a split lie in.
        unlisted: images that no split names, by their folder.
    """

    root: str
    images: set[str]
    labels: set[str]
    folded: dict[str, str]
    lists: set[str]
    folders: set[str]
    unlisted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def relative(self, path: str) -> str:
        return relative(self.root, path)


def sweep(dataset: Dataset) -> Iterator[Finding]:
    """Look through the folders of images and labels for what no split explains."""
    known = _know(dataset)
    bases, named = _bases(dataset, known), set(map(os.fspath, dataset.folders))
    apart = {
        folder for folder in known.folders if not f"{folder}{os.sep}".startswith(tuple(f"{b}{os.sep}" for b in bases))
    }
    for top, what in roots(bases | apart, known.root).items():
        for folder in walk(top):
            yield from _nested(folder, what, bases & named, known)
            for name in folder.files:
                yield from _file(folder, name, what, known)
    yield from _unlisted(known)
    yield from _stems(known)
    if known.root not in known.folders:
        yield from beside(dataset.root)


def _bases(dataset: Dataset, known: _Known) -> set[str]:
    """A split's folders; not one elsewhere on the disk that holds nothing of it."""
    named = {base for found in dataset.bases.values() for base in found}
    within = f"{known.root}{os.sep}"
    return {
        base
        for base in map(os.fspath, named)
        if base.startswith(within) or any(f"{folder}{os.sep}".startswith(f"{base}{os.sep}") for folder in known.folders)
    }


def _know(dataset: Dataset) -> _Known:
    images = set(images_of(dataset))
    labels = {label_path(image) for image in images}
    folded = {label.casefold(): label for label in labels}
    lists = {os.fspath(file) for file in dataset.lists}
    folders = {image.rpartition(os.sep)[0] for image in images}
    return _Known(os.fspath(dataset.root), images, labels, folded, lists, folders)


def _nested(folder: Folder, what: str, bases: set[str], known: _Known) -> Iterator[Finding]:
    path = folder.path
    inside = [base for base in bases if path.startswith(f"{base}{os.sep}")]
    if path in bases:
        inside = []
    elif what == "labels":
        tops = {label_path(f"{base}{os.sep}x.jpg").rpartition(os.sep)[0] for base in bases}
        inside = [top for top in tops - {path} if path.startswith(f"{top}{os.sep}") and path not in tops]
    if (
        inside
        and (name := path.rpartition(os.sep)[2]) not in {"images", "labels"}
        and not name.startswith(".")
        and not is_image(name)
    ):
        message = f"a folder within a split's {'labels' if what == 'labels' else 'images'}"
        yield Finding(known.relative(path), 0, "nested", WARNING, message, "move its files up, or name it in data.yaml")
    for name in folder.loops:
        if not is_image(name):
            message = "a link to a folder that it lies in: a loop, which is not followed"
            yield Finding(known.relative(f"{path}{os.sep}{name}"), 0, "loop", WARNING, message, "remove the link")
    for name in folder.folders:
        if name.startswith("."):
            below = known.relative(f"{path}{os.sep}{name}")
            yield Finding(below, 0, "junk", WARNING, "a hidden folder; nothing in it is used", "remove it")


def _file(folder: Folder, name: str, what: str, known: _Known) -> Iterator[Finding]:
    path = f"{folder.path}{os.sep}{name}"
    if path in known.images or path in known.labels or name in WELCOME or path in known.lists:
        return
    if name.lower() in _DROPPINGS or name.startswith("."):
        yield Finding(known.relative(path), 0, "junk", WARNING, "left by another program", "remove it")
    elif name.lower().endswith(_CACHES):
        yield _cache(known.relative(path))
    elif name == _CLASSES:
        yield Finding(
            known.relative(path), 0, "junk", WARNING, "LabelImg's list of classes; it is not used", "remove it"
        )
    elif name.lower().endswith(".txt") and what != "images":
        yield from _orphan(path, known)
    elif is_image(name) and what != "labels":
        known.unlisted[folder.path].append(path)
    else:
        yield Finding(known.relative(path), 0, "junk", WARNING, *_stray(name, what))


def _stray(name: str, what: str) -> tuple[str, str]:
    suffix = name.rpartition(".")[2].lower()
    if suffix in _UNREAD:
        return f"Ultralytics does not read .{suffix}", "convert it to PNG or JPEG, or remove it"
    if suffix == "txt":
        return "a text among images; labels are looked for in `labels`", "move it there"
    if is_image(name):
        return "an image among labels; it is not used", "move it to `images`"
    return f"neither an image nor a label, among {'images and labels' if what == 'both' else what}", "remove it"


def _cache(path: str) -> Finding:
    message = "a trainer's cache: it gets stale, and makes the set look changed"
    return Finding(path, 0, "cache", WARNING, message, "remove it")


def stray(path: str, name: str) -> Finding:
    """What a file is that is no image of a class; the path is the one that is shown."""
    if name.lower().endswith(_CACHES):
        return _cache(path)
    if name.lower() in _DROPPINGS or name.startswith("."):
        return Finding(path, 0, "junk", WARNING, "left by another program", "remove it")
    suffix = name.rpartition(".")[2].lower()
    message = f"Ultralytics does not read .{suffix}" if suffix in _UNREAD else "no image"
    return Finding(path, 0, "junk", WARNING, message, "convert it to PNG or JPEG, or remove it")


def _orphan(path: str, known: _Known) -> Iterator[Finding]:
    twin = known.folded.get(path.casefold())
    if twin is not None:
        message = f"differs from its image's name by letter case: {twin.rpartition(os.sep)[2]} is looked for"
        yield Finding(known.relative(path), 0, "label-case", ERROR, message, "rename it")
    elif not _has_image(path):
        severity, message = (WARNING, "a text that is no label") if _prose(path) else (ERROR, "the label has no image")
        kind = "junk" if severity == WARNING else "label-orphan"
        yield Finding(known.relative(path), 0, kind, severity, message, "bring the image, or remove it")


def _has_image(label: str) -> bool:
    """An image is there for the label, though no split names it."""
    before, found, after = label.rpartition(f"{os.sep}labels{os.sep}")
    path = Path(f"{before}{os.sep}images{os.sep}{after}" if found else label)
    endings = {each for suffix in FORMATS for each in (suffix, suffix.upper())}
    return path.parent.is_dir() and any(os.path.exists(path.with_suffix(f".{each}")) for each in endings)  # noqa: PTH110 - of what may not be seen, Path.exists raises


def _prose(path: str) -> bool:
    """Words alone: a README, not a label."""
    try:
        text, _ = decode(Path(path).read_bytes()[:4096])
    except OSError:
        return False
    words = re.split(r"[\s,;|]+", text.strip())
    numeric = sum(word.replace(".", "", 1).lstrip("+-").isdigit() for word in words)
    return any(words) and numeric * 4 < len(words)


def _unlisted(known: _Known) -> Iterator[Finding]:
    for folder, paths in sorted(known.unlisted.items()):
        if folder in known.folders and len(paths) <= _SHOWN:
            for path in paths:
                yield Finding(known.relative(path), 0, "image-unused", WARNING, "no split names the image", _LIST)
        else:
            message = f"{len(paths)} images that no split names"
            yield Finding(known.relative(folder), 0, "image-unused", WARNING, message, _LIST)


_LIST = "name it in data.yaml or in a list, or remove it"


def _stems(known: _Known) -> Iterator[Finding]:
    """Images that share a label: of one stem, or of stems that differ by letter case alone."""
    seen: dict[str, str] = {}
    folded: dict[str, str] = {}
    for path in sorted(known.images):
        label = label_path(path)
        if first := seen.get(label):
            message = f"shares its label with {first.rpartition(os.sep)[2]}"
            yield Finding(known.relative(path), 0, "image-stem", WARNING, message, "rename one, and give it a label")
        else:
            seen[label] = path
        alike = folded.setdefault(path.casefold(), path)
        if alike != path:
            message = (
                f"differs from {alike.rpartition(os.sep)[2]} by letter case alone: Windows and macOS keep one of them"
            )
            yield Finding(known.relative(path), 0, "image-case", WARNING, message, "rename one, and its label")


def beside(root: Path) -> Iterator[Finding]:
    """Droppings and caches right in the set's folder; what else lies there is nobody's business."""
    for entry in sorted(root.iterdir()) if root.is_dir() else ():
        if entry.name.lower() in _DROPPINGS or (entry.name.lower().endswith(_CACHES) and entry.is_file()):
            yield stray(entry.name, entry.name)
