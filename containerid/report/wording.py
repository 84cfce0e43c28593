"""How numbers of all kinds are written for a person."""

import math
import re
from datetime import UTC, datetime

METRICS = {
    "mAP50": "mAP50",
    "mAP50-95": "mAP50-95",
    "precision": "precision",
    "recall": "recall",
    "inference": "inference",
    "accuracy_top1": "accuracy, top 1",
    "accuracy_top5": "accuracy, top 5",
}


_OF = {"(B)": "", "(M)": " of masks", "(P)": " of key points"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_HASH = 12
"""Digits by which a hash is known; all of it stands where one looks for it."""


def metric(name: str) -> str:
    """`test/mAP50` as `test mAP50`."""
    split, _, rest = name.partition("/")
    if split == "speed":
        return measured(rest)
    return f"{split} {measured(rest)}" if rest else name


def measured(name: str) -> str:
    """`accuracy_top1` as `accuracy, top 1`, `mAP50(M)` as `mAP50 of masks`."""
    plain, letter = (name[:-3], name[-3:]) if name[-3:] in _OF else (name, "(B)")
    return METRICS.get(plain, plain) + _OF[letter]


def short(digest: str) -> str:
    """The first digits of a hash; what is none stays as it is."""
    return digest[:_HASH] if re.fullmatch(r"[0-9a-f]{40,}", digest) else digest


def sentence(text: str) -> str:
    """A line that a program wrote, with a capital at its beginning and a point at its end.

    What begins with a name as programs spell it, such as `val/mAP50`, keeps it.
    """
    word = text.split(" ", 1)[0]
    begun = text if re.search(r"[/_.A-Z]", word) else text[:1].upper() + text[1:]
    return ended(begun)


def ended(text: str) -> str:
    """A line with a point at its end, where it has none."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def value(name: str, number: float | None) -> str:
    """A metric's value: a share with three places, a speed in milliseconds."""
    if number is None or not math.isfinite(number):
        return "not measured"
    return f"{number:.1f} ms" if name.startswith("speed/") else share(number)


def share(number: float | None) -> str:
    """A fraction with three places."""
    return "–" if number is None or not math.isfinite(number) else f"{number:.3f}"


def count(number: float | None) -> str:
    """A whole number with its thousands apart."""
    return "–" if number is None or not math.isfinite(number) else f"{number:,.0f}".replace(",", "\u2009")


def spent(seconds: float | None) -> str:
    """`0.02 s`, `12 s`, `3 min 5 s`, `2 h 13 min`."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def moment(text: str) -> str:
    """`2026-11-21T05:54:40+00:00` as `2026-11-21 05:54:40 UTC`; what is no time stays as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def day(text: str) -> str:
    """`2026-11-21T05:54:40+00:00` as `21 November 2026`; empty for what is no time."""
    try:
        told = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return ""
    return f"{told.day} {_MONTHS[told.month - 1]} {told.year}"


def between(began: str, ended: str) -> float | None:
    """Seconds from one moment to another; None where one is no time."""
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    except (TypeError, ValueError):
        return None


def size(number: float | None) -> str:
    """Bytes as `18.4 MiB`."""
    if number is None or not math.isfinite(number) or number < 0:
        return ""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def plural(number: float, one: str, many: str = "") -> str:
    """`1 image`, `2 images`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
