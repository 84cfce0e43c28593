"""How good the weights are: metrics with their gates, every class, the curves, and what was taken for what."""

from collections.abc import Iterator, Sequence

from containerid.report import confusion, pictures, wording
from containerid.report.charts import Axes, Chart, Line, line_chart
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import (
    BAD,
    GOOD,
    QUIET,
    WARN,
    Block,
    Cell,
    Charts,
    Facts,
    Gallery,
    More,
    Note,
    Section,
    Table,
    Text,
    Tile,
)

_TILES = ("mAP50", "mAP50-95", "precision", "recall", "accuracy_top1", "accuracy_top5")
_INTERVALS = ("mAP50", "mAP50-95", "accuracy_top1", "accuracy_top5")
"""Those whose interval is of the number itself; precision and recall have theirs at the thresholds of params.yaml."""
_PLOTS = ("confusion_matrix.png", "BoxPR_curve.png", "BoxF1_curve.png", "MaskPR_curve.png", "results.png")


def tiles(outputs: Outputs) -> list[Tile]:
    """The numbers that matter most, each with its gate or its uncertainty."""
    metrics, gates = outputs.metrics, {gate.text("metric"): gate for gate in outputs.metadata.docs("gates")}
    split = "test" if any(name.startswith("test/") for name in metrics) else "val"
    names = [f"{split}/{name}" for name in _TILES if f"{split}/{name}" in metrics and _telling(outputs, name)]
    names = names or [name for name in metrics if not name.startswith("speed/")][: len(_TILES)]
    names += [name for name in gates if name not in names and name in metrics]
    names += [name for name in ("speed/inference",) if name in metrics and name not in names]
    intervals = outputs.evaluation["intervals"] or outputs.metadata["intervals"]
    evaluated = outputs.evaluation.text("split") or "test"
    fitting = {} if found_nothing(outputs) else {f"{evaluated}/{name}": intervals[name] for name in _INTERVALS}
    return [_tile(name, metrics[name], gates.get(name), fitting.get(name, Doc())) for name in names]


def gates_unmet(outputs: Outputs) -> list[str]:
    """The gates that are not met, each as a short phrase."""
    unmet = (gate for gate in outputs.metadata.docs("gates") if gate.get("met") is False)
    return [
        f"{wording.metric(name)} is {_reached(gate)}, not {_bound(gate)}"
        for gate in unmet
        if (name := gate.text("metric"))
    ]


def advice(outputs: Outputs) -> list[Block]:
    """What to try next."""
    lines = [wording.sentence(text) for text in outputs.metadata.texts("advice")]
    return [Note("", QUIET, "What to try next", lines)] if lines else []


def found_nothing(outputs: Outputs) -> bool:
    """The model sees nothing where it was evaluated: its curves and intervals would say nothing."""
    split = outputs.evaluation.text("split") or "test"
    known = [value for name in ("mAP50", "recall") if (value := outputs.metrics.get(f"{split}/{name}")) is not None]
    return not outputs.classifies and bool(known) and not any(known)


def section(outputs: Outputs) -> Section:
    """The section about the result."""
    blocks: list[Block] = []
    if outputs.evaluation.text("split") == "val":
        blocks.append(
            Note("There is no test split: these images also chose the best epoch, so the numbers flatter.", WARN)
        )
    nothing = found_nothing(outputs)
    if nothing:
        told = "It saw nothing that is there, at no confidence: there are no curves to draw and no threshold to choose."
        blocks.append(Note(told, WARN, "Nothing was found."))
    taken = outputs.evaluation["confusion"] or outputs.metadata["confusion"]
    matrix = confusion.blocks(taken, boxes=not outputs.classifies)
    found = _accuracy(outputs.evaluation["curves"]) if outputs.classifies else _curves(outputs.evaluation)
    drawn = [Charts(found)] if found and not nothing else []
    point = [] if nothing else _operating(outputs.evaluation)
    blocks += filter(None, (_gates(outputs), _metrics(outputs), *matrix, *drawn, *point, _per_class(outputs)))
    blocks += _speed(outputs)
    if not outputs.evaluation and (plots := _plots(outputs)):
        blocks.append(plots)
    return Section("Result", blocks)


def _telling(outputs: Outputs, name: str) -> bool:
    """Of few classes, the right one is among the first five whatever the model says."""
    return name != "accuracy_top5" or len(outputs.evaluation.texts("names")) > 5


