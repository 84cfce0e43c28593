"""Sections laid over each other: the base, an experiment, the command line. Every value remembers who wrote it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from containerid.config import arguments
from containerid.config.faults import Fault, Origin, Problem, located
from containerid.config.yamlfile import Document, KeyPath, dotted, read, scalar


@dataclass(frozen=True, slots=True)
class Layer:
    """A section, or a part of one.

    Attributes:
        value: in our spelling of Ultralytics' arguments, so that an override meets what it overrides.
        origins: of every key, by its path in the section.
        faults: what can only be seen before the spelling is changed.
        unread: what YAML 1.2 or a settings file does not have; the value is then missing.
    """

    value: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    unread: tuple[Fault, ...] = ()

    def faulty(self, problems: Iterable[Problem]) -> list[Fault]:
        """All that is wrong with it: what is known, and problems that were found in its value."""
        # Where a value could not be read, that it is missing is no fault of its own.
        places = {each.origin.path for each in self.unread}
        found = (*self.faults, *located(problems, self.origins))
        return [*self.unread, *(each for each in found if each.origin.path not in places)]


def of_file(document: Document, prefix: KeyPath, name: str) -> Layer:
    """The section of a file that starts at `prefix`; empty when there is none, or something that is no section."""
    value: Any = document.value
    for part in prefix:
        value = value.get(part) if isinstance(value, dict) else None
    origins = {
        path[len(prefix) :]: Origin(line, f"{name}:{line}", dotted(path))
        for path, line in document.lines.items()
        if path[: len(prefix)] == prefix
    }
    unread = tuple(
        Fault(Origin(line, f"{name}:{line}", dotted(path)), reason)
        for line, path, reason in document.faults
        if path[: len(prefix)] == prefix
    )
    return replace(_spelled(value if isinstance(value, dict) else {}, origins), unread=unread)


def of_option(override: str) -> Layer:
    """`training.epochs=12` as a section of one key. A wrong value is found when the section is checked."""
    where = Origin(0, f"--set {override}", "")
    key, equals, content = override.partition("=")
    path: KeyPath = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        return Layer(faults=(Fault(where, "must be key.path=value, such as training.epochs=12"),))
    value, wrong = _word(content.strip())
    if wrong:
        return Layer(faults=(Fault(where, wrong),))
    for part in reversed(path):
        value = {part: value}
    return _spelled(value, {path: where})


def _word(content: str) -> tuple[Any, str]:
    if content.startswith(("[", "{", '"', "'")):
        document = read(content)
        return document.value, "; ".join(reason for _, _, reason in document.faults)
    try:
        content.encode()
        return scalar(content), ""
    except UnicodeError:
        return None, "is not UTF-8 text"
    except ValueError as error:
        return None, str(error)


def merge(base: Layer, over: Layer) -> Layer:
    """`over` laid over `base`: sections are merged, everything else is replaced, by an `{}` that says so too."""
    return Layer(
        _merged(base.value, over.value),
        base.origins | over.origins,
        (*base.faults, *over.faults),
        (*base.unread, *over.unread),
    )


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        before = base.get(key)
        if isinstance(before, dict) and (value is None or (isinstance(value, dict) and value)):
            merged[key] = _merged(before, value or {})
        else:
            merged[key] = value
    return merged


def _spelled(value: Mapping[str, Any], origins: dict[KeyPath, Origin]) -> Layer:
    spelled, faults = dict(value), []
    for section in arguments.SECTIONS:
        if isinstance(written := value.get(section), dict):
            spelled[section], _, wrong = arguments.canonical(written)
            faults += [Fault(origins.get((section, it.key), Origin(0, "", "")), it.reason) for it in wrong]
    return Layer(spelled, {_ours(path): origin for path, origin in origins.items()}, tuple(faults))


def _ours(path: KeyPath) -> KeyPath:
    if len(path) > 1 and path[0] in arguments.SECTIONS:
        return (path[0], arguments.spelling(str(path[1])), *path[2:])
    return path
