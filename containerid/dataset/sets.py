"""A detection set as it lies on the disk: data.yaml in the forms that the field writes, splits, images, labels.

Ultralytics gets a view of it: a folder of links beside a data.yaml of our own. It writes caches next to labels and
saves damaged JPEGs anew; in the view, both stay away from the user's files.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SPLITS = ("train", "val", "test")
YAML = "data.yaml"
_FORMATS = "avif|bmp|dng|heic|heif|jp2|jpeg|jpg|mpo|pfm|png|tif|tiff|webp"
SUFFIXES = frozenset(f".{name}" for name in _FORMATS.split("|"))
"""Images that Ultralytics 8.4 reads, in any letter case."""
_SYNONYMS = {"valid": "val", "validation": "val"}


class DatasetError(Exception):
    """A data.yaml that cannot be used.

    Attributes:
        path: the file that is at fault.
        line: 1-based, 0 when it is the file as a whole.
        fix: what to do.
    """

    def __init__(self, path: Path, line: int, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.path, self.line, self.message, self.fix = path, line, message, fix


@dataclass(frozen=True, slots=True)
class Dataset:
    """A detection set.

    Attributes:
        root: its folder; absolute.
        file: its data.yaml.
        names: class names by their index, without gaps.
        splits: `train`, `val` and, where there is one, `test` to their images, sorted; absolute.
        bases: per split, the folders that its images were found in.
    """

    root: Path
    file: Path
    names: tuple[str, ...]
    splits: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    bases: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


def label_of(image: Path) -> Path:
    """Where Ultralytics looks for an image's label: the last folder called `images` becomes `labels`."""
    before, found, after = os.fspath(image).rpartition(f"{os.sep}images{os.sep}")
    path = Path(f"{before}{os.sep}labels{os.sep}{after}") if found else image
    return path.with_suffix(".txt")


def find_yaml(folder: Path, depth: int = 2) -> Path | None:
    """The data.yaml in a folder, or the only one a few folders below it: archives often hold one folder more."""
    if (folder / YAML).is_file():
        return folder / YAML
    for level in range(1, depth + 1):
        found = sorted(folder.glob("*/" * level + YAML))
        if len(found) == 1:
            return found[0]
    return None


def read(file: Path) -> Dataset:
    """Read a data.yaml and list the images of its splits.

    Raises:
        DatasetError: it cannot be read or understood, or names folders that are not there.
    """
    document, lines = _load(file)
    if "download" in document:
        raise DatasetError(
            file, lines["download"], "`download:` would be executed by Ultralytics", "remove the key and bring the data"
        )
    root = _root(file, document)
    entries = {_SYNONYMS.get(key, key): (key, value) for key, value in document.items()}
    splits, bases = {}, {}
    for split in SPLITS:
        key, value = entries.get(split, (split, None))
        if value:
            found = [_locate(file, lines[key], root, each) for each in _as_list(value)]
            splits[split], bases[split] = _images(found)
        elif split != "test":
            raise DatasetError(file, 0, f"there is no `{split}:`", f"name the folder of the {split} images")
    names = _names(file, document, lines)
    return Dataset(file.parent.resolve(), file.resolve(), names, splits, bases)


