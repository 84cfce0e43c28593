"""A set for a classifier made of boxes: each is cut out of its image, into the folder of its class."""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.dataset.gathered import Sample
from containerid.dataset.writing import Splits, called_in, whole

BACKGROUND = "background"
"""The second class of boxes of one class alone: as many places without a box, since a classifier needs two."""
_TRIES = 20
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def classes(names: Sequence[str]) -> list[str]:
    """The classes of the set that is made of boxes of these."""
    return [*names, BACKGROUND] if len(names) == 1 else list(names)


def write(target: Path, splits: Splits, names: Sequence[str], record: Mapping[str, Any], *, seed: int = 0) -> int:
    """Write a set, whole or not at all.

    Args:
        target: absolute; nothing is there, or an empty folder.
        splits: samples with boxes, by split.
        names: as `classes` gives them; with `background` as the second of two, places without a box are cut out too.
        record: what `origin.json` says.
        seed: decides where those places are.

    Returns:
        How many images were written.

    Raises:
        OSError: the disk takes no more, or an image cannot be read; nothing is left then.
    """
    called = called_in(splits)
    one = all(row[0] == 0 for samples in splits.values() for sample in samples for row in sample.rows)
    written = 0
    with whole(target, record) as folder:
        for split in splits:
            for name in names:
                (folder / split / name).mkdir(parents=True)
        for split, samples in splits.items():
            for sample in samples:
                stem = Path(called[sample.name]).stem
                chance = random.Random(f"{seed} {sample.name}") if one and list(names[1:]) == [BACKGROUND] else None  # noqa: S311
                for number, (label, picture) in enumerate(_cut(sample, chance)):
                    picture.save(folder / split / names[label] / f"{stem}_{number}.jpg", "JPEG", quality=95)
                    written += 1
    return written


def _cut(sample: Sample, chance: random.Random | None) -> Iterator[tuple[int, Any]]:
    from PIL import Image, ImageOps

    with Image.open(sample.image) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    boxes = [(int(row[0]), _pixels(row[1:], picture.size)) for row in sample.rows]
    for label, box in boxes:
        yield label, picture.crop(box)
    for box in _elsewhere([box for _, box in boxes], picture.size, chance) if chance else ():
        yield 1, picture.crop(box)


def _pixels(row: Sequence[float], size: tuple[int, int]) -> Box:
    (x, y, width, height), (across, down) = row, size
    left, top = round((x - width / 2) * across), round((y - height / 2) * down)
    right, bottom = round((x + width / 2) * across), round((y + height / 2) * down)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _elsewhere(boxes: list[Box], size: tuple[int, int], chance: random.Random) -> Iterator[Box]:
    """A place of its own for each box, of its size, that touches none; a quarter of the image where there is no box."""
    for box in boxes or [(0, 0, size[0] // 2, size[1] // 2)]:
        width, height = box[2] - box[0], box[3] - box[1]
        for _ in range(_TRIES):
            left, top = chance.randint(0, size[0] - width), chance.randint(0, size[1] - height)
            place = (left, top, left + width, top + height)
            if not any(_touch(place, each) for each in boxes):
                yield place
                break


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