def _tile(name: str, number: float, gate: Doc | None, interval: Doc) -> Tile:
    label, value = wording.metric(name), wording.value(name, number)
    if gate is None or gate.number("bound") is None:
        low, high = interval.number("low"), interval.number("high")
        known = low is not None and high is not None
        return Tile(label, value, f"{wording.share(low)} to {wording.share(high)}, 95 %" if known else "")
    met = gate.get("met") is True
    return Tile(label, value, f"{_bound(gate)}, {'met' if met else 'not met'}", GOOD if met else BAD)


def _bound(gate: Doc) -> str:
    bound = gate.number("bound")
    sign = "≤" if gate.text("kind") == "at most" else "≥"
    return f"{sign} {bound:g}" if bound is not None else ""


def _reached(gate: Doc) -> str:
    return wording.value(gate.text("metric"), gate.number("value"))


def _gates(outputs: Outputs) -> Table | None:
    rows: list[list[Text]] = []
    for gate in outputs.metadata.docs("gates"):
        name, met = gate.text("metric"), gate.get("met") is True
        verdict = Cell("met", GOOD) if met else Cell("not met", BAD)
        rows.append([wording.metric(name), _bound(gate), _reached(gate), verdict])
    return (
        Table("Gates: the bounds that params.yaml asks for", ["metric", "bound", "value", "verdict"], rows, {1, 2})
        if rows
        else None
    )


def _metrics(outputs: Outputs) -> Table | None:
    metrics = outputs.metrics
    splits = [split for split in ("val", "test") if any(name.startswith(f"{split}/") for name in metrics)]
    names = dict.fromkeys(name.partition("/")[2] for name in metrics if name.partition("/")[0] in splits)
    rows = [
        [wording.measured(name), *(wording.share(metrics.get(f"{split}/{name}")) for split in splits)] for name in names
    ]
    others = [name for name in metrics if name.partition("/")[0] not in (*splits, "speed")]
    rows += [
        [name, *(f"{metrics[name]:.4g}" for _ in splits[:1]), *("" for _ in splits[1:])] for name in others if splits
    ]
    images = outputs.evaluation.number("images")
    of = f"; {outputs.evaluation.text('split')}: {wording.plural(images, 'image')}" if images else ""
    return Table(f"Metrics of each split{of}", ["metric", *splits], rows, range(1, len(splits) + 1)) if rows else None


def _per_class(outputs: Outputs) -> Table | None:
    measured = outputs.evaluation.docs("per_class")
    if not measured:
        kept = outputs.metadata["per_class"]
        measured = [Doc({"name": name, **kept[name].plain}) for name in kept]
    if len(measured) < 2 and not outputs.evaluation:
        return None
    shares = ("precision", "recall", "f1", "mAP50", "mAP50-95")
    shown = [name for name in shares if any(name in each for each in measured)]
    counts = [name for name in ("images", "boxes") if any(name in each for each in measured)]
    known = {} if found_nothing(outputs) else _intervals_by_class(outputs.evaluation)
    rows: list[list[Text]] = [
        [
            each.text("name"),
            *(wording.count(each.number(name)) for name in counts),
            *(_within(each.number(name), known.get(each.text("name"), Doc())[name]) for name in shown),
        ]
        for each in measured
    ]
    head = ["class", *counts, *(name.upper() if name == "f1" else name for name in shown)]
    told = "Each class; recall is the share of its images that are right" if outputs.classifies else "Each class"
    note = "Beside a value: what other images of the same kind would have given, 95 times in 100." if known else ""
    return Table(told, head, rows, range(1, len(head)), note=note) if rows else None


def _intervals_by_class(evaluation: Doc) -> dict[str, Doc]:
    names, intervals = evaluation.texts("names"), evaluation["intervals"].docs("per_class")
    return dict(zip(names, intervals, strict=True)) if len(names) == len(intervals) else {}


def _within(number: float | None, interval: Doc) -> Text:
    low, high = interval.number("low"), interval.number("high")
    if low is None or high is None:
        return wording.share(number)
    return Cell(wording.share(number), note=f"{wording.share(low)}–{wording.share(high)}")


def _accuracy(curves: Doc) -> list[Chart]:
    """What is gained, and what is lost, by asking a classifier for more confidence."""
    confidence = curves.row("confidence")
    lines = [
        _line("right, of those answered", confidence, curves.row("accuracy")),
        _line("answered", confidence, curves.row("answered")),
    ]
    axes = Axes(x="confidence asked for", low=0, high=1, span=(0, 1))
    drawn = line_chart("Accuracy over confidence", lines, axes, told=False)
    return [drawn] if drawn else []


