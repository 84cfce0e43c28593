"""Go on with a run that stopped short of its end: a submit that was interrupted, or a session that was too short."""

from dataclasses import replace

from containerid.backends import open_backend
from containerid.diagnosis import TIME_LIMIT
from containerid.errors import (
    CidError,
    NoCheckpoint,
    NotFound,
    Refused,
    RunFailed,
    SourcesRefused,
    StillRunning,
    UsageError,
)
from containerid.events import Caution, Step
from containerid.home import Home
from containerid.job import NOT_ATTACHED, Leg, Past, State, Tell
from containerid.outlook import Metered
from containerid.platform import Backend
from containerid.runs import intents, legs, preflight
from containerid.runs.draft import Ask
from containerid.runs.ending import command
from containerid.runs.find import is_foreign, name_of
from containerid.runs.intents import UNSENT
from containerid.runs.registry import Registry, Run
from containerid.runs.submit import go_on
from containerid.runs.watch import look, watch

_STOPPED = (State.PAUSED, State.CANCELLED, State.FAILED)


def resume(run: Run, *, home: Home, tell: Tell | None = None, ask: Ask | None = None, wait: bool = False) -> Run:
    """Go on with a run.

    One that is not known to have arrived is submitted, and pushed once at most. One whose session ended before its
    training did gets another leg, from the last checkpoint.

    Args:
        run: of the registry.
        home: the user's folder.
        tell: gets what happens.
        ask: as for `submit`.
        wait: when every place is taken, wait until one is free.

    Raises:
        UsageError: there is nothing to go on with, or no checkpoint to go on from.
        StillRunning: it goes on by itself.
        Refused: no place is free, or the hours that are left do not suffice; the run stays as it was.
    """
    if run.ours and run.handle and not run.state.final:
        run = look(run, home=home, tell=tell)
    if run.state in UNSENT:
        return go_on(run, home=home, tell=tell, ask=ask, wait=wait)
    if run.ours and not run.state.final:
        hint = f"cid logs {run.run} -f; cid cancel {run.run} stops it"
        raise StillRunning(f"{run.run} is {run.state}: there is nothing to resume", hint=hint)
    if run.state not in _STOPPED or not run.ours or not run.handle:
        name = name_of(run)
        why = "no run of this registry" if is_foreign(run) else str(run.state)
        what = f"{name} is {why}: there is nothing to resume"
        raise UsageError(what, hint=f"cid status {name}, or cid train")
    return _next_leg(run, home, tell or (lambda _: None), ask, wait=wait)


def until_done(
    run: Run, *, home: Home, tell: Tell, ask: Ask | None = None, timeout: float | None = None, wait: bool = False
) -> Run:
    """Watch a run, and start leg after leg for as long as its sessions end before its training does.

    A session that its platform has ended for its time counts, where it has kept a checkpoint.

    Returns:
        The run when it has ended; still paused when somebody asked it to pause.

    Raises:
        RunFailed: a leg did not complete one epoch more.
        Refused: the hours that are left do not suffice for the next leg; the run is paused.
        StillRunning: the timeout came first.
    """
    while True:
        run = watch(run, home=home, tell=tell, timeout=timeout)
        if not (_is_paused(run) or _was_cut_off(run) or _found_nothing(run)):
            return run
        reached, before = _epochs(run)
        if reached is not None and reached <= before:
            raise RunFailed(
                f"{run.run} got no further than epoch {before}: one epoch does not fit into a session",
                hint="a longer --session-limit, or less in an epoch",
            )
        run = resume(run, home=home, tell=tell, ask=ask, wait=wait)


def _is_paused(run: Run) -> bool:
    """By itself: nobody asked it to."""
    return run.state is State.PAUSED and not (run.result and run.result.checkpoint.get("asked"))


def _was_cut_off(run: Run) -> bool:
    """Its platform ended the session for its time, and what it had kept is there."""
    kept = run.result.checkpoint if run.result else {}
    return bool(kept) and run.diagnosis is not None and run.diagnosis.kind == TIME_LIMIT


