"""How numbers of all kinds are written for a person."""

import math
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


def metric(name: str) -> str:
    """`test/mAP50` as `test mAP50`."""
    split, _, rest = name.partition("/")
    if split == "speed":
        return METRICS.get(rest, rest)
    return f"{split} {METRICS.get(rest, rest)}" if rest else name


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
