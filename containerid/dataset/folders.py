"""Images that are sorted into a folder for each class: with folders for the splits above them, or without."""

from pathlib import Path

from containerid.dataset.gathered import Gathered
from containerid.dataset.images import is_image
from containerid.dataset.sought import Images

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_NONE = frozenset({"images", "labels", "annotations", "imagesets", "jpegimages", "obj_train_data"})
"""Folders that formats with boxes have."""


def is_source(root: Path) -> bool:
    """Whether a folder holds two folders of images or more, or such folders for its splits."""
    tops = _below(root)
    if tops and all(top.name.lower() in _SPLITS for top in tops):
        tops = [each for top in tops for each in _below(top)]
    names = {top.name for top in tops if any(is_image(each.name) for each in top.rglob("*"))}
    return len(names) > 1 and not {name.lower() for name in names} & _NONE


def _below(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def read(gathered: Gathered, images: Images) -> None:
    """Read which class each image is of.

    Args:
        gathered: gets samples, classes, counts and faults.
        images: of the source.
    """
    parts = {image: image.relative_to(gathered.root).parts for image in images.paths}
    split = all(each[0].lower() in _SPLITS for each in parts.values() if len(each) > 1)
    depth = 1 if split else 0
    if not gathered.closed:
        gathered.names += sorted({each[depth] for each in parts.values() if len(each) > depth + 1})
    for image, each in parts.items():
        if len(each) < depth + 2:
            gathered.counts["unsorted"] += 1
        elif gathered.wants(each[depth]) and (sample := gathered.sample(image)):
            sample.split = _SPLITS[each[0].lower()] if split else ""
            sample.rows.append((gathered.index_of(each[depth]),))
