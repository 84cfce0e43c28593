"""Where a run was, and for how long: machine, sessions, phases, packages."""

from collections.abc import Callable, Iterator

from containerid.job import ASIDE
from containerid.report import wording
from containerid.report.charts import bar_chart
from containerid.report.outputs import Doc, Outputs
from containerid.report.page import Block, Cell, Charts, Commands, Facts, More, Section, Table, Text, Words
from containerid.versioned import told

_BACKENDS = {"local": "its owner's machine", "kaggle": "Kaggle", "rehearsal": "a rehearsal of Kaggle"}
_KINDS = {"venv": "in a virtual environment", "poetry": "in Poetry's environment", "system": "of the system"}


def section(outputs: Outputs) -> Section:
    """The section about where and when it ran."""
    blocks: list[Block] = [each for each in (_time(outputs), *_phases(outputs), _place(outputs)) if each]
    blocks += _usage(outputs.metadata)
    blocks += _legs(outputs)
    versions = ", ".join(f"{name} {version}" for name, version in outputs.doc("environment")["versions"].items())
    packages = [f"{name}=={version}" for name, version in outputs.metadata["packages"].items()]
    known: list[Block] = [Words(f"{versions}.")] if versions else []
    known += [Commands("\n".join(packages), "packages")] if packages else []
    title = f"All {wording.plural(len(packages), 'package')}" if packages else "Versions"
    blocks += [More(title, known)] if known else []
    return Section("Machine and time", blocks)


def took(outputs: Outputs) -> float | None:
    """Seconds from the beginning of the session to its end; of its phases where one of the two is not known."""
    whole = wording.between(outputs.text("started"), outputs.text("ended"))
    return whole or sum(_phase_seconds(outputs).values()) or None


def _phase_seconds(outputs: Outputs) -> dict[str, float]:
    return {name: spent for name, spent in outputs.doc("timeline").numbers().items() if name not in ASIDE}


def _time(outputs: Outputs) -> Facts | None:
    timeline, epochs = outputs.doc("timeline"), wording.spent(outputs.metadata.number("training_seconds"))
    first, weights, pull = (wording.spent(timeline.number(name)) for name in ("first_batch", "weights", "pull"))
    rows: list[tuple[str, Text]] = [
        ("began", wording.moment(outputs.text("started"))),
        ("ended", wording.moment(outputs.text("ended"))),
        ("took", wording.spent(took(outputs))),
        ("of it in epochs", epochs),
        ("first batch", f"{first} after the beginning" if first else ""),
        ("data", f"pulled in {pull}" if pull else ""),
        ("weights", f"downloaded in {weights}" if weights else ""),
    ]
    return _facts(rows)


def _phases(outputs: Outputs) -> Iterator[Block]:
    """A bar for each phase, and one for what lies outside of them, so that all of them make the whole."""
    spent, whole = _phase_seconds(outputs), took(outputs)
    if not spent or whole is None:
        return
    rest = whole - sum(spent.values())
    bars = [*spent.items(), *([("start and end", rest)] if rest >= 1 else [])]
    if chart := bar_chart("Time of each phase", bars, f"{wording.spent(whole)} together", 20, wording.spent):
        yield Charts([chart])


def _place(outputs: Outputs) -> Facts | None:
    environment, tracking = outputs.doc("environment"), outputs.result["tracking"]
    python, kind = environment.text("python"), _KINDS.get(environment.text("kind"), "")
    memory, disk = environment.text("memory_gib"), environment.text("disk_free_gib")
    backend = outputs.spec.text("backend")
    rows: list[tuple[str, Text]] = [
        ("ran on", outputs.result.text("proof") or outputs.metadata.text("hardware")),
        ("where", _BACKENDS.get(backend, backend)),
        ("CPUs", environment.text("cpus")),
        ("memory", f"{memory} GiB" if memory else ""),
        ("free disk", f"{disk} GiB" if disk else ""),
        ("system", environment.text("platform")),
        ("Python", " ".join(filter(None, [python, kind if python else ""]))),
        *_tracking(tracking),
        ("published", told(_texts(outputs.result["published"]), outputs.text("run"))),
    ]
    return _facts(rows)


def _facts(rows: list[tuple[str, Text]]) -> Facts | None:
    facts = Facts(rows)
    return facts if facts.shown else None


def _tracking(tracking: Doc) -> Iterator[tuple[str, Text]]:
    for name, value in tracking.items():
        if name == "wandb_offline":
            yield "W&B", "recorded offline; cid fetch uploads it once there is a key"
        elif isinstance(value, str):
            yield "W&B" if name == "wandb" else name.replace("_", " "), Cell(value, url=value)


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
    if facts := _facts(rows):
        yield facts
    gpus = [_gpu(index, gpu, usage["gpus"][str(index)]) for index, gpu in enumerate(accelerator.docs("gpus"))]
    if gpus:
        head = ["GPU", "name", "memory", "capability", "speed", "busy", "memory in use", "temperature"]
        note = "Busy, memory in use and temperature: the mean of the training, then its highest."
        yield Table("GPUs", head, gpus, note=note)


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
