"""How a run that is over ended: its result from wherever it can be had, the verdict, and the diagnosis of a failure."""

import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from containerid.diagnosis import TIME_LIMIT, Diagnosis, diagnose
from containerid.errors import NotFound, Refused
from containerid.events import LogLine
from containerid.job import CHECKPOINT_FILE, EPOCHS_FILE, MANIFEST_FILE, RESULT_FILE, Result, State, Status
from containerid.platform import Backend
from containerid.runs.registry import Run
from containerid.runs.verdict import find_result, judge, read_result

_FLAGS = {"kaggle": "--kaggle", "local": "--local", "rehearsal": "--rehearse"}


@dataclass(frozen=True, slots=True)
class Ending:
    """Attributes: state and reason as the registry keeps them, the far side's result, the diagnosis of a failure."""

    state: State
    reason: str
    result: Result | None = None
    diagnosis: Diagnosis | None = None


def conclude(run: Run, backend: Backend, status: Status, seen: Iterable[LogLine] = ()) -> Ending:
    """Ask the platform for what a run left behind.

    Args:
        run: as the registry has it.
        backend: its platform.
        status: the platform's word, final.
        seen: its log, where somebody has followed it; else the log that is kept is read when it is needed.

    Raises:
        Unreachable, CredentialsError: the platform could not be asked; nothing is decided yet.
    """
    if status.state is State.LOST:
        return Ending(State.LOST, status.message)
    log = list(seen)
    result = _find_result(run, backend, log) if run.ours else None
    state, reason = judge(run, status, result)
    if state not in {State.FAILED, State.CANCELLED}:
        return Ending(state, reason, result)
    found = diagnose(log or _kept(run, backend), result, status)
    if found and found.kind == TIME_LIMIT and run.ours:
        result = result or _cut_off(run, backend, reason)
        if result and result.checkpoint:
            found = replace(found, next=f"cid resume {run.run} --until-done, from its checkpoint; else: {found.next}")
    return Ending(state, reason, result, found and found.addressed(run.run, command(run)))


def _cut_off(run: Run, backend: Backend, reason: str) -> Result | None:
    """What a leg would have told that was killed when its time was up: its checkpoint, by its own record of epochs."""
    outputs = {output.name: output for output in backend.outputs(run.leg)}
    if not {CHECKPOINT_FILE, EPOCHS_FILE} <= outputs.keys():
        return None
    with (
        tempfile.TemporaryDirectory() as folder,
        suppress(NotFound, Refused, OSError, ValueError, LookupError, TypeError),
    ):
        path = Path(folder) / "epochs"
        backend.download(outputs[EPOCHS_FILE], path)
        whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        last = json.loads(whole[-1])
        kept = {"epoch": int(last["epoch"]), "epochs": int(last["epochs"])}
        return Result(run=run.run, outcome="failed", phase="train", reason=reason, exit_code=1, checkpoint=kept)
    return None


def command(run: Run) -> str:
    """The command that submits another such run."""
    words = ("cid train", _FLAGS.get(run.backend, "--kaggle"), f"-e {run.experiment}" if run.experiment else "")
    return " ".join(filter(None, words))


def _find_result(run: Run, backend: Backend, log: list[LogLine]) -> Result | None:
    """From the outputs, else from the log. Without a manifest, which is written last, the outputs are not whole."""
    found = None
    listed = {output.name: output for output in backend.outputs(run.leg)}
    outputs = [listed[RESULT_FILE]] if {RESULT_FILE, MANIFEST_FILE} <= listed.keys() else []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / RESULT_FILE
        for output in outputs:
            try:
                backend.download(output, path)
            except (NotFound, Refused):
                continue
            found = read_result(path, run.run)
    if found is None and not log:
        log += _kept(run, backend)
    return found or find_result(log, run.run)


def _kept(run: Run, backend: Backend) -> list[LogLine]:
    try:
        return list(backend.logs(run.leg, follow=False))
    except (NotFound, Refused):
        return []


def settle(run: Run, ending: Ending) -> Run:
    """A foreign kernel as it ended; it is recorded nowhere."""
    return replace(run, state=ending.state, reason=ending.reason, diagnosis=ending.diagnosis)
