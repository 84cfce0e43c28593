"""data.yaml as it is written: read once, every fault at its line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from containerid.dataset.findings import WARNING, Finding

SPLITS = ("train", "val", "test")
_SYNONYMS = {"valid": "val", "validation": "val"}
_INDEX = re.compile(r"\d{1,9}", re.ASCII)


class DatasetError(Exception):
    """A data.yaml that cannot be used.

    Attributes:
        path: the file that is at fault.
        line: 1-based, 0 when it is the file as a whole.
        message: what is wrong.
        fix: what to do.
    """

    def __init__(self, path: Path, line: int, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.path, self.line, self.message, self.fix = path, line, message, fix


@dataclass(slots=True)
class Document:
    """A data.yaml.

    Attributes:
        file: absolute.
        values: by key; `train`, `val` and `test` whatever they are called in the file.
        lines: of the keys, 1-based, by the same names.
        faults: what makes it useless.
        notes: what is unusual.
        unnamed: classes that `names` passes over; known once `names` was asked for.
    """

    file: Path
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[DatasetError] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    unnamed: frozenset[int] = frozenset()

    def fault(self, key: str, message: str, fix: str = "") -> None:
        """Note what makes the file useless, at the line of a key."""
        self.faults.append(DatasetError(self.file, self.lines.get(key, 0), message, fix))

    def note(self, key: str, kind: str, severity: str, message: str, fix: str = "") -> None:
        """Note what is unusual, at the line of a key."""
        self.notes.append(Finding(self.file.name, self.lines.get(key, 0), kind, severity, message, fix))

    @property
    def names(self) -> tuple[str, ...]:
        """The classes by their index; where the file is at fault, as many as it seems to mean."""
        names, count = self.values.get("names"), self._count()
        if isinstance(names, dict):
            found = self._numbered(names)
        elif isinstance(names, list) and names:
            found = self._listed(names)
        elif names is None and count:
            return tuple(f"class_{index}" for index in range(count))
        else:
            self.fault("names" if "names" in self.lines else "nc", "`names` must list the classes", "names: [door]")
            return tuple(f"class_{index}" for index in range(count or 0))
        if count is not None and "nc" in self.lines and count not in {len(names or ()), len(found)}:
            there = "is 1 name" if len(found) == 1 else f"are {len(names or ())} names"
            self.fault("nc", f"`nc` is {count}, but there {there}", "remove `nc`")
        for name in sorted({name for name in found if found.count(name) > 1}):
            self.note("names", "yaml-names", WARNING, f"two classes are called {name}", "give each a name of its own")
        return found

    @property
    def keypoints(self) -> tuple[int, int]:
        """How many keypoints a box has, and 2 or 3 numbers each; zeros where `kpt_shape` does not say."""
        found = self.values.get("kpt_shape")
        if isinstance(found, list) and len(found) == 2 and all(type(each) is int and each > 0 for each in found):
            return found[0], found[1]
        return 0, 0

    def _count(self) -> int | None:
        count = self.values.get("nc")
        if count is None:
            return None
        try:
            if isinstance(count, bool) or float(count) != int(float(count)) or int(float(count)) < 1:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            self.fault("nc", f"`nc` must be a whole number, not {brief(count)}", "remove `nc`")
            return None
        return int(float(count))

    def _numbered(self, names: dict[Any, Any]) -> tuple[str, ...]:
        keys = [int(str(key)) if _INDEX.fullmatch(str(key)) else -1 for key in names]
        if not keys or min(keys) < 0 or len(set(keys)) < len(keys) or max(keys) > 100_000:
            self.fault("names", "`names` must number the classes", "names: {0: door}")
            return tuple(brief(name) for name in names)
        if any(isinstance(name, list | dict) for name in names.values()):
            self.fault("names", "`names` must give each number a word", "names: {0: door}")
            return tuple(f"class_{index}" for index in range(max(keys) + 1))
        named = {index: self._word(name) for index, name in zip(keys, names.values(), strict=True)}
        if gaps := sorted(set(range(max(keys))) - set(keys)):
            missing = ", ".join(map(str, gaps[:5])) + ("…" if len(gaps) > 5 else "")
            message = (
                f"`names` has gaps: {missing} {'is' if len(gaps) == 1 else 'are'} missing, and called class_{gaps[0]}"
            )
            self.note("names", "yaml-names", WARNING, message, f"number the classes from 0 to {len(keys) - 1}")
            self.unnamed = frozenset(gaps)
        return tuple(named.get(index, f"class_{index}") for index in range(max(keys) + 1))

    def _listed(self, names: list[Any]) -> tuple[str, ...]:
        if any(isinstance(name, list | dict) for name in names):
            self.fault("names", "`names` must be a list of words", "names: [door]")
            return tuple(f"class_{index}" for index in range(len(names)))
        return tuple(self._word(name) for name in names)

    def _word(self, name: object) -> str:
        if name is None or isinstance(name, bool):
            self.note("names", "yaml-names", WARNING, f"a class's name is read as {name}", "put it in quotes")
        return str(name)


def brief(value: object) -> str:
    """A value as a message shows it. Of what holds others, only that: a few aliases can stand for billions of them."""
    if isinstance(value, list | tuple | dict | set):
        return "a list" if isinstance(value, list | tuple) else "a mapping"
    return str(value)[:80]


def load(file: Path) -> Document:
    """Read a data.yaml; what makes it useless is in `faults`."""
    document = Document(file)
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        document.fault("", f"cannot be read ({error.strerror})", "chmod u+r, or bring the file")
        return document
    except UnicodeDecodeError:
        document.fault("", "is not UTF-8 text", "save it as UTF-8")
        return document
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        document.faults.append(_broken(file, error))
        return document
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        document.faults.append(DatasetError(file, 1, "holds no keys", "it needs `train:`, `val:` and `names:`"))
        return document
    _fill(document, values, node)
    document.notes += _written(file, data)
    return document


def _broken(file: Path, error: Exception) -> DatasetError:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    return DatasetError(file, mark.line + 1 if mark else 0, f"is not valid YAML: {reason}", "correct it")


def _fill(document: Document, values: dict[Any, Any], node: yaml.MappingNode) -> None:
    for key, _ in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in document.lines:
            document.lines[name] = line
            document.note(name, "yaml-repeated", WARNING, f"`{name}` stands there twice; the last counts", "keep one")
        document.lines[name] = line
    for given, meant in _SYNONYMS.items():
        if given in values and values.get(meant) is None:
            values[meant], document.lines[meant] = values[given], document.lines[given]
    document.values = {str(key): value for key, value in values.items()}
    if document.values.get("download"):
        message = "`download:` would be executed by Ultralytics"
        document.fault("download", message, "remove the key and bring the data")
    elif "download" in document.values:
        document.note("download", "yaml-download", WARNING, "`download:` is empty", "remove the key")


def _written(file: Path, data: bytes) -> Iterator[Finding]:
    if data.startswith(b"\xef\xbb\xbf"):
        yield Finding(
            file.name, 1, "yaml-bom", WARNING, "begins with a byte-order mark", "save it as UTF-8 without BOM"
        )
    if b"\r" in data:
        yield Finding(file.name, 1, "yaml-crlf", WARNING, "its lines end as on Windows (CRLF)", "save it with LF")
