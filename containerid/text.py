"""Text for the eye: without what moves a terminal, and lengths of time and of files in a few letters."""

import re

_SEQUENCES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_].*?(?:\x1b\\|$)|\[[0-?]*[ -/]*[@-~]|.)?", re.DOTALL
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text without what moves a terminal: escape sequences, control characters, overrides of direction.

    A carriage return keeps only what follows it, as a terminal would show it in the end.
    """
    last = text.rstrip("\r\n").rpartition("\r")[2]
    return _CONTROLS.sub("", _SEQUENCES.sub("", last))


def duration(seconds: float) -> str:
    """Seconds for the eye: `48s`, `3m12s`, `2h05m`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60:02}s" if whole < 3600 else f"{whole // 3600}h{whole % 3600 // 60:02}m"


def size(count: int) -> str:
    """Bytes for the eye, in SI units: `812 B`, `5.4 MB`."""
    if count < 1000:
        return f"{count} B"
    power = min(len(str(count)) - 1, 14) // 3
    return f"{count / 1000**power:.1f} {'kMGT'[power - 1]}B"
