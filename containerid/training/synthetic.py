"""Draws a small detection set: doors of shipping containers, in the layout that Ultralytics reads.

It stands in for real images in smoke runs, rehearsals and the demo. The same seed draws the same bytes with the same
versions of numpy and OpenCV.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from containerid.errors import UsageError
from containerid.training import surfaces
from containerid.training.scene import Box, Container, Scene, backdrop, framed, obstruct, place, shade, weather

SPLITS = ("train", "val", "test")
_DATA = """train: images/train
val: images/val
test: images/test
nc: 1
names: [container_door]
"""
_FEWEST = 6
_TRIES = 20


def draw(folder: Path, images: int, imgsz: int, seed: int) -> None:
    """Draw a set: `data.yaml`, `images/{train,val,test}` and `labels/{train,val,test}`, 70/15/15.

    In each split, about one image in eight shows no container and one in eight only containers whose doors look
    away; these have empty label files.

    Args:
        folder: is made; must not hold images already.
        images: how many in all, at least 6, so that each split has two.
        imgsz: pixels, the side of every image.
        seed: another one draws another set.

    Raises:
        UsageError: there would be fewer than two images a split, or the folder holds images.
    """
    if images < _FEWEST:
        raise UsageError(f"{images} images are too few to split in three; {_FEWEST} is the least")
    if (folder / "images").exists():
        raise UsageError(f"{folder} already holds images")
    for split, count in zip(SPLITS, _counts(images), strict=True):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index in range(count):
            picture, boxes = picture_of(_kind(index), imgsz, (seed, SPLITS.index(split), index))
            _write(folder, split, f"{split}_{index:04d}", picture, boxes)
    (folder / "data.yaml").write_text(_DATA, encoding="utf-8")


def picture_of(kind: str, size: int, seed: tuple[int, ...]) -> tuple[NDArray[np.uint8], list[Box]]:
    """One image and its boxes.

    Args:
        kind: `doors`, `backs` (containers, no door in sight) or `empty`.
        size: pixels, its side.
        seed: of this image alone.

    Returns:
        The picture, shape (size, size, 3), BGR; and centre x, centre y, width, height of each visible door in [0, 1].
    """
    scale = 2 if size < 400 else 1
    for attempt in range(_TRIES):
        rng = np.random.default_rng((*seed, attempt))
        scene = Scene(rng, size * scale)
        backdrop(scene)
        if kind != "empty":
            _yard(scene, rng, doors=kind == "doors")
        for _ in range(int(rng.integers(0, 2))):
            obstruct(scene)
        boxes = scene.boxes()
        if bool(boxes) == (kind == "doors"):
            break
    smooth = cv2.resize(scene.canvas, (size, size), interpolation=cv2.INTER_AREA)
    return weather(rng, smooth), boxes


def _yard(scene: Scene, rng: Generator, *, doors: bool) -> None:
    """A row of containers side by side, some with a second one on top, the farthest painted first."""
    for _ in range(_TRIES):
        yard = _row(rng, chance=0.9 if doors else 0.0)
        if all(framed(scene, container) for container in yard):
            break
    shade(scene, yard)
    for container in yard:
        place(scene, container)


def _row(rng: Generator, *, chance: float) -> list[Container]:
    """Containers of one length with parallel sides; each has its door in sight with this chance."""
    yaw, depth = rng.uniform(-0.7, 0.7), rng.uniform(4.2, 8.5)
    start = np.array((rng.uniform(-0.18, 0.18) * depth, 0.0, depth))
    aside = np.array((np.cos(yaw), 0.0, np.sin(yaw)))
    places = []
    first = int(rng.integers(-1, 1))
    for column in range(first, first + int(rng.integers(1, 4))):
        at = start + aside * column * rng.uniform(2.6, 3.0)
        places += [at + np.array((0.0, 2.6 * level, 0.0)) for level in range(2 if rng.random() < 0.15 else 1)]
    places.sort(key=lambda it: (-float(np.hypot(it[0], it[2])), it[1]))
    long = float(rng.choice((6.06, 12.19)))
    return [Container(at, yaw, long, bool(rng.random() < chance), surfaces.paint(rng)) for at in places]


def _kind(index: int) -> str:
    return {3: "backs", 7: "empty"}.get(index % 8, "doors")


def _counts(images: int) -> tuple[int, int, int]:
    held = max(2, round(0.15 * images))
    return images - 2 * held, held, held


def _write(folder: Path, split: str, name: str, picture: NDArray[np.uint8], boxes: list[Box]) -> None:
    coded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 92))[1]
    (folder / "images" / split / f"{name}.jpg").write_bytes(coded.tobytes())
    rows = [" ".join(("0", *(f"{side:.6f}" for side in box))) for box in boxes]
    (folder / "labels" / split / f"{name}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
