"""The work tree as a commit, made with a temporary index: the user's index, HEAD, stash and hooks stay as they are."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from containerid.errors import GitError
from containerid.git.plumbing import Plumbing, as_bytes, as_path
from containerid.git.worktree import Changes

Mode = Literal["branch", "snapshot", "clean"]
"""`branch`: commit onto the user's branch and push it. `snapshot`: never touch the branch. `clean`: HEAD or nothing."""

_NOBODY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "containerid"), ("EMAIL", "containerid@localhost"))
}


@dataclass(frozen=True, slots=True)
class Index:
    """An index that lists a snapshot, and what the user's own one listed when it was copied.

    Attributes:
        entries: the user's index then, as git lists it; what is cached about files is left out.
        content: the file of the snapshot's index.
        modified: its modification time in nanoseconds, by which git tells which entries it may trust.
    """

    entries: bytes
    content: bytes
    modified: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The commit that holds the work tree as it was.

    Attributes:
        sha: the commit, 40 hex digits.
        tree: its tree.
        parent: what HEAD was; empty before the first commit. Equals `sha` when there was nothing to commit.
        branch: the branch it was taken from; empty when detached.
        message: of the commit.
        created: a commit was made; otherwise HEAD already held all there is.
        changes: what the work tree held that HEAD did not.
        index: for a created one: the index to install once the branch has moved to it.
    """

    sha: str
    tree: str
    parent: str
    branch: str
    message: str
    created: bool
    changes: Changes
    index: Index | None = field(default=None, repr=False)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What it leaves out though it lies in the work tree, each one sentence."""
        return tuple(f"{path} is a git repository of its own, and is not carried" for path in self.changes.nested)


