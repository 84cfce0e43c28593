"""Submit a training: record the intent, weigh it, pin the code, push, in that order.

Each step leaves in the registry what the next one needs, so that whoever is killed, at whatever instruction, can be
followed by another who goes on from there; `submitting` means that a push may have arrived, and that the platform is
asked before it is done again.
"""

import os
import shutil
from dataclasses import replace
from itertools import chain
from pathlib import Path

from containerid.clock import Clock
from containerid.errors import CidError, Refused, Throttled, Unreachable, UsageError
from containerid.events import Caution, Changed, Planned, Step
from containerid.home import Home, keep
from containerid.job import Code, Leg, Plan, State, Tell
from containerid.outlook import Metered
from containerid.platform import Backend
from containerid.runs import intents, pin, preflight, publication, sealing
from containerid.runs.draft import Ask, Draft, look_at
from containerid.runs.intents import UNSENT
from containerid.runs.lock import locked
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request

_PUSHES = 3
"""How often a push is tried whose answer was lost and which, after the grace time, had not arrived."""

_PUT_OFF = 300.0
"""Seconds of pauses in all, for a push that the platform puts off because it gets too many requests."""

_GRACE = "CID_SUBMIT_GRACE"


def submit(
    request: Request, *, home: Home, tell: Tell | None = None, ask: Ask | None = None, clock: Clock | None = None
) -> Run:
    """Start a run, or go on with the same one that was begun before and has not ended.

    Args:
        request: what is asked for.
        home: the user's folder.
        tell: gets what happens as it happens.
        ask: answers a question with yes or no; None when nobody can be asked, and a plan that is not safe is refused.
        clock: for waits.

    Returns:
        The run, in state `queued`; further on when another was quicker, or the same is under way: nothing is sent then.

    Raises:
        ConfigError, UsageError, RunFailed: nothing was sent; the last where the data has errors.
        GitError: nothing was pushed; index, stash, HEAD and hooks are as they were.
        Refused: the platform said no, or would; the run is `refused`.
        Unreachable: no answer came; the run stays where it is, and the same submit, or `resume`, goes on with it.
        Throttled: the same, where the platform has put the push off for five minutes.
    """
    tell, registry = tell or (lambda _: None), Registry(home.registry)
    draft = look_at(request, home, tell)
    taken = pin.snapshot(draft)
    meant = intents.mark(draft.spec(Code()), taken.tree if taken else "", draft.folder, draft.settings)
    run = intents.take_up(registry, draft.row, meant, request, home=home, tell=tell, pinned=taken is not None)
    if run.run != draft.run:
        if run.state not in UNSENT:
            return run
        draft = replace(draft, run=run.run, created=run.created)
    return _Submission(registry, run, draft, home, tell, ask, clock or Clock()).go()


def go_on(
    run: Run,
    *,
    home: Home,
    tell: Tell | None = None,
    ask: Ask | None = None,
    wait: bool = False,
    clock: Clock | None = None,
) -> Run:
    """Go on with a run that is not known to have arrived; errors are those of `submit`.

    Args:
        run: of the registry.
        home: the user's folder.
        tell: gets what happens as it happens.
        ask: as for `submit`.
        clock: for waits.
        wait: when every place is taken, wait until one is free.

    Raises:
        UsageError: nothing is known about what the run was to be.
    """
    tell = tell or (lambda _: None)
    registry = Registry(home.registry)
    request = intents.request_of(registry, run)
    if request is None:
        raise UsageError(f"{run.run} was not begun by cid train", hint="cid train")
    draft = look_at(replace(request, wait=wait), home, tell, known=run)
    return _Submission(registry, run, draft, home, tell, ask, clock or Clock()).go()


def plan(request: Request, *, home: Home, tell: Tell | None = None) -> Path:
    """Make everything that a submit would send, and send nothing.

    Returns:
        The folder that holds it: the code archive, and what the backend would push.
    """
    draft = look_at(request, home, tell or (lambda _: None))
    made = draft.backend.plan(draft.spec(pin.foreseen(draft, pin.pack(draft, pin.snapshot(draft)))))
    draft.tell(Planned((*draft.rows, *made.rows)))
    for warning in made.warnings:
        draft.tell(Caution(warning))
    return _keep(home, draft.run, made)


def _keep(home: Home, run: str, made: Plan) -> Path:
    folder = home.parcel(run)
    for name, content in made.files.items():
        keep(folder / name, content)
    return folder


