"""summary.md: one page for a person, of what the run is, how good it is, and what comes next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from containerid.config.architectures import CLASSIFY
from containerid.config.trainers import is_timm
from containerid.training import curves
from containerid.training.gates import Gate
from containerid.training.session import Session
from containerid.versioned import told

FILE = "summary.md"
_NAMES = ("mAP50", "mAP50-95", "precision", "recall", "accuracy_top1", "accuracy_top5")
_WORST = 5
_KINDS = {"true": "boxes right", "false": "false", "missed": "missed"}


def write(session: Session, gates: Sequence[Gate]) -> str:
    """The page as Markdown.

    Args:
        session: at its end.
        gates: as they were judged; none for a quick run.
    """
    told = session.extras
    sections: dict[str, Iterable[str]] = {
        "Gates": _gates(gates),
        "Metrics": _metrics(session.metrics, told.get("intervals", {})),
        "Classes": _classes(told.get("per_class", {})),
        "Where to put the threshold": _thresholds(told),
        "Speed and size": _speed(told, "class" if session.params.model.task == CLASSIFY else "boxes"),
        "Worst mistakes": _mistakes(told.get("worst", [])),
        "Data": _data(session),
        "How it was made": _origin(session),
        "Advice": (f"- {line}" for line in told.get("advice", [])),
        "Next": _next(session, gates),
    }
    parts = [f"# {session.spec.run}", _verdict(session, gates)]
    for title, lines in sections.items():
        if text := "\n".join(lines):
            parts.append(f"## {title}\n\n{text}")
    return "\n\n".join(parts) + "\n"


def _verdict(session: Session, gates: Sequence[Gate]) -> str:
    missed = sum(not gate.met for gate in gates)
    said = ""
    if gates:
        verb, every = "is" if missed == 1 else "are", f"{len(gates)} gate{'s' if len(gates) > 1 else ''}"
        said = f"**✗ {missed} of {every} {verb} not met.** " if missed else f"**✓ {every} met.** "
    quick = " (quick: a handful of images, to try the path)" if session.spec.quick else ""
    spent = _duration(curves.seconds(curves.read(session.out), session.before + session.seconds))
    epochs = f"{session.epochs} epochs in {spent}" if session.epochs else f"trained for {spent}"
    return f"{said}{session.params.model.architecture}, {epochs}{quick}, on {session.hardware.proof}."


def _gates(gates: Sequence[Gate]) -> Iterator[str]:
    if gates:
        yield from _table(
            ("metric", "must be", "is", ""),
            (
                (
                    gate.metric,
                    f"{gate.kind} {gate.bound:g}",
                    _number(gate.value) or "not measured",
                    "✓" if gate.met else "✗",
                )
                for gate in gates
            ),
        )


def _metrics(metrics: Mapping[str, float], intervals: Mapping[str, Any]) -> Iterator[str]:
    named = [name for name in _NAMES if f"val/{name}" in metrics or f"test/{name}" in metrics]
    if named:
        rows = [
            (
                name,
                _number(metrics.get(f"val/{name}")),
                _number(metrics.get(f"test/{name}")),
                _interval(name, intervals),
            )
            for name in named
        ]
        yield from _table(("", "val", "test", "95 % of such test sets"), rows)
    others = {name: value for name, value in metrics.items() if name.rpartition("/")[2] not in named}
    if others:
        yield ""
        yield from _table(("", ""), ((name, _number(value)) for name, value in others.items()))


def _interval(name: str, intervals: Mapping[str, Any]) -> str:
    # Precision and recall have theirs at the configured threshold, not at the best F1.
    found = intervals.get(name) if name.startswith(("mAP", "accuracy")) else None
    return f"{found['low']:.3f} to {found['high']:.3f}" if found else ""


def _classes(per_class: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if len(per_class) > 1:
        first = next(iter(per_class.values()))
        keys, counted = [key for key in (*_NAMES, "f1") if key in first], "images" if "images" in first else "boxes"
        rows = (
            (name, str(row.get(counted, "")), *(_number(row[key]) for key in keys)) for name, row in per_class.items()
        )
        yield from _table(("class", counted, *keys), rows)


def _thresholds(told: Mapping[str, Any]) -> Iterator[str]:
    operating, best, wanted = (told.get(key) for key in ("operating", "best", "wanted"))
    best = best if best and best["f1"] else None
    rows = {"as configured": operating, "best F1": best, f"recall {told.get('wanted_recall', 0):g}": wanted}
    if not (operating or best):
        return
    keys = ("confidence", "precision", "recall", "f1")
    filled = ((name, *(_number(row[key]) for key in keys)) for name, row in rows.items() if row)
    yield from _table(("", "confidence", "precision", "recall", "F1"), filled)
    if best and not wanted:
        yield f"\nA recall of {told['wanted_recall']:g} is reached at no confidence; {told['highest_recall']:g} is."
    if operating:
        counts = ", ".join(f"{operating[kind]} {word}" for kind, word in _KINDS.items())
        yield f"\nAs configured: {counts}."
    ranges = [
        f"{name} {found['low']:.3f} to {found['high']:.3f}"
        for name in ("precision", "recall")
        if (found := told.get("intervals", {}).get(name))
    ]
    if ranges:
        yield f"With other images of the same kind, 95 times in 100: {', '.join(ranges)}."


def _speed(told: Mapping[str, Any], answer: str) -> Iterator[str]:
    speed, model = told.get("speed", {}), told.get("model", {})
    rows = []
    for key, label in (("latency", f"one image to its {answer}"), ("inference", "the network alone")):
        if found := speed.get(key):
            rows.append((label, f"{found['median']:.1f} ms (95 % within {found['p95']:.1f} ms)"))
    if found := speed.get("throughput"):
        rows.append((f"in batches of {found['batch']}", f"{found['images_per_second']:.0f} images a second"))
    if model:
        size = f"{model['bytes'] / 1e6:.1f} MB, {model['parameters'] / 1e6:.1f} million parameters"
        rows.append((f"weights/{model['file']}", size + (f", {model['gflops']:g} GFLOPs" if model["gflops"] else "")))
    if rows:
        yield from _table(("", ""), rows)


def _mistakes(worst: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if worst:
        kinds = ("missed", "false") if "missed" in worst[0] else ("true", "predicted", "confidence")
        rows = ((each["image"], *(str(each[kind]) for kind in kinds)) for each in worst[:_WORST])
        yield from _table(("image", *kinds), rows)
        yield "\nThe pictures are in report.html."


def _data(session: Session) -> Iterator[str]:
    columns = {"images": "images", "classes": "classes", "boxes": "boxes", "backgrounds": "without a box"}
    counts = session.report.counts
    if counts:
        shown = [name for name in columns if any(name in row for row in counts.values())]
        rows = ((split, *(str(row.get(name, "")) for name in shown)) for split, row in counts.items())
        yield from _table(("split", *(columns[name] for name in shown)), rows)
        yield ""
    if session.report.classes:
        counted = "Images" if session.params.model.task == CLASSIFY else "Boxes"
        yield f"{counted}: {', '.join(f'{name} {count}' for name, count in session.report.classes.items())}."
    if session.digest:
        yield f"From {session.spec.data.provider}, SHA-256 `{session.digest}`."


def _origin(session: Session) -> Iterator[str]:
    spec, versions = session.spec, session.environment.get("versions", {})
    used = ", ".join(
        f"{name} {versions[name]}" for name in ("ultralytics", "timm", "torch", "containerid") if name in versions
    )
    rows = {
        "experiment": spec.experiment or "base",
        "code": spec.code.sha and f"`{spec.code.sha}`",
        "seed": str(session.params.training.seed),
        "leg": str(spec.leg) if spec.leg > 1 else "",
        "started": session.started,
        "with": used,
        **session.tracking.where,
        "published": told(session.published, spec.run),
    }
    yield from _table(("", ""), ((name, value) for name, value in rows.items() if value))


def _next(session: Session, gates: Sequence[Gate]) -> Iterator[str]:
    run = session.spec.run
    passed = all(gate.met for gate in gates) and not session.spec.quick
    yield f"- `cid show {run}`: what it reached, and where it stands among the others"
    yield f"- `cid report {run} --open`: curves, confusion, the worst mistakes"
    if passed:
        yield f"- `cid promote {run}`: make it the next version of the model"
    if not session.best.is_file():
        return
    if is_timm(session.params.model.architecture):
        yield f"- `cid model runs/{run}/weights/best.pt`: does it load, does it answer, how fast"
    else:
        yield f"- `yolo predict model=runs/{run}/weights/best.pt source=FOLDER`: look at it on images of your own"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        cells = (" ".join(cell.replace("|", r"\|").split()) for cell in row)
        yield f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
