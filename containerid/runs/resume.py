"""Go on with a run that stopped short of its end: a submit that was interrupted, or a session that was too short."""

from containerid.backends import open_backend
from containerid.errors import CidError, Refused, RunFailed, UsageError
from containerid.events import Step
from containerid.home import Home
from containerid.job import Backend, State, Tell
from containerid.outlook import Metered
from containerid.runs import legs, preflight
from containerid.runs.draft import Ask
from containerid.runs.intents import UNSENT
from containerid.runs.registry import Registry, Run
from containerid.runs.submit import go_on
from containerid.runs.watch import watch

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
        Refused: no place is free, or the hours that are left do not suffice; the run stays as it was.
    """
    if run.state in UNSENT:
        return go_on(run, home=home, tell=tell, ask=ask, wait=wait)
    if run.state not in _STOPPED or not run.ours or not run.handle:
        raise UsageError(
            f"{run.run} is {run.state}: there is nothing to resume", hint=f"cid status {run.run}, or cid train"
        )
    return _next_leg(run, home, tell or (lambda _: None), ask, wait=wait)


def until_done(
    run: Run, *, home: Home, tell: Tell, ask: Ask | None = None, timeout: float | None = None, wait: bool = False
) -> Run:
    """Watch a run, and start leg after leg for as long as its sessions end before its training does.

    Returns:
        The run when it has ended; still paused when somebody asked it to pause.

    Raises:
        RunFailed: a leg did not complete one epoch more.
        Refused: the hours that are left do not suffice for the next leg; the run is paused.
        StillRunning: the timeout came first.
    """
    reached = -1
    while True:
        run = watch(run, home=home, tell=tell, timeout=timeout)
        kept = run.result.checkpoint if run.result else {}
        if run.state is not State.PAUSED or kept.get("asked"):
            return run
        if kept and kept["epoch"] <= reached:
            raise RunFailed(
                f"{run.run} got no further than epoch {reached}: one epoch does not fit into a session",
                hint="a longer --session-limit, or less in an epoch",
            )
        reached = kept.get("epoch", reached)
        run = resume(run, home=home, tell=tell, ask=ask, wait=wait)


def _next_leg(run: Run, home: Home, tell: Tell, ask: Ask | None, *, wait: bool) -> Run:
    backend, registry = open_backend(run.backend, home), Registry(home.registry)
    spec = run.read_spec()
    _afford(run, backend, registry)
    past = backend.hand_over(spec, run.leg, tell)
    tell(Step("leg", f"{spec.leg + 1} of {run.run}, from the {past.kind} {past.source}"))
    legs.begin(registry, run, past)
    try:
        return go_on(registry.get(run.run), home=home, tell=tell, ask=ask, wait=wait)
    except CidError as error:
        if registry.get(run.run).state is State.REFUSED:
            legs.back_out(registry, run, f"leg {spec.leg + 1} was refused: {error.message}")
        raise


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
