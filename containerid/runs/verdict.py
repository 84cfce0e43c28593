"""How a run ended. The far side's result decides; the platform's status only says when to look."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from containerid.errors import CidError, Refused, RunCancelled, RunFailed, RunPaused, UsageError
from containerid.events import LogLine
from containerid.job import RESULT_MARK, Result, State, Status
from containerid.runs.registry import Run


def judge(run: Run, status: Status, result: Result | None) -> tuple[State, str]:
    """The final state of a run and the reason for it, one line.

    A run of ours that left no result has failed, whatever the platform says; a foreign kernel is as its platform says.

    Args:
        run: as the registry has it.
        status: the platform's word, final.
        result: what the far side said; None when it is lost.
    """
    if not run.ours:
        return status.state, status.message
    if result is None:
        return _without_result(status)
    if result.outcome == "succeeded" and result.exit_code:
        return State.FAILED, f"the result says succeeded, but the exit code is {result.exit_code}"
    return result.state, result.reason


def _without_result(status: Status) -> tuple[State, str]:
    if status.state is State.CANCELLED:
        return State.CANCELLED, status.message or "the platform cancelled it"
    said = status.message or f"the platform calls it {_called(status.state)}"
    return State.FAILED, f"it left no result ({said})"


def _called(state: State) -> str:
    return "complete" if state is State.SUCCEEDED else str(state)


def read_result(path: Path, run: str) -> Result | None:
    """The result of this very run; None when the file is missing, broken, or another run's."""
    with suppress(OSError, ValueError, TypeError, UsageError):
        result = Result.from_dict(json.loads(path.read_text(encoding="utf-8")))
        return result if result.run == run else None
    return None


def find_result(lines: Iterable[LogLine], run: str) -> Result | None:
    """The result that a log ends with: the fallback when outputs are lost."""
    found = None
    for line in lines:
        if line.text.startswith(RESULT_MARK):
            with suppress(ValueError, TypeError, UsageError):
                result = Result.from_dict(json.loads(line.text.removeprefix(RESULT_MARK)))
                found = result if result.run == run else found
    return found


def error_of(run: Run) -> CidError | None:
    """The error that stands for a run's final state; None for a success or a run that still goes on."""
    kinds: dict[State, type[CidError]] = {
        State.FAILED: RunFailed,
        State.LOST: RunFailed,
        State.CANCELLED: RunCancelled,
        State.PAUSED: RunPaused,
        State.REFUSED: Refused,
    }
    kind = kinds.get(run.state)
    hint = f"cid logs {run.run} --tail 50" if run.state in {State.FAILED, State.CANCELLED} else ""
    return kind(f"{run.run} {run.state}: {run.reason or 'no reason was given'}", hint=hint) if kind else None
