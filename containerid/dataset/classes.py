"""A classification set as it lies on the disk: a folder for each split, in it a folder for each class."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from containerid.dataset.findings import ERROR, WARNING, Finding, Report, relative
from containerid.dataset.images import is_image, look
from containerid.dataset.sets import YAML, Dataset
from containerid.dataset.yamlfile import DatasetError

_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


def is_set(folder: Path) -> bool:
    """Whether a folder holds a classification set: a folder `train` in which there are folders with images."""
    train = folder / "train"
    found = (each for each in train.iterdir() if each.is_dir()) if train.is_dir() else iter(())
    return any(is_image(file.name) for each in found if each.name != "images" for file in each.iterdir())


def is_sorted(folder: Path) -> bool:
    """Whether a folder holds a classification set alone: with a data.yaml in it, no labels lie beside the images."""
    if not is_set(folder):
        return False
    return not (folder / YAML).is_file() or not any((folder / "train").rglob("*.txt"))


def read(folder: Path) -> Dataset:
    """Read a set.

    Returns:
        Its classes by name, sorted, those of all splits; `bases` holds each split's folder. `label_of` tells an image's
        class.

    Raises:
        DatasetError: there are no classes, or only one.
    """
    folder = folder.resolve()
    found = {split: each for split, names in _SPLITS.items() if (each := _first(folder, names))}
    names = sorted({each.name for base in found.values() for each in base.iterdir() if _holds_images(each)})
    if len(names) < 2:
        fix = "train/<class>/*.jpg and val/<class>/*.jpg, with two classes or more"
        raise DatasetError(folder, 0, f"there are {len(names)} classes in it", fix)
    splits = {split: tuple(_images(base, names)) for split, base in found.items()}
    bases = {split: (base,) for split, base in found.items()}
    return Dataset(folder, folder, tuple(names), splits, bases)


def label_of(dataset: Dataset, split: str, image: Path) -> int:
    """The index of an image's class."""
    return dataset.names.index(image.relative_to(dataset.bases[split][0]).parts[0])


def check(dataset: Dataset, minimum: Mapping[str, int]) -> Report:
    """What is wrong with a set: splits that are too small, classes that a split lacks, images that cannot be opened.

    Args:
        dataset: as `read` gives it.
        minimum: images that a split must hold.
    """
    report = Report()
    total: Counter[str] = Counter()
    for split, images in dataset.splits.items():
        counts = Counter(dataset.names[label_of(dataset, split, image)] for image in images)
        total += counts
        report.counts[split] = {"images": len(images), "classes": len(counts)}
        report.sorted[split] = {name: counts[name] for name in dataset.names}
        for name in dataset.names:
            if not counts[name]:
                severity = ERROR if split == "train" else WARNING
                message = f"the class {name} has no image in {split}"
                report.findings.append(Finding(split, 0, "class-missing", severity, message, "add some, or remove it"))
        report.findings += (each for image in images for each in _open(dataset.root, image))
    for split, least in minimum.items():
        if (count := len(dataset.splits.get(split, ()))) < least:
            message = f"{split} has {count} images, at least {least} are asked for"
            report.findings.append(Finding(split, 0, "too-few", ERROR, message, "add images, or lower the limit"))
    report.classes = {name: total[name] for name in dataset.names}
    report.findings.sort(key=lambda finding: finding.order)
    return report


def _open(root: Path, image: Path) -> Iterator[Finding]:
    name = relative(os.fspath(root), os.fspath(image))
    for kind, severity, message, fix in look(os.fspath(image)).said:
        if kind != "image-rotated":
            # Ultralytics drops one, timm does not.
            weight = WARNING if kind == "image-small" else severity
            yield Finding(name, 0, kind, weight, message, fix.replace(" and its label", ""))


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and folder.name[0] != "." and any(is_image(each.name) for each in folder.rglob("*"))


def _images(base: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        yield from sorted(each for each in (base / name).rglob("*") if is_image(each.name) and not each.is_dir())
