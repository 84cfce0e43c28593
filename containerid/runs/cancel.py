"""Stop a run: asked first, so that it keeps a checkpoint; then ended by its platform; deleted only when told to."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from containerid.backends import entry, open_backend
from containerid.clock import Clock
from containerid.errors import CidError, Detached, NotFound, Refused, StillRunning, Unreachable, UsageError
from containerid.events import Step
from containerid.home import Home
from containerid.job import Leg, Spec, State, Tell
from containerid.platform import Backend
from containerid.runs import legs
from containerid.runs.find import name_of
from containerid.runs.intents import UNSENT
from containerid.runs.lock import locked
from containerid.runs.registry import Registry, Run
from containerid.runs.watch import look

PATIENCE = 240.0
"""Seconds that a run has to end by itself after it was asked to: to hear it, to pause, and for Kaggle to notice."""

_ENDING = 120.0
"""Seconds that a platform has to end a session after it took the order."""


_DELETED = "was deleted"
"""What the history of a run says of its kernel, here and where `cid gc` takes it."""


def deleted(run: Run, registry: Registry) -> str:
    """What the history says about the deletion of a run's kernel; empty while cid has not deleted it."""
    said = [reason for _, reason, _ in registry.transitions(run.run)] if run.ours else []
    return next((reason for reason in reversed(said) if _DELETED in reason and run.handle in reason), "")


class Control(Protocol):
    """The ways to stop a session on a platform; see `containerid.kaggle.control`."""

    def ask(self, spec: Spec, leg: Leg, folder: Path, tell: Tell) -> str:
        """Let it find the wish that it stop; the channel. Raises Refused: it hears nothing."""

    def end(self, leg: Leg, tell: Tell) -> None:
        """Have the platform stop it. Raises Refused: it cannot."""

    def delete(self, leg: Leg, run: str = "", number: int = 1) -> None:
        """Remove it with all that it left. Raises Refused: that is not its alone."""

    def clear(self, spec: Spec, folder: Path, tell: Tell) -> None:
        """Take back the wish."""


@runtime_checkable
class Controlled(Protocol):
    """A backend that can do more than `Backend.cancel`."""

    control: Any


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a run was stopped.

    Attributes:
        run: as it stands now.
        how: `asked`, `signal`, `session`, `deleted`, `unsent`; `ended` when it had ended before.
        detail: the same for the eye.
    """

    run: Run
    how: str
    detail: str

    def document(self) -> dict[str, Any]:
        """As JSON: the run's document and how it was stopped."""
        return {**self.run.document(), "stopped": {"how": self.how, "detail": self.detail}}


def cancel(
    run: Run, *, home: Home, tell: Tell | None = None, patience: float = PATIENCE, clock: Clock | None = None
) -> Stopped:
    """Stop a run, as gently as it lets itself be stopped.

    Args:
        run: of the registry, or a foreign kernel as `find` gives it.
        home: the user's folder.
        tell: gets the steps.
        patience: seconds that it has to end by itself after it was asked to; 0 does not ask.
        clock: for the waits.

    Raises:
        Refused: nothing worked; the hint says what to do by hand.
        StillRunning: it was asked, or its end was ordered, and it has not ended yet.
    """
    tell, clock = tell or (lambda _: None), clock or Clock()
    if run.ours and not run.handle and (run.state in UNSENT or not run.state.final):
        run, found = _withdraw(run, home)
        if not found:
            return Stopped(run, "unsent", "nothing of it had been sent")
    if not run.handle:
        return Stopped(run, "ended", f"it was {run.state} already")
    return _Stopping(run, home, tell, patience, clock).go()


def _withdraw(run: Run, home: Home) -> tuple[Run, bool]:
    """Take back a run that was not sent; or find that it has arrived all the same."""

    def busy() -> None:
        raise Refused(f"another cid is submitting {run.run}", hint="Ctrl-C there, then the same command again")

    registry = Registry(home.registry)
    with locked(home.parcel(run.run) / "submit.lock", busy):
        run = registry.get(run.run)
        if run.state is State.SUBMITTING and (leg := open_backend(run.backend, home).find(run.read_spec())):
            registry.set_leg(run.run, leg)
            return registry.move(run.run, State.QUEUED), True
        if run.handle or run.state.final:
            return run, bool(run.handle)
        if run.legs:
            before = replace(run, state=State(run.legs[-1]["state"]))
            legs.back_out(registry, before, f"leg {len(run.legs) + 1} was cancelled before it was sent")
            return registry.get(run.run), False
        return registry.move(run.run, State.CANCELLED, "cancelled before it was sent"), False


