"""What a run was made from: data, code, parameters, and the way to make it again."""

import json
import shlex
from collections.abc import Iterator, Mapping

from containerid.report import wording
from containerid.report.charts import bar_chart
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import (
    BAD,
    GOOD,
    WARN,
    Block,
    Cell,
    Charts,
    Commands,
    Facts,
    More,
    Note,
    Section,
    Table,
    Text,
    Words,
)

_TONES = {"error": BAD, "warning": WARN, "info": ""}
_FINDINGS = 60
_SPLITS = ("images", "classes", "labels", "boxes", "backgrounds")


def data_section(outputs: Outputs) -> Section:
    """The section about the data."""
    data = outputs.metadata["data"]
    asked = outputs.spec["data"]
    origin = " ".join(
        filter(None, [data.text("provider") or asked.text("provider"), data.text("source") or asked.text("source")])
    )
    blocks: list[Block] = []
    facts: list[tuple[str, Text]] = [("from", origin), ("SHA-256", Cell(data.text("sha256"), code=True))]
    if any((isinstance(value, str) and value) or (isinstance(value, Cell) and value.text) for _, value in facts):
        blocks.append(Facts(facts))
    blocks += _splits(outputs.data["splits"] or data["splits"])
    classes = outputs.data["classes"].numbers() or data["classes"].numbers()
    counted = "Images" if outputs.classifies else "Boxes"
    if classes and (chart := bar_chart(f"{counted} a class, all splits", list(classes.items()))):
        blocks.append(Charts([chart]))
    blocks += _findings(outputs.data, outputs.data["counts"] or data["findings"])
    return Section("Data", blocks)


def again_section(outputs: Outputs) -> Section:
    """The section about how to have the same again, and how to use what came out."""
    code, run = outputs.code, shlex.quote(outputs.run)
    metadata = outputs.metadata
    rows: list[tuple[str, Text]] = [
        ("code", Cell(code.text("sha"), code=True)),
        ("branch", code.text("branch")),
        ("remote", Cell(code.text("remote"), code=True, note=f"as {code.text('ref')}" if code.text("ref") else "")),
        ("tree", Cell(code.text("tree"), code=True)),
        ("experiment", outputs.text("experiment") or "base section"),
        ("seed", metadata.text("seed")),
        ("spec SHA-256", Cell(metadata.text("spec_sha256"), code=True)),
        *_weights(metadata["weights"]),
    ]
    commands = [f"cid reproduce {run}    # the same code, parameters and data; says how far the metrics differ"]
    if outputs.inside("weights/best.pt"):
        weights = f"runs/{run}/weights/best.pt"
        use = f"cid model {weights}" if outputs.of_timm else f"yolo predict model={weights} source=FOLDER"
        commands.append(f"cid fetch {run} && {use}")
    blocks: list[Block] = [Commands("\n".join([*commands, *_by_hand(outputs)])), Facts(rows)]
    if params := outputs.params.plain:
        blocks.append(More("All parameters", [_flat("params.yaml, merged", params)]))
    if used := metadata["hyperparameters"].plain:
        trainer = "timm" if outputs.of_timm else "Ultralytics"
        blocks.append(More(f"What {trainer} was given", [_flat("args.yaml", used)]))
    return Section("Make it again", blocks)


def flatten(document: object, prefix: str = "") -> dict[str, object]:
    """A document's leaves by their paths: `training.epochs`."""
    if not isinstance(document, dict) or not document:
        return {prefix: document} if prefix else {}
    found: dict[str, object] = {}
    for key, value in document.items():
        found |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def written(value: object) -> str:
    """A parameter's value as one would write it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _weights(weights: Doc) -> Iterator[tuple[str, Text]]:
    # What only a next leg would have gone on from is not among the outputs of a run that has ended.
    for name in (each for each in weights if each != "resume.pt"):
        size = wording.size(weights[name].number("size"))
        yield f"{name} SHA-256", Cell(weights[name].text("sha256"), code=True, note=size)


def _said(value: Text) -> bool:
    return bool(value.text if isinstance(value, Cell) else value)


def _by_hand(outputs: Outputs) -> Iterator[str]:
    code, experiment = outputs.code, outputs.text("experiment")
    sha = code.text("sha")
    if not sha:
        return
    yield ""
    yield "# or by hand"
    if code.text("remote") and code.text("ref"):
        yield f"git fetch {shlex.quote(code.text('remote'))} {shlex.quote(code.text('ref'))}"
    yield f"git checkout {shlex.quote(sha)}"
    quick = " --quick" if outputs.metadata.get("quick") is True else ""
    yield "cid train --local" + (f" -e {shlex.quote(experiment)}" if experiment else "") + quick


def _splits(counts: Doc) -> Iterator[Block]:
    shown = [name for name in _SPLITS if any(name in counts[split] for split in counts)]
    rows = [[split, *(wording.count(counts[split].number(name)) for name in shown)] for split in counts]
    if rows:
        told = "Splits; backgrounds are images without a box" if "backgrounds" in shown else "Splits"
        yield Table(told, ["split", *shown], rows, range(1, len(shown) + 1))


def _findings(checked: Doc, counted: Doc) -> Iterator[Block]:
    found = checked.docs("findings")
    numbers = {name: number for name, number in counted.numbers().items() if number}
    if not found:
        if numbers:
            yield Words(f"Findings of the check: {_counted(numbers)}.")
        elif checked:
            yield Note("The check found nothing.", GOOD)
        return
    order = list(_TONES)
    severe = sorted(found, key=lambda each: order.index(each.text("severity")) if each.text("severity") in order else 0)
    rows = [_finding(each) for each in severe[:_FINDINGS]]
    total = sum(numbers.values()) or len(found)
    told = f"Findings of the check: {_counted(numbers) or len(found)}"
    more = f"; the first {len(rows)}" if total > len(rows) else ""
    table = Table(told + more, ["where", "severity", "what", "what to do"], rows)
    worse = any(each.text("severity") != "info" for each in found)
    yield table if worse and len(rows) <= 10 else More(told + more, [table])


def _counted(numbers: Mapping[str, float]) -> str:
    plain = {"info": "to know"}
    words = (plain.get(name, name if number == 1 else f"{name}s") for name, number in numbers.items())
    return ", ".join(f"{wording.count(number)} {word}" for number, word in zip(numbers.values(), words, strict=True))


def _finding(finding: Doc) -> list[Text]:
    line, severity = finding.number("line"), finding.text("severity")
    where = finding.text("path") + (f":{line:.0f}" if line else "")
    return [where, Cell(severity, _TONES.get(severity, "")), finding.text("message"), finding.text("fix")]


def _flat(caption: str, document: object) -> Table:
    rows: list[list[Text]] = [
        [Cell(name, code=True), Cell(written(value), code=True)] for name, value in flatten(document).items()
    ]
    return Table(caption, ["parameter", "value"], rows)
