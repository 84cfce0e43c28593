"""Several runs side by side: what they reached, and in what they differ."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from containerid import __version__
from containerid.report import curves, machine, quality, wording
from containerid.report.charts import Axes, Chart, Line, line_chart
from containerid.report.origins import flatten, written
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import BAD, GOOD, Block, Cell, Charts, More, Note, Page, Section, Table, Text

_ORDER = ("test", "val", "speed")
_CURVES = {
    "metrics/mAP50(B)": "mAP50 of validation",
    "metrics/mAP50-95(B)": "mAP50-95 of validation",
    "metrics/precision(B)": "Precision of validation",
    "metrics/recall(B)": "Recall of validation",
    "metrics/accuracy_top1": "Accuracy of validation",
    "train/box_loss": "Box loss of training",
    "val/box_loss": "Box loss of validation",
    "train/cls_loss": "Class loss of training",
    "val/cls_loss": "Class loss of validation",
    "train/loss": "Loss of training",
    "val/loss": "Loss of validation",
    "lr/pg0": "Learning rate",
}
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_HEAD = ("", "run", "experiment", "outcome", "began", "took")

Row = tuple[str, tuple[Any, ...]]
"""What is compared, and its value in each run; None where a run does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs in the order in which they were named.

    Attributes:
        runs: their outputs.
        metrics: of all that at least one of them has.
        params: that are not the same in all of them.
        origins: code, data, machine and versions that are not the same in all of them.
    """

    runs: tuple[Outputs, ...]
    metrics: tuple[Row, ...]
    params: tuple[Row, ...]
    origins: tuple[Row, ...]

    @property
    def letters(self) -> list[str]:
        """A short name for each run, for the heads of columns."""
        return [_LETTERS[index] if index < len(_LETTERS) else str(index + 1) for index in range(len(self.runs))]

    def document(self) -> dict[str, Any]:
        """Plain JSON types: lists hold one value a run, in the order of `runs`."""
        return {
            "runs": [
                {
                    "run": run.run,
                    "experiment": run.text("experiment"),
                    "outcome": run.result.text("outcome"),
                    "sha": run.code.text("sha"),
                }
                for run in self.runs
            ],
            "metrics": {name: list(values) for name, values in self.metrics},
            "params": {name: list(values) for name, values in self.params},
            "origins": {name: list(values) for name, values in self.origins},
        }


def compare(runs: Sequence[Outputs]) -> Comparison:
    """Find what differs. What a run does not tell is None, and counts as a difference only where another tells it."""
    return Comparison(
        runs=tuple(runs),
        metrics=tuple(sorted(_rows(run.metrics for run in runs), key=_rank)),
        params=_differing(flatten(run.params.plain) for run in runs),
        origins=_telling([_origins(run) for run in runs]),
    )


_MEANT = {"tree": ("code", "branch"), "data SHA-256": ("data",)}
"""What is the same where its content is, whatever commit, branch or way it came by."""


def _telling(origins: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """What differs, without the ways by which the very same came."""
    alike = [name for name in _MEANT if origins[0].get(name) and len({each.get(name) for each in origins}) == 1]
    passing = {way for name in alike for way in _MEANT[name]}
    return tuple(row for row in _differing(origins) if row[0] not in passing)


def best(name: str, values: Sequence[float | None]) -> set[int]:
    """Which runs have the best value of a metric, to the digits that are shown; none when all are alike."""
    known = [value for value in values if value is not None]
    shown = [wording.value(name, value) for value in values]
    if len({wording.value(name, value) for value in known}) < 2:
        return set()
    top = wording.value(name, min(known) if name.startswith("speed/") else max(known))
    return {index for index, text in enumerate(shown) if text == top}


def comparable(name: str, runs: Sequence[Outputs]) -> bool:
    """Whether the best of a metric says anything: speed was taken alike, all else from the same images.

    Only runs that have the metric count, and what is not known speaks against nothing.
    """
    having = [run for run in runs if name in run.metrics]
    told = [_measured_on(run) if name.startswith("speed/") else run.metadata["data"].text("sha256") for run in having]
    return len({each for each in told if each}) < 2


def _measured_on(run: Outputs) -> str:
    """Hardware and size of the images of a measured time."""
    speed = run.evaluation["speed"] or run.metadata["speed"]
    hardware = speed.text("hardware") or run.result.text("proof") or run.metadata.text("hardware")
    return f"{hardware} {speed.text('imgsz') or run.params['training'].text('imgsz')}".strip()


def compose(comparison: Comparison) -> Page:
    """The page about a comparison: overlaid curves, and what differs."""
    runs, letters = comparison.runs, comparison.letters
    sections = (
        Section("Runs", [_runs(comparison)]),
        Section("What differs", _differences(comparison)),
        Section("Metrics", _metrics(comparison)),
        Section("Curves", _curves(comparison)),
    )
    names = ", ".join(f"{letter} {run.run}" for letter, run in zip(letters, runs, strict=True))
    return Page(
        title=f"{wording.plural(len(runs), 'run')} compared",
        kind="comparison",
        subtitle=names if len(runs) <= 3 else "",
        sections=sections,
        foot=f"Made by containerid {__version__} from the outputs of {', '.join(run.run for run in runs)}.",
    )


def _rows(documents: Iterable[Mapping[str, Any]]) -> list[Row]:
    known = list(documents)
    names = dict.fromkeys(name for document in known for name in document)
    return [(name, tuple(document.get(name) for document in known)) for name in names]


def _differing(documents: Iterable[Mapping[str, Any]]) -> tuple[Row, ...]:
    rows = [(name, values) for name, values in _rows(documents) if any(value != values[0] for value in values)]
    # A section that is empty in one run and holds something in another is told by what it holds.
    return tuple(
        (name, each) for name, each in rows if not (_empty(each) and any(_inside(name, row) for row, _ in rows))
    )


def _empty(values: Sequence[Any]) -> bool:
    return all(value is None or value == {} for value in values)


def _inside(name: str, other: str) -> bool:
    return other.startswith(f"{name}.")


def _rank(row: Row) -> tuple[int, int]:
    split, _, name = row[0].partition("/")
    known = list(wording.METRICS)
    return (
        _ORDER.index(split) if split in _ORDER else len(_ORDER),
        known.index(name) if name in known else len(known),
    )


def _origins(run: Outputs) -> dict[str, Any]:
    data, asked, code = run.metadata["data"], run.spec["data"], run.code
    told = {
        "experiment": run.text("experiment"),
        "code": code.text("sha"),
        "tree": code.text("tree"),
        "branch": code.text("branch"),
        "data": data.text("provider") or asked.text("provider"),
        "data SHA-256": data.text("sha256") or asked.text("digest"),
        "images": _images(data["splits"]),
        "ran on": run.result.text("proof") or run.metadata.text("hardware"),
        "quick": written(run.metadata.get("quick")) if "quick" in run.metadata else "",
        **{f"version of {name}": value for name, value in run.doc("environment")["versions"].items()},
    }
    return {name: value for name, value in told.items() if value not in {"", None}}


def _images(splits: Doc) -> str:
    return ", ".join(f"{split} {wording.count(splits[split].number('images'))}" for split in splits)


def _runs(comparison: Comparison) -> Table:
    rows: list[list[Text]] = []
    for letter, run in zip(comparison.letters, comparison.runs, strict=True):
        unmet = len(quality.gates_unmet(run))
        outcome = f"{wording.plural(unmet, 'gate')} not met" if unmet else run.result.text("outcome") or "no result"
        spent, began = wording.spent(machine.took(run)), wording.moment(run.text("started"))
        tone = BAD if unmet else {"succeeded": GOOD, "failed": BAD}.get(outcome, "")
        rows.append(
            [letter, run.run, run.text("experiment"), Cell(outcome, tone), began, spent, run.result.text("proof")]
        )
    return Table("In the order in which they were named", [*_HEAD, "ran on"], rows)


def _metrics(comparison: Comparison) -> list[Block]:
    rows: list[list[Text]] = []
    runs, apart = comparison.runs, False
    for name, values in comparison.metrics:
        alike = comparable(name, runs)
        top = best(name, values) if alike else set()
        apart = apart or not alike
        cells = [
            "–" if value is None else Cell(wording.value(name, value), GOOD if index in top else "")
            for index, value in enumerate(values)
        ]
        rows.append([wording.metric(name), *cells, *([gap(name, values)] if len(runs) == 2 else [])])
    head = ["metric", *comparison.letters, *(["B − A"] if len(runs) == 2 else [])]
    note = "No mark where images, hardware or image size were not the same: these numbers say nothing of the model."
    told = "The best of each is marked"
    return [Table(told, head, rows, range(1, len(head)), note=note if apart else "")] if rows else []


def gap(name: str, values: Sequence[float | None]) -> str:
    """How far the last of some values is from the first, with its sign; empty where one is not known."""
    first, last = values[0], values[-1]
    if first is None or last is None:
        return ""
    return f"{last - first:+.1f} ms" if name.startswith("speed/") else f"{last - first:+.4f}"


def _curves(comparison: Comparison) -> list[Block]:
    named = list(zip(comparison.letters, comparison.runs, strict=True))
    found: list[Chart | None] = []
    for column, title in _CURVES.items():
        lines = [line for letter, run in named for line in curves.lines(run.history, {column: letter})]
        high = 1.0 if column.startswith("metrics/") else None
        found.append(line_chart(title, lines, Axes(x="epoch", low=0, high=high, whole=True)))
    recall = [line for letter, run in named if (line := _precision(letter, run.evaluation["curves"]["pr"])).points]
    axes = Axes(x="recall", low=0, high=1, span=(0, 1))
    found.insert(0, line_chart("Precision over recall", recall, axes, told=False))
    charts = [each for each in found if each is not None]
    return [Charts(charts)] if charts else [Note("None of the runs has left a results.csv here.")]


def _precision(letter: str, curve: Doc) -> Line:
    return Line(letter, list(zip(curve.row("recall"), curve.row("precision"), strict=False)))


def _differences(comparison: Comparison) -> list[Block]:
    blocks: list[Block] = []
    parts = (
        ("Parameters", comparison.params, "All parameters are the same."),
        ("Code, data and machine", comparison.origins, "Code, data and machine are the same."),
    )
    for title, differing, alike in parts:
        rows: list[list[Text]] = [[name, *(_value(value) for value in values)] for name, values in differing]
        blocks.append(Table(title, ["", *comparison.letters], rows) if rows else Note(alike, GOOD))
    full: list[list[Text]] = [
        [name, letter, Cell(value, code=True)]
        for name, values in comparison.origins
        for letter, value in zip(comparison.letters, values, strict=True)
        if isinstance(value, str) and wording.short(value) != value
    ]
    return [
        *blocks,
        *([More("All hashes in full", [Table("Of each run", ["of", "run", "hash"], full)])] if full else []),
    ]


def _value(value: object) -> Text:
    if value is None:
        return "–"
    text = written(value)
    short = wording.short(text)
    return Cell(short, code=True, whole=text if short != text else "")
