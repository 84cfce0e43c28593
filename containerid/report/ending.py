"""How a run ended that reached no model: why, what its log says last, and what to do about it."""

import shlex
from collections.abc import Iterator

from containerid.diagnosis import Diagnosis, diagnose
from containerid.events import LogLine
from containerid.job import Result
from containerid.report import wording
from containerid.report.outputs import Outputs
from containerid.report.page import BAD, QUIET, WARN, Block, Commands, Note

_LOG = "train.log"
_READ, _SHOWN, _WIDTH = 2_000, 16, 400
"""Lines of the log that are looked at, that are shown, and characters of one of these."""
_BACKENDS = {"kaggle": "--kaggle", "rehearsal": "--rehearse"}
_DATA = ("data", "validate")


def blocks(outputs: Outputs) -> Iterator[Block]:
    """What a reader wants to know first about a run that failed, was paused or was cancelled."""
    outcome, reason = outputs.result.text("outcome"), outputs.result.text("reason")
    if outcome == "succeeded" or not (outcome or reason):
        return
    phase = outputs.result.text("phase")
    title = f"{outcome.capitalize()} in {phase}." if phase else f"{outcome.capitalize()}."
    yield Note(wording.sentence(reason) if reason else "", BAD if outcome == "failed" else WARN, title)
    lines = _log(outputs) if outcome != "paused" else []
    if found := _diagnosis(outputs, lines):
        yield Note(f"{wording.sentence(found.summary)} Next: {wording.ended(found.next)}", QUIET, "Why?")
    yield Commands("\n".join(_next(outputs, outcome, phase)))
    if lines:
        yield Commands("\n".join(line[:_WIDTH] for line in lines[-_SHOWN:]), "the end of the log")


def train(outputs: Outputs) -> str:
    """The command that asks for such a run, with all that was said on the command line; quoted for a shell."""
    spec, experiment = outputs.spec, outputs.text("experiment")
    words = ["cid", "train", _BACKENDS.get(spec.text("backend"), "--local")]
    words += ["-e", experiment] if experiment else []
    for override in spec.texts("overrides"):
        words += ["--set", override]
    words += ["--quick"] if spec.get("quick") is True or outputs.metadata.get("quick") is True else []
    device = spec.text("device")
    words += ["--device", device] if device and device != "auto" else []
    return " ".join([*map(shlex.quote, words), *_data(outputs)])


def _data(outputs: Outputs) -> Iterator[str]:
    """What stood behind --data, where the data is not what params.yaml names; a folder's place is the reader's own."""
    used, asked = outputs.spec["data"] or outputs.metadata["data"], outputs.params["data"]
    provider, source = used.text("provider"), used.text("source")
    if not source or not asked or provider not in {"folder", "kaggle", "dvc"}:
        return
    named = asked.text("path" if provider == "folder" else provider)
    if provider == "folder" and named.rstrip("/").rpartition("/")[2] != source.rstrip("/").rpartition("/")[2]:
        yield f"--data {shlex.quote(source.rstrip('/').rpartition('/')[2])}"
    elif provider == "kaggle" and named != source:
        yield f"--data {shlex.quote(source)}"


def _next(outputs: Outputs, outcome: str, phase: str) -> Iterator[str]:
    run, checkpoint = shlex.quote(outputs.run), outputs.result["checkpoint"]
    if checkpoint:
        done, wanted = checkpoint.number("epoch"), checkpoint.number("epochs")
        if done is not None:
            yield f"# goes on after epoch {done:.0f}" + (f" of {wanted:.0f}" if wanted is not None else "")
        yield f"cid resume {run}"
        if outcome == "paused":
            return
        yield ""
    yield from ("# all that it said", f"cid logs {run}")
    if phase in _DATA:
        yield from ("", "# what is wrong with the images and labels", "cid data check")
    elif phase == "environment":
        yield from ("", "# what is missing on this machine", "cid doctor")
    if "overrides" in outputs.spec:
        yield from ("", "# once that is mended" if outcome == "failed" else "# from the beginning", train(outputs))


def _log(outputs: Outputs) -> list[str]:
    path = outputs.inside(_LOG)
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    except OSError:
        return []
    return [line for line in text.splitlines()[-_READ:] if line.strip() and not line.startswith("CID_")]


def _diagnosis(outputs: Outputs, lines: list[str]) -> Diagnosis | None:
    result = outputs.result
    if result.text("outcome") != "failed":
        return None
    told = Result(run=outputs.run, outcome="failed", phase=result.text("phase"), reason=result.text("reason"))
    found = diagnose([LogLine(0.0, "stdout", line) for line in lines], told)
    return found.addressed(outputs.run, train(outputs)) if found else None
