"""Small detection sets, made on the spot."""

import base64
import io
import random
from collections.abc import Mapping
from pathlib import Path

YAML = "train: images/train\nval: images/val\ntest: images/test\nnames: [door]\n"
SIZES = {"train": 8, "val": 4, "test": 4}
_PLAIN = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
    "Z2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj"
    "Y2NjY2NjY2P/wAARCABAAEADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA"
    "FQEBAQAAAAAAAAAAAAAAAAAAAAT/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCAJlAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAD//Z"
)
"""A JPEG of 64x64 pixels, all of one colour."""


def pixel(note: str) -> bytes:
    """A JPEG that differs from others by a comment alone."""
    comment = note.encode()
    return _PLAIN[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + _PLAIN[2:]


def write_set(
    folder: Path, sizes: Mapping[str, int] = SIZES, *, yaml: str = YAML, label: str = "0 0.5 0.5 0.4 0.4\n"
) -> Path:
    """A set of files that hold the right things at the right places; the images cannot be seen."""
    for split, count in sizes.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            (folder / "images" / split / f"{split}{number}.jpg").write_bytes(pixel(f"{split}{number}"))
            (folder / "labels" / split / f"{split}{number}.txt").write_text(label, encoding="utf-8")
    (folder / "data.yaml").write_text(yaml, encoding="utf-8")
    return folder


def draw_set(folder: Path, side: int = 64) -> Path:
    """A set that can be trained on: one bright box on dark noise in each image."""
    from PIL import Image, ImageDraw

    chance = random.Random(7)
    write_set(folder)
    for image in sorted(folder.glob("images/*/*.jpg")):
        picture = Image.frombytes("RGB", (side, side), bytes(chance.randrange(60) for _ in range(side * side * 3)))
        x, y = (chance.uniform(0.3, 0.7) for _ in range(2))
        corners = [(each - 0.2) * side for each in (x, y)] + [(each + 0.2) * side for each in (x, y)]
        ImageDraw.Draw(picture).rectangle(corners, fill=(230, 120, 20))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=95)
        image.write_bytes(buffer.getvalue())
        label = folder / "labels" / image.parent.name / f"{image.stem}.txt"
        label.write_text(f"0 {x:.4f} {y:.4f} 0.4 0.4\n", encoding="utf-8")
    return folder


def sort_crops(folder: Path) -> Path:
    """The images of a set as those of two classes, in a new folder beside it."""
    for number, image in enumerate(sorted(folder.glob("images/*/*"))):
        place = folder.parent / "crops" / image.parent.name / ("door" if number % 2 else "wall") / image.name
        place.parent.mkdir(parents=True, exist_ok=True)
        image.rename(place)
    return folder.parent / "crops"


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder and what is in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
