"""What an image's own bytes say about it, without decoding it: size, channels, EXIF orientation, whether it ends."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

HEAD = 4096
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_LONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_EXIF = b"Exif\x00\x00"
_END = b"\xff\xd9"
_BRANDS = (
    ("AVIF", (b"avif", b"avis")),
    ("HEIF", (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")),
)
"""What stands in the first box of each; a video begins with such a box too."""
_IEND = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"


class Broken(Exception):
    """The bytes are not the image that they begin like; the message says what is wrong."""


class Source:
    """An open file, with its head at hand."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self.head = os.read(descriptor, HEAD)

    def at(self, start: int, count: int) -> bytes:
        """Bytes from a place; fewer where the file ends."""
        if start + count <= len(self.head):
            return self.head[start : start + count]
        return os.pread(self._descriptor, count, start)

    def rest(self, start: int) -> bytes:
        """Everything from a place on."""
        os.lseek(self._descriptor, start, os.SEEK_SET)
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            return file.read()


@dataclass(slots=True)
class Header:
    """What is known of an image.

    Attributes:
        width: pixels; 0 when its format hides it from us.
        height: pixels; 0 when its format hides it from us.
        channels: 1 grey, 3 colour, 4 CMYK (JPEG only); 0 unknown.
        orientation: EXIF's; 1 is upright.
        trailing: bytes follow the image's end.
    """

    width: int = 0
    height: int = 0
    channels: int = 0
    orientation: int = 1
    trailing: bool = False


def jpeg(source: Source) -> Header:
    """Walk the segments to the frame; where the file does not end as a JPEG, look for its end in the data."""
    header, at = Header(), 2
    ended = source.at(source.size - 2, 2) == _END
    while True:
        segment = source.at(at, 10)
        if len(segment) < 4 or segment[:2] == _END:
            raise Broken("is truncated: it ends before its picture begins")
        if segment[0] != 0xFF:
            at = _next_marker(source, at)
            continue
        marker = segment[1]
        if marker in _LONE or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        length = segment[2] << 8 | segment[3]
        if marker in _FRAMES:
            _read_frame(header, segment)
        elif marker == 0xE1:
            header.orientation = _jpeg_orientation(source, at, length) or header.orientation
        if marker == 0xDA or (header.width and ended):
            break
        at += 2 + length
    if not header.width:
        raise Broken("is corrupt: it has no frame")
    if not ended:
        header.trailing = _ends_inside(source, at)
    return header


def _next_marker(source: Source, at: int) -> int:
    found = source.at(at, 65536).find(b"\xff")
    if found < 0:
        raise Broken("is corrupt: no marker where one has to be")
    return at + found


def _read_frame(header: Header, segment: bytes) -> None:
    if len(segment) < 10:
        raise Broken("is truncated: it ends within its frame")
    header.height, header.width, header.channels = struct.unpack(">HHB", segment[5:10])
    if not header.height or not header.width:
        raise Broken("is corrupt: its frame has no size")


def _ends_inside(source: Source, at: int) -> bool:
    # In the picture's data FF is always followed by 00, so that an FFD9 there is the end; a thumbnail's lies before it.
    if _END not in source.rest(at):
        raise Broken("is truncated: its end is missing")
    return True


def _jpeg_orientation(source: Source, at: int, length: int) -> int:
    payload = source.at(at + 4, min(length - 2, 65533))
    return tiff_orientation(payload[6:]) if payload.startswith(_EXIF) else 0


def tiff_orientation(data: bytes) -> int:
    """The orientation in a block of EXIF, which is a small TIFF; 0 when it has none."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if not order or len(data) < 8:
        return 0
    start = struct.unpack(f"{order}I", data[4:8])[0]
    count = struct.unpack(f"{order}H", data[start : start + 2])[0] if len(data) >= start + 2 else 0
    for place in range(start + 2, start + 2 + 12 * count, 12):
        entry = data[place : place + 12]
        if len(entry) == 12 and struct.unpack(f"{order}H", entry[:2])[0] == 0x0112:
            value: int = struct.unpack(f"{order}H", entry[8:10])[0]
            return value if 1 <= value <= 8 else 0
    return 0


def png(source: Source) -> Header:
    """IHDR, an eXIf chunk before the data, and IEND."""
    if source.at(12, 4) != b"IHDR" or source.size < 33:
        raise Broken("is corrupt: a PNG without its header")
    width, height, depth, kind = struct.unpack(">IIBB", source.at(16, 10))
    header = Header(width, height, 1 if kind in {0, 4} else 3)
    at = 33
    while len(chunk := source.at(at, 8)) == 8 and chunk[4:] not in {b"IDAT", b"IEND"}:
        length = struct.unpack(">I", chunk[:4])[0]
        if chunk[4:] == b"eXIf":
            header.orientation = tiff_orientation(source.at(at + 8, min(length, 65536))) or 1
        at += 12 + length
    if source.at(source.size - 12, 12) != _IEND:
        if _IEND not in source.rest(33):
            raise Broken("is truncated: its end is missing")
        header.trailing = True
    if not depth:
        raise Broken("is corrupt: its header makes no sense")
    return header


def webp(source: Source) -> Header:
    """RIFF's size, and the first chunk's."""
    _holds(source, 8 + _number(source, 4))
    kind, header = source.at(12, 4), Header(channels=3)
    if kind == b"VP8X":
        header.width, header.height = (1 + int.from_bytes(source.at(at, 3), "little") for at in (24, 27))
        if source.at(20, 1)[0] & 8 and (found := source.rest(12)).find(b"EXIF") > 0:
            block = found[found.find(b"EXIF") + 8 :]
            header.orientation = tiff_orientation(block.removeprefix(_EXIF)) or 1
    elif kind == b"VP8L":
        bits = _number(source, 21)
        header.width, header.height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        header.width, header.height = (each & 0x3FFF for each in _unpack("<HH", source.at(26, 4)))
    else:
        raise Broken("is corrupt: a WebP without a picture")
    return header


def bmp(source: Source) -> Header:
    """The headers of Windows' and OS/2's bitmaps."""
    old = _number(source, 14) == 12
    width, height = _unpack("<HH" if old else "<ii", source.at(18, 4 if old else 8))
    bits = _unpack("<H", source.at(24 if old else 28, 2))[0]
    if old or _number(source, 30) in {0, 3}:
        _holds(source, _number(source, 10) + (width * bits + 31) // 32 * 4 * abs(height))
    return Header(width, abs(height), 3)


def gif(source: Source) -> Header:
    """The logical screen's size."""
    width, height = _unpack("<HH", source.at(6, 4))
    return Header(width, height, 3)