class _Stopping:
    """One run that is being stopped."""

    def __init__(self, run: Run, home: Home, tell: Tell, patience: float, clock: Clock) -> None:
        self._run = run
        self._home = home
        self._tell = tell
        self._patience = patience
        self._clock = clock
        self._backend: Backend = open_backend(run.backend, home)
        self._reasons: list[str] = []
        self._asked = False
        self._others = ""

    def go(self) -> Stopped:
        try:
            return self._go()
        except KeyboardInterrupt:
            if not self._asked:
                raise
            name = name_of(self._run)
            raise Detached(f"left; the wish stands: {name} will stop", hint=f"cid status {name}") from None

    def _go(self) -> Stopped:
        if self._is_over():
            run = self._see()
            return Stopped(run, "ended", f"it had ended before: {run.state}")
        with ExitStack() as held:
            if self._run.ours:
                self._others = _hold(held, self._home.parcel(self._run.run) / "cancel.lock")
            return self._stop()

    def _stop(self) -> Stopped:
        if not isinstance(self._backend, Controlled):
            return self._signal()
        control: Control = self._backend.control
        if self._patience > 0 and self._run.ours and (channel := self._ask(control)):
            return self._done("asked", f"asked over {channel}", control)
        try:
            control.end(self._run.leg, self._tell)
        except (Refused, NotFound) as error:
            raise self._refusal(error) from error
        if self._ends(_ENDING):
            return self._done("session", "by its session's id", control)
        raise StillRunning(
            f"the end of {self._run.run} was ordered, and it goes on", hint=f"cid status {self._run.run}"
        )

    def _signal(self) -> Stopped:
        self._backend.cancel(self._run.leg)
        if not self._ends(max(self._patience, _ENDING)):
            raise StillRunning(f"{self._run.run} was told to stop, and goes on", hint=f"cid status {self._run.run}")
        return self._done("signal", "SIGTERM", None)

    def _ask(self, control: Control) -> str:
        """The channel over which it was asked, once it has ended; empty when it cannot be asked, or did not end."""
        try:
            channel = control.ask(self._run.read_spec(), self._run.leg, Path(self._run.folder), self._tell)
        except CidError as error:
            self._reasons.append(f"it cannot be asked ({error.message})")
            return ""
        self._asked = True
        if self._backend.status(self._run.leg).state is State.QUEUED:
            raise StillRunning(
                f"{self._run.run} waits for a machine, and stops when it gets one: asked over {channel}",
                hint=f"cid cancel {self._run.run} --delete removes it now",
            )
        if self._ends(self._patience):
            return channel
        self._reasons.append(f"asked over {channel}, it did not end within {self._patience:g} s")
        self._tell(Step("no answer", self._reasons[-1]))
        return ""

    def _refusal(self, error: CidError) -> Refused:
        name = name_of(self._run)
        delete = f"cid cancel {name} --delete, which loses its outputs"
        told = "; ".join([*self._reasons, error.message])
        return Refused(f"{name} was not stopped: {told}", hint=f"{delete}; {error.hint}" if error.hint else delete)

    def _is_over(self) -> bool:
        try:
            return self._backend.status(self._run.leg).state.final
        except NotFound:
            return True

    def _ends(self, seconds: float) -> bool:
        row = entry(self._run.backend)
        for _ in self._clock.polls(first=row.first, cap=min(row.cap, 15.0), limit=seconds):
            with suppress(Unreachable):
                if self._is_over():
                    return True
        return False

    def _see(self) -> Run:
        with suppress(Unreachable):
            return look(self._run, home=self._home, tell=self._tell)
        return self._run

    def _done(self, how: str, detail: str, control: Control | None) -> Stopped:
        run = self._see()
        if control is not None and run.ours:
            control.clear(run.read_spec(), Path(run.folder), self._tell)
        return Stopped(run, how, detail + self._others)


def _hold(held: ExitStack, lock: Path) -> str:
    """Be the one who stops the run; what else is to be said when another is at it."""

    def busy() -> None:
        raise BlockingIOError

    try:
        held.enter_context(locked(lock, busy))
    except BlockingIOError:
        return "; another cid was stopping it too, and either may have done it"
    return ""


def _must_exist(run: Run, backend: Backend) -> None:
    """Kaggle says of a kernel that is not there that nobody may delete it."""
    try:
        backend.status(run.leg)
    except NotFound as error:
        raise NotFound(f"there is no kernel {run.handle}", hint="cid ls") from error


def delete(run: Run, *, home: Home, tell: Tell | None = None) -> Stopped:
    """Delete the kernel of a run, which stops it and its billing, with its log and its outputs.

    Raises:
        UsageError: it has none.
        NotFound: a foreign kernel that its platform does not know.
        Refused: the kernel is kept for several runs, or Kaggle does not delete it.
    """
    tell = tell or (lambda _: None)
    backend = open_backend(run.backend, home)
    if not run.handle or not isinstance(backend, Controlled):
        raise UsageError(f"{run.run} has no kernel", hint=f"cid cancel {run.run}")
    if not run.ours:
        _must_exist(run, backend)
    number = run.read_spec().leg if run.ours else 1
    backend.control.delete(run.leg, run.run if run.ours else "", number)
    detail = f"the kernel {run.handle} {_DELETED}"
    if not run.ours:
        return Stopped(replace(run, state=State.CANCELLED, reason=detail), "deleted", detail)
    registry = Registry(home.registry)
    if run.state.final:
        with registry.writing():
            registry.note(run.run, run.state, detail)
    else:
        run = registry.move(run.run, State.CANCELLED, detail)
    backend.control.clear(run.read_spec(), Path(run.folder), tell)
    return Stopped(run, "deleted", detail)
