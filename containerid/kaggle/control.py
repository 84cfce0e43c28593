"""How a session is stopped from outside: by a wish that it looks for, by its id, or with its kernel.

Kaggle tells nobody the id of a session that was pushed, but the session itself (Kaggle/kaggle-cli#1170), which says it
in its log. Neither the wish nor the id needs a secret in the kernel.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.errors import CidError, GitError, NotFound, Refused, Unreachable
from containerid.events import Caution, LogLine, Step
from containerid.home import Home
from containerid.job import Leg, Spec, State, Tell
from containerid.kaggle import kernel
from containerid.kaggle.account import Account
from containerid.kaggle.scratch import scratch

if TYPE_CHECKING:
    from containerid.git import Remote, Repository

SESSION_MARK = "CID_SESSION "
"""What a session says about itself: `id`, and on which channels it `hears`."""

EVERY = 30.0
"""Seconds between two looks of a kernel for a wish to stop."""

PATIENCE = 120.0
"""Seconds that a training with a checkpoint has to pause before it is ended."""

_HEAD = 500
"""Lines of a log in which a session must have said who it is."""


def mark(run: str, leg: int) -> str:
    """The ref on the code's remote whose existence is the wish: one a session, so that the next leg is not stopped."""
    return f"refs/cid/ctl/{run}" + (f"-l{leg}" if leg > 1 else "")


def dataset(owner: str, run: str, leg: int) -> str:
    """The dataset whose existence is the wish."""
    return f"{owner}/cid-control-{sha256(f'{run} {leg}'.encode()).hexdigest()[:12]}"


def address(owner: str, spec: Spec) -> dict[str, Any] | None:
    """What the kernel of a run is told about where to look; None when it could not look anywhere."""
    if not spec.internet:
        return None
    names = {"ref": mark(spec.run, spec.leg), "dataset": dataset(owner, spec.run, spec.leg)}
    return {**names, "every": EVERY, "patience": PATIENCE}


@dataclass(frozen=True, slots=True)
class Told:
    """What a session said about itself.

    Attributes:
        id: by which Kaggle stops it; None while it did not say.
        hears: the channels that work for it: `git`, `dataset`; None while it did not say.
    """

    id: int | None = None
    hears: tuple[str, ...] | None = None


def listen(lines: Iterable[LogLine]) -> Told:
    """What the head of a session's log tells about it."""
    told = Told()
    for line in islice(lines, _HEAD):
        with suppress(ValueError, TypeError, AttributeError):
            if line.text.startswith(SESSION_MARK):
                said = json.loads(line.text.removeprefix(SESSION_MARK))
                hears = said.get("hears")
                told = Told(said.get("id", told.id), told.hears if hears is None else tuple(map(str, hears)))
        if told.id is not None and told.hears is not None:
            break
    return told


