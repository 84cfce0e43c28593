"""Turning pixels the way EXIF says, so that every program sees them alike. Needs Pillow."""

from pathlib import Path
from typing import Any


def upright(image: Path, target: Path) -> bool:
    """Save an image with its pixels turned and without the tag; whether that could be done."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return False
    with Image.open(image) as opened:
        form = opened.format
        options = {"quality": 95, "subsampling": 0} if form == "JPEG" else {}
        try:
            ImageOps.exif_transpose(opened).save(target, form, **options)
        except (OSError, ValueError):
            return False
    return True


def decode(image: Path) -> Any:
    """The image as Pillow has it, upright, in RGB of eight bits; None where it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(image) as opened:
            found = ImageOps.exif_transpose(opened)
            # Sixteen bits would all be white.
            return (found.point(lambda value: value / 256) if "16" in found.mode else found).convert("RGB")
    # Beside Ultralytics, Pillow asks for one more package where it does not know a format: an ImportError.
    except (OSError, ValueError, SyntaxError, ImportError, Image.DecompressionBombError):
        return None
