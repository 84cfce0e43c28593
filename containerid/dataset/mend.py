"""A mended copy of a set, beside it, and a list of what was done. The set itself is only read.

What can be mended without a guess is mended: encodings, separators, rows that stand twice, boxes over the edge, names.
An image whose label cannot be understood is left out, as a trainer would do, but said aloud.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from containerid.dataset.findings import ERROR, Finding, Report, relative
from containerid.dataset.headers import HEAD, kind_of
from containerid.dataset.labels import Shape
from containerid.dataset.relabel import Unclear, relabel, tidy
from containerid.dataset.sets import YAML, Dataset, label_of, survey
from containerid.dataset.tasks import carry
from containerid.dataset.upright import upright
from containerid.dataset.view import described, place

LIST = "fixes.json"
"""What was done, beside the new set's data.yaml."""
_LEFT_OUT = {"split-leak", "image-duplicate"}
_DROPPED = {"label-case", "label-orphan", "junk", "cache", "list-entry"}
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB\x60\x82"}
_ENDINGS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "JPEG 2000": ".jp2",
}


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing that is other than in the set.

    Attributes:
        path: in the set, POSIX.
        action: `left out`, `rewritten`, `renamed` or `turned`.
        why: what was wrong.
    """

    path: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class Mended:
    """A new set.

    Attributes:
        folder: where it is.
        fixes: what is other than in the old one.
        errors: findings that a check of the new one still has.
    """

    folder: Path
    fixes: tuple[Fix, ...] = ()
    errors: tuple[Finding, ...] = ()


def folder_for(root: Path) -> Path:
    """The first free name of `<set>-fixed`, `<set>-fixed-2` and so on."""
    number, folder = 1, root.with_name(f"{root.name}-fixed")
    while folder.exists():
        number += 1
        folder = root.with_name(f"{root.name}-fixed-{number}")
    return folder


def mend(dataset: Dataset, report: Report, minimum: Mapping[str, int], task: str = "detect") -> Mended:
    """Write the new set.

    Args:
        dataset: the set as it was surveyed.
        report: what a check of it found.
        minimum: images that a split must hold, for the check of the new set.
        task: what the set is for; rows of any other than `detect` stay as they are, polygons and keypoints.
    """
    from containerid.dataset.check import check

    folder = folder_for(dataset.root)
    work = _Work(dataset, folder, _by_path(report.findings), Shape(task, *dataset.keypoints))
    folder.mkdir()
    for split, images in dataset.splits.items():
        for image in images:
            work.carry(split, image)
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
    work.orphans(report.findings)
    document = described(dataset)
    if report.of("class-range"):
        # What those classes are, nobody but the user knows.
        document["names"] = {at: name for at, name in enumerate(dataset.names) if at not in dataset.unnamed}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (folder / YAML).write_text(text, encoding="utf-8")
    if task != "detect":
        carry(folder / YAML, dataset)
    record = {"of": str(dataset.root), "fixes": [asdict(fix) for fix in work.fixes]}
    (folder / LIST).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    errors = check(survey(folder / YAML), minimum, task=task).errors
    return Mended(folder, tuple(work.fixes), tuple(errors))


def _stem(image: Path) -> str:
    """What an image shares its label by, on Windows and macOS too."""
    return str(image.with_suffix("")).casefold()


def _owners(dataset: Dataset) -> dict[Path, tuple[str, int]]:
    """The split that keeps each image, and how many name it: `images/val` is meant where another says `images`."""
    found: dict[Path, list[tuple[int, str]]] = defaultdict(list)
    for split, images in dataset.splits.items():
        for image in images:
            above = [len(base.parts) for base in dataset.bases[split] if image.is_relative_to(base)]
            found[image].append((max(above, default=0), split))
    return {image: (max(named, key=lambda each: each[0])[1], len(named)) for image, named in found.items()}


def _by_path(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = defaultdict(list)
    for each in findings:
        found[each.path].append(each)
    return found


@dataclass(slots=True)
class _Work:
    """A set that is being written."""

    dataset: Dataset
    folder: Path
    found: Mapping[str, list[Finding]]
    shape: Shape
    fixes: list[Fix] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    owners: dict[Path, tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.owners = _owners(self.dataset)

    def carry(self, split: str, image: Path) -> None:
        """Take over an image and its label, as far as they can be used."""
        name = self._relative(image)
        owner, _ = self.owners[image]
        if owner != split:
            self.fixes.append(Fix(name, "left out", f"of {split}, as it is in {owner}"))
            return
        if reason := self._hopeless(image, self.found.get(name, [])):
            self.fixes.append(Fix(name, "left out", reason))
            return
        try:
            text = self._label(label_of(image))
        except Unclear as unclear:
            self.fixes.append(Fix(name, "left out", f"its label cannot be understood: {unclear}"))
            return
        kinds = {each.kind for each in self.found.get(name, [])}
        target = self._target(split, image, kinds)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._copy(image, target, kinds)
        if text is not None:
            written = label_of(target)
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text, encoding="utf-8", newline="\n")

    def orphans(self, findings: Sequence[Finding]) -> None:
        """Say what was not taken over because nothing belongs to it."""
        for each in findings:
            renamed = each.kind == "label-case" and any(fix.path == each.path for fix in self.fixes)
            if each.kind in _DROPPED and not renamed:
                self.fixes.append(Fix(each.path, "left out", each.message))
            elif each.kind.startswith("yaml") and each.path == self.dataset.shown:
                self.fixes.append(Fix(each.path, "rewritten", each.message))

    def _relative(self, path: Path) -> str:
        return relative(os.fspath(self.dataset.root), os.fspath(path))

    def _hopeless(self, image: Path, found: Sequence[Finding]) -> str:
        for each in found:
            # What a split leaks to another is no reason to leave out the one file that both of them name.
            twice = each.kind == "split-leak" and self.owners[image][1] > 1
            if not twice and (each.kind in _LEFT_OUT or (each.severity == ERROR and each.kind.startswith("image-"))):
                return each.message
        return "" if os.path.exists(image) else "is not there"  # noqa: PTH110 - of what may not be seen, Path.exists raises

    def _target(self, split: str, image: Path, kinds: set[str]) -> Path:
        target = place(image, self.dataset.bases[split], self.folder / "images" / split)
        if "image-suffix" in kinds:
            with image.open("rb") as file:
                ending = _ENDINGS.get(kind_of(file.read(HEAD)), target.suffix)
            target = target.with_suffix(ending)
            self.fixes.append(Fix(self._relative(image), "renamed", f"to {target.name}, as it is a {ending[1:]}"))
        while _stem(target) in self.made:
            target = target.with_name(f"{target.stem}_{target.suffix}")
            self.fixes.append(Fix(self._relative(image), "renamed", f"to {target.name}, to have a label of its own"))
        self.made.add(_stem(target))
        return target

    def _label(self, label: Path) -> str | None:
        try:
            path = next(self._spellings(label), None)
            data = path.read_bytes() if path else b""
        except OSError as error:
            raise Unclear(f"it cannot be read ({error.strerror})") from error
        if path is None:
            if os.path.lexists(label):
                raise Unclear("it cannot be read")
            return None
        name = self._relative(path)
        triangles = all(each.kind != "label-columns" for each in self.found.get(name, []))
        if self.shape.task == "detect":
            text, done = relabel(data, self.dataset.classes, triangles=triangles)
        else:
            text, done = tidy(data, self.dataset.classes, self.shape)
        self.fixes += [Fix(name, "rewritten", each) for each in done]
        if path != label:
            self.fixes.append(Fix(name, "renamed", f"to {label.name}, which is looked for"))
        return text

    def _spellings(self, label: Path) -> Iterator[Path]:
        """The label, or the one that differs from it by letter case alone."""
        if os.path.isfile(label):  # noqa: PTH113 - of what may not be seen, Path.is_file raises
            yield label
        elif label.parent.is_dir():
            folded = label.name.casefold()
            found = sorted(each for each in label.parent.iterdir() if each.name.casefold() == folded)
            yield from (each for each in found if each.is_file())

    def _copy(self, image: Path, target: Path, kinds: set[str]) -> None:
        name = self._relative(image)
        if "image-rotated" in kinds and upright(image, target):
            self.fixes.append(Fix(name, "turned", "EXIF said so; look at its label"))
            return
        data = image.read_bytes()
        if "image-trailing" in kinds:
            mark = _ENDS[kind_of(data[:HEAD])]
            data = data[: data.rfind(mark) + len(mark)]
            self.fixes.append(Fix(name, "rewritten", "bytes followed its end"))
        target.write_bytes(data)
