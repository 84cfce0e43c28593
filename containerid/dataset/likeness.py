"""Pairs of fingerprints that are nearly the same, without comparing each with each. Needs numpy."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 16, 17
"""A fingerprint is a grey picture of this size, a byte a pixel."""
FAR = 20
"""Of 256 bits, how many may differ between two pictures that look the same."""
_STEP = 2
"""Shades by which a pixel must be brighter than its neighbour: in an even area, noise would decide."""
_SHADE = 6.0
"""How far the pixels of two such pictures may differ on average, of 255, once their brightness is made equal."""
_BANDS = 16
_TELLING = 3.0
"""Standard deviation of a picture's shades from which it shows something."""
_CROWD, _BLOCK = 2000, 4096
"""Of how many that share a key each is compared with each; and pairs whose shades are compared at once."""

Bits = NDArray[np.uint8]


def differences(prints: NDArray[np.uint8]) -> Bits:
    """Which pixels are clearly brighter than their left neighbour, as 32 bytes a picture: a 16x16 difference hash.

    Args:
        prints: shape (n, 16, 17).
    """
    return np.packbits((prints[:, :, 1:].astype(np.int16) - prints[:, :, :-1] > _STEP).reshape(len(prints), -1), axis=1)


def pairs(prints: Sequence[bytes]) -> list[tuple[int, int]]:
    """Indices of pictures that look the same, each pair once, the smaller first.

    Only pictures that share two bands of 16 bits, neighbours or next but one in the ring of 16, are compared. Where 10
    bits differ, 6 bands are whole, and two of them always lie so; where 20 differ, nine times out of ten they do.
    Pictures that show next to nothing, such as one even colour, look like no other.
    """
    pictures = np.frombuffer(b"".join(prints), np.uint8).reshape(len(prints), ROWS, COLUMNS)
    telling = np.flatnonzero(pictures.reshape(len(prints), -1).std(axis=1) >= _TELLING)
    if len(telling) < 2:
        return []
    bits = differences(pictures[telling])
    bands, words = bits.view(np.uint16).astype(np.uint32), bits.view(np.uint64)
    codes = np.unique(np.concatenate([_near(key, words) for key in _keys(bands)]))
    one, other = telling[codes // len(telling)], telling[codes % len(telling)]
    alike = [_shade(pictures[one[at : at + _BLOCK]], pictures[other[at : at + _BLOCK]]) for at in _blocks(len(codes))]
    chosen = np.concatenate(alike) <= _SHADE if alike else np.zeros(0, bool)
    return list(zip(one[chosen].tolist(), other[chosen].tolist(), strict=True))


def _blocks(count: int) -> range:
    return range(0, count, _BLOCK)


def _keys(bands: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for step in (1, 2):
        for band in range(_BANDS):
            yield bands[:, band] << 16 | bands[:, (band + step) % _BANDS]


def _near(key: NDArray[Any], words: NDArray[np.uint64]) -> NDArray[Any]:
    """Pairs of one key that differ in few bits, as `smaller * n + larger`."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    found = [np.zeros(0, np.int64)]
    for step in range(1, min(len(key), _CROWD)):
        same = np.flatnonzero(ordered[step:] == ordered[:-step])
        if not len(same):
            break
        one, other = order[same], order[same + step]
        close = _count(words[one] ^ words[other]) <= FAR
        found.append(np.minimum(one, other)[close] * len(key) + np.maximum(one, other)[close])
    return np.concatenate(found)


def _count(words: NDArray[np.uint64]) -> Any:
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return np.unpackbits(words.view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)


def _shade(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far pictures differ, pair by pair, once their brightness is made equal."""
    distance = one.astype(np.float32) - other
    mean: NDArray[np.float32] = np.abs(distance - distance.mean(axis=(1, 2), keepdims=True)).mean(axis=(1, 2))
    return mean