def tiff(source: Source) -> Header:
    """The first directory's size and orientation, and whether its strips or tiles are all there."""
    order = "<" if source.head[:2] == b"II" else ">"
    if _unpack(f"{order}H", source.at(2, 2))[0] != 42:
        return Header()
    start = _unpack(f"{order}I", source.at(4, 4))[0]
    count = _unpack(f"{order}H", source.at(start, 2))[0]
    tags = dict(_entry(source, order, start + 2 + 12 * index) for index in range(count))
    for places, lengths in ((273, 279), (324, 325)):
        spans = zip(tags.get(places, ()), tags.get(lengths, ()), strict=False)
        _holds(source, max((place + length for place, length in spans), default=0))
    width, height, samples, orientation = ((tags.get(tag) or (0,))[0] for tag in (256, 257, 277, 274))
    return Header(width, height, 1 if samples == 1 else 3, orientation if 1 <= orientation <= 8 else 1)


def _entry(source: Source, order: str, at: int) -> tuple[int, tuple[int, ...]]:
    tag, kind, count = _unpack(f"{order}HHI", source.at(at, 8))
    letter = {3: "H", 4: "I"}.get(kind)
    if letter is None or count > 1 << 20:
        return tag, ()
    length = struct.calcsize(f"={count}{letter}")
    place = at + 8 if length <= 4 else _unpack(f"{order}I", source.at(at + 8, 4))[0]
    return tag, _unpack(f"{order}{count}{letter}", source.at(place, length))


def boxed(source: Source) -> Header:
    """AVIF, HEIF and JPEG 2000: boxes, each with its length; the size stands in one near the head."""
    at = 0
    while at + 8 <= source.size:
        length = _unpack(">I", source.at(at, 4))[0]
        if length == 1:
            length = _unpack(">Q", source.at(at + 8, 8))[0]
        if length and length < 8:
            raise Broken(f"is corrupt: a box of {length} bytes")
        at = at + length if length else source.size
    _holds(source, at)
    header, head = Header(), source.head
    if (found := head.find(b"ispe")) > 0:
        header.width, header.height = _unpack(">II", head[found + 8 : found + 16])
    elif (found := head.find(b"ihdr")) > 0:
        header.height, header.width = _unpack(">II", head[found + 4 : found + 12])
    return header


def _number(source: Source, at: int) -> int:
    value: int = _unpack("<I", source.at(at, 4))[0]
    return value


def _unpack(form: str, data: bytes) -> tuple[int, ...]:
    try:
        return struct.unpack(form, data)
    except struct.error as error:
        raise Broken("is truncated: it ends within its header") from error


def _holds(source: Source, size: int) -> None:
    if source.size < size:
        raise Broken(f"is truncated: {source.size:,} bytes instead of {size:,}")


READERS: dict[str, Callable[[Source], Header]] = {
    "JPEG": jpeg,
    "PNG": png,
    "WebP": webp,
    "BMP": bmp,
    "GIF": gif,
    "TIFF": tiff,
    "AVIF": boxed,
    "HEIF": boxed,
    "JPEG 2000": boxed,
}
"""What reads each kind of image."""


def kind_of(head: bytes) -> str:
    """The kind of an image by its first bytes; empty when it is none that is known."""
    if head[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    for start, kind in ((b"GIF8", "GIF"), (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF")):
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "BMP"
    if head[4:8] == b"ftyp":
        return next((kind for kind, brands in _BRANDS if any(brand in head[8:32] for brand in brands)), "")
    return "JPEG 2000" if head[4:8] == b"jP  " else ""
