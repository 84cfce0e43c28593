"""Painted steel seen straight on: container doors, sides, ends and roofs, with what weather and work leave on them.

Every surface is an image, shape (height, width, 3), BGR, float32 in [0, 255].
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.float32]

_PAINTS = (
    (52, 58, 140), (38, 66, 170), (130, 74, 30), (150, 110, 40), (92, 128, 58), (70, 92, 46), (168, 168, 166),
    (196, 200, 204), (60, 128, 196), (44, 96, 168), (96, 88, 80), (110, 60, 60), (40, 44, 92), (60, 150, 190),
)  # fmt: skip
_RUST = np.array((34, 62, 112), np.float32)
_DIRT = np.array((62, 70, 76), np.float32)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def paint(rng: Generator) -> Image:
    """The colour of one container, shape (3,)."""
    colour = np.array(_PAINTS[rng.integers(len(_PAINTS))], np.float32)
    return np.clip(colour + rng.normal(0, 12, 3), 12, 235).astype(np.float32)


def door(rng: Generator, width: int, height: int, colour: Image) -> Image:
    """The door end: two leaves with rubber around them, locking bars with cams and handles, hinges, seals and marks."""
    steel = _ribbed(width, height, colour, period=rng.uniform(0.07, 0.12), depth=rng.uniform(0.02, 0.07))
    _frame(steel, colour * 0.72, 0.045)
    _gaskets(steel)
    _hinges(rng, steel, colour)
    _locks(rng, steel, colour)
    _marks(rng, steel, colour)
    return _weathered(rng, steel)


def end(rng: Generator, width: int, height: int, colour: Image) -> Image:
    """The closed end: the same size and paint as the doors, but no seam, no bars, no hinges."""
    steel = _ribbed(width, height, colour, period=rng.uniform(0.09, 0.16), depth=rng.uniform(0.12, 0.22))
    _frame(steel, colour * 0.8, 0.05)
    if rng.random() < 0.5:
        _text(rng, steel, (0.55, 0.14), 0.06)
    return _weathered(rng, steel)


def side(rng: Generator, width: int, height: int, colour: Image) -> Image:
    """A long side: deep ribs, rails, perhaps the owner's name in large letters."""
    steel = _ribbed(width, height, colour, period=rng.uniform(0.02, 0.045), depth=rng.uniform(0.12, 0.25))
    rail = max(1, round(height * 0.04))
    steel[:rail] = steel[-rail:] = colour * 0.75
    if rng.random() < 0.5:
        _text(rng, steel, (rng.uniform(0.08, 0.4), rng.uniform(0.4, 0.6)), rng.uniform(0.15, 0.4))
    return _weathered(rng, steel)


def roof(rng: Generator, width: int, height: int, colour: Image) -> Image:
    """The top, ribbed across and dirtier than the rest."""
    return _weathered(rng, _ribbed(width, height, colour * 0.9, period=0.05, depth=0.12))


def shutter(rng: Generator, width: int, height: int, colour: Image) -> Image:
    """A roller shutter of a building: as large as a container door, with slats across instead of bars."""
    slats = _ribbed(height, width, colour, period=rng.uniform(0.04, 0.09), depth=0.15).transpose(1, 0, 2)
    steel = np.ascontiguousarray(slats)
    _frame(steel, colour * 0.5, 0.04)
    return _weathered(rng, steel)


