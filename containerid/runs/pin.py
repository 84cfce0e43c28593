"""Pin the code of a run: a commit of the work tree, gated, packed for the journey, and brought to the remote.

All but the last step stays on this machine, so that a plan can be shown, and declined, before anything has left.
"""

import io
import tarfile
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.errors import GitError
from containerid.events import Caution, Step
from containerid.home import keep
from containerid.job import Code
from containerid.runs import foresight
from containerid.runs.draft import Draft
from containerid.runs.lock import locked

if TYPE_CHECKING:
    from containerid.git import Remote, Repository, Snapshot

ARCHIVE = "code.tar.xz"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Code that is ready to leave.

    Attributes:
        snapshot: the commit; None outside git.
        code: as the spec names it, before it is known where the remote holds it and how it travels.
        remote: where it will be pushed; None when there is none.
        place: which ref there takes it if all goes well; empty when there is no remote.
        size: bytes of the archive, which lies in the parcel; 0 where the work tree is used in place.
    """

    snapshot: "Snapshot | None"
    code: Code
    remote: "Remote | None" = None
    place: str = ""
    size: int = 0


def snapshot(draft: Draft) -> "Snapshot | None":
    """The work tree as a commit that no ref names. The same run has the same commit, however often it is begun.

    Returns:
        None for a folder in no git repository, which only a local run can come from.

    Raises:
        GitError: the work tree cannot be shipped as it is.
        UsageError: it lacks a file that the parameters name.
    """
    from containerid.git import Repository

    in_place = not draft.backend.embed_limit
    try:
        repository = Repository.open(draft.folder)
    except GitError:
        if in_place:
            return None
        raise
    taken = repository.snapshot(
        draft.request.message or f"cid: {draft.run}",
        mode="snapshot" if in_place else draft.mode,
        allow=("**",) if in_place else draft.project.git.allow,
        when=datetime.fromisoformat(draft.created).astimezone().isoformat(timespec="seconds"),
    )
    if not in_place:
        foresight.shipped(draft, repository, taken.tree)
    return taken


def pack(draft: Draft, taken: "Snapshot | None") -> Pinned:
    """Look for what must not leave, and put the archive into the parcel.

    Raises:
        SecretFound: something would have left that must not.
    """
    from containerid.git import Repository

    if not draft.backend.embed_limit or taken is None:
        return _in_place(draft, taken)
    _tell_changes(draft, taken)
    repository = Repository.open(draft.folder)
    remote = repository.remote(draft.project.git.remote or "")
    kept = _kept_out(draft)
    repository.gate(taken, remote, allow=draft.project.git.allow, exclude=kept)
    archive = repository.archive(taken.tree, exclude=kept)
    keep(draft.home.parcel(draft.run) / ARCHIVE, archive.data)
    code = Code(
        sha=taken.sha,
        tree=taken.tree,
        carried_tree=archive.tree,
        branch=taken.branch,
        remote=remote.public if remote else "",
        digest=sha256(archive.data).hexdigest(),
        folder=repository.folder,
        holds_package=_holds_package(archive.data),
    )
    return Pinned(taken, code, remote, _place(draft, remote), len(archive.data))


def foreseen(draft: Draft, pinned: Pinned) -> Code:
    """The code as it will be when the push goes well."""
    return _travelling(draft, pinned, pinned.place) if pinned.size else pinned.code


def push(draft: Draft, pinned: Pinned) -> Code:
    """Bring the commit to the remote. What has changed since it was packed is packed, and looked through, again.

    Raises:
        GitError: `--transport fetch` was asked for, and no remote holds the code.
    """
    from containerid.git import Repository

    if not pinned.size:
        return pinned.code
    repository = Repository.open(draft.folder)
    name = sha256(bytes(repository.root.resolve())).hexdigest()[:24]
    with locked(draft.home.folder("locks") / name):
        taken = snapshot(draft)
        if taken is not None and taken.sha != pinned.code.sha:
            pinned = pack(draft, taken)
        return _travelling(draft, pinned, _deliver(draft, repository, pinned))


def _deliver(draft: Draft, repository: "Repository", pinned: Pinned) -> str:
    """The ref that holds the commit at the remote; empty when none does."""
    if pinned.snapshot is None:
        return ""
    pushed = repository.push(pinned.snapshot, run=draft.run, mode=draft.mode, remote=pinned.remote)
    for caution in pushed.cautions:
        draft.tell(Caution(caution))
    if draft.publish.asked and not pushed.ref:
        draft.tell(Caution(f"without the commit there, the run can push no model: later, cid promote {draft.run}"))
    held = f"held by {pushed.ref}" if pushed.ref else "in the archive alone"
    draft.tell(Step("code", f"{pinned.code.sha[:12]}, {held}"))
    return pushed.ref


def _tell_changes(draft: Draft, taken: "Snapshot") -> None:
    changes = taken.changes
    if not changes.clean:
        counts = f"{changes.staged} staged, {changes.unstaged} unstaged, {len(changes.untracked)} untracked"
        draft.tell(Step("work tree", counts))
    for caution in taken.cautions:
        draft.tell(Caution(caution))


def _place(draft: Draft, remote: "Remote | None") -> str:
    from containerid.git import RUNS

    if remote is None:
        return ""
    return f"refs/heads/{remote.branch}" if draft.mode == "branch" and remote.branch else f"{RUNS}{draft.run}"


def _travelling(draft: Draft, pinned: Pinned, ref: str) -> Code:
    """How the code travels: in the submit where it fits, else by git, else as a dataset."""
    from containerid.git import anonymously_readable

    code, transport = pinned.code, draft.request.transport
    if transport == "auto":
        fits = pinned.size <= draft.backend.embed_limit
        transport = "embed" if fits else "fetch" if ref and anonymously_readable(code.remote) else "dataset"
    if transport != "fetch":
        return replace(code, ref=ref, transport=transport)
    if not ref:
        raise GitError(
            "--transport fetch needs the code on a remote, and none holds it", hint="git remote add origin URL"
        )
    return replace(code, ref=ref, transport=transport, carried_tree=code.tree, digest="")


def _holds_package(archive: bytes) -> bool:
    """The project is containerid itself, as this repository is: then its own code runs on the far side."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return "containerid/training/__main__.py" in tar.getnames()


def _kept_out(draft: Draft) -> tuple[str, ...]:
    """What the archive leaves out: folders of images, which travel as data, and what `git.exclude` names."""
    places = (draft.params.data.path, draft.request.data)
    folders = [place for place in places if place and not Path(place).is_absolute() and (draft.folder / place).is_dir()]
    return (*folders, *draft.project.git.exclude)


def _in_place(draft: Draft, taken: "Snapshot | None") -> Pinned:
    """A run of this machine uses the work tree as it lies; the snapshot only names what that was."""
    folder = str(draft.folder.absolute())
    if taken is None:
        draft.tell(Caution("this folder is in no git repository, so the run cannot say which code made it"))
        return Pinned(None, Code(transport="worktree", folder=folder))
    code = Code(sha=taken.sha, tree=taken.tree, branch=taken.branch, transport="worktree", folder=folder)
    return Pinned(taken, code)