def _curves(evaluation: Doc) -> list[Chart]:
    curves, best = evaluation["curves"], evaluation["best"].number("confidence")
    confidence, classes = curves.row("confidence"), curves.docs("classes")
    several = len(evaluation.docs("per_class")) > 1
    few = classes[:7] if several else []
    mark = (
        (best, f"best F1: {wording.share(evaluation['best'].number('f1'))} at {best:.2f}") if best is not None else None
    )
    axes = Axes(x="confidence", low=0, high=1, span=(0, 1), mark=mark)
    mean = [_line(name, confidence, curves.row(name)) for name in ("precision", "recall")]
    recall = curves["pr"].row("recall")
    drawn = [
        line_chart(
            "Precision over recall",
            [
                _line("mean" if several else "all", recall, curves["pr"].row("precision")),
                *(_line(each.text("name"), recall, each.row("pr")) for each in few),
            ],
            Axes(x="recall", low=0, high=1, span=(0, 1)),
            told=False,
        ),
        line_chart("Precision and recall over confidence", mean, axes, told=False),
        line_chart(
            "F1 over confidence",
            [
                _line("mean" if several else "F1", confidence, curves.row("f1")),
                *(_line(each.text("name"), confidence, each.row("f1")) for each in few),
            ],
            axes,
            told=False,
        ),
    ]
    return [each for each in drawn if each is not None]


def _line(name: str, xs: Sequence[float], ys: Sequence[float]) -> Line:
    return Line(name, list(zip(xs, ys, strict=False)))


def _operating(evaluation: Doc) -> Iterator[Block]:
    best, wanted, point = evaluation["best"], evaluation["wanted"], evaluation["operating"]
    target = evaluation.number("wanted_recall")
    rows = [_point("the best F1", best)] if best else []
    if target is not None:
        name, highest = f"recall {target:g}", wording.share(evaluation.number("highest_recall"))
        never: list[Text] = [Cell(name, note=f"not reached; the highest is {highest}"), *["–"] * 4]
        rows.append(_point(name, wanted) if wanted else never)
    rows += [_point("params.yaml", point)] if point else []
    note = (
        f"At the thresholds of params.yaml {wording.count(point.number('true'))} boxes are right, "
        f"{wording.count(point.number('false'))} are false and {wording.count(point.number('missed'))} are missed."
        if point.number("true") is not None
        else ""
    )
    if rows:
        head = ["for", "confidence", "precision", "recall", "F1"]
        yield Table("Which confidence to ask for", head, rows, range(1, 5), note=note)


def _point(name: str, point: Doc) -> list[Text]:
    values = (wording.share(point.number(key)) for key in ("confidence", "precision", "recall", "f1"))
    return [name, *values]


def _speed(outputs: Outputs) -> Iterator[Block]:
    speed, model = outputs.evaluation["speed"] or outputs.metadata["speed"], outputs.evaluation["model"]
    latency, network, through = speed["latency"], speed["inference"], speed["throughput"]
    parameters, gflops, size = model.number("parameters"), model.number("gflops"), speed.number("imgsz")
    rows: list[tuple[str, Text]] = [
        ("one image takes", _time(latency)),
        ("the network alone", _time(network)),
        ("throughput", _through(through)),
        ("measured on", " at ".join(filter(None, [speed.text("hardware"), f"{size:.0f} px" if size else ""]))),
        ("weights", wording.size(model.number("bytes"))),
        ("parameters", f"{parameters / 1e6:.2f} million" if parameters else ""),
        ("work an image", f"{gflops:.{1 if gflops >= 1 else 2}f} GFLOPs" if gflops else ""),
    ]
    if any(value for _, value in rows):
        yield Facts(rows)


def _time(times: Doc) -> str:
    median, tail = times.number("median"), times.number("p95")
    return "" if median is None else f"{median:.1f} ms" + (f", 95 % within {tail:.1f} ms" if tail is not None else "")


def _through(through: Doc) -> str:
    rate, batch = through.number("images_per_second"), through.number("batch")
    return "" if rate is None else f"{rate:.0f} images a second" + (f" in batches of {batch:.0f}" if batch else "")


def _plots(outputs: Outputs) -> Block | None:
    """Ultralytics' own plots, where nothing better was written."""
    found = []
    for name in _PLOTS:
        path = outputs.inside(f"test/{name}") or outputs.inside(name)
        if path and (image := pictures.load(path, longest=900)):
            title = path.stem.replace("_", " ")
            found.append(pictures.draw(image, f"{title}, as Ultralytics draws it", title=title))
    return More("Plots of Ultralytics", [Gallery(found, wide=True)]) if found else None