class Control:
    """Stops sessions of one account.

    Args:
        account: whose.
        home: for a file on its way.
    """

    def __init__(self, account: Account, home: Home) -> None:
        self._account = account
        self._home = home

    def ask(self, spec: Spec, leg: Leg, folder: Path, tell: Tell) -> str:
        """Let a session find the wish that it stop; it keeps its checkpoint.

        Args:
            spec: of the run.
            leg: its session.
            folder: of its project here, whose remote may carry the wish.
            tell: gets the steps.

        Returns:
            The channel, for the eye.

        Raises:
            Refused: it hears nothing.
        """
        if not spec.internet:
            raise Refused("a run without internet hears nobody")
        hears = self._told(leg).hears
        reasons = [] if hears is None or hears else ["it said that it hears nobody"]
        for name, put in (("git", self._ask_by_ref), ("dataset", self._ask_by_dataset)):
            if hears is None or name in hears:
                try:
                    return put(spec, folder, sure=hears is not None, tell=tell)
                except CidError as error:
                    reasons.append(error.message)
        raise Refused("; ".join(reasons))

    def _ask_by_ref(self, spec: Spec, folder: Path, *, sure: bool, tell: Tell) -> str:
        from containerid.git import Repository, anonymously_readable

        repository = Repository.open(folder)
        remote = remote_of(repository, folder)
        if not spec.code.remote or remote is None or remote.public != spec.code.remote:
            raise GitError("the run reads no remote of this repository")
        if not sure and (remote.local or not anonymously_readable(remote.public)):
            raise GitError(f"a kernel cannot read {remote.label} without a secret")
        ref = mark(spec.run, spec.leg)
        repository.mark(remote, ref, f"stop {spec.run}, leg {spec.leg}")
        tell(Step("asked", f"{ref} is on {remote.label}, where the run looks every {EVERY:.0f} s"))
        return f"the git ref {ref}"

    def _ask_by_dataset(self, spec: Spec, folder: Path, *, sure: bool, tell: Tell) -> str:
        del folder, sure
        name = dataset(self._account.owner, spec.run, spec.leg)
        with scratch(self._home) as place:
            file = place / "stop.json"
            when = datetime.now(UTC).isoformat(timespec="seconds")
            file.write_text(json.dumps({"run": spec.run, "leg": spec.leg, "asked": when}), encoding="ascii")
            if not self._account.datasets.state(name):
                self._account.datasets.put(name, [file], lambda _: None, notes=f"asks the run {spec.run} to stop")
        tell(Step("asked", f"the dataset {name} is there, for which the run looks every {EVERY:.0f} s"))
        return f"the dataset {name}"

    def end(self, leg: Leg, tell: Tell) -> None:
        """Have Kaggle stop a session, by the id that it said. Raises Refused: it said none, or Kaggle does not."""
        number = self._told(leg).id
        if number is None:
            by_hand = leg.url or f"{self._account.origin.pages}/code/{leg.handle}"
            raise Refused("the session did not say its id", hint=f"stop it, or delete the kernel, at {by_hand}")
        tell(Step("cancel", f"session {number} of {leg.handle}"))
        self._account.api.cancel(number)

    def delete(self, leg: Leg, run: str = "", number: int = 1) -> None:
        """Delete the kernel of a session, which stops it, with its log and its outputs.

        Args:
            leg: the session.
            run: whose kernel it must be, and nobody else's; empty for a foreign one.
            number: which leg of the run.

        Raises:
            Refused: it is kept for several runs.
            Unreachable: the answer was lost, and it is still there.
        """
        if run and leg.handle.partition("/")[2] != kernel.slug(run, number):
            raise Refused(f"{leg.handle} is kept for several runs, whose outputs would go with it")
        try:
            self._account.api.delete(leg.handle)
        except NotFound:
            return
        except Unreachable:
            with suppress(NotFound):
                self._account.api.get(leg.handle)
                raise

    def clear(self, spec: Spec, folder: Path, tell: Tell) -> None:
        """Take back the wish, once there is nobody left to hear it. What cannot be taken back, `cid gc` finds."""
        from containerid.git import Repository

        with suppress(CidError):
            name = dataset(self._account.owner, spec.run, spec.leg)
            if spec.internet and self._account.datasets.state(name):
                self._account.datasets.delete(name)
        if not spec.code.remote:
            return
        with suppress(CidError):
            repository, ref = Repository.open(folder), mark(spec.run, spec.leg)
            remote = remote_of(repository, folder)
            if remote and ref in repository.marks(remote) and (refusal := repository.unmark(remote, [ref])):
                tell(Caution(f"{ref} stays on {remote.label}: {refusal}"))

    def _told(self, leg: Leg) -> Told:
        from containerid.kaggle import stream

        try:
            if self._account.api.status(leg.handle, leg.version).state is State.QUEUED:
                return Told()
            return listen(stream.kept(self._account.listing, leg.handle, leg.version))
        except (NotFound, Refused, Unreachable):
            return Told()


def remote_of(repository: "Repository", folder: Path) -> "Remote | None":
    """The remote that the runs of a project go to, as its params.yaml may name it. Raises GitError: none is chosen."""
    from containerid import config

    preferred = ""
    with suppress(CidError):
        preferred = config.load(config.find(folder)).git.remote or ""
    return repository.remote(preferred)
