"""Before a push: how the account stands, what the run needs, what it will take; shown as one table, asked once."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from containerid.backends import entry
from containerid.errors import CidError, Refused, UsageError
from containerid.events import Caution, Doubt, Planned
from containerid.job import Code, Plan, Spec, State
from containerid.outlook import Finding, Hours, Metered, Outlook
from containerid.platform import Backend
from containerid.runs.draft import Ask, Draft
from containerid.runs.estimate import Estimate, estimate
from containerid.runs.registry import Registry

_DVC_PATIENCE = 60
_PLAYED = frozenset({"account", "in use", "GPU hours"})
"""What a rehearsal plays, as Kaggle does, and takes from nobody; told only when it is against the run."""
_NOTHING_SENT = "nothing was sent"


class Declined(UsageError):
    """The user looked at the plan and said no. Exit 2."""


def weigh(draft: Draft, spec: Spec, plan: Plan, registry: Registry, ask: Ask | None) -> bool:
    """Show the plan and have it confirmed.

    Args:
        draft: what the run is made from.
        spec: as it will be sent if all goes well.
        plan: the backend's.
        registry: for earlier runs, and for what the user agreed to before.
        ask: puts a question to the user; None when nobody can be asked: then a plan that is not safe is refused.

    Returns:
        Whether the run has to wait for a place, which is borne with `wait` alone.

    Raises:
        Declined: the user said no.
        CidError: what speaks against the push.
    """
    found = list(look(draft.backend, spec, draft.folder, registry))
    waits = draft.request.wait and any(isinstance(each.fault, _Full) for each in found)
    found = [each for each in found if not (waits and isinstance(each.fault, _Full))]
    told = (each for each in found if each.fault or draft.request.backend != "rehearsal" or each.label not in _PLAYED)
    rows = [*((each.label, each.value) for each in told), *draft.rows]
    draft.tell(Planned((*rows, *plan.rows, *_remote(spec.code))))
    registry.set_plan(draft.run, (*rows, *plan.rows, *_remote(spec.code)))
    for warning in plan.warnings:
        draft.tell(Caution(warning))
    if hard := next((each.fault for each in found if each.fault and not each.doubt), None):
        raise hard
    _confirm(draft, registry, ask, [each.fault for each in found if each.fault])
    return waits


def look(backend: Backend, spec: Spec, folder: Path, registry: Registry) -> Iterator[Finding]:
    """Everything that can be known about a run before it is sent, row by row."""
    if isinstance(backend, Metered):
        outlook = backend.outlook(active(registry, spec.backend))
        yield Finding("account", outlook.account)
        yield _slots(outlook, "gpu" if spec.gpu else "cpu")
        yield from _hours(outlook.hours, estimate(spec, registry.runs()), spec)
        yield from backend.inspect(spec)
    if spec.data.provider == "dvc" and spec.backend != "local":
        yield _dvc(spec.data.source, folder)


def active(registry: Registry, backend: str) -> dict[str, str]:
    """Handles of the runs that may have a session now, to their run ids."""
    going = (State.QUEUED, State.RUNNING)
    return {run.handle: run.run for run in registry.runs() if run.backend == backend and run.state in going}


class _Full(Refused):
    """Every place is taken."""


def _slots(outlook: Outlook, kind: str) -> Finding:
    taken, places = outlook.taken(kind), outlook.places.get(kind, 1)
    by = ", ".join(each.run or each.handle for each in taken)
    value = f"{len(taken)} of {places} {kind.upper()} sessions" + (f": {by}" if by else "")
    if not outlook.full(kind):
        return Finding("in use", value)
    hint = "--wait starts it as soon as one ends"
    fault = _Full(f"all {places} {kind.upper()} slots are in use: {by}", hint=hint, retryable=True)
    return Finding("in use", value, fault, doubt=True)


def _hours(hours: Hours | None, takes: Estimate, spec: Spec) -> Iterator[Finding]:
    if not spec.gpu:
        return
    if hours is None:
        yield Finding("GPU hours", "unknown")
    else:
        left = f"{hours.left:.1f} h left of {hours.total:.0f} ({hours.used:.1f} used, {hours.reserved:.1f} reserved)"
        yield Finding("GPU hours", left)
    yield Finding("estimate", str(takes), *_too_long(hours, takes))


def _too_long(hours: Hours | None, takes: Estimate) -> tuple[CidError | None, bool]:
    """By the estimate; how long a session may last at most says nothing about how long it will."""
    if hours is None or (hours.left > 0 and (takes.hours or 0) <= hours.left):
        return None, False
    until = f"; the week ends {when(hours.refresh)}" if hours.refresh else ""
    hint = "fewer epochs, --device cpu --quick, or --local; cid quota tells what is left"
    if hours.left <= 0:
        return Refused(f"the weekly GPU quota is used up or reserved{until}", hint=hint), False
    message = f"the run takes {takes}, and {hours.left:.1f} GPU hours are left{until}"
    return Refused(message, hint=hint), takes.guess


def when(moment: datetime) -> str:
    """A time in the future for the eye: the date, and how long until then."""
    hours = (moment - datetime.now(UTC)).total_seconds() / 3600
    away = f"in {hours / 24:.0f} days" if hours >= 48 else f"in {hours:.0f} h"
    return f"{moment.astimezone():%Y-%m-%d %H:%M} ({away})"


def _remote(code: Code) -> Iterator[tuple[str, str]]:
    if code.transport != "worktree":
        yield "commit", f"{code.sha[:12]} → {code.ref or 'no remote: the archive alone carries it'}"


def _dvc(target: str, folder: Path) -> Finding:
    """Whether the remote has the data; where DVC cannot tell, for want of credentials perhaps, that is no fault."""
    try:
        lacking = _not_on_remote(target, folder)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return Finding("DVC", f"{target}: whether its remote has the data could not be checked")
    if not lacking:
        return Finding("DVC", f"{target} is on its remote")
    message = f"the DVC remote does not hold {', '.join(lacking[:3])}" + (" and more" if len(lacking) > 3 else "")
    # what a stage makes cannot be told from the rest of the project's data
    doubt = not target.endswith(".dvc")
    return Finding("DVC", f"{target} is NOT pushed", UsageError(message, hint=f"dvc push {target}"), doubt)


def _not_on_remote(target: str, folder: Path) -> list[str]:
    """Files of the target (of the project, for a stage) that the remote lacks. `dvc status --cloud` misses some."""
    dvc = [sys.executable, "-m", "dvc"] if importlib.util.find_spec("dvc") else [shutil.which("dvc") or "dvc"]
    tracked = [target.removesuffix(".dvc")] if target.endswith(".dvc") else []
    done = subprocess.run(
        [*dvc, "data", "status", "--not-in-remote", "--granular", "--json", *tracked],
        cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=_DVC_PATIENCE, check=False,
    )  # fmt: skip
    said = json.loads(done.stdout) if done.returncode == 0 else None
    if not isinstance(said, dict):
        raise ValueError("dvc did not say")
    return sorted(said.get("not_in_remote", ()))


def _confirm(draft: Draft, registry: Registry, ask: Ask | None, doubts: list[CidError]) -> None:
    branch = _unasked_branch(draft, registry)
    if doubts and ask is None:
        doubts[0].hint += "; -y goes on all the same"
        raise doubts[0]
    if ask is not None and (doubts or branch or entry(draft.request.backend).billed):
        parts = [f"{doubt.message}, all the same" for doubt in doubts]
        parts += [f"cid commits your changes and pushes them to {branch}, now and from now on"] if branch else []
        question = "; ".join(parts or ["start this run"]) + "?"
        if not ask(Doubt(question) if doubts else question):
            raise Declined(_NOTHING_SENT, hint="--git snapshot leaves the branch alone" if branch else "")
    if branch:
        registry.agree(str(draft.folder), branch)


def _unasked_branch(draft: Draft, registry: Registry) -> str:
    """The branch to which cid will push by itself for the first time; empty when there is none."""
    if draft.mode != "branch" or not draft.backend.embed_limit:
        return ""
    from containerid.git import Repository

    branch = Repository.open(draft.folder).changes().branch
    return "" if not branch or registry.agreed(str(draft.folder), branch) else branch
