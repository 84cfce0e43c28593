"""What a trainer gets of a set: a folder of links beside a data.yaml of our own.

Ultralytics writes caches next to labels and saves damaged JPEGs anew; in the view, both stay away from the user's
files.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from containerid.dataset.relabel import relabel
from containerid.dataset.sets import YAML, Dataset, label_of


def view(dataset: Dataset, folder: Path, limits: Mapping[str, int] | None = None, boxes: Collection[Path] = ()) -> Path:
    """Make a folder of links to the set's files, and the data.yaml that Ultralytics gets.

    Args:
        dataset: the set; it is only read.
        folder: made anew.
        limits: at most so many images of a split, evenly spaced; all where a split is not named.
        boxes: labels that hold polygons among boxes, for which Ultralytics would drop their images: written as boxes.

    Returns:
        The new data.yaml; its paths are absolute.
    """
    for split, images in dataset.splits.items():
        made: set[Path] = set()
        for image in _thin(images, (limits or {}).get(split)):
            label = _link(image, place(image, dataset.bases[split], folder / "images" / split), made)
            if label and boxes and label_of(image) in boxes:
                _write_boxes(label, len(dataset.names))
    document = {"path": str(folder), **described(dataset)}
    file = folder / YAML
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return file


def described(dataset: Dataset) -> dict[str, object]:
    """The keys of a data.yaml for a set whose images lie in `images/<split>`."""
    return {**{split: f"images/{split}" for split in dataset.splits}, "names": dict(enumerate(dataset.names))}


def place(image: Path, bases: Sequence[Path], target: Path) -> Path:
    """Where an image goes below a folder: as deep as it lay below its own."""
    for base in bases:
        if image.is_relative_to(base):
            return target / image.relative_to(base)
    return target / image.name


def _thin(images: Sequence[Path], limit: int | None) -> Sequence[Path]:
    if limit is None or len(images) <= limit:
        return images
    return [images[index * len(images) // limit] for index in range(limit)]


def _link(image: Path, place: Path, made: set[Path]) -> Path | None:
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
        return target
    return None


def _write_boxes(label: Path, classes: int) -> None:
    text, _ = relabel(label.read_bytes(), classes, triangles=True)
    label.unlink()
    label.write_text(text, encoding="utf-8", newline="\n")


def _link_file(source: Path, target: Path) -> None:
    # Ultralytics saves a damaged image beside it and renames: the other name of a hard link keeps what it was. One is
    # made in a fraction of a symbolic one's time; it cannot lead to another disk, and would copy a relative one.
    with suppress(OSError):
        if not source.is_symlink():
            target.hardlink_to(source)
            return
    target.symlink_to(source)
