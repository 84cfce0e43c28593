"""Bringing a snapshot to the remote: the branch if it may move, else a ref of the run's own, else nowhere."""

import shlex
from dataclasses import dataclass

from containerid.errors import GitError
from containerid.git.plumbing import Plumbing
from containerid.git.remote import RUNS, Remote, holder, tips
from containerid.git.snapshot import Mode, Snapshot, adopt
from containerid.lonegit import refusal

_PUSHING = 900


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where a snapshot is now.

    Attributes:
        ref: the ref that holds it on the remote, proven after the push; empty when the archive alone carries it.
        moved: the user's branch moved to it.
        cautions: what went otherwise than asked, each one sentence.
    """

    ref: str
    moved: bool = False
    cautions: tuple[str, ...] = ()


def deliver(plumbing: Plumbing, snapshot: Snapshot, remote: Remote | None, *, run: str, mode: Mode) -> Pushed:
    """Push a snapshot as its mode says; a refusal is a caution and the next best way, never an error.

    Raises:
        GitError: the run's name cannot be a ref.
    """
    if not plumbing.ask("check-ref-format", f"{RUNS}{run}").good:
        raise GitError(f"{run!r} cannot be the name of a ref")
    if remote is None:
        return Pushed("", cautions=("there is no remote: the code travels in the archive alone",))
    wanted = f"refs/heads/{remote.branch}" if remote.branch else ""
    if not snapshot.created and (ref := _held(plumbing, remote, snapshot.sha, wanted)):
        return Pushed(ref)
    if mode == "snapshot":
        return _aside(plumbing, snapshot, remote, run)
    if not wanted:
        return _aside(plumbing, snapshot, remote, run, f"HEAD is detached: no branch moves; {_goes_on(run)}")
    return _forward(plumbing, snapshot, remote, run, wanted)


def _forward(plumbing: Plumbing, snapshot: Snapshot, remote: Remote, run: str, wanted: str) -> Pushed:
    if reason := _push(plumbing, remote, snapshot.sha, wanted):
        caution = f"{remote.label} refused {remote.branch} ({reason}): your branch stays where it is; {_goes_on(run)}"
        by_hand = f"by hand: {_recipe(snapshot, remote, reason)}"
        return _aside(plumbing, snapshot, remote, run, caution, by_hand)
    ref = _held(plumbing, remote, snapshot.sha, wanted)
    moved, caution = adopt(plumbing, snapshot, run=run) if snapshot.created and snapshot.branch else (False, "")
    return Pushed(ref, moved, (*_unproven(remote, ref), *filter(None, (caution,))))


def _aside(plumbing: Plumbing, snapshot: Snapshot, remote: Remote, run: str, *cautions: str) -> Pushed:
    if reason := _push(plumbing, remote, snapshot.sha, f"{RUNS}{run}"):
        nowhere = f"nothing could be pushed to {remote.label} ({reason}): the code travels in the archive alone"
        return Pushed("", cautions=(*cautions, nowhere))
    ref = _held(plumbing, remote, snapshot.sha, f"{RUNS}{run}")
    return Pushed(ref, cautions=(*cautions, *_unproven(remote, ref)))


def _push(plumbing: Plumbing, remote: Remote, sha: str, ref: str) -> str:
    """Why the remote did not take it; empty when it did. Never forced; the pre-push hook runs, as LFS needs it."""
    answer = plumbing.ask(
        "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60",
        "push", "--porcelain", "--", remote.place, f"{sha}:{ref}",
        timeout=_PUSHING, hooks=True,
    )  # fmt: skip
    return "" if answer.good else refusal(answer.text, answer.complaint)


def _held(plumbing: Plumbing, remote: Remote, sha: str, first: str) -> str:
    try:
        return holder(plumbing, tips(plumbing, remote), sha, first=first)
    except GitError:
        return ""


def _unproven(remote: Remote, ref: str) -> tuple[str, ...]:
    return () if ref else (f"{remote.label} took the push, but does not show the commit: the archive carries the code",)


def _goes_on(run: str) -> str:
    return f"the run goes on from {RUNS}{run}"


def _recipe(snapshot: Snapshot, remote: Remote, reason: str) -> str:
    commit = f"git add -A && git commit -m {shlex.quote(snapshot.message)} && " if snapshot.created else ""
    place, branch = shlex.quote(remote.label), shlex.quote(remote.branch)
    if any(word in reason for word in ("fetch first", "non-fast-forward", "stale info")):
        return f"{commit}git pull --rebase {place} {branch} && git push {place} HEAD:{branch}"
    return f"{commit}git push {place} HEAD:{branch} (or to a branch of its own: HEAD:NAME)"
