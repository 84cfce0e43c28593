"""What a setting may be: small rules that read a value, or say in one phrase what would have been right."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_DURATION = re.compile(r"([1-9][0-9]*(?:\.[0-9]+)?) *(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LONGEST = 366 * 86400


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a value can be right.

    Attributes:
        says: completes "must be …".
        read: gives the value to use, or raises ValueError when the value is not of this kind.
    """

    says: str
    read: Callable[[Any], Any]


def read(rules: Sequence[Rule], value: Any) -> Any:
    """The value as the first rule that takes it reads it.

    Raises:
        ValueError: no rule takes it; the message is `must be …, not …`.
    """
    for rule in rules:
        try:
            return rule.read(value)
        except (ValueError, TypeError, OverflowError, AttributeError):
            continue
    *most, last = [rule.says for rule in rules]
    raise ValueError(f"must be {', '.join(most)}{' or ' if most else ''}{last}, not {shown(value)}")


def shown(value: Any) -> str:
    """A value as it would stand in the file, cut to one short line."""
    text = "empty" if value is None else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def suggestion(name: object, known: Sequence[str]) -> str:
    """` (did you mean …)` with the nearest known name, or nothing when none is near."""
    word = str(name).lower()
    longer = [each for each in known if len(word) > 3 and each.lower().startswith(word)]
    near = longer[:1] or get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _must(ok: bool, value: Any) -> Any:
    if not ok:
        raise ValueError
    return value


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low is not None else ""


def _within(value: Any, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def whole(low: int | None = None, high: int | None = None) -> Rule:
    """A whole number; `1e2` is one."""

    def of(value: Any) -> int:
        _must(type(value) in {int, float} and value == int(value) and _within(value, low, high), value)
        return int(value)

    return Rule(f"a whole number{_bounds(low, high)}", of)


def number(low: float | None = None, high: float | None = None) -> Rule:
    """A finite number."""

    def of(value: Any) -> int | float:
        finite = type(value) in {int, float} and abs(value) < float("inf")
        return _must(finite and _within(value, low, high), value)  # type: ignore[no-any-return]

    return Rule(f"a number{_bounds(low, high)}", of)


def flag() -> Rule:
    """True or false, not a number and not a word."""
    return Rule("true or false", lambda value: _must(isinstance(value, bool), value))


def word(*words: str) -> Rule:
    """One of the words, in any case; it is read as it stands in the list."""
    known = {each.lower(): each for each in words}
    return Rule(
        f"one of {', '.join(words)}" if len(words) > 1 else words[0],
        lambda value: known[_must(isinstance(value, str) and value.lower() in known, value).lower()],
    )


def exactly(constant: Any, meaning: str) -> Rule:
    """One special value."""
    says = f"{shown(constant)} ({meaning})"
    return Rule(says, lambda value: _must(type(value) is type(constant) and value == constant, value))


def meaning(name: str, value: Any) -> Rule:
    """A word that stands for a value."""
    return Rule(name, lambda found: _must(isinstance(found, str) and found.lower() == name, value))


def nothing() -> Rule:
    """Left empty."""
    return Rule("empty", lambda value: _must(value is None, value))


def text(says: str = "text") -> Rule:
    """Words that are not blank."""
    return Rule(says, lambda value: _must(isinstance(value, str) and bool(value.strip()), value))


def module() -> Rule:
    """A dotted Python module name."""
    return Rule(
        "a Python module such as `my_project.train`", lambda value: _must(bool(_MODULE.fullmatch(value)), value)
    )


def slug(example: str = "owner/slug", parts: str = "2|3") -> Rule:
    """A name on Kaggle; `parts` says how many words there are between slashes."""

    def of(value: Any) -> str:
        return str(_must(bool(_SLUG.fullmatch(value)) and str(value.count("/") + 1) in parts.split("|"), value))

    return Rule(f"a name such as `{example}`", of)


def duration() -> Rule:
    """Seconds, from `90m` or `11h`."""

    def of(value: Any) -> float:
        found = _DURATION.fullmatch(value)
        length = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        return _must(0 < length <= _LONGEST, length)  # type: ignore[no-any-return]

    return Rule("a duration such as `11h` or `90m`", of)


def listing(*rules: Rule) -> Rule:
    """A list whose items obey the rules."""
    items = " or ".join(rule.says for rule in rules)
    return Rule(
        f"a list, each item {items}",
        lambda value: [read(rules, each) for each in _must(isinstance(value, list), value)],
    )


def pair(rule: Rule) -> Rule:
    """A list of two."""
    return Rule(
        f"a list of two, each {rule.says}",
        lambda value: [read([rule], each) for each in _must(isinstance(value, list) and len(value) == 2, value)],
    )
