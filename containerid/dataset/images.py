"""One image as it lies on the disk: whether it can be read at all, its size, and what is unusual about it."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from containerid.dataset.findings import ERROR, INFO, WARNING
from containerid.dataset.headers import READERS, Broken, Header, Source, kind_of

FORMATS = frozenset(["avif", "bmp", "dng", "heic", "heif", "jp2", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp"])
"""Endings that Ultralytics 8.4 reads, in any letter case."""
LEAST = 10
"""Pixels that either side must have: Ultralytics drops what is smaller."""
_KINDS = {
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "mpo": "JPEG",
    "png": "PNG",
    "webp": "WebP",
    "bmp": "BMP",
    "tif": "TIFF",
    "tiff": "TIFF",
    "dng": "TIFF",
    "avif": "AVIF",
    "heic": "HEIF",
    "heif": "HEIF",
    "jp2": "JPEG 2000",
}
_ODD = re.compile(r"[^\w.()+@,=-]|^-", re.ASCII)
_FOREIGN = (
    (b"version https://git-lfs", "a pointer of Git LFS", "git lfs pull"),
    (b"%PDF", "a PDF", "remove it"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"\x1aE\xdf\xa3", "a video", "take pictures out of it"),
    (b"8BPS", "a Photoshop file", "export it as JPEG or PNG"),
    (b"<svg", "an SVG drawing", "export it as PNG"),
)

Said = tuple[str, str, str, str]
"""Kind, severity, message, fix."""


class Look(NamedTuple):
    """What a look at an image gave.

    Attributes:
        size: bytes; 0 when it cannot be opened.
        width: pixels; 0 when unknown.
        height: pixels; 0 when unknown.
        said: what is to be said about it.
    """

    size: int
    width: int
    height: int
    said: list[Said]


def suffix_of(name: str) -> str:
    """What stands behind the last dot, in lower case; empty when there is no dot."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def is_image(name: str) -> bool:
    """A name that Ultralytics takes for an image's; it passes over hidden ones."""
    return suffix_of(name) in FORMATS and not name.startswith(".")


def look(path: str) -> Look:
    """Read an image's head and end; a JPEG costs about 6 µs."""
    name = path.rpartition(os.sep)[2]
    said = list(_name(name))
    try:
        # A pipe called a.jpg would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return Look(0, 0, 0, [*said, _unopened(path, error)])
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no file"
            return Look(0, 0, 0, [*said, ("image-unreadable", ERROR, f"is {what}, not an image", "rename it")])
        header = _examine(Source(descriptor, status.st_size), suffix_of(name), said)
    except OSError as error:
        return Look(
            0, 0, 0, [*said, ("image-unreadable", ERROR, f"cannot be read ({error.strerror})", "bring the original")]
        )
    finally:
        os.close(descriptor)
    return Look(status.st_size, header.width, header.height, said)


def _unopened(path: str, error: OSError) -> Said:
    if isinstance(error, FileNotFoundError):
        what = "is a link to nowhere" if Path(path).is_symlink() else "is not there"
        return "image-missing", ERROR, what, "bring it back, or remove it and its label"
    return "image-unreadable", ERROR, f"cannot be read ({error.strerror})", "chmod u+r"


def _name(name: str) -> Iterator[Said]:
    stem, _, suffix = name.rpartition(".")
    if _ODD.search(name):
        yield "name-odd", INFO, "its name holds spaces or other than plain letters", ""
    if suffix != suffix.lower():
        yield "name-suffix", INFO, f"ends in .{suffix}, in capitals", ""
    elif suffix in {"jpeg", "webp"}:
        yield "name-suffix", INFO, f"ends in .{suffix}", ""
    if stem.lower().endswith((".jpg", ".jpeg", ".png")):
        yield "name-odd", INFO, "its name has two endings", ""


def _examine(source: Source, suffix: str, said: list[Said]) -> Header:
    if not source.size:
        said.append(("image-empty", ERROR, "the image is empty: 0 bytes", "remove it and its label"))
        return Header()
    kind = kind_of(source.head)
    if not kind:
        said.append(_foreign(source.head))
        return Header()
    try:
        header = READERS[kind](source)
    except Broken as broken:
        word = "image-truncated" if "truncated" in str(broken) else "image-corrupt"
        said.append((word, ERROR, f"the {kind} {broken}", "bring the original, or remove it and its label"))
        return Header()
    said += _judge(header, kind, suffix)
    return header


def _judge(header: Header, kind: str, suffix: str) -> Iterator[Said]:
    if kind == "GIF":
        yield "image-format", ERROR, "holds a GIF, which Ultralytics does not read", "convert it to PNG"
    elif kind == "HEIF" and _KINDS.get(suffix, kind) != kind:
        yield "image-format", ERROR, f"holds a HEIC, which is not read under .{suffix}", "convert it to JPEG"
    elif _KINDS.get(suffix, kind) != kind:
        yield "image-suffix", WARNING, f"holds a {kind}, but is called .{suffix}", "rename it"
    if min(header.width, header.height) < LEAST and kind not in {"AVIF", "HEIF", "JPEG 2000", "TIFF"}:
        size = f"{header.width}x{header.height}"
        yield "image-small", ERROR, f"is {size} pixels, at least {LEAST}x{LEAST} are needed", "remove it and its label"
    elif 0 < min(header.width, header.height) < LEAST:
        yield "image-small", ERROR, f"is {header.width}x{header.height} pixels", "remove it and its label"
    if header.orientation != 1:
        message = f"is turned by EXIF (orientation {header.orientation}); labels may mean either way up"
        yield "image-rotated", WARNING, message, "turn the pixels and drop the tag; check the label"
    if header.trailing:
        yield "image-trailing", INFO, "bytes follow its end, as some cameras write them", ""
    if header.channels == 1:
        yield "image-grey", INFO, "is grey", ""
    elif header.channels == 4 and kind == "JPEG":
        yield "image-cmyk", INFO, "is CMYK", "convert it to RGB"


def _foreign(head: bytes) -> Said:
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    for start, what, fix in _FOREIGN:
        if text.startswith(start):
            return "image-foreign", ERROR, f"is not an image but {what}", fix
    if text[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "image-foreign", ERROR, "is not an image but a web page: a failed download", "download it again"
    if head[4:8] == b"ftyp":
        return "image-foreign", ERROR, "is not an image but a video", "take pictures out of it"
    if not head.strip(b"\x00"):
        return "image-foreign", ERROR, "is not an image: it begins with nothing but zeros", "bring the original"
    what = "but text" if text[:256].isascii() and b"\x00" not in text[:256] else "that is known here"
    return "image-foreign", ERROR, f"is not an image {what}", "remove it and its label"