def view(dataset: Dataset, folder: Path, limits: Mapping[str, int] | None = None) -> Path:
    """Make a folder of links to the set's files, and the data.yaml that Ultralytics gets.

    Args:
        dataset: the set; it is only read.
        folder: made anew.
        limits: at most so many images of a split, evenly spaced; all where a split is not named.

    Returns:
        The new data.yaml; its paths are absolute.
    """
    for split, images in dataset.splits.items():
        made: set[Path] = set()
        for image in _thin(images, (limits or {}).get(split)):
            _link(image, _place(image, dataset.bases[split], folder / "images" / split), made)
    document = {
        "path": str(folder),
        **{split: f"images/{split}" for split in dataset.splits},
        "names": dict(enumerate(dataset.names)),
    }
    file = folder / YAML
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def _load(file: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except OSError as error:
        raise DatasetError(file, 0, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(file, 0, "is not UTF-8 text", "save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "is not YAML"
        raise DatasetError(file, mark.line + 1 if mark else 0, f"is not valid YAML: {reason}") from error
    if not isinstance(document, dict) or not isinstance(node, yaml.MappingNode):
        raise DatasetError(file, 1, "holds no keys", "it needs `train:`, `val:` and `names:`")
    return document, {str(key.value): key.start_mark.line + 1 for key, _ in node.value}


def _root(file: Path, document: dict[str, Any]) -> Path:
    # A path of another machine (`/kaggle/working/…`, `C:\…`) is common; the folder of the file is what was meant.
    named = document.get("path")
    path = (file.parent / str(named).replace("\\", "/")) if named else file.parent
    return path.resolve() if path.is_dir() else file.parent.resolve()


def _as_list(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _locate(file: Path, line: int, root: Path, entry: str) -> Path:
    # Roboflow writes `../train/images` and means `train/images`; Ultralytics reads it so when the first is missing.
    plain = entry.replace("\\", "/")
    for candidate in (root / plain, root / plain.removeprefix("../"), file.parent / plain):
        if candidate.exists():
            return candidate.resolve()
    raise DatasetError(file, line, f"{entry} is not there", f"looked below {root}")


def _images(found: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    images = {image for each in found for image in (_walk(each) if each.is_dir() else _listed(each))}
    bases = tuple(each if each.is_dir() else each.parent for each in found)
    return tuple(sorted(images)), bases


def _walk(folder: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(at, name) for name in files if Path(name).suffix.lower() in SUFFIXES and name[0] != ".")


def _listed(file: Path) -> Iterator[Path]:
    for line in file.read_text(encoding="utf-8-sig").splitlines():
        if entry := line.strip().replace("\\", "/"):
            yield Path(os.path.normpath(file.parent / entry))


def _names(file: Path, document: dict[str, Any], lines: dict[str, int]) -> tuple[str, ...]:
    names, count = document.get("names"), document.get("nc")
    at = lines.get("names", lines.get("nc", 0))
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise DatasetError(file, at, "`names` has gaps", f"number the classes from 0 to {len(names) - 1}")
        names = [names[index] for index in range(len(names))]
    if names is None and isinstance(count, int) and not isinstance(count, bool) and count > 0:
        names = [f"class_{index}" for index in range(count)]
    if not isinstance(names, list) or not names:
        raise DatasetError(file, at, "`names` must list the classes", "names: [container_door]")
    if count is not None and count != len(names):
        raise DatasetError(file, lines["nc"], f"`nc` is {count}, but there are {len(names)} names", "remove `nc`")
    return tuple(str(name) for name in names)


def _thin(images: Sequence[Path], limit: int | None) -> Sequence[Path]:
    if limit is None or len(images) <= limit:
        return images
    return [images[index * len(images) // limit] for index in range(limit)]


def _place(image: Path, bases: Sequence[Path], target: Path) -> Path:
    for base in bases:
        if image.is_relative_to(base):
            return target / image.relative_to(base)
    return target / image.name


def _link(image: Path, place: Path, made: set[Path]) -> None:
    while place in made:
        place = place.with_name(f"{place.stem}_{place.suffix}")
    label, target = label_of(image), label_of(place)
    for folder in {place.parent, target.parent} - made:
        folder.mkdir(parents=True, exist_ok=True)
    made |= {place, place.parent, target.parent}
    _link_file(image, place)
    # Two images of one stem share a label.
    if label.is_file() and target not in made:
        made.add(target)
        _link_file(label, target)


def _link_file(source: Path, target: Path) -> None:
    # Ultralytics saves a damaged image beside it and renames: the other name of a hard link keeps what it was. One is
    # made in a fraction of a symbolic one's time; it cannot lead to another disk, and would copy a relative one.
    with suppress(OSError):
        if not source.is_symlink():
            target.hardlink_to(source)
            return
    target.symlink_to(source)
