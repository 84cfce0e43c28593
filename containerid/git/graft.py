"""A commit of a few files on top of HEAD and a tag for it, without what the user has changed, staged or left open."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from containerid.document import Document
from containerid.errors import GitError
from containerid.git import gate
from containerid.git.plumbing import Plumbing, as_path
from containerid.git.remote import Remote
from containerid.git.snapshot import Snapshot, identity, index_file, temporary_index
from containerid.git.worktree import read, refuse_unfinished
from containerid.lonegit import refusal

_PUSHING = 900
_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's name of the tree that holds nothing."""
_SIDE = "cid-index"
"""Beside the user's index: a file whose other name is the index's lock while we hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graft(Document):
    """A commit and a tag that no ref leads to yet.

    Attributes:
        sha: the commit; the parent where there was nothing to commit.
        parent: what HEAD was; empty before the first commit.
        branch: what is checked out.
        staged: path to the blob that the user's index is to list, once the branch has moved.
        tag: its name.
        mark: the id of the tag's object.
    """

    sha: str
    parent: str
    branch: str
    staged: dict[str, str]
    tag: str = ""
    mark: str = ""


def versions(plumbing: Plumbing, path: str) -> tuple[bytes | None, bytes | None]:
    """What HEAD and what the index hold under a path; None for nothing."""
    found = (plumbing.ask("cat-file", "blob", f"{place}:{path}") for place in ("HEAD", ""))
    head, index = (answer.output if answer.good else None for answer in found)
    return head, index


def ready(plumbing: Plumbing) -> str:
    """The branch that can take a commit.

    Raises:
        GitError: HEAD is detached, a merge or rebase is unfinished, or there is nobody to commit as.
    """
    refuse_unfinished(plumbing, read(plumbing, ()))
    identity(plumbing, "branch")
    branch = plumbing.ask("symbolic-ref", "-q", "--short", "HEAD").text
    if not branch:
        raise GitError("HEAD is detached: a promoted model needs a branch", hint="git switch BRANCH")
    return branch


def commit(plumbing: Plumbing, files: Mapping[str, tuple[bytes, bytes]], message: str) -> Graft:
    """Commit files on top of HEAD.

    Args:
        plumbing: of the repository.
        files: path to its content in the commit, and in the user's index, which may hold more than HEAD.
        message: of the commit.

    Raises:
        GitError: see `ready`.
    """
    branch = ready(plumbing)
    parent = plumbing.ask("rev-parse", "-q", "--verify", "HEAD").text
    blobs = {path: tuple(_blob(plumbing, each) for each in contents) for path, contents in files.items()}
    staged = {path: index for path, (_, index) in blobs.items()}
    tree = _tree(plumbing, parent, {path: head for path, (head, _) in blobs.items()})
    if parent and tree == plumbing.line("rev-parse", f"{parent}^{{tree}}"):
        return Graft(sha=parent, parent=parent, branch=branch, staged=staged)
    said = plumbing.run(
        "commit-tree", tree, *(["-p", parent] if parent else []), "-F", "-",
        stdin=f"{message.strip()}\n".encode(),
    )  # fmt: skip
    return Graft(sha=said.decode().strip(), parent=parent, branch=branch, staged=staged)


def _blob(plumbing: Plumbing, content: bytes) -> str:
    # gitpython hands over nothing at all for an empty stdin, which git reads as an empty file
    return as_path(plumbing.run("hash-object", "-w", "--stdin", stdin=content)).strip()


def _tree(plumbing: Plumbing, parent: str, blobs: Mapping[str, str]) -> str:
    with temporary_index() as environment:
        if parent:
            plumbing.run("read-tree", parent, environment=environment)
        _list(plumbing, blobs, environment)
        return plumbing.line("write-tree", environment=environment)


def _list(plumbing: Plumbing, blobs: Mapping[str, str], environment: Mapping[str, str]) -> None:
    rows = "".join(f"100644 {blob}\t{path}\0" for path, blob in blobs.items())
    plumbing.run("update-index", "-z", "--index-info", stdin=rows.encode(), environment=environment)


def annotate(plumbing: Plumbing, graft: Graft, tag: str, message: str) -> Graft:
    """Make an annotated tag for a commit, as an object that no ref leads to.

    Raises:
        GitError: the name cannot be a tag's, or is taken.
    """
    if not plumbing.ask("check-ref-format", f"refs/tags/{tag}").good:
        raise GitError(f"{tag!r} cannot be the name of a tag")
    if plumbing.ask("rev-parse", "-q", "--verify", f"refs/tags/{tag}").good:
        raise GitError(f"the tag {tag} is there already", hint=f"git show {tag}")
    tagger = plumbing.line("var", "GIT_COMMITTER_IDENT")
    header = f"object {graft.sha}\ntype commit\ntag {tag}\ntagger {tagger}\n\n"
    mark = plumbing.run("mktag", stdin=f"{header}{message.strip()}\n".encode()).decode().strip()
    return replace(graft, tag=tag, mark=mark)


def check(plumbing: Plumbing, graft: Graft, remote: Remote, allow: tuple[str, ...]) -> None:
    """Look for secrets in every object that the push would bring to the remote.

    Raises:
        SecretFound: there are some.
    """
    made = graft.sha != graft.parent
    # no archive leaves, so no tree is looked through but what is new in it
    changes = read(plumbing, ())
    snapshot = Snapshot(graft.sha, _EMPTY, graft.parent, graft.branch, "", created=made, changes=changes)
    gate.check(plumbing, snapshot, remote, allow=allow, exclude=())


def publish(plumbing: Plumbing, graft: Graft, remote: Remote) -> None:
    """Push the commit to the branch, where there is one, and the tag with it: both or neither.

    Raises:
        GitError: the remote took neither.
    """
    branch = [f"{graft.sha}:refs/heads/{remote.branch or graft.branch}"] if graft.branch else []
    answer = plumbing.ask(
        "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60",
        "push", "--porcelain", "--atomic", "--", remote.place, *branch, f"{graft.mark}:refs/tags/{graft.tag}",
        timeout=_PUSHING, hooks=True,
    )  # fmt: skip
    if not answer.good:
        reason = refusal(answer.text, answer.complaint)
        hint = f"git pull --rebase {remote.name}".strip() + ", then the same command; or --no-push"
        raise GitError(f"{remote.label} did not take {graft.branch} and {graft.tag}: {reason}", hint=hint)


def point(plumbing: Plumbing, graft: Graft) -> bool:
    """Move the branch to the commit and make the tag, both or neither; whether they are there now."""
    before = graft.parent or "0" * len(graft.sha)
    moved = [f"update refs/heads/{graft.branch} {graft.sha} {before}"] if graft.sha != graft.parent else []
    lines = "".join(f"{line}\n" for line in [*moved, f"create refs/tags/{graft.tag} {graft.mark}"])
    plumbing.ask("update-ref", "-m", f"cid: {graft.tag}", "--stdin", stdin=lines.encode())
    return pointed(plumbing, graft)


def pointed(plumbing: Plumbing, graft: Graft) -> bool:
    """The tag is there and is ours."""
    return plumbing.ask("rev-parse", "-q", "--verify", f"refs/tags/{graft.tag}").text == graft.mark


def enlist(plumbing: Plumbing, graft: Graft) -> bool:
    """Let the user's index list what was committed, and else what it listed; whether that was possible.

    Where another branch is checked out by now, nothing is to be done.
    """
    if plumbing.ask("symbolic-ref", "-q", "--short", "HEAD").text != graft.branch:
        return True
    index = index_file(plumbing)
    unlock(plumbing)
    with _held(index) as mine:
        if mine is None:
            return False
        if index.exists():
            shutil.copy2(index, mine)
        _list(plumbing, graft.staged, {"GIT_INDEX_FILE": str(mine)})
        mine.replace(index)
    return True


@contextmanager
def _held(index: Path) -> Iterator[Path | None]:
    # The lock is a second name of a file of ours, so that whoever comes after a kill knows whose lock it is.
    side, lock = _sides(index)
    side.touch()
    try:
        os.link(side, lock)
    except FileExistsError:
        side.unlink()
        yield None
        return
    try:
        yield index.with_name(f"{_SIDE}.new")
    finally:
        lock.unlink()
        side.unlink()


def unlock(plumbing: Plumbing) -> None:
    """Take away the lock of the index that a killed process of ours has left."""
    index = index_file(plumbing)
    side, lock = _sides(index)
    with suppress(FileNotFoundError):
        if side.samefile(lock):
            lock.unlink()
    for each in index.parent.glob(f"{_SIDE}*"):
        each.unlink(missing_ok=True)


def _sides(index: Path) -> tuple[Path, Path]:
    return index.with_name(_SIDE), index.with_name(f"{index.name}.lock")
