"""Text for the eye: nothing that moves a terminal, broken between words; lengths of time and of files."""

import re
import textwrap

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


_LABEL = re.compile(r"\s*[^\s:]+(?: [^\s:]+){0,2} {2,}")
_WIDEST = 24


def wrapped(text: str, width: int) -> str:
    """The text broken between words, so that what follows a label stays beside it; a path or a link is never broken.

    Args:
        text: one line, or several.
        width: columns; what fits is left as it is.
    """
    return "\n".join(_wrap(line, width) for line in text.split("\n"))


def _wrap(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    label = _LABEL.match(line)
    inner = len(label[0]) if label and len(label[0]) <= min(_WIDEST, width * 2 // 3) else 0
    if inner and " " not in line[inner:].strip():
        return line
    indent = " " * (inner or len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