def cloud(rng: Generator, width: int, height: int, cells: int) -> Image:
    """Smooth noise, shape (height, width), about [0, 1]: `cells` patches across."""
    coarse = rng.random((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _ribbed(width: int, height: int, colour: Image, *, period: float, depth: float) -> Image:
    phase = np.arange(width, dtype=np.float32) / max(2.0, period * width)
    profile = 1 + depth * np.clip(3 * np.sin(2 * np.pi * phase), -1, 1)
    row = profile[:, None] * colour
    return np.repeat(row[None], height, axis=0).astype(np.float32)


def _frame(steel: Image, colour: Image, share: float) -> None:
    height, width = steel.shape[:2]
    edge = max(1, round(width * share))
    cv2.rectangle(steel, (0, 0), (width - 1, height - 1), colour.tolist(), 2 * edge)
    for x in (0, width - edge):
        for y in (0, height - edge):
            cv2.rectangle(steel, (x, y), (x + edge, y + edge), (colour * 0.6).tolist(), -1)


def _bar(steel: Image, x: float, top: float, bottom: float, thick: int, colour: Image) -> None:
    height, width = steel.shape[:2]
    column = round(x * width)
    cv2.line(steel, (column, round(top * height)), (column, round(bottom * height)), colour.tolist(), thick)


def _box(steel: Image, x: float, y: float, wide: float, high: float, colour: Image) -> None:
    height, width = steel.shape[:2]
    start = round((x - wide / 2) * width), round((y - high / 2) * height)
    stop = round((x + wide / 2) * width), round((y + high / 2) * height)
    cv2.rectangle(steel, start, stop, colour.tolist(), -1)


def _gaskets(steel: Image) -> None:
    """The rubber that seals each leaf."""
    height, width = steel.shape[:2]
    thick = max(1, round(width * 0.025))
    for left, right in ((0.06, 0.492), (0.508, 0.94)):
        corners = (round(left * width), round(0.05 * height)), (round(right * width), round(0.95 * height))
        cv2.rectangle(steel, *corners, (26, 26, 26), thick)


def _hinges(rng: Generator, steel: Image, colour: Image) -> None:
    for y in np.linspace(0.12, 0.88, int(rng.integers(4, 6))):
        for x in (0.055, 0.945):
            _box(steel, x, float(y), 0.05, 0.025, colour * 0.5)


def _locks(rng: Generator, steel: Image, colour: Image) -> None:
    """Locking bars, galvanised or painted over, two on each leaf (one on some), with cams and handles."""
    metal = colour * 1.3 + 20 if rng.random() < 0.2 else np.full(3, rng.uniform(160, 220), np.float32)
    metal = np.clip(metal, 0, 245).astype(np.float32)
    thick = max(1, round(steel.shape[1] * 0.034))
    columns = (0.14, 0.37, 0.63, 0.86) if rng.random() < 0.85 else (0.3, 0.7)
    handle = rng.uniform(0.58, 0.68)
    for x in columns:
        _bar(steel, x + 0.02, 0.04, 0.96, thick, colour * 0.45)
        _bar(steel, x, 0.03, 0.97, thick, metal)
        for y in (0.04, 0.3, 0.96):
            _box(steel, x, y, 0.055, 0.022, metal * 0.8)
        _box(steel, x + (0.06 if x < 0.5 else -0.06), handle, 0.13, 0.018, metal)


def _marks(rng: Generator, steel: Image, colour: Image) -> None:
    _text(rng, steel, (0.56, 0.13), 0.05)
    if rng.random() < 0.7:
        _text(rng, steel, (0.57, 0.22), 0.035)
    if rng.random() < 0.4:
        _box(steel, rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.5), 0.12, 0.1, 255 - colour)


def _text(rng: Generator, steel: Image, at: tuple[float, float], size: float) -> None:
    height, width = steel.shape[:2]
    letters = "".join(chr(65 + code) for code in rng.integers(0, 26, 4))
    words = f"{letters} {rng.integers(100000, 999999)}"[: int(rng.integers(5, 12))]
    ink = np.array((225, 228, 230) if float(steel.mean()) < 130 else (35, 32, 30), np.float32)
    mask = np.zeros((height, width), np.uint8)
    place = round(at[0] * width), round(at[1] * height)
    cv2.putText(mask, words, place, _FONT, max(0.18, size * height / 24), 255, max(1, round(size * height / 10)))
    steel[mask > 127] = ink


def _weathered(rng: Generator, steel: Image) -> Image:
    """Rust in patches, dirt that runs down and gathers below, faded paint."""
    height, width = steel.shape[:2]
    age = np.float32(rng.random())
    below = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** 3
    rust = np.clip(5 * cloud(rng, width, height, 9) - (5 - 1.75 * age), 0, 0.9)
    dirt = np.clip(cloud(rng, width, height, 5) * below * age, 0, 0.7)
    faded = 0.875 + 0.25 * cloud(rng, width, height, 4)
    clean = (1 - rust) * (1 - dirt)
    steel *= (faded * clean)[..., None]
    steel += (rust * (1 - dirt))[..., None] * _RUST
    steel += dirt[..., None] * _DIRT
    return steel
