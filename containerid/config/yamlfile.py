"""YAML 1.2 as DVC reads it, and of YAML only what a settings file needs. Every key knows its line.

`1e-3` is a number, `on` and `yes` are text, `010` is ten. Repeated keys, anchors, aliases, tags and numbers that are
not finite are refused. A date stays text, since JSON has none.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from containerid.config.rules import shown

LARGEST = 1_000_000
"""Bytes; a file of settings that is larger than this is something else."""
_DEEPEST = 32
_FLAGS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_EMPTY = {"", "~", "null", "Null", "NULL"}
_WHOLE = re.compile(
    r"[-+]?(?:0b_*[01][01_]*|0o_*[0-7][0-7_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*)|[-+]_+[0-9][0-9_]*"
)
_NUMBER = re.compile(
    r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)"
    r"|[-+]?\._*[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_BASES = {"0b": 2, "0o": 8, "0x": 16}

KeyPath = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """What a text holds.

    Attributes:
        value: plain JSON types.
        lines: of every key and list item, 1-based.
        faults: line, path and reason of what was refused; the value is then not to be used.
    """

    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    faults: list[tuple[int, KeyPath, str]] = field(default_factory=list)


def read(source: str | bytes) -> Document:
    """Read a whole document. Faults are told in it; nothing is raised, whatever the text."""
    document = Document()
    try:
        if len(source) > LARGEST:
            raise _Refused(1, f"is larger than {LARGEST:,} bytes")
        content = source.decode("utf-8-sig") if isinstance(source, bytes) else source
        content.encode()
        _Builder(content, document).build()
    except UnicodeError:
        document.faults.append((1, (), "is not UTF-8 text"))
    except _Refused as refused:
        document.faults.append((refused.line, (), refused.reason))
    except yaml.YAMLError as error:
        document.faults.append(_syntax(error))
    return document


def scalar(content: str) -> Any:
    """What an unquoted word stands for.

    Raises:
        ValueError: it is a number that is not finite, or too long to be meant.
    """
    if content in _EMPTY:
        return None
    if content in _FLAGS:
        return _FLAGS[content]
    if _WHOLE.fullmatch(content):
        return _whole(content)
    if _NUMBER.fullmatch(content):
        value = float(content.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(value):
            raise ValueError(f"{content} is not a finite number")
        return value
    return content


def _whole(content: str) -> int:
    digits = content.replace("_", "")
    if len(digits) > 30:
        raise ValueError("is a number of more than 30 digits")
    return int(digits, _BASES.get(digits.lstrip("+-")[:2], 10))


class _Refused(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def _syntax(error: yaml.YAMLError) -> tuple[int, KeyPath, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read")
    where = f"column {mark.column + 1}: " if mark else ""
    return (mark.line + 1 if mark else 1), (), f"{where}not valid YAML: {' '.join(problem.split())}"


class _Builder:
    """Builds plain values from the parser's events, so that nothing of YAML's object machinery is ever reached."""

    def __init__(self, content: str, document: Document) -> None:
        self._events = _events(content)
        self._document = document

    def build(self) -> None:
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        if event.version not in {None, (1, 2)}:
            raise _Refused(1, "is read as YAML 1.2; take the %YAML line out")
        self._document.value = self._node(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Refused(after.start_mark.line + 1, "holds a second document")

    def _node(self, event: Any, path: KeyPath) -> Any:
        line = event.start_mark.line + 1
        if len(path) > _DEEPEST:
            raise _Refused(line, f"is nested deeper than {_DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._fault(line, path, f"`*{event.anchor}` is an alias; write the value out")
        if event.anchor is not None:
            self._fault(line, path, f"`&{event.anchor}` is an anchor; write the value out where it is needed")
        if event.tag not in {None, "!"}:
            self._fault(line, path, f"`{event.tag}` is a tag; take it out")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, line, path)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, line, path)
            inner = (*path, key)
            if key in values:
                self._fault(line, inner, f"stands here again, after line {self._document.lines[inner]}")
            self._document.lines.setdefault(inner, line)
            values[key] = self._node(next(self._events), inner)
        return values

    def _key(self, event: Any, line: int, path: KeyPath) -> str:
        if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            raise _Refused(line, "a key must be one word")
        key = self._node(event, path)
        if key == "<<":
            self._fault(line, path, "`<<` (merge) is not supported; write the values out")
        elif not isinstance(key, str):
            self._fault(line, (*path, str(key)), f"the key {shown(key)} is not text; put it in quotes")
        return str(key)

    def _sequence(self, path: KeyPath) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner = (*path, len(values))
            self._document.lines[inner] = event.start_mark.line + 1
            values.append(self._node(event, inner))
        return values

    def _scalar(self, event: Any, line: int, path: KeyPath) -> Any:
        content: str = event.value
        if _UNPRINTABLE.search(content):
            return self._fault(line, path, "holds a control character")
        if not event.implicit[0]:
            return content
        try:
            return scalar(content)
        except ValueError as error:
            return self._fault(line, path, str(error))

    def _fault(self, line: int, path: KeyPath, reason: str) -> None:
        self._document.faults.append((line, path, reason))


def dotted(path: KeyPath) -> str:
    """`detection.training.epochs`; list items as `tags[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _events(content: str) -> Iterator[Any]:
    """The parser's events from the first document on; libyaml's parser where PyYAML was built with it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
    try:
        loader.get_event()
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()
