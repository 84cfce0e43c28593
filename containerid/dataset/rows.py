"""The text of a label file: its encoding, and its lines as words and numbers."""

import codecs
import errno
import math
import os
import re
import stat
from collections.abc import Iterable
from typing import NamedTuple

from containerid.dataset.findings import ERROR, WARNING

_ODD = re.compile(r"[^\S \t\r\n]")
"""White space that Ultralytics, which splits by Python's rules, takes for a space or for the end of a line."""
_ODD_ASCII = "\v\f\x1c\x1d\x1e\x1f"
_BREAKS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"

Said = tuple[int, str, str, str, str]
"""Line, kind, severity, message, fix."""


class Row(NamedTuple):
    """A line of a label.

    Attributes:
        line: 1-based.
        words: as they are written.
        numbers: the same as numbers; empty when they are none, or not finite.
    """

    line: int
    words: list[str]
    numbers: list[float]


def content(path: str) -> bytes:
    """A label file's bytes. Raises OSError: it cannot be read, or is no file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        data = os.read(descriptor, 65536)
        while len(data) % 65536 == 0 and (more := os.read(descriptor, 65536)):
            data += more
        if not data and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no file")
        return data
    finally:
        os.close(descriptor)


def decode(data: bytes) -> tuple[str, list[Said]]:
    """A label's text, empty when it is none, and what is to be said about how it is written."""
    said: list[Said] = []
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "", [(0, "label-encoding", ERROR, "is UTF-16", "save it as UTF-8")]
    if b"\x00" in data:
        return "", [(0, "label-encoding", ERROR, "holds NUL bytes: UTF-16 or damaged", "save it as UTF-8")]
    if data.startswith(codecs.BOM_UTF8):
        said.append((1, "label-bom", WARNING, "begins with a byte-order mark", "save it as UTF-8 without BOM"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", [(line, "label-encoding", ERROR, "is not UTF-8 text", "save it as UTF-8")]
    if b"\r" in data:
        said.append((1, "label-crlf", WARNING, "its lines end as on Windows (CRLF)", "save it with LF"))
    if odd := _find_odd(text):
        line = text.count("\n", 0, odd.start()) + 1
        message = f"holds white space that is neither space nor tab (U+{ord(odd[0]):04X})"
        said.append((line, "label-space", WARNING, message, "separate the numbers by spaces"))
    return text, said


def plain(text: str) -> str:
    """The text with spaces and line feeds in the place of all other white space, as Python reads it."""
    return _ODD.sub(lambda odd: "\n" if odd[0] in _BREAKS else " ", text.replace("\r\n", "\n").replace("\r", "\n"))


def parse(text: str) -> list[Row]:
    """The lines that hold something."""
    rows = []
    # Python takes 1_0 for ten, and the digits of every script.
    strange = "_" in text or not text.isascii()
    for line, row in _lines(text):
        if words := row.split():
            try:
                numbers = [float(word) for word in words]
            except ValueError:
                numbers = []
            if strange and any("_" in word or not word.isascii() for word in words):
                numbers = []
            rows.append(Row(line, words, numbers if all(map(math.isfinite, numbers)) else []))
    return rows


def _lines(text: str) -> Iterable[tuple[int, str]]:
    """Lines with their numbers as an editor counts them: to Python, a form feed begins one as well."""
    if not _find_odd(text):
        return enumerate(text.splitlines(), 1)
    lines = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    return ((number, part) for number, line in lines for part in line.splitlines())


def _find_odd(text: str) -> re.Match[str] | None:
    # Nearly all labels hold none; to look for six characters is faster than to look at each.
    return None if text.isascii() and not any(each in text for each in _ODD_ASCII) else _ODD.search(text)
