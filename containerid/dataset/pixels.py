"""Every pixel of an image, decoded as strictly as can be, and a fingerprint of it. Needs the `data` extra."""

import contextlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata, util
from typing import Any

from containerid.dataset.headers import kind_of

NEEDED = ("numpy", "PIL")
INSTALL = "pip install 'containerid[data]'"
_LEAST = 34
"""Pixels that either side of the decoded picture has at least: two for each cell of a fingerprint."""
_PADDING = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_ODDITIES = ("unknown JFIF revision", "unknown Adobe color transform", "Invalid SOS parameters for sequential")
_UNDECODED = frozenset({"AVIF", "HEIF", "JPEG 2000"})

Decoded = tuple[str, bytes]
"""What is wrong, empty when nothing is; and the fingerprint, 16 rows of 17 grey pixels, empty when there is none."""


def missing() -> list[str]:
    """Packages that decoding needs and that are not installed."""
    return [name for name in NEEDED if util.find_spec(name) is None]


def decoders() -> str:
    """What decodes here, with versions: another one may see other damage."""
    found = []
    for name in ("simplejpeg", "pillow", "numpy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def decode(data: bytes) -> Decoded:
    """Decode an image.

    simplejpeg refuses what libjpeg only warns of, such as damage in the middle of the data; Pillow does not. It also
    decodes a JPEG at an eighth of its size, which leaves nothing out but the last step.
    """
    kind = kind_of(data[:32])
    try:
        strict = _strict() if kind == "JPEG" else None
        if kind == "PNG":
            _sums(data)
        return "", _jpeg(data, strict) if strict else _pillow(data)
    except Exception as error:  # Each decoder has errors of its own, and a damaged file can raise any.
        if kind in _UNDECODED or type(error).__name__ in {"DecompressionBombError", "MemoryError"}:
            return "", b""
        return " ".join(str(error).split())[:160] or type(error).__name__, b""


def _jpeg(data: bytes, strict: Callable[..., Any]) -> bytes:
    try:
        grey = strict(data, "GRAY", min_height=_LEAST, min_width=_LEAST)
    except ValueError as error:
        if not _harmless(str(error)):
            raise
        grey = strict(data, "GRAY", min_height=_LEAST, min_width=_LEAST, strict=False)
    return _shrink(grey[:, :, 0])


def _harmless(warning: str) -> bool:
    """What libjpeg warns of and cameras write: padding before the end, odd versions and parameters."""
    if padding := _PADDING.search(warning):
        return int(padding[1]) <= 2
    return any(word in warning for word in _ODDITIES)


def _strict() -> Callable[..., Any] | None:
    try:
        from simplejpeg import decode_jpeg
    except ImportError:
        return None
    return decode_jpeg  # type: ignore[no-any-return]


def _shrink(grey: Any) -> bytes:
    """The mean of each cell of a grid of 16 by 17 over a grey picture: the same whatever size it was decoded at."""
    import numpy as np

    from containerid.dataset.likeness import COLUMNS, ROWS

    height, width = grey.shape
    cells = _weights(ROWS, height) @ grey.astype(np.float32) @ _weights(COLUMNS, width).T
    return bytes(np.rint(cells).astype(np.uint8).tobytes())


@lru_cache(maxsize=64)
def _weights(cells: int, size: int) -> Any:
    """How much each pixel of a line counts in each cell of it; shape (cells, size), rows add up to 1."""
    import numpy as np

    edges = np.linspace(0, size, cells + 1)
    pixels = np.arange(size)
    ends = np.minimum(edges[1:, None], pixels[None, :] + 1), np.maximum(edges[:-1, None], pixels[None, :])
    return (np.clip(ends[0] - ends[1], 0, None) * cells / size).astype(np.float32)


def _sums(data: bytes) -> None:
    """Hold the parts of a PNG that its picture is made of against their checksums; Pillow takes the data's on trust."""
    at, view = 8, memoryview(data)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if not kind[0] & 0x20 and data[end : end + 4] != zlib.crc32(view[at + 4 : end]).to_bytes(4, "big"):
            raise ValueError(f"the checksum of its {kind.decode('ascii', 'replace')} is wrong")
        if kind == b"IEND":
            break
        at = end + 4


def _pillow(data: bytes) -> bytes:
    import numpy as np
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return _shrink(np.asarray(image.convert("L")))
