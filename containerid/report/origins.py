"""What a run was made from: data, code, parameters, and the way to make it again."""

import json
import shlex
from collections.abc import Iterator, Mapping

from containerid.report import ending, wording
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
_FINDINGS, _CLASSES = 60, 12
"""Findings and names of classes that are shown at most."""
_SPLITS = ("images", "classes", "labels", "boxes", "backgrounds")


def data_section(outputs: Outputs) -> Section:
    """The section about the data."""
    data, asked = outputs.metadata["data"], outputs.spec["data"]
    provider = data.text("provider") or asked.text("provider")
    source = _place(provider, data.text("source") or asked.text("source"))
    drawn = "drawn by the run itself" if provider == "synthetic" else ""
    digest = data.text("sha256")
    facts = Facts(
        [
            (provider or "from", source or drawn),
            ("SHA-256", Cell(wording.short(digest), code=True, whole=digest)),
            ("classes", ", ".join(data.texts("names")[:_CLASSES])),
        ]
    )
    blocks: list[Block] = [facts] if facts.shown else []
    blocks += _splits(outputs)
    classes = outputs.data["classes"].numbers() or data["classes"].numbers()
    title = f"{'Images' if outputs.classifies else 'Boxes'} of each class, all splits"
    if classes and (chart := bar_chart(title, list(classes.items()))):
        blocks.append(Charts([chart]))
    blocks += _findings(outputs.data, outputs.data["counts"] or data["findings"])
    return Section("Data", blocks)


def again_section(outputs: Outputs) -> Section:
    """The section about how to have the same again, and how to use what came out."""
    code, known = outputs.code, _hashes(outputs)
    # Its metadata is the last that a run writes which reached its end; one that did not would only fail again.
    ended = bool(outputs.metadata) or not outputs.result
    rows: list[tuple[str, Text]] = [
        ("experiment", outputs.text("experiment") or ("base section" if outputs.params else "")),
        ("seed", outputs.metadata.text("seed")),
        ("branch", code.text("branch")),
        ("remote", Cell(code.text("remote"), code=True, note=f"as {code.text('ref')}" if code.text("ref") else "")),
        *((name, Cell(wording.short(digest), code=True, whole=digest)) for name, digest in known.items()),
    ]
    commands = [*(_with_cid(outputs) if ended else ()), *_by_hand(outputs, first=not ended)]
    blocks: list[Block] = [Commands("\n".join(commands))] if commands else []
    blocks.append(Facts(rows))
    if known:
        digests: list[list[Text]] = [[name, Cell(digest, code=True)] for name, digest in known.items()]
        blocks.append(More("All hashes in full", [Table("SHA-1 of git, SHA-256 of all else", ["of", "hash"], digests)]))
    if params := outputs.params.plain:
        blocks.append(More("All parameters", [_flat("params.yaml, merged", params)]))
    if used := outputs.metadata["hyperparameters"].plain:
        trainer = "timm" if outputs.of_timm else "Ultralytics"
        blocks.append(More(f"What {trainer} was given", [_flat("args.yaml", used)]))
    return Section("Make it again" if ended else "What it was made from", blocks)


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


def _place(provider: str, source: str) -> str:
    """A folder by its name alone: where it lies is its owner's."""
    return source.rstrip("/").rpartition("/")[2] if provider == "folder" else source


def _hashes(outputs: Outputs) -> dict[str, str]:
    code, metadata = outputs.code, outputs.metadata
    # What only a next leg would have gone on from is not among the outputs of a run that has ended.
    weights = {name: metadata["weights"][name].text("sha256") for name in metadata["weights"] if name != "resume.pt"}
    told = {
        "code": code.text("sha"),
        "tree": code.text("tree"),
        "data": metadata["data"].text("sha256"),
        "spec": metadata.text("spec_sha256"),
        **weights,
    }
    return {name: digest for name, digest in told.items() if digest}


def _with_cid(outputs: Outputs) -> Iterator[str]:
    run = shlex.quote(outputs.run)
    yield "# the same code, parameters and data; says how far the metrics differ"
    yield f"cid reproduce {run}"
    if outputs.inside("weights/best.pt"):
        yield ""
        yield "# what it finds in images of yours"
        weights = f"runs/{run}/weights/best.pt"
        use = f"cid model {weights}" if outputs.of_timm else f"yolo predict model={weights} source=FOLDER"
        yield f"cid fetch {run} && {use}"


def _by_hand(outputs: Outputs, *, first: bool) -> Iterator[str]:
    """Only where what was said on the command line is known: without it, it would be another run."""
    code = outputs.code
    sha = code.text("sha")
    if not sha or "overrides" not in outputs.spec:
        return
    if not first:
        yield ""
        yield "# the same by hand"
    if code.text("remote") and code.text("ref"):
        yield f"git fetch {shlex.quote(code.text('remote'))} {shlex.quote(code.text('ref'))}"
    yield f"git checkout {shlex.quote(sha)}"
    yield ending.train(outputs)


def _splits(outputs: Outputs) -> Iterator[Block]:
    counts = outputs.data["splits"] or outputs.metadata["data"]["splits"]
    shown = [name for name in _SPLITS if any(counts[split].number(name) is not None for split in counts)]
    rows = [[split, *(wording.count(counts[split].number(name)) for name in shown)] for split in counts]
    if rows:
        head = ["split", *("without a box" if name == "backgrounds" else name for name in shown)]
        yield Table("Splits", head, rows, range(1, len(head)))


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
