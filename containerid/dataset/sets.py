"""A detection set as it lies on the disk: data.yaml in the forms that the field writes, splits, images, labels."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from containerid.dataset.findings import ERROR, INFO, WARNING, Finding, relative
from containerid.dataset.images import is_image
from containerid.dataset.labels import MANY
from containerid.dataset.tree import walk
from containerid.dataset.yamlfile import SPLITS, DatasetError, Document, brief, load

__all__ = ["SPLITS", "YAML", "Dataset", "DatasetError", "find_yaml", "label_of", "label_path", "read", "survey"]

YAML = "data.yaml"
_ELSEWHERE = re.compile(r"(?:[A-Za-z]:|//|/|~/)")
_FOLDER = f"{os.sep}images{os.sep}"
_SPLIT, _NAMES = re.compile(rb"(?m)^\W*train\W*:"), re.compile(rb"(?m)^\W*(?:names|nc)\W*:")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A detection set.

    Attributes:
        root: its folder; absolute. Where data.yaml lies elsewhere and names it by `path`, that one.
        file: its data.yaml.
        names: class names by their index, without gaps.
        splits: `train`, `val` and, where there is one, `test` to their images, sorted; absolute.
        bases: per split, the folders that it names, or that the images of its lists lie in.
        faults: what makes its data.yaml useless; `read` raises the first.
        notes: what is unusual in data.yaml and in the lists of images that it names.
        lines: of data.yaml's keys, 1-based.
        lists: files that list images.
        unnamed: indices of classes that data.yaml gives no name; `names` calls them `class_<index>`.
        folders: those of `bases` that data.yaml names itself.
        keypoints: how many a box has, and numbers of each; zeros where data.yaml has no usable `kpt_shape`.
    """

    root: Path
    file: Path
    names: tuple[str, ...]
    splits: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    bases: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    faults: tuple[DatasetError, ...] = ()
    notes: tuple[Finding, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    lists: tuple[Path, ...] = ()
    unnamed: frozenset[int] = frozenset()
    folders: frozenset[Path] = frozenset()
    keypoints: tuple[int, int] = (0, 0)

    @property
    def shown(self) -> str:
        """Its data.yaml as findings name it."""
        return shown(self.root, self.file)

    @property
    def classes(self) -> int:
        """How many a label may name; very many where data.yaml does not say."""
        return len(self.names) or MANY


def shown(root: Path, file: Path) -> str:
    """A data.yaml as findings name it: from the set's folder, by its name alone where it lies elsewhere."""
    return relative(os.fspath(root), os.fspath(file)) if file.is_relative_to(root) else file.name


def label_path(image: str) -> str:
    """Where Ultralytics looks for an image's label: the last folder called `images` becomes `labels`."""
    before, found, after = image.rpartition(_FOLDER)
    path = f"{before}{os.sep}labels{os.sep}{after}" if found else image
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.txt" if dot and os.sep not in suffix else f"{path}.txt"


def label_of(image: Path) -> Path:
    """The same for paths."""
    return Path(label_path(os.fspath(image)))


def find_yaml(folder: Path, depth: int = 2) -> Path | None:
    """The data.yaml in a folder, whatever it is called, or the only one a few folders below it.

    Archives often hold one folder more; `doors.yaml` is as common a name as `dataset.yml`.
    """
    if (folder / YAML).is_file():
        return folder / YAML
    named = [file for file in sorted(folder.glob("*.y*ml")) if _describes(file)]
    if len(named) == 1:
        return named[0]
    for level in range(1, depth + 1):
        found = sorted(folder.glob("*/" * level + YAML))
        if len(found) == 1:
            return found[0]
    return None


def _describes(file: Path) -> bool:
    """A YAML file that names splits and classes."""
    if file.suffix not in {".yaml", ".yml"} or not file.is_file():
        return False
    with file.open("rb") as opened:
        text = opened.read(1 << 16)
    return bool(_SPLIT.search(text) and _NAMES.search(text))


def read(file: Path) -> Dataset:
    """Read a data.yaml and list the images of its splits.

    Raises:
        DatasetError: it cannot be read or understood, or names folders that are not there.
    """
    found = survey(file)
    if found.faults:
        raise found.faults[0]
    return found


def survey(file: Path) -> Dataset:
    """The same, but what makes the data.yaml useless is listed with the rest, and as much as can be read is read."""
    file = file.resolve()
    document = load(file)
    if not document.values:
        return Dataset(file.parent, file, (), faults=tuple(document.faults))
    reader = _Reader(document)
    names = document.names
    splits, bases = {}, {}
    for split in SPLITS:
        if value := document.values.get(split):
            images, found = reader.images(split, value)
            if images or found or split != "test":
                splits[split], bases[split] = images, found
        elif split != "test":
            document.fault(split, f"there is no `{split}:`", f"name the folder of the {split} images")
    own = {file.name: shown(reader.top, file)}
    faults = tuple(document.faults)
    notes = tuple(replace(note, path=own.get(note.path, note.path)) for note in document.notes)
    lists, folders = tuple(reader.lists), frozenset(reader.folders)
    lines, unnamed = document.lines, document.unnamed
    keypoints = document.keypoints
    return Dataset(reader.top, file, names, splits, bases, faults, notes, lines, lists, unnamed, folders, keypoints)


class _Reader:
    """Finds what the entries of a data.yaml mean on this machine."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.folder = document.file.parent
        self.root = self._root()
        self.top = self.folder if self.root.is_relative_to(self.folder) else self.root
        self.lists: list[Path] = []
        self.folders: set[Path] = set()

    def _root(self) -> Path:
        # A path of another machine (`/kaggle/working/…`, `C:\…`) is common; the folder of the file is what was meant.
        named = self.document.values.get("path")
        if named is None or named == "":
            return self.folder
        if not isinstance(named, str):
            self.document.fault("path", f"`path` must be a folder, not {brief(named)}", "remove `path`")
            return self.folder
        path = Path(os.path.normpath(self.folder / named.replace("\\", "/")))
        if path.is_dir():
            return path
        message = f"`path: {named}` is not there; the folder of the file is taken"
        self.document.note("path", "yaml-path", INFO, message, "remove `path`")
        return self.folder

    def images(self, split: str, value: Any) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """A split's images, and the folders that they were found in."""
        entries = value if isinstance(value, list) else [value]
        found: list[str] = []
        bases: list[Path] = []
        for entry in entries:
            place = self._locate(split, entry)
            if place is None:
                continue
            if place.is_dir():
                bases.append(place)
                self.folders.add(place)
                if not os.access(place, os.R_OK | os.X_OK):
                    self.document.fault(split, f"{entry} cannot be looked into", "chmod u+rx")
                found += _walk(place)
                continue
            listed = list(self._listed(place))
            found += listed
            bases += map(Path, sorted({path.rpartition(os.sep)[0] for path in listed}))
        return tuple(map(Path, sorted(set(found)))), tuple(bases)

    def _locate(self, split: str, entry: Any) -> Path | None:
        if not isinstance(entry, str) or not entry.strip():
            message = f"`{split}` must name a folder or a list of images, not {brief(entry)}"
            self.document.fault(split, message, f"{split}: images/{split}")
            return None
        plain = entry.strip().replace("\\", "/")
        place = find_entry(plain, self.root, self.folder)
        if place is None and split == "test":
            # Roboflow writes the line also where it exports no test images.
            self.document.note(split, "yaml-test", WARNING, f"{entry} is not there: no test split", "remove `test`")
        elif place is None:
            self.document.fault(split, f"{entry} is not there", f"looked below {self.root}")
        elif _ELSEWHERE.match(plain) and not Path(plain).exists():
            message = f"{entry} is another machine's path; {relative(str(self.top), str(place))} is taken"
            self.document.note(split, "yaml-path", INFO, message, "write it relative to data.yaml")
        return place

    def _listed(self, file: Path) -> Iterator[str]:
        if is_image(file.name):
            yield os.fspath(file)
            return
        self.lists.append(file)
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            self.document.faults.append(DatasetError(file, 0, "is no list of images in UTF-8", "one path a line"))
            return
        seen: set[str] = set()
        for line, entry in enumerate(text.splitlines(), 1):
            if plain := entry.strip().replace("\\", "/"):
                yield from self._entry(file, line, plain, seen)

    def _entry(self, file: Path, line: int, plain: str, seen: set[str]) -> Iterator[str]:
        def note(severity: str, message: str, fix: str) -> None:
            path = relative(str(self.top), str(file))
            self.document.notes.append(Finding(path, line, "list-entry", severity, message, fix))

        place = find_entry(plain, file.parent, self.root) or self._further_down(plain)
        if place is None:
            note(ERROR, f"{plain} is not there", "bring the image, or take the line out")
        elif not is_image(place.name):
            note(WARNING, f"{plain} is no image that Ultralytics reads", "take the line out")
        elif str(place) in seen:
            note(WARNING, f"{plain} stands above already", "take the line out")
        else:
            seen.add(str(place))
            yield str(place)

    def _further_down(self, plain: str) -> Path | None:
        """CVAT and Darknet write `data/obj/1.jpg` for what lies in `obj`; a folder has to stay."""
        _, _, inside = plain.removeprefix("./").partition("/")
        return find_entry(inside, self.root) if "/" in inside else None


def find_entry(plain: str, *folders: Path) -> Path | None:
    """What an entry of data.yaml or of a list means here; None when nothing is there.

    Roboflow writes `../train/images` and means `train/images`. Of another machine's path, the longest end that is
    found below one of the folders is taken.
    """
    for folder in folders:
        for each in (plain, plain.removeprefix("../")):
            path = Path(os.path.normpath(folder / each))
            if path.exists() or path.is_symlink():
                return _beside_labels(path)
    if not _ELSEWHERE.match(plain):
        return None
    parts = [part for part in plain.split("/")[1:] if part not in {"", ".", ".."}]
    for start in range(len(parts)):
        for folder in folders:
            if (path := folder.joinpath(*parts[start:])).exists():
                return path
    return None


def _beside_labels(path: Path) -> Path:
    # A link to a folder of images whose labels lie beside what it leads to: Ultralytics resolves it.
    beside = label_of(path / "a.jpg").parent
    if path.is_symlink() and path.is_dir() and (beside == path or not beside.is_dir()):
        return path.resolve()
    return path


def _walk(folder: Path) -> Iterator[str]:
    for path, folders, files, _ in walk(os.fspath(folder)):
        yield from (f"{path}{os.sep}{name}" for name in (*files, *folders) if is_image(name))


def images_of(dataset: Dataset) -> Sequence[str]:
    """Every image of a set once, in the order of the splits."""
    return list(dict.fromkeys(os.fspath(image) for images in dataset.splits.values() for image in images))