def take(plumbing: Plumbing, changes: Changes, message: str, *, mode: Mode, when: str = "") -> Snapshot:
    """Commit the work tree to no branch, at the time `when`.

    Raises:
        GitError: there is nobody to commit as in `branch` mode, the tree is not clean in `clean` mode, or git failed.
    """
    head = plumbing.line("rev-parse", "HEAD^{tree}") if changes.head else ""
    if mode == "clean":
        _refuse_dirty(changes)
        return Snapshot(changes.head, head, changes.head, changes.branch, message, created=False, changes=changes)
    index, tree = _write(plumbing, changes)
    if tree == head:
        return Snapshot(changes.head, tree, changes.head, changes.branch, message, created=False, changes=changes)
    parents = ["-p", changes.head] if changes.head else []
    sha = plumbing.run(
        "commit-tree", tree, *parents, "-F", "-",
        stdin=f"{message.strip()}\n".replace("\0", "").encode("utf-8", "replace"),
        environment=identity(plumbing, mode) | ({"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if when else {}),
    )  # fmt: skip
    return Snapshot(sha.decode().strip(), tree, changes.head, changes.branch, message, True, changes, index)


def adopt(plumbing: Plumbing, snapshot: Snapshot, *, run: str) -> tuple[bool, str]:
    """Move the snapshot's branch to it, and the index with it, so that the next commit undoes nothing.

    Returns:
        Whether the branch moved, and what the user should know; empty when all is well.
    """
    branch = f"refs/heads/{snapshot.branch}"
    with index_lock(index_file(plumbing)) as lock:
        here = plumbing.ask("symbolic-ref", "-q", "HEAD").text == branch
        fresh = lock and snapshot.index and plumbing.run(*_LISTING) == snapshot.index.entries
        if not plumbing.ask("update-ref", "-m", f"cid: run {run}", branch, snapshot.sha, _before(snapshot)).good:
            return False, (
                f"{snapshot.branch} moved while {snapshot.sha[:7]} was pushed, and stays where it is now: "
                "git pull brings the pushed commit"
            )
        if here and fresh and lock and snapshot.index:
            _install(lock, snapshot.index, index_file(plumbing))
    return True, "" if fresh or not here else (
        f"{snapshot.branch} moved to {snapshot.sha[:7]}, but your index was changed or locked meanwhile and was left "
        "alone: run git reset -q before your next commit, or it will undo this one (your files stay as they are)"
    )


def lags(plumbing: Plumbing) -> bool:
    """Whether the index lists what was there before a commit of cid's, which a kill between the two leaves behind.

    Its next commit would undo that one, while the files themselves are as the branch has them.
    """
    if not plumbing.ask("reflog", "-1", "--format=%gs", "HEAD").text.startswith("cid: run "):
        return False
    staged = set(as_path(plumbing.run("diff-index", "--cached", "--name-only", "-z", "HEAD")).split("\0")) - {""}
    if not staged:
        return False
    with temporary_index() as environment:
        plumbing.run("read-tree", "HEAD", environment=environment)
        plumbing.ask("update-index", "-q", "--refresh", environment=environment)
        changed = as_path(plumbing.run("diff-files", "--name-only", "-z", environment=environment)).split("\0")
    return staged.isdisjoint(changed)


def index_file(plumbing: Plumbing) -> Path:
    """The user's index; it need not exist."""
    return plumbing.root / plumbing.line("rev-parse", "--git-path", "index")


@contextmanager
def temporary_index(source: Path | None = None) -> Iterator[dict[str, str]]:
    """The environment in which git uses an index of its own: a copy, or an empty one."""
    with tempfile.TemporaryDirectory(prefix="cid-index-") as folder:
        path = Path(folder, "index")
        if source and source.exists():
            shutil.copy2(source, path)  # with its time: git trusts entries that are older than the index
        yield {"GIT_INDEX_FILE": str(path)}


def _write(plumbing: Plumbing, changes: Changes) -> tuple[Index, str]:
    with temporary_index(index_file(plumbing)) as environment:
        entries = plumbing.run(*_LISTING, environment=environment)
        plumbing.run("add", "-u", environment=environment)
        if changes.untracked:
            listed = as_bytes("".join(f"{path}\0" for path in changes.untracked))
            plumbing.run("update-index", "--add", "--remove", "-z", "--stdin", stdin=listed, environment=environment)
        tree = plumbing.line("write-tree", environment=environment)
        path = Path(environment["GIT_INDEX_FILE"])
        content, modified = (path.read_bytes(), path.stat().st_mtime_ns) if path.exists() else (b"", 0)
        return Index(entries, content, modified), tree


_LISTING = ("ls-files", "--stage", "-v", "-z")


def _refuse_dirty(changes: Changes) -> None:
    if not changes.head:
        raise GitError("there is no commit yet", hint="git add -A && git commit")
    if not changes.clean:
        raise GitError(
            f"the work tree is not clean: {changes.staged} staged, {changes.unstaged} unstaged, "
            f"{len(changes.untracked)} untracked",
            hint="commit them, or ship them as they are with --git snapshot",
        )


def identity(plumbing: Plumbing, mode: Mode) -> dict[str, str]:
    """The variables in which git knows who commits; empty when it knows by itself.

    Raises:
        GitError: it does not, and the commit is for the user's own branch.
    """
    asked = (
        plumbing.ask("-c", "user.useConfigOnly=true", "var", f"GIT_{role}_IDENT") for role in ("AUTHOR", "COMMITTER")
    )
    if all(answer.good for answer in asked):
        return {}
    if mode == "branch":
        raise GitError(
            "git does not know who you are, so it cannot commit onto your branch",
            hint='git config --global user.name "Your Name" && git config --global user.email you@example.com',
        )
    return _NOBODY


@contextmanager
def index_lock(index: Path) -> Iterator[Path | None]:
    """Hold git's own lock of the index; None when somebody else does."""
    lock = index.with_name(f"{index.name}.lock")
    try:
        held = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except OSError:
        yield None
        return
    try:
        yield lock
    finally:
        # once installed, the lock is the index, and a file of that name is somebody else's lock
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), lock.stat()):
                lock.unlink()
        os.close(held)


def _before(snapshot: Snapshot) -> str:
    """The value that the branch must still have; zeros say that it must not exist."""
    return snapshot.parent or "0" * len(snapshot.sha)


def _install(lock: Path, index: Index, place: Path) -> None:
    lock.write_bytes(index.content)
    if place.exists():
        shutil.copymode(place, lock)
    os.utime(lock, ns=(index.modified, index.modified))
    lock.replace(place)
