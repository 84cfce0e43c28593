"""Pascal VOC: one XML file an image, as the challenge, LabelImg, Roboflow and others write it."""

from pathlib import Path

from containerid.dataset import markup
from containerid.dataset.gathered import Gathered, Sample, numbers, split_named
from containerid.dataset.shapes import Drawn
from containerid.dataset.sought import Images, located
from containerid.dataset.yamlfile import SPLITS, DatasetError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read(gathered: Gathered, files: list[Path], images: Images) -> None:
    """Read every annotation, and every image that has none as background.

    Args:
        gathered: gets samples, classes, counts and faults.
        files: the annotations, by name.
        images: of the source.
    """
    listed = _listed(gathered)
    claimed: dict[Path, Path] = {}
    for file in files:
        try:
            root = markup.read(file)
        except DatasetError as error:
            gathered.faults.append(error)
            continue
        image = _image(gathered, file, root, images)
        if image is None:
            continue
        if image in claimed:
            other = claimed[image].relative_to(gathered.root).as_posix()
            gathered.fault(file, 0, f"annotates {image.name}, as {other} does", "remove one of the two")
            continue
        claimed[image] = file
        _annotate(gathered, file, root, image, listed)
    for image in images.paths:
        if image not in claimed and (sample := gathered.sample(image)):
            gathered.counts["unlabelled"] += 1
            sample.split = _split(sample, image.stem, listed)


def _listed(gathered: Gathered) -> dict[str, str]:
    """The split of each stem, as `ImageSets/Main` lists them."""
    listed: dict[str, str] = {}
    for split in SPLITS:
        file = gathered.root / "ImageSets" / "Main" / f"{split}.txt"
        for line, text in enumerate(_lines(file), 1):
            stem = text.split()[0] if text.split() else ""
            if listed.setdefault(stem, split) != split:
                gathered.leak(file, line, f"{stem} is in {listed[stem]} already")
    listed.pop("", None)
    return listed


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _split(sample: Sample, stem: str, listed: dict[str, str]) -> str:
    return listed.get(stem, "") if listed else split_named(sample.name.rpartition("/")[0])


def _image(gathered: Gathered, file: Path, root: markup.Node, images: Images) -> Path | None:
    if root.tag != "annotation":
        gathered.fault(file, root.line, f"<{root.tag}> is no annotation of Pascal VOC", "take the file out")
        return None
    name = root.word("filename")
    return located(gathered, images.find(name, file.parent, file.stem), name or file.stem, (file, root.line))


def _annotate(gathered: Gathered, file: Path, root: markup.Node, image: Path, listed: dict[str, str]) -> None:
    size = root.find("size")
    try:
        across, down = numbers([size.word("width") or "0", size.word("height") or "0"]) if size else (0.0, 0.0)
    except ValueError:
        across = down = 0.0
    sample = gathered.sample(image, (across, down), (file, size.line if size else root.line))
    if sample is None:
        return
    sample.split = _split(sample, file.stem, listed)
    # The challenge's own files count pixels from 1 and include the last; labelling tools write the box's edges.
    counted = "VOC2" in root.word("source", "database").replace(" ", "")
    for item in root.all("object"):
        _object(gathered, file, item, sample, counted=counted)


def _object(gathered: Gathered, file: Path, item: markup.Node, sample: Sample, *, counted: bool) -> None:
    name, box = item.word("name"), item.find("bndbox")
    if not name or box is None:
        what = "a name" if not name else "a bndbox"
        gathered.fault(file, item.line, f"an object without {what}", "add it, or remove the object")
        return
    try:
        left, top, right, bottom = numbers([box.word(corner) for corner in _CORNERS])
    except ValueError:
        gathered.fault(file, box.line, "a bndbox needs xmin, ymin, xmax and ymax as numbers", "correct it")
        return
    if not gathered.wants(name):
        return
    for mark in ("difficult", "truncated"):
        gathered.counts[mark] += item.word(mark) == "1"
    gathered.counts["from-one"] += counted
    gathered.draw(sample, name, Drawn((left - counted, top - counted, right, bottom)))
