"""What a run left, read so that nothing which is missing, broken or strange can break a page."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerid.job import RESULT_FILE

METADATA_FILE = "metadata.json"
EVALUATION_FILE = "evaluation.json"
DATA_FILE = "data-check.json"
HISTORY_FILE = "results.csv"
_MOST = 50_000_000
"""Bytes up to which a document is read; ours are far smaller."""


class Doc:
    """A JSON object from which anything may be asked: what is not there, or of another type, is empty."""

    def __init__(self, content: object = None) -> None:
        self._content: Mapping[str, Any] = content if isinstance(content, Mapping) else {}

    def __bool__(self) -> bool:
        """There is something in it."""
        return bool(self._content)

    def __iter__(self) -> Iterator[str]:
        return (str(key) for key in self._content)

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def __getitem__(self, key: str) -> "Doc":
        return Doc(self._content.get(key))

    @property
    def plain(self) -> dict[str, Any]:
        """The object as it is."""
        return dict(self._content)

    def get(self, key: str) -> object:
        """The value, whatever it is."""
        return self._content.get(key)

    def text(self, key: str) -> str:
        """A string or a number, as text."""
        value = self._content.get(key)
        return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""

    def number(self, key: str) -> float | None:
        """A finite number."""
        return _number(self._content.get(key))

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every key with its value."""
        yield from ((str(key), value) for key, value in self._content.items())

    def numbers(self) -> dict[str, float]:
        """Every key whose value is a finite number."""
        found = ((key, _number(value)) for key, value in self.items())
        return {key: value for key, value in found if value is not None}

    def docs(self, key: str) -> list["Doc"]:
        """The objects of a list."""
        return [Doc(each) for each in self._list(key) if isinstance(each, Mapping)]

    def texts(self, key: str) -> list[str]:
        """The strings of a list."""
        return [str(each) for each in self._list(key) if isinstance(each, str | int | float)]

    def row(self, key: str) -> list[float]:
        """A list of numbers; what is none is not a number, and keeps its place."""
        return [math.nan if (value := _number(each)) is None else value for each in self._list(key)]

    def rows(self, key: str) -> list[list[float]]:
        """A list of such lists."""
        return [Doc({"row": each}).row("row") for each in self._list(key)]

    def _list(self, key: str) -> Sequence[Any]:
        value = self._content.get(key)
        return value if isinstance(value, list | tuple) else ()


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The outputs of one run.

    Attributes:
        folder: where they lie.
        spec: what was sent, as JSON; may be empty.
        history: the columns of results.csv, each a value an epoch; `epoch` is one of them.
        legs: the sessions that the run had, as the registry knows them; may be empty.
    """

    folder: Path
    result: Doc = field(default_factory=Doc)
    metadata: Doc = field(default_factory=Doc)
    evaluation: Doc = field(default_factory=Doc)
    data: Doc = field(default_factory=Doc)
    spec: Doc = field(default_factory=Doc)
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    legs: Sequence[Doc] = ()

    @property
    def run(self) -> str:
        """The run id; the folder's name where nothing says it."""
        return self.text("run") or self.folder.name

    @property
    def params(self) -> Doc:
        """The merged section of params.yaml that the run had."""
        return self.metadata["params"] or self.spec["params"]

    @property
    def code(self) -> Doc:
        """Which code ran."""
        return self.metadata["code"] or self.spec["code"] or self.result

    @property
    def metrics(self) -> dict[str, float]:
        """Flat; of the result, which is written last."""
        return {**self.metadata["metrics"].numbers(), **self.result["metrics"].numbers()}

    @property
    def architecture(self) -> str:
        """The model's name."""
        return self.metadata.text("architecture") or self.params["model"].text("architecture")

    @property
    def classifies(self) -> bool:
        """The model tells classes of images, and finds no boxes."""
        from containerid.config import architectures

        return (self.evaluation.text("task") or architectures.task(self.architecture)) == architectures.CLASSIFY

    @property
    def of_timm(self) -> bool:
        """It is one that timm has trained."""
        from containerid.config.trainers import is_timm

        return is_timm(self.architecture)

    def text(self, key: str) -> str:
        """What the first document that knows it says."""
        return next((text for each in (self.result, self.metadata, self.spec) if (text := each.text(key))), "")

    def doc(self, key: str) -> Doc:
        """An object that the result, or else the metadata, holds."""
        return self.result[key] or self.metadata[key]

    def inside(self, name: str) -> Path | None:
        """A file among the outputs by its name in one of their documents; None for one that leads elsewhere."""
        if not name or "\0" in name:
            return None
        root = self.folder.resolve()
        path = (root / name).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None


def read(folder: Path, *, spec: Mapping[str, Any] | None = None, legs: Sequence[Mapping[str, Any]] = ()) -> Outputs:
    """Read all that a page needs; whatever cannot be read is empty.

    Args:
        folder: the outputs.
        spec: what was sent, where it is at hand.
        legs: the run's sessions, where they are known.
    """
    return Outputs(
        folder=folder,
        result=_document(folder / RESULT_FILE),
        metadata=_document(folder / METADATA_FILE),
        evaluation=_document(folder / EVALUATION_FILE),
        data=_document(folder / DATA_FILE),
        spec=Doc(spec),
        history=_columns(folder / HISTORY_FILE),
        legs=[Doc(each) for each in legs],
    )


def _document(path: Path) -> Doc:
    try:
        if path.stat().st_size > _MOST:
            return Doc()
        return Doc(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return Doc()


def _columns(path: Path) -> dict[str, list[float]]:
    """Several legs write one table; an epoch that was done again counts as it was the last time."""
    rows: dict[float, dict[str, float]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, line in enumerate(csv.DictReader(file, skipinitialspace=True), 1):
                row = {(key or "").strip(): _float(value) for key, value in line.items()}
                rows[row.get("epoch", number)] = row
    except (OSError, ValueError, csv.Error):
        return {}
    names = dict.fromkeys(name for row in rows.values() for name in row if name)
    kept = [rows[epoch] for epoch in sorted(rows)]
    return {name: [row.get(name, math.nan) for row in kept] for name in names}


def _float(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return math.nan
