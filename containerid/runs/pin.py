"""Pin the code of a run: a commit of the work tree, gated, packed for the journey, and brought to the remote.

All but the last step stays on this machine, so that a plan can be shown, and declined, before anything has left.
"""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.errors import GitError
from containerid.events import Caution, Step
from containerid.home import keep
from containerid.job import Code
from containerid.runs.draft import Draft
from containerid.runs.lock import locked

if TYPE_CHECKING:
    from containerid.git import Remote, Repository, Snapshot

ARCHIVE = "code.tar.xz"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Code that is ready to leave.

    Attributes:
        code: as the spec names it; `ref` and with it the transport are as expected until it was pushed.
        archive: bytes of the archive, which lies in the parcel; 0 where the work tree is used in place.
    """

    code: Code
    archive: int = 0
    snapshot: "Snapshot | None" = None
    remote: "Remote | None" = None


def snapshot(draft: Draft) -> "Snapshot | None":
    """The work tree as a commit that no ref names. The same run has the same commit, however often it is begun.

    Returns:
        None for a folder in no git repository, which only a local run can come from.

    Raises:
        GitError: the work tree cannot be shipped as it is.
    """
    from containerid.git import Repository

    here = not draft.backend.embed_limit
    try:
        repository = Repository.open(draft.folder)
    except GitError:
        if here:
            return None
        raise
    return repository.snapshot(
        draft.request.message or f"cid: {draft.run}",
        mode="snapshot" if here else draft.mode,
        allow=("**",) if here else draft.project.git.allow,
        when=datetime.fromisoformat(draft.created).astimezone().isoformat(timespec="seconds"),
    )


def pack(draft: Draft, taken: "Snapshot | None") -> Pinned:
    """Look for what must not leave, and put the archive into the parcel.

    Raises:
        SecretFound: something would have left that must not.
    """
    from containerid.git import Repository

    if not draft.backend.embed_limit or taken is None:
        return _in_place(draft, taken)
    repository = Repository.open(draft.folder)
    _say(draft, taken)
    remote = repository.remote(draft.project.git.remote or "")
    kept = _kept_out(draft)
    repository.gate(taken, remote, allow=draft.project.git.allow, exclude=kept)
    archive = repository.archive(taken.tree, exclude=kept)
    keep(draft.home.parcel(draft.run) / ARCHIVE, archive.data)
    code = Code(
        sha=taken.sha,
        tree=taken.tree,
        branch=taken.branch,
        remote=remote.public if remote else "",
        ref=_expected(draft, remote),
        carried_tree=archive.tree,
        digest=sha256(archive.data).hexdigest(),
        folder=repository.folder,
        holds_package=_holds_package(archive.data),
    )
    return Pinned(_transported(draft, code, len(archive.data)), len(archive.data), taken, remote)


def push(draft: Draft, pinned: Pinned) -> Code:
    """Bring the commit to the remote. What has changed since it was packed is packed, and looked through, again.

    Returns:
        The code with the ref that holds it there, empty when the archive alone carries it.

    Raises:
        GitError: `--transport fetch` was asked for, and no remote holds the code.
    """
    from containerid.git import Repository

    if pinned.snapshot is None:
        return pinned.code
    repository = Repository.open(draft.folder)
    with locked(draft.home.folder("locks") / sha256(bytes(repository.root.resolve())).hexdigest()[:24]):
        taken = snapshot(draft)
        if taken is not None and taken.sha != pinned.code.sha:
            pinned = pack(draft, taken)
        ref = _deliver(draft, repository, pinned)
    code = replace(pinned.code, ref=ref, carried_tree=repository_tree(draft, pinned))
    return _transported(draft, code, pinned.archive)
