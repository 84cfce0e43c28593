"""A classification set made of a detection set's boxes, and of as many places that hold none."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from containerid.dataset.sets import Dataset, label_of

BACKGROUND = "background"
_TRIES = 20
_LEAST = 8
"""Pixels: a smaller box shows nothing."""
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


def cut(dataset: Dataset, folder: Path, seed: int = 0) -> int:
    """Cut every box out of its image, into `<folder>/<split>/<class>/`.

    Args:
        dataset: a detection set, as `sets.read` gives it.
        folder: is made; what it holds already stays.
        seed: decides where the places without a box are; they become the class `background`.

    Returns:
        How many images were written.
    """
    from PIL import Image

    written = 0
    for split, images in dataset.splits.items():
        for image in images:
            with Image.open(image) as opened:
                picture = opened.convert("RGB")
            chance = random.Random(f"{seed} {image.name}")  # noqa: S311 - where to cut is no secret
            boxes = list(_boxes(image, picture.size))
            named = [(dataset.names[index], box) for index, box in boxes]
            empty = _elsewhere([box for _, box in boxes], picture.size, chance)
            for number, (name, box) in enumerate([*named, *((BACKGROUND, each) for each in empty)]):
                _write(picture.crop(box), folder / split / name, f"{image.stem}_{number}.jpg")
                written += 1
    return written


def _boxes(image: Path, size: tuple[int, int]) -> Iterator[tuple[int, Box]]:
    label = label_of(image)
    for line in label.read_text(encoding="utf-8-sig").splitlines() if label.is_file() else ():
        if len(row := line.split()) == 5:
            index, (x, y, width, height) = int(float(row[0])), map(float, row[1:])
            sides = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            left, top, right, bottom = (round(min(max(s, 0), 1) * size[at % 2]) for at, s in enumerate(sides))
            if min(right - left, bottom - top) >= _LEAST:
                yield index, (left, top, right, bottom)


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


def _write(picture: Any, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / name, "JPEG", quality=95)
