"""Planned faults in a file: a list of `faults.Fault` entries in YAML, read strictly."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from containerid.config import yamlfile
from containerid.errors import UsageError
from containerid.kaggle.emulator.faults import ANY, EFFECTS, Fault, FaultPlan
from containerid.kaggle.emulator.site import RPCS

_WHOLE, _NUMBER, _FLAG, _NAME = "a whole number from 0", "a number from 0", "true or false", "text"
_TEXTS, _MAPPING, _LIST, _ANYTHING = "text to text", "names with values", "a list of texts", "anything"
_KINDS = {
    "rpc": _NAME,
    "effect": _NAME,
    "commit": _FLAG,
    "skip": _WHOLE,
    "times": _WHOLE,
    "match": _MAPPING,
    "seconds": _NUMBER,
    "keep": _WHOLE,
    "status": _WHOLE,
    "headers": _TEXTS,
    "body": _ANYTHING,
    "names": _TEXTS,
    "flip": _FLAG,
    "ignore": _LIST,
    "rate": _NUMBER,
}


def read_plan(path: Path) -> FaultPlan:
    """The faults of a file, in its order.

    Raises:
        UsageError: it cannot be read, or an entry is wrong: its line, its key and what it should be.
    """
    try:
        document = yamlfile.read(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    for line, place, reason in document.faults:
        raise UsageError(f"{path}:{line}: {yamlfile.dotted(place) + ': ' if place else ''}{reason}")
    if not isinstance(document.value, list):
        raise UsageError(f"{path}: this is no list of faults", hint="- {rpc: SaveKernel, effect: drop}")
    return FaultPlan(_entry(path, index, entry, document.lines) for index, entry in enumerate(document.value))


def _entry(path: Path, index: int, entry: Any, lines: Mapping[tuple[str | int, ...], int]) -> Fault:
    if not isinstance(entry, dict):
        raise UsageError(f"{path}:{lines.get((index,), 1)}: a fault is {entry!r}, not names with values")
    for key, value in entry.items():
        if reason := _wrong(key, value):
            raise UsageError(f"{path}:{lines.get((index, key), 1)}: {key}: {reason}")
    for each in fields(Fault):
        if each.default is MISSING and each.default_factory is MISSING and each.name not in entry:
            raise UsageError(f"{path}:{lines.get((index,), 1)}: {each.name} is missing")
    return Fault(**entry)


def _wrong(key: str, value: Any) -> str:
    """Why this value cannot stand under this key; empty when it can."""
    if key not in _KINDS:
        return f"unknown, one of {', '.join(_KINDS)}"
    if not _fits(value, _KINDS[key]):
        return f"is {value!r}, not {_KINDS[key]}"
    if key == "rpc" and value not in (*RPCS, ANY):
        return f"Kaggle has no {value}, or none that is answered here"
    if key == "effect" and value not in EFFECTS:
        return f"{value} is none of {', '.join(EFFECTS)}"
    return ""


def _fits(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    texts = isinstance(value, dict) and all(isinstance(each, str) for pair in value.items() for each in pair)
    fitting = {
        _WHOLE: number and isinstance(value, int),
        _NUMBER: number,
        _FLAG: isinstance(value, bool),
        _NAME: isinstance(value, str),
        _TEXTS: texts,
        _MAPPING: isinstance(value, dict),
        _LIST: isinstance(value, list) and all(isinstance(each, str) for each in value),
    }
    return fitting.get(kind, True)
