"""Where a run was, and for how long: machine, sessions, phases, packages."""

from collections.abc import Callable, Iterator

from containerid.job import ASIDE
from containerid.report import wording
from containerid.report.charts import bar_chart
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import Block, Cell, Charts, Commands, Facts, More, Section, Table, Text, Words
from containerid.versioned import told


def section(outputs: Outputs) -> Section:
    """The section about where and when it ran."""
    environment, metadata = outputs.doc("environment"), outputs.metadata
    rows: list[tuple[str, Text]] = [
        ("ran on", outputs.result.text("proof") or metadata.text("hardware")),
        ("backend", outputs.spec.text("backend")),
        ("began", wording.moment(outputs.text("started"))),
        ("ended", wording.moment(outputs.text("ended"))),
        ("training", wording.spent(metadata.number("training_seconds"))),
        *_tracking(outputs.result["tracking"]),
        ("published", told(_texts(outputs.result["published"]), outputs.text("run"))),
        *_plain(environment),
        ("versions", ", ".join(f"{name} {version}" for name, version in environment["versions"].items())),
    ]
    blocks: list[Block] = [Facts(rows)] if any(isinstance(value, Cell) or value for _, value in rows) else []
    blocks += _usage(metadata)
    blocks += _timeline(outputs.doc("timeline"))
    blocks += _legs(outputs)
    if packages := list(metadata["packages"].items()):
        text = "\n".join(f"{name}=={version}" for name, version in packages)
        blocks.append(More(f"All {len(packages)} packages", [Commands(text)]))
    return Section("Machine and time", blocks)


def _plain(document: Doc) -> Iterator[tuple[str, Text]]:
    for name, value in document.items():
        if isinstance(value, str | int | float):
            yield name.replace("_gib", "_GiB").replace("_", " "), str(value)


def _tracking(tracking: Doc) -> Iterator[tuple[str, Text]]:
    for name, value in tracking.items():
        if isinstance(value, str):
            yield name.replace("_", " "), Cell(value, url=value)


def _texts(document: Doc) -> dict[str, str]:
    return {name: value for name, value in document.items() if isinstance(value, str)}


def _usage(metadata: Doc) -> Iterator[Block]:
    """What was sampled while it trained, and the GPUs that were there."""
    usage, accelerator = metadata["usage"], metadata["accelerator"]
    rate, cpus, held = (usage.number(name) for name in ("images_per_second", "cpus", "memory_gib"))
    rows: list[tuple[str, Text]] = [
        ("pace", f"{rate:.1f} images a second in training" if rate else ""),
        ("CPUs busy", f"{cpus:.1f} of {accelerator.text('threads') or 'them'}" if cpus is not None else ""),
        ("memory held", f"{held:.1f} GiB at most" if held else ""),
        ("driver", accelerator.text("driver")),
    ]
    if any(value for _, value in rows):
        yield Facts(rows)
    gpus = [_gpu(index, gpu, usage["gpus"][str(index)]) for index, gpu in enumerate(accelerator.docs("gpus"))]
    if gpus:
        head = ["GPU", "name", "memory", "capability", "speed", "busy", "memory in use", "temperature"]
        yield Table("GPUs; busy, memory in use and temperature as means and maxima of the training", head, gpus)


def _gpu(index: int, gpu: Doc, usage: Doc) -> list[Text]:
    size, speed, busy, held = gpu.number("memory_gib"), gpu.number("teraflops"), usage["busy"], usage["memory_gib"]
    warmth = usage["temperature"]
    return [
        Cell(str(index), note="" if gpu.get("used") is True else "not used"),
        gpu.text("name"),
        f"{size:.1f} GiB" if size is not None else "",
        gpu.text("capability"),
        f"{speed:.1f} TFLOPS" if speed is not None else "",
        _two(busy, lambda value: f"{value:.0%}"),
        _two(held, lambda value: f"{value:.1f} GiB"),
        _two(warmth, lambda value: f"{value:.0f} °C"),
    ]


def _two(values: Doc, say: Callable[[float], str]) -> str:
    known = (values.number("mean"), values.number("max"))
    return ", ".join(say(value) for value in known if value is not None)


def _timeline(timeline: Doc) -> Iterator[Block]:
    numbers = timeline.numbers()
    beside = {name: numbers.pop(name) for name in ASIDE if name in numbers}
    if not numbers:
        return
    whole = sum(numbers.values())
    chart = bar_chart(
        "Time of each phase", list(numbers.items()), f"{wording.spent(whole)} together", 20, wording.spent
    )
    if chart:
        yield Charts([chart])
    if beside:
        told = {"pull": "Data pulled in", "weights": "Weights downloaded in", "first_batch": "First batch after"}
        yield Words(" ".join(f"{told[name]} {wording.spent(seconds)}." for name, seconds in beside.items()))


def _legs(outputs: Outputs) -> Iterator[Block]:
    legs = outputs.legs
    if len(legs) > 1:
        rows = [_leg(leg) for leg in legs]
        yield Table("Sessions", ["leg", "session", "state", "hours", "reason"], rows, {3})
    elif (number := outputs.spec.number("leg") or 1) > 1:
        past = outputs.spec["past"].text("source")
        yield Words(f"This is leg {number:.0f} of the run; it went on from the checkpoint of the one before ({past}).")


def _leg(leg: Doc) -> list[Text]:
    handle = Cell(leg.text("handle"), url=leg.text("url"))
    return [leg.text("number"), handle, leg.text("state"), leg.text("hours"), leg.text("reason")]
