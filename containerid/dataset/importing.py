"""A set made of somebody's images and annotations: read as a whole first, then split, then written."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from containerid.dataset import coco, cvat, grouping, markup, splitting, voc, yolo
from containerid.dataset.gathered import DEFAULT, Gathered, Images, Sample
from containerid.dataset.images import is_image
from containerid.dataset.sets import find_yaml
from containerid.dataset.tree import walk
from containerid.dataset.yamlfile import SPLITS, DatasetError

AUTO, VOC, COCO, CVAT, YOLO = "auto", "voc", "coco", "cvat", "yolo"
FORMATS = (VOC, COCO, CVAT, YOLO)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_KNOWN = "Pascal VOC's .xml, COCO's .json, CVAT's annotations.xml, or .txt labels beside images or in labels/"


@dataclass(frozen=True, slots=True)
class Found:
    """Where annotations are.

    Attributes:
        form: one of `FORMATS`.
        root: the folder that images are looked for in.
        files: annotations; empty where they are to be found image by image.
    """

    form: str
    root: Path
    files: tuple[Path, ...] = ()


@dataclass(slots=True)
class Arranged:
    """A source and what becomes of each image.

    Attributes:
        splits: samples by split, by name.
        kept: the splits are the source's own.
        groups: what was kept together; None where the splits are the source's own.
        names: classes by their index.
        counts: as `Gathered.counts`.
    """

    splits: dict[str, list[Sample]]
    names: Sequence[str]
    counts: Counter[str]
    kept: bool = False
    groups: grouping.Grouping | None = None


class Refused(Exception):
    """A source with faults that have to be mended in it.

    Attributes:
        faults: all that were found.
    """

    def __init__(self, faults: Sequence[DatasetError]) -> None:
        super().__init__(str(faults[0]))
        self.faults = tuple(faults)


def locate(source: Path, form: str = AUTO) -> Found:
    """Find the annotations.

    Args:
        source: a folder, or a file of annotations; absolute.
        form: one of `FORMATS`, or `auto`.

    Raises:
        Refused: there are none, or of several formats.
    """
    if source.is_file():
        return _file(source, form)
    if not source.is_dir():
        raise Refused([DatasetError(source, 0, "is not there", "name a folder, or a file of annotations")])
    if form != AUTO:
        return _named(source, form)
    found = {each: files for each in FORMATS if (files := _SEEK[each](source)) is not None}
    if len(found) == 2 and YOLO in found and not find_yaml(source):
        # Texts beside better-described annotations are mostly lists.
        del found[YOLO]
    if not found:
        raise Refused([DatasetError(source, 0, "holds no annotations that are known", f"it needs {_KNOWN}")])
    if len(found) > 1:
        message = f"holds annotations of {' and of '.join(found)}"
        raise Refused([DatasetError(source, 0, message, f"say which: --format {next(iter(found))}")])
    return Found(*next((each, source, files) for each, files in found.items()))


def _named(source: Path, form: str) -> Found:
    """The annotations of one format in a folder."""
    if form == CVAT and (source / "obj.data").is_file():
        form = YOLO
    files = _SEEK[form](source)
    if files is None:
        fix = "name the folder that holds them, or leave --format out"
        raise Refused([DatasetError(source, 0, f"holds no annotations of {form}", fix)])
    return Found(form, source, files)


def _file(source: Path, form: str) -> Found:
    suffix = source.suffix.lower()
    if suffix in _ARCHIVES:
        raise Refused([DatasetError(source, 0, "is an archive", "unpack it, and name the folder")])
    around = source.parent.parent if source.parent.name.lower() == "annotations" else source.parent
    if suffix == ".json" and form in {AUTO, COCO}:
        return Found(COCO, around, (source,))
    if suffix in {".yaml", ".yml"} and form in {AUTO, YOLO}:
        return Found(YOLO, source.parent, (source,))
    tag = markup.tag_of(source) if suffix == ".xml" else ""
    if tag == "annotations" and form in {AUTO, CVAT}:
        return Found(CVAT, around, (source,))
    if tag == "annotation" and form in {AUTO, VOC}:
        raise Refused([DatasetError(source, 0, "is one annotation of Pascal VOC", f"name its folder: {source.parent}")])
    raise Refused([DatasetError(source, 0, "is no file of annotations that is known", f"it needs {_KNOWN}")])


def _voc(root: Path) -> tuple[Path, ...] | None:
    found = [path for path in _ending(root, ".xml") if markup.tag_of(path) != "annotations"]
    # A file that cannot be read is a fault among annotations, and nothing by itself.
    return tuple(found) if any(markup.tag_of(path) == "annotation" for path in found) else None


def _coco(root: Path) -> tuple[Path, ...] | None:
    return tuple(coco.files(root)) or None


def _cvat(root: Path) -> tuple[Path, ...] | None:
    return tuple(path for path in _ending(root, ".xml") if markup.tag_of(path) == "annotations") or None


def _yolo(root: Path) -> tuple[Path, ...] | None:
    if file := find_yaml(root):
        return (file,)
    if (root / "obj.data").is_file():
        return ()
    labels = {path.stem for path in _ending(root, ".txt")}
    return () if any(path.stem in labels for path in _files(root) if is_image(path.name)) else None


_SEEK: Mapping[str, Callable[[Path], tuple[Path, ...] | None]] = {VOC: _voc, COCO: _coco, CVAT: _cvat, YOLO: _yolo}


def _files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, files, _ in walk(str(root)) for name in files if not name.startswith(".")]


def _ending(root: Path, suffix: str) -> list[Path]:
    found = [path for path in _files(root) if path.suffix.lower() == suffix]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def gather(found: Found, names: Sequence[str] = ()) -> Gathered:
    """Read everything.

    Args:
        found: as `locate` gives it.
        names: classes in the order wanted; boxes of others are passed over. Empty takes all.

    Raises:
        Refused: something has to be mended in the source; nothing is left out of the list.
    """
    gathered = Gathered(found.root, list(names), closed=bool(names))
    images = Images(found.root)
    if found.form == VOC:
        voc.read(gathered, list(found.files), images)
    elif found.form == COCO:
        coco.read(gathered, found.files, images)
    elif found.form == CVAT:
        cvat.read(gathered, list(found.files), images)
    else:
        yolo.read(gathered, next(iter(found.files), None), images)
    if not gathered.faults and not any(sample.boxes for sample in gathered.samples):
        what = "of the classes asked for" if gathered.counts["other-class"] else "that can be used"
        gathered.fault(found.root, 0, f"holds no box {what}", "see what its annotations hold")
    if gathered.faults:
        raise Refused(gathered.faults)
    return gathered


def arrange(
    gathered: Gathered, shares: Mapping[str, float] | None = None, *, seed: int = 0, pattern: str = ""
) -> Arranged:
    """Give every image a split.

    Args:
        gathered: the source.
        shares: of the splits; None keeps the source's own where it has train and val, and else takes the default.
        seed: of what is drawn.
        pattern: that makes groups of names, as `grouping.key_of` takes it.

    Raises:
        Refused: the source's own splits share an image, or no image is found by the pattern.
        ValueError: there are too few groups for so many splits.
        re.error: the pattern is no regular expression.
    """
    gathered.samples.sort(key=lambda sample: sample.name)
    if shares is None and not pattern and {"train", "val"} <= {sample.split for sample in gathered.samples}:
        return _kept(gathered)
    samples, wanted = gathered.samples, shares or splitting.shares(DEFAULT)
    found = grouping.group([each.name for each in samples], [each.image for each in samples], pattern)
    if pattern and not found.named:
        fix = f"it is searched in names such as {samples[0].name}"
        raise Refused([DatasetError(gathered.root, 0, f"holds no image whose name has {pattern}", fix)])
    units = [_unit([samples[index] for index in each]) for each in found.groups]
    given = splitting.split(units, wanted, seed)
    placed = {index: split for each, split in zip(found.groups, given, strict=True) for index in each}
    splits = {split: [sample for index, sample in enumerate(samples) if placed[index] == split] for split in wanted}
    return Arranged(splits, gathered.names, gathered.counts, groups=found)


def _unit(samples: Sequence[Sample]) -> splitting.Unit:
    labels: Counter[int] = Counter()
    for sample in samples:
        labels.update({box.label for box in sample.boxes} or {splitting.BACKGROUND})
    return splitting.Unit(len(samples), labels)


def _kept(gathered: Gathered) -> Arranged:
    listed = [sample for sample in gathered.samples if sample.split]
    gathered.counts["unsplit"] += len(gathered.samples) - len(listed)
    for one, other in grouping.same([sample.image for sample in listed]):
        first, later = listed[one], listed[other]
        if first.split != later.split:
            gathered.leak(later.image, 0, f"is in {later.split}, and the same image in {first.split}: {first.name}")
    if gathered.leaks:
        raise Refused(gathered.leaks)
    present = [split for split in SPLITS if any(sample.split == split for sample in listed)]
    splits = {split: [sample for sample in listed if sample.split == split] for split in present}
    return Arranged(splits, gathered.names, gathered.counts, kept=True)
