"""The images in which the model errs most, with what it said and what is true, for a person to look at."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.dataset.upright import decode
from containerid.training.sightings import Sighting

PICTURES = 12
LISTED = 60
"""Images with mistakes that are named; the first of them have pictures."""
_BOXES = 100
_SIDE = 480
_QUALITY = 82
_SURE = 0.8


@dataclass(frozen=True, slots=True)
class Mistake:
    """One image with at least one error.

    Attributes:
        score: missed boxes, and the confidences of the false ones.
        missed, false, confused: how many; a confused one is also false.
        sure: of the false ones, those of a high confidence: often it is the label that is missing.
    """

    sighting: Sighting
    score: float
    missed: int
    false: int
    confused: int
    sure: int


def find(seen: Sequence[Sighting]) -> list[Mistake]:
    """The images with errors, the worst first.

    Args:
        seen: at the operating point.
    """
    found = [_judge(each) for each in seen]
    return sorted((each for each in found if each.score > 0), key=lambda each: (-each.score, str(each.sighting.image)))


def _judge(each: Sighting) -> Mistake:
    wrong = ~each.correct[:, 0]
    missed = int((each.found_by < 0).sum())
    score = round(missed + float(each.confidences[wrong].sum()), 3)
    false, confused, sure = (
        int(kind.sum()) for kind in (wrong, wrong & each.beside, wrong & (each.confidences > _SURE))
    )
    return Mistake(each, score, missed, false, confused, sure)


def describe(found: Sequence[Mistake], view: Path, out: Path, split: str) -> dict[str, Any]:
    """The document about them; the pictures of the worst are written to `<out>/<split>/worst`.

    Args:
        found: the worst first.
        view: the folder that the images' names are relative to.
        out: the outputs.
        split: `test` or `val`.
    """
    worst = [_listed(each, view) for each in found[:LISTED]]
    illustrate(worst, [each.sighting.image for each in found], out, split)
    for entry, each in zip(worst, found[:PICTURES], strict=False):
        entry.update(_boxes(each.sighting))
    return {
        "images_with_errors": len(found),
        "missed": sum(each.missed for each in found),
        "false": sum(each.false for each in found),
        "confused": sum(each.confused for each in found),
        "sure": sum(each.sure for each in found),
        "worst": worst,
    }


def illustrate(worst: Sequence[dict[str, Any]], images: Sequence[Path], out: Path, split: str) -> None:
    """Write a small copy of the first images to `<out>/<split>/worst`; their entries get to know it and its size."""
    folder = out / split / "worst"
    # Of an attempt that was ended in the middle.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, (entry, image) in enumerate(zip(worst, images[:PICTURES], strict=False), start=1):
        picture = folder / f"{number:02}.jpg"
        if size := _shrink(image, picture):
            entry.update(picture=picture.relative_to(out).as_posix(), width=size[0], height=size[1])


def name_of(image: Path, view: Path) -> str:
    """An image's name from the folder that the set lies in."""
    return image.relative_to(view).as_posix() if image.is_relative_to(view) else image.name


def _listed(each: Mistake, view: Path) -> dict[str, Any]:
    counts = {"missed": each.missed, "false": each.false, "confused": each.confused}
    return {"image": name_of(each.sighting.image, view), "score": each.score, **counts}


def _boxes(each: Sighting) -> dict[str, Any]:
    true: list[dict[str, Any]] = [
        {"class": int(index), "box": _corners(box), "found": bool(by >= 0)}
        for index, box, by in zip(each.true_classes, each.true_boxes, each.found_by, strict=True)
    ]
    predicted: list[dict[str, Any]] = [
        {
            "class": int(each.classes[row]),
            "box": _corners(each.boxes[row]),
            "confidence": round(float(each.confidences[row]), 3),
            "kind": "true" if each.correct[row, 0] else "confused" if each.beside[row] else "false",
        }
        for row in range(len(each.classes))
    ]
    # Of a crowd, the errors are what matters.
    true.sort(key=lambda it: it["found"])
    predicted.sort(key=lambda it: it["kind"] == "true")
    left_out = max(len(true) - _BOXES, 0) + max(len(predicted) - _BOXES, 0)
    return {"true": true[:_BOXES], "predicted": predicted[:_BOXES], "left_out": left_out}


def _corners(box: Any) -> list[float]:
    return [round(float(each), 4) for each in box]


def _shrink(image: Path, picture: Path) -> tuple[int, int] | None:
    """Write a small copy. Returns its width and height, or None where the image cannot be read."""
    small = decode(image)
    if small is None:
        return None
    small.thumbnail((_SIDE, _SIDE))
    small.save(picture, "JPEG", quality=_QUALITY)
    size: tuple[int, int] = small.size
    return size
