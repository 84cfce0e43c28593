"""What progress.jsonl tells of the legs that a training took: the line of each epoch says in which it was trained."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from containerid.job import EPOCHS_FILE, Spec

Line = Mapping[str, Any]


def read(out: Path) -> list[Line]:
    """The lines, an epoch each; none where there is no such file."""
    with suppress(OSError, ValueError):
        return [json.loads(line) for line in (out / EPOCHS_FILE).read_text(encoding="utf-8").splitlines()]
    return []


def recorder(out: Path, spec: Spec, hardware: str) -> Callable[[Mapping[str, Any]], None]:
    """What appends the line of an epoch, with what is to be known of its leg."""
    told = note(spec, hardware)

    def record(line: Mapping[str, Any]) -> None:
        with (out / EPOCHS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, **told}) + "\n")

    return record


def note(spec: Spec, hardware: str) -> dict[str, Any]:
    """What a leg adds to each of its lines.

    Returns:
        `leg`, its number; `hardware`, the proof; `after`, the handle of the kernel of the leg before, where it had one.
    """
    after = {"after": spec.past.source} if spec.past.kind == "kernel" else {}
    return {"leg": spec.leg, "hardware": hardware, **after}


def seconds(lines: Sequence[Line]) -> float:
    """That these epochs took, each from the end of the one before, or from where its training was begun."""
    return sum(float(line.get("took", 0)) for line in lines)


def best_epoch(lines: Sequence[Line]) -> int | None:
    """The epoch whose weights best.pt holds, as the trainer saved them; None where no line says so."""
    saved = [int(line["epoch"]) for line in lines if line.get("best")]
    return saved[-1] if saved else None


def legs(lines: Sequence[Line], spec: Spec, hardware: str, total: float) -> list[dict[str, Any]]:
    """The sessions that a run took, as far as this one knows.

    Args:
        lines: of all legs.
        spec: of this one, the last.
        hardware: that it had.
        total: seconds that all of them have trained.

    Returns:
        Of each `number`, `handle` (of a kernel whose outputs another leg went on from), `first` and `last` epoch (None
        of a leg that has only evaluated), `seconds` of training, `hardware`.
    """
    found = list(_of_lines(lines))
    if not found or found[-1]["number"] != spec.leg:
        found.append(_leg(spec.leg, (), note(spec, hardware)))
    found[-1]["seconds"] = round(max(total - sum(each["seconds"] for each in found[:-1]), 0), 1)
    handles = [each.pop("after") for each in found]
    for each, later, handle in zip(found, found[1:], handles[1:], strict=False):
        each["handle"] = handle if later["number"] == each["number"] + 1 else ""
    return found


def _of_lines(lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    for number, held in groupby(lines, key=lambda line: int(line.get("leg", 1))):
        trained = list(held)
        yield _leg(number, trained, trained[-1])


def _leg(number: int, lines: Sequence[Line], told: Line) -> dict[str, Any]:
    first, last = (int(lines[at]["epoch"]) if lines else None for at in (0, -1))
    spent = {"seconds": round(seconds(lines), 1), "hardware": told.get("hardware", "")}
    return {"number": number, "handle": "", "first": first, "last": last, **spent, "after": told.get("after", "")}
