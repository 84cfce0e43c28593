"""Turning pixels the way EXIF says, so that every program sees them alike. Needs Pillow."""

from pathlib import Path


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
