"""Pictures inside a page: small enough to send, with boxes drawn over them that stay sharp."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

TRUE, GUESS, FAULT = "true", "guess", "fault"
"""Kinds of boxes: what is there, what was predicted, and what a label says that may be wrong."""

_LETTER = 0.62
"""Width of a letter of a label, in its size."""

_LARGE = 150_000
"""Bytes up to which a picture is taken as it is where there is nothing to shrink it with."""
_FORMATS = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Box:
    """A box over a picture: centre, width and height as fractions of it, as YOLO labels have them.

    Attributes:
        points: corners of an outline that is drawn in its place, as fractions of the picture.
    """

    x: float
    y: float
    width: float
    height: float
    kind: str = TRUE
    label: str = ""
    points: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """A polygon over a picture: its corners as fractions of it, and what it is called."""

    points: Sequence[tuple[float, float]]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A keypoint over a picture, at fractions of it; one that is hidden is drawn hollow."""

    x: float
    y: float
    hidden: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is ready to stand in a page.

    Attributes:
        svg: the picture and what is drawn over it.
        caption: the words under it.
        title: the first of them, in bold.
    """

    svg: str
    caption: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a page holds it: `uri` is the whole of it; `width` and `height` in pixels."""

    uri: str
    width: int
    height: int


def load(source: Path | bytes, longest: int = 640, quality: int = 72, *, broken: bool = False) -> Image | None:
    """Read an image and shrink it.

    Args:
        source: a file, or its content.
        longest: pixels of its longer side at most.
        quality: of the JPEG that is made of it.
        broken: of a truncated image, the part that is there is what is worth seeing.

    Returns:
        None when it cannot be read, or is large and there is nothing here to shrink it with (no Pillow).
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError:
        return None
    try:
        pillow = import_module("PIL.Image")
    except ImportError:
        return _as_it_is(data)
    try:
        with _lenient() if broken else nullcontext():
            return _shrunk(pillow, data, longest, quality)
    # Beside Ultralytics, Pillow asks for one more package where it does not know a format: an ImportError.
    except (OSError, ValueError, SyntaxError, ImportError, pillow.DecompressionBombError):
        return None


def draw(
    image: Image, alt: str, caption: str = "", title: str = "", shapes: Sequence[Box | Outline | Dot] = ()
) -> Picture:
    """A picture of an image, with shapes over it and what they are called.

    Args:
        image: from `load`.
        alt: what somebody who does not see it should know.
        caption: the words under it.
        title: the first of them, in bold.
        shapes: drawn in their order.
    """
    parts = [f'<image href="{image.uri}" width="{image.width}" height="{image.height}"/>']
    for shape in shapes:
        parts += _DRAWN[type(shape)](image, shape)
    told = escape(alt)
    svg = (
        f'<svg viewBox="0 0 {image.width} {image.height}" role="img" aria-label="{told}">'
        f"<title>{told}</title>{''.join(parts)}</svg>"
    )
    return Picture(svg, caption, title)


def _box(image: Image, box: Box) -> list[str]:
    left, top = (box.x - box.width / 2) * image.width, (box.y - box.height / 2) * image.height
    wide, high = max(box.width * image.width, 1), max(box.height * image.height, 1)
    at = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    if box.points:
        corners = " ".join(f"{x * image.width:.1f},{y * image.height:.1f}" for x, y in box.points)
        at = f'points="{corners}"'
    shape = "polygon" if box.points else "rect"
    parts = [f'<{shape} class="box under" {at}/>', f'<{shape} class="box {escape(box.kind)}" {at}/>']
    # What is predicted is named above its box, what is there below: the two mostly lie over each other.
    size = _letters(image)
    return [*parts, *_tag(image, box.label, left, top - size * 0.35 if box.kind == GUESS else top + high + size)]


def _outline(image: Image, outline: Outline) -> list[str]:
    points = [(x * image.width, y * image.height) for x, y in outline.points]
    words = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polygon class="box under" points="{words}"/>', f'<polygon class="box {TRUE}" points="{words}"/>']
    left, low = min(x for x, _ in points), max(y for _, y in points)
    return [*parts, *_tag(image, outline.label, left, low + _letters(image))]


def _dot(image: Image, dot: Dot) -> list[str]:
    at = f'cx="{dot.x * image.width:.1f}" cy="{dot.y * image.height:.1f}" r="{_letters(image) / 3:.1f}"'
    told = f"<title>{escape(dot.label)}{' (hidden)' * dot.hidden}</title>" if dot.label else ""
    return [f'<circle class="keypoint{" hidden" * dot.hidden}" {at}>{told}</circle>']


_DRAWN: Mapping[type, Callable[..., list[str]]] = {Box: _box, Outline: _outline, Dot: _dot}


def _letters(image: Image) -> float:
    """The height of letters in a picture, in its pixels."""
    return max(image.width, image.height) / 28


def _tag(image: Image, label: str, x: float, y: float) -> Iterator[str]:
    """What a shape is called, inside the picture."""
    size = _letters(image)
    label = label[: max(1, int((image.width - 4) / (_LETTER * size)))]
    if label:
        y = min(max(y, size), image.height - size * 0.3)
        x = max(2.0, min(x, image.width - 2 - _LETTER * size * len(label)))
        yield f'<text class="tag" font-size="{size:.1f}" x="{x:.1f}" y="{y:.1f}">{escape(label)}</text>'


def _shrunk(pillow: Any, data: bytes, longest: int, quality: int) -> Image:
    with pillow.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (longest, longest))
        # Boxes are those of the image as it is looked at.
        image = import_module("PIL.ImageOps").exif_transpose(opened).convert("RGB")
    image.thumbnail((longest, longest))
    made = io.BytesIO()
    image.save(made, "JPEG", quality=quality, optimize=True)
    return Image(_uri("jpeg", made.getvalue()), image.width, image.height)


@contextmanager
def _lenient() -> Iterator[None]:
    """Pillow reads a truncated image as far as it goes."""
    files: Any = import_module("PIL.ImageFile")
    before, files.LOAD_TRUNCATED_IMAGES = files.LOAD_TRUNCATED_IMAGES, True
    try:
        yield
    finally:
        files.LOAD_TRUNCATED_IMAGES = before


def _as_it_is(data: bytes) -> Image | None:
    kind = next((name for start, name in _FORMATS.items() if data.startswith(start)), "")
    size = _png_size(data) if kind == "png" else _jpeg_size(data) if kind == "jpeg" else None
    return Image(_uri(kind, data), *size) if size and len(data) <= _LARGE else None


def _png_size(data: bytes) -> tuple[int, int] | None:
    return (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) if len(data) > 24 else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
