"""How a run that is over ended: its result from wherever it can be had, the verdict, and the diagnosis of a failure."""

import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from containerid.diagnosis import TIME_LIMIT, Diagnosis, diagnose
from containerid.errors import NotFound, Refused, StillRunning
from containerid.events import LogLine
from containerid.job import CHECKPOINT_FILE, EPOCHS_FILE, MANIFEST_FILE, RESULT_FILE, Result, State, Status
from containerid.platform import Backend
from containerid.runs.registry import Run
from containerid.runs.request import Request
from containerid.runs.verdict import find_result, judge, read_result

_KILLED = ("killed", "host-memory", "cancelled")
"""Classes of ends after which a checkpoint is as good as before; see `containerid.diagnosis`."""


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
    if found and run.ours:
        found = _advised(found, run, backend, result)
    return Ending(state, reason, result, found and found.addressed(run.run, command(run)))


def _advised(found: Diagnosis, run: Run, backend: Backend, result: Result | None) -> Diagnosis:
    """What comes next for this run: from its checkpoint where it has one, and nothing that it did just now."""
    if found.kind in _KILLED:
        kept = bool(result and result.checkpoint)
        kept = kept or any(output.name == CHECKPOINT_FILE for output in backend.outputs(run.leg))
        here = found.next.replace(", and look at the kernel's page on Kaggle", "") if run.backend == "local" else ""
        other = here or found.next
        return replace(found, next=f"cid resume {run.run}, from its checkpoint; else: {other}" if kept else other)
    if found.kind == "exception" and run.backend != "kaggle":
        return replace(found, next=f"mend it; then {command(run)}")
    if found.kind == "exception" and run.experiment:
        return replace(found, next=found.next.replace("--quick", f"-e {run.experiment} --quick"))
    return found


def must_have_ended(run: Run) -> None:
    """Refuse what only a run with outputs can do.

    Raises:
        StillRunning: it has not ended.
        NotFound: it has, without ever reaching its platform.
    """
    if not run.state.final and (run.ours or not run.handle):
        hint = f"cid logs {run.run} -f, or cid status {run.run}" if run.handle else f"cid resume {run.run}"
        raise StillRunning(f"{run.run} is {run.state}; its outputs appear when it ends", hint=hint)
    if not run.handle:
        why = f": {run.reason}" if run.reason else ""
        raise NotFound(f"{run.run} was never submitted ({run.state}{why}): it has no outputs", hint=command(run))


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
    return Request(backend=run.backend, experiment=run.experiment, quick=bool(run.spec.get("quick"))).command


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
