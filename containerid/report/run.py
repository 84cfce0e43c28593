"""The page about a run: report.html, made from the run's outputs alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid import __version__
from containerid.report import curves, ending, machine, mistakes, origins, quality, wording
from containerid.report import page as pages
from containerid.report.outputs import Outputs, read
from containerid.report.page import BAD, GOOD, WARN, Block, Cell, Note, Page, Tiles

REPORT_FILE = "report.html"

_OUTCOMES = {"succeeded": GOOD, "failed": BAD, "paused": WARN, "cancelled": WARN}


def write(folder: Path, *, spec: Mapping[str, Any] | None = None, legs: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Make the page about the run whose outputs lie in a folder, and put it beside them.

    Args:
        folder: the outputs. What is missing there is missing in the page.
        spec: what was sent, where it is at hand.
        legs: the run's sessions, where they are known.

    Returns:
        Where the page lies.
    """
    return pages.write(folder / REPORT_FILE, compose(read(folder, spec=spec, legs=legs)))


def compose(outputs: Outputs) -> Page:
    """The page about a run."""
    sections = (
        quality.section(outputs),
        mistakes.section(outputs),
        curves.section(outputs),
        origins.data_section(outputs),
        machine.section(outputs),
        origins.again_section(outputs),
    )
    return Page(
        title=outputs.run,
        kind="training run",
        status=_status(outputs),
        subtitle=_subtitle(outputs),
        opening=_opening(outputs),
        sections=sections,
        foot=f"Made by containerid {__version__} from the outputs of {outputs.run}.",
    )


def _status(outputs: Outputs) -> Cell:
    outcome = outputs.result.text("outcome")
    if unmet := quality.gates_unmet(outputs):
        return Cell(f"{wording.plural(len(unmet), 'gate')} not met", BAD)
    return Cell(outcome or "no result", _OUTCOMES.get(outcome, WARN))


def _subtitle(outputs: Outputs) -> str:
    experiment, project = outputs.text("experiment"), outputs.text("project")
    parts = (
        outputs.architecture,
        _trained(outputs),
        wording.day(outputs.text("started")),
        f"experiment {experiment}" if experiment else "",
        f"project {project}" if project else "",
    )
    return " · ".join(filter(None, parts)) or "nothing is known about this run"


def _trained(outputs: Outputs) -> str:
    metadata, checkpoint = outputs.metadata, outputs.result["checkpoint"]
    done = len(outputs.history.get("epoch", ()))
    epochs = metadata.number("epochs") or checkpoint.number("epoch") or done
    proof = outputs.result.text("proof") or metadata.text("hardware")
    # What several sessions took together only the table of the epochs knows.
    later = (metadata.number("leg") or outputs.spec.number("leg") or 1) > 1
    spent = wording.spent(metadata.number("duration_seconds") if later else machine.took(outputs))
    parts = (
        wording.plural(epochs, "epoch") if epochs else "",
        proof if proof.startswith("rehearsed") else f"on {proof}" if proof else "",
        f"in {spent}" if spent else "",
    )
    return " ".join(filter(None, parts))


def _opening(outputs: Outputs) -> list[Block]:
    blocks: list[Block] = []
    if unmet := quality.gates_unmet(outputs):
        blocks.append(Note(f"{'; '.join(unmet)}.", BAD, "Gates not met:"))
    else:
        blocks += ending.blocks(outputs)
    if outputs.metadata.get("quick") is True or outputs.spec.get("quick") is True:
        blocks.append(
            Note("A few steps on a handful of images: the path is what was tried, not the model.", title="A quick run.")
        )
    if not outputs.result:
        blocks.append(Note("There is no result.json: the run has not ended, or its outputs are not all here.", WARN))
    tiles = quality.tiles(outputs)
    blocks += [Tiles(tiles)] if tiles else []
    return [*blocks, *quality.advice(outputs)]