def _found_nothing(run: Run) -> bool:
    """It should have read the attached outputs of the leg before, and they were not there."""
    attached = (run.spec.get("past") or {}).get("kind") == "kernel"
    return run.state is State.FAILED and attached and run.reason.startswith(NOT_ATTACHED)


def _epochs(run: Run) -> tuple[int | None, int]:
    """Epochs that are complete after a run's last leg, None where that told of none, and after those before it."""
    told = [leg["epoch"] for leg in run.legs]
    return told[-1], max((each for each in told[:-1] if each is not None), default=-1)


def _next_leg(run: Run, home: Home, tell: Tell, ask: Ask | None, *, wait: bool) -> Run:
    backend, registry = open_backend(run.backend, home), Registry(home.registry)
    _afford(run, backend, registry)
    if _was_cut_off(run):
        tell(Caution(f"the session was ended for its time; what came after epoch {_epochs(run)[0]} is done again"))
    try:
        past = _past(run, backend, tell, carried=_found_nothing(run))
    except NoCheckpoint as error:
        request = intents.request_of(registry, run)
        error.hint = f"{request.command if request else command(run)} starts it anew"
        raise

    def begin(run: Run, past: Past) -> Run:
        number = run.read_spec().leg + 1
        tell(Step("leg", f"{number} of {run.run}, from the {past.kind} {past.source}"))
        legs.begin(registry, run, past)
        try:
            return go_on(registry.get(run.run), home=home, tell=tell, ask=ask, wait=wait)
        except CidError as error:
            if registry.get(run.run).state is State.REFUSED:
                legs.back_out(registry, run, f"leg {number} was refused: {error.message}")
            raise

    try:
        return begin(run, past)
    except SourcesRefused as error:
        if not error.stopped or error.missing != {past.source}:
            raise
    run = registry.get(run.run)
    return begin(run, _past(run, backend, tell, carried=True))


def _past(run: Run, backend: Backend, tell: Tell, *, carried: bool) -> Past:
    """What the last leg left; when that is nothing, what one before it left. Raises NoCheckpoint.

    `carried`: it could not be attached where it lies, which is said.
    """
    if carried:
        tell(Caution("the outputs of the leg before cannot be attached: a private dataset carries its checkpoint"))
    spec, lost = run.read_spec(), CidError("")
    for each in reversed(run.legs):
        leg = Leg(each["handle"], each["version"], each["url"])
        try:
            return backend.hand_over(replace(spec, leg=each["number"]), leg, tell, carried=carried)
        except (NoCheckpoint, NotFound) as error:
            lost = error if each is run.legs[-1] else lost
    raise lost


def _afford(run: Run, backend: Backend, registry: Registry) -> None:
    """Refuse a leg for which there are not enough hours: better none than one that the quota cuts off."""
    if not run.spec.get("gpu") or not isinstance(backend, Metered):
        return
    hours = backend.outlook(preflight.active(registry, run.backend)).hours
    takes = needed(run)
    if hours is not None and hours.left < takes:
        until = f"; the week ends {preflight.when(hours.refresh)}" if hours.refresh else ""
        raise Refused(
            f"the next leg takes about {takes:.1f} h, and {hours.left:.1f} GPU hours are left{until}",
            hint=f"cid resume {run.run} --until-done when there are more",
            retryable=True,
        )


def needed(run: Run) -> float:
    """Hours that the next leg of a run will take: what is left of the training, or all that a session may last."""
    kept = run.result.checkpoint if run.result else {}
    longest = float(run.spec.get("budget") or 0) / 3600 or float("inf")
    if not kept.get("epoch") or not run.hours:
        return 0.0 if longest == float("inf") else longest
    return min(longest, run.hours * (int(kept["epochs"]) / int(kept["epoch"]) - 1))