class _Submission:
    """One run on its way, held by one process at a time."""

    def __init__(
        self, registry: Registry, run: Run, draft: Draft, home: Home, tell: Tell, ask: Ask | None, clock: Clock
    ) -> None:
        self._registry = registry
        self._run = run
        self._draft = draft
        self._backend: Backend = draft.backend
        self._home = home
        self._tell = tell
        self._ask = ask
        self._clock, self._grace = clock, _grace()

    def go(self) -> Run:
        """From wherever the run stands to `queued`."""
        name = self._run.run
        with locked(self._home.parcel(name) / "submit.lock", self._tell_wait):
            try:
                self._run = self._registry.get(name)
            except KeyError:
                raise preflight.Declined("another cid took the run back: nothing was sent", hint="cid train") from None
            if self._run.state not in UNSENT:
                return self._joined()
            try:
                return self._go_on()
            except preflight.Declined:
                raise
            except Unreachable as error:
                self._registry.move(name, self._registry.get(name).state, error.message)
                error.hint = f"cid resume {name}, or the same command again: nothing is sent twice"
                raise
            except CidError as error:
                self._registry.move(name, State.REFUSED, error.message)
                raise

    def _tell_wait(self) -> None:
        self._tell(Step("wait", f"another cid is submitting {self._run.run}"))

    def _joined(self) -> Run:
        if self._run.state is State.REFUSED:
            raise Refused(self._run.reason)
        self._tell(Step("submitted", f"another cid has submitted {self._run.run}"))
        return self._run

    def _go_on(self) -> Run:
        if self._run.state is State.SUBMITTING and (leg := self._settle()):
            return self._arrived(leg)
        waits = self._run.state is State.WAITING and self._draft.request.wait
        if self._run.state is State.CREATED:
            waits = self._pin()
        if self._run.state is State.SYNCED:
            self._prepare()
        if waits:
            self._await_place("every place is taken")
        return self._arrived(self._push())

    def _pin(self) -> bool:
        """The code to the remote, once the plan is agreed to; whether the run has to wait for a place."""
        draft = self._draft
        pinned = pin.pack(draft, pin.snapshot(draft))
        spec = draft.spec(pin.foreseen(draft, pinned))
        values = sealing.require(spec, self._backend, home=self._home, folder=draft.folder)
        publication.prove(spec, values, self._tell)
        try:
            waits = preflight.weigh(draft, spec, self._backend.plan(spec), self._registry, self._ask)
        except (preflight.Declined, KeyboardInterrupt):
            intents.forget(self._registry, draft.run)
            shutil.rmtree(self._home.parcel(draft.run), ignore_errors=True)
            raise
        self._registry.set_spec(draft.run, draft.spec(pin.push(draft, pinned)))
        self._run = self._registry.move(draft.run, State.SYNCED)
        return waits

    def _prepare(self) -> None:
        """Data to the platform, and the very files that are pushed into the parcel."""
        spec = self._backend.prepare(self._run.read_spec(), self._tell)
        spec = sealing.seal(spec, self._backend, self._tell, home=self._home, folder=self._draft.folder)
        self._run = self._registry.set_spec(spec.run, spec)
        _keep(self._home, spec.run, self._backend.plan(spec))

    def _push(self) -> Leg:
        """Push until there is an answer. One that was lost is asked for; nothing is pushed again before that."""
        lost = Unreachable("the push was not tried")
        for _ in range(_PUSHES):
            try:
                return self._push_where_free()
            except Throttled:
                raise
            except Unreachable as error:
                lost = error
                if leg := self._settle():
                    return leg
        raise lost

    def _push_where_free(self) -> Leg:
        while True:
            self._run = self._registry.move(self._run.run, State.SUBMITTING)
            try:
                return self._submit()
            except Refused as error:
                if not (self._draft.request.wait and error.retryable):
                    raise
                self._await_place(error.message)

    def _submit(self) -> Leg:
        """A push that was put off has not arrived: it is made again, after the pause that was asked for.

        Raises:
            Throttled: after five minutes of pauses, or when a longer one is asked for.
        """
        left, usual = _PUT_OFF, 1.0
        while True:
            try:
                return self._backend.submit(self._run.read_spec())
            except Throttled as error:
                pause = error.after or usual
                if pause > left:
                    raise
                if left == _PUT_OFF:
                    self._tell(Caution(f"{error.message}; nothing was pushed, and it is tried again"))
            self._clock.sleep(pause)
            left, usual = left - pause, min(usual * 2, 60.0)

    def _settle(self) -> Leg | None:
        """The leg of a push whose answer is not known; None when it had not arrived by the end of the grace time.

        Raises:
            Unreachable: the platform did not answer in the end, so nothing can be said.
        """
        grace, spec = self._grace, self._run.read_spec()
        self._tell(Step("asking", f"whether the push of {spec.run} has arrived, for up to {grace:g} s"))
        lost: Unreachable | None = None
        for _ in chain((0.0,), self._clock.polls(first=1, cap=10, limit=grace)):
            try:
                if leg := self._backend.find(spec):
                    return leg
                lost = None
            except Unreachable as error:
                lost = error
            except CidError as error:
                # That nobody may ask says nothing about the push: the run is not refused, it is not known.
                raise Unreachable(f"nobody can tell whether the push has arrived: {error.message}") from error
        if lost is not None:
            raise lost
        return None

    def _await_place(self, reason: str) -> None:
        self._run = self._registry.move(self._run.run, State.WAITING, reason)
        self._tell(Changed(self._run.run, str(self._run.state), reason))
        for _ in self._clock.polls(first=30, cap=300, limit=float("inf")):
            if self._is_free():
                return

    def _is_free(self) -> bool:
        if not isinstance(self._backend, Metered):
            return True
        try:
            outlook = self._backend.outlook(preflight.active(self._registry, self._run.backend))
        except Unreachable as error:
            self._tell(Caution(f"{error.message}; waiting goes on"))
            return False
        return not outlook.full("gpu" if self._run.read_spec().gpu else "cpu")

    def _arrived(self, leg: Leg) -> Run:
        self._registry.set_leg(self._run.run, leg)
        run = self._registry.move(self._run.run, State.QUEUED)
        self._tell(Changed(run.run, str(run.state), url=run.url))
        return run


def _grace() -> float:
    text = os.environ.get(_GRACE) or "60"
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{_GRACE} is {text!r}, which is no number of seconds") from None
