"""A classification set as it lies on the disk: a folder for each split, in it a folder for each class."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from containerid.dataset import across, junk
from containerid.dataset.decoding import Decoding, decode
from containerid.dataset.findings import ERROR, WARNING, Finding, Report, relative
from containerid.dataset.images import is_image, look
from containerid.dataset.kept import Kept
from containerid.dataset.sets import YAML, Dataset
from containerid.dataset.tasks import CLASSIFY
from containerid.dataset.tree import walk
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


def check(dataset: Dataset, minimum: Mapping[str, int], *, deep: bool = False, keep: Path | None = None) -> Report:
    """What is wrong with a set.

    Splits that are too small, classes that a split lacks, images that cannot be opened or that are there twice, and
    what does not belong there.

    Args:
        dataset: as `read` gives it.
        minimum: images that a split must hold.
        deep: decode every image too, and look for images that look the same; needs the `data` extra.
        keep: a folder for results, outside the set: what has not changed since is not looked at again.
    """
    kept = Kept(keep, dataset, {"minimum": dict(minimum), "task": CLASSIFY}, deep=deep) if keep else None
    if kept and (report := kept.report()):
        return report
    report, root, sizes = Report(), os.fspath(dataset.root), {}
    total: Counter[str] = Counter()
    for split, images in dataset.splits.items():
        counts = Counter(dataset.names[label_of(dataset, split, image)] for image in images)
        total += counts
        report.counts[split] = {"images": len(images), "classes": len(counts)}
        report.sorted[split] = {name: counts[name] for name in dataset.names}
        report.findings += _lacking(dataset.names, counts, split)
        looks = [_open(dataset.root, image) for image in images]
        report.findings += (each for found, _ in looks for each in found)
        sizes[split] = [size for _, size in looks]
        report.findings += _strays(dataset, split)
    for split, least in minimum.items():
        if (count := len(dataset.splits.get(split, ()))) < least:
            message = f"{split} has {count} images, at least {least} are asked for"
            report.findings.append(Finding(split, 0, "too-few", ERROR, message, "add images, or lower the limit"))
    report.classes = {name: total[name] for name in dataset.names}
    members = across.members({split: list(map(os.fspath, each)) for split, each in dataset.splits.items()}, sizes)
    report.findings += across.duplicates(members, root)
    report.findings += junk.beside(dataset.root)
    found = decode(members, root, kept) if deep else Decoding()
    report.findings += found.findings
    report.decoded = found.decoded
    report.findings.sort(key=lambda finding: finding.order)
    if kept:
        kept.keep(report)
    return report


def _lacking(names: Sequence[str], counts: Mapping[str, int], split: str) -> Iterator[Finding]:
    for name in names:
        if not counts[name]:
            severity = ERROR if split == "train" else WARNING
            message = f"the class {name} has no image in {split}"
            yield Finding(split, 0, "class-missing", severity, message, "add some, or remove it")


def _open(root: Path, image: Path) -> tuple[list[Finding], int]:
    """What is to be said of an image; its bytes, 0 when it cannot be used."""
    name, found = relative(os.fspath(root), os.fspath(image)), []
    seen = look(os.fspath(image))
    for kind, severity, message, fix in seen.said:
        if kind != "image-rotated":
            # Ultralytics drops one, timm does not.
            weight = WARNING if kind == "image-small" else severity
            found.append(Finding(name, 0, kind, weight, message, fix.replace(" and its label", "")))
    return found, 0 if any(each.severity == ERROR for each in found) else seen.size


def _strays(dataset: Dataset, split: str) -> Iterator[Finding]:
    """What lies in a split and is no image of a class."""
    base = dataset.bases[split][0]
    for folder in walk(os.fspath(base)):
        for name in folder.files:
            path = relative(os.fspath(dataset.root), f"{folder.path}{os.sep}{name}")
            if is_image(name) and folder.path == os.fspath(base):
                message = "an image in no class's folder; it is not used"
                yield Finding(path, 0, "image-unused", WARNING, message, "move it into the folder of its class")
            elif not is_image(name) and name not in junk.WELCOME:
                yield junk.stray(path, name)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and folder.name[0] != "." and any(is_image(each.name) for each in folder.rglob("*"))


def _images(base: Path, names: list[str]) -> Iterator[Path]:
    for name in names:
        yield from sorted(each for each in (base / name).rglob("*") if is_image(each.name) and not each.is_dir())
