"""The user's repository: look at it, commit the work tree to the side, keep secrets in, push, and pack an archive.

Everything runs through gitpython's `Repo.git`. Paths are relative to the repository's root unless said otherwise.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from containerid.errors import GitError
from containerid.git import archive as archives
from containerid.git import checkout, delivery, gate, graft, marks, tags, worktree
from containerid.git.archive import Archive
from containerid.git.delivery import Pushed
from containerid.git.graft import Graft
from containerid.git.marks import MODELS
from containerid.git.plumbing import Plumbing
from containerid.git.remote import RUNS, Remote, anonymously_readable, choose, holder, public_url, tips
from containerid.git.snapshot import Mode, Snapshot, lags, take
from containerid.git.tags import Tag
from containerid.git.worktree import Changes

__all__ = [
    "MODELS",
    "RUNS",
    "Archive",
    "Changes",
    "Graft",
    "Mode",
    "Pushed",
    "Remote",
    "Repository",
    "Snapshot",
    "Tag",
    "anonymously_readable",
    "public_url",
]

NEVER = (".cid", "runs")
"""Folders of the project whose untracked files no snapshot takes."""


class Repository:
    """The git repository that a project lies in.

    Attributes:
        root: the root of its work tree.
        folder: the project's folder inside it, POSIX; empty for the root.
    """

    def __init__(self, plumbing: Plumbing, folder: str) -> None:
        self._git = plumbing
        self.root = plumbing.root
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The repository of a project's folder, a linked work tree included.

        Raises:
            GitError: there is none, it has no work tree, git is missing or refuses it, or it names objects by SHA-256.
        """
        plumbing = Plumbing.at(folder)
        if plumbing.line("rev-parse", "--show-object-format") != "sha1":
            raise GitError("this repository names objects by SHA-256, which no host of code takes yet")
        inside = folder.resolve().relative_to(plumbing.root.resolve()).as_posix()
        return cls(plumbing, "" if inside == "." else inside)

    def changes(self, ignore: Sequence[str] = ()) -> Changes:
        """What the work tree holds that HEAD does not. Nothing is written, not even the index's cache.

        Args:
            ignore: folders beside NEVER, relative to the project's, whose untracked files do not count.
        """
        return worktree.read(self._git, archives.below(self.folder, (*NEVER, *ignore)))

    def snapshot(
        self,
        message: str,
        *,
        mode: Mode = "branch",
        ignore: Sequence[str] = (),
        allow: Sequence[str] = (),
        when: str = "",
    ) -> Snapshot:
        """Commit the work tree, without the index, HEAD, stash, refs or hooks noticing.

        Untracked files that are not ignored are part of it. Nothing is pushed and no ref is written.

        Args:
            message: of the commit.
            mode: see `Mode`.
            ignore: as in `changes`.
            allow: paths and globs of large or many files that may be taken all the same.
            when: the commit's time, ISO 8601; now when empty. With the same time, message and parent the same tree is
                the same commit, however often it is made.

        Raises:
            GitError: a merge or rebase is unfinished, a submodule is dirty, `clean` finds changes, or `branch` finds
                nobody to commit as.
            SecretFound: files are too large or too many.
        """
        changes = self.changes(ignore)
        worktree.refuse_unfinished(self._git, changes)
        worktree.refuse_large(self._git, changes, allow)
        return take(self._git, changes, message, mode=mode, when=when)

    def remote(self, preferred: str = "", environ: Mapping[str, str] = os.environ) -> Remote | None:
        """Where to push; None when there is no remote. See `containerid.git.remote.choose`."""
        branch = self._git.ask("symbolic-ref", "-q", "--short", "HEAD").text
        return choose(self._git, branch, preferred, environ)

    def gate(
        self, snapshot: Snapshot, remote: Remote | None, *, allow: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> int:
        """Look for secrets and large files in all that would leave: every new object of the push, and the archive.

        Args:
            snapshot: as taken.
            remote: None when nothing will be pushed.
            allow: `path`, `path:line`, a folder or a glob; from the root, as findings show them.
            exclude: as in `archive`.

        Returns:
            How many files were looked through.

        Raises:
            SecretFound: something was found; the message lists every finding.
        """
        excluded = archives.below(self.folder, exclude)
        return gate.check(self._git, snapshot, remote, allow=allow, exclude=excluded)

    def push(self, snapshot: Snapshot, *, run: str, mode: Mode, remote: Remote | None) -> Pushed:
        """Bring a snapshot to the remote; in `branch` mode, move the branch to it once the remote has it.

        A refusal is no error: the run goes on from a ref of its own, or from the archive alone, and a caution says so.
        Commit hooks do not run; the pre-push hook does.
        """
        return delivery.deliver(self._git, snapshot, remote, run=run, mode=mode)

    def lags(self) -> bool:
        """Whether a killed run moved the branch and left the index behind; `git reset -q` mends it."""
        return lags(self._git)

    def mark(self, remote: Remote, ref: str, message: str) -> None:
        """Make a ref of cid's own on a remote; see `containerid.git.marks.put`."""
        marks.put(self._git, remote, ref, message)

    def marks(self, remote: Remote) -> dict[str, str]:
        """The refs of cid's own on a remote: ref to object id. Raises GitError: it did not answer."""
        return marks.listed(self._git, remote)

    def unmark(self, remote: Remote, refs: Sequence[str]) -> str:
        """Delete refs of cid's own on a remote; why it refused, empty when it did not."""
        return marks.drop(self._git, remote, refs)

    def branch_of(self, remote: Remote, sha: str) -> str:
        """A branch or tag of the user's on the remote from which a commit can be reached; empty when there is none.

        Raises:
            GitError: it did not answer.
        """
        found = {ref: tip for ref, tip in tips(self._git, remote).items() if not ref.startswith(marks.OURS)}
        return holder(self._git, found, sha)

    def archive(self, tree: str, exclude: Sequence[str] = ()) -> Archive:
        """A tree as tar.xz: the same bytes for the same tree.

        Args:
            tree: of a snapshot.
            exclude: paths relative to the project's folder, as params.yaml names data; they stay here.
        """
        return archives.pack(self._git, tree, archives.below(self.folder, exclude))

    @property
    def store(self) -> Path:
        """Git's folder, which all work trees of the repository share."""
        return (self.root / self._git.line("rev-parse", "--git-common-dir")).resolve()

    def has(self, sha: str, remote: str = "", ref: str = "") -> bool:
        """Whether a commit is here, or can be had from a remote that held it under `ref`. No ref of ours is written."""
        return checkout.has(self._git, sha) or bool(remote and ref and checkout.bring(self._git, sha, remote, ref))

    def checkout(self, sha: str, folder: Path) -> None:
        """A commit in a new folder of its own; see `containerid.git.checkout.put`. Raises GitError."""
        checkout.put(self._git, sha, folder)

    def clear(self, folder: Path) -> None:
        """Take such a folder away again. Raises GitError when it stays."""
        checkout.remove(self._git, folder)

    def is_past(self, sha: str) -> bool:
        """Whether a commit is HEAD or one before it."""
        return self._git.ask("merge-base", "--is-ancestor", sha, "HEAD").good

    def tags(self) -> list[Tag]:
        """The annotated tags, the newest first."""
        return tags.listed(self._git)

    def tags_of(self, remote: Remote) -> dict[str, str]:
        """The names of the tags on a remote, as it says itself now, to their objects.

        Raises:
            GitError: it did not answer.
        """
        found = tips(self._git, remote)
        return {ref.removeprefix("refs/tags/"): sha for ref, sha in found.items() if ref.startswith("refs/tags/")}

    def read(self, revision: str, path: str) -> bytes | None:
        """A file as a commit or tag holds it; None when it does not."""
        answer = self._git.ask("cat-file", "blob", f"{revision}:{path}")
        return answer.output if answer.good else None

    def ignores(self, path: str) -> bool:
        """Whether git ignores a path that it does not track."""
        return self._git.ask("check-ignore", "-q", "--no-index", "--", path).good

    def versions(self, path: str) -> tuple[bytes | None, bytes | None]:
        """What HEAD and what the index hold under a path; None for nothing."""
        return graft.versions(self._git, path)

    def ready(self) -> str:
        """The branch that can take a commit.

        Raises:
            GitError: HEAD is detached, a merge or rebase is unfinished, or there is nobody to commit as.
        """
        return graft.ready(self._git)

    def graft(self, files: Mapping[str, tuple[bytes, bytes]], message: str) -> Graft:
        """Commit a few files on top of HEAD, to no branch; see `containerid.git.graft.commit`.

        Raises:
            GitError: as `ready`.
        """
        return graft.commit(self._git, files, message)

    def annotate(self, made: Graft, tag: str, message: str) -> Graft:
        """Make a tag for it, to which no ref leads yet. Raises GitError when the name is taken or is none."""
        return graft.annotate(self._git, made, tag, message)

    def publish(self, made: Graft, remote: Remote, allow: Sequence[str] = ()) -> None:
        """Push it with its tag, both or neither, after a look for secrets in all that the push would bring there.

        Raises:
            SecretFound: something was found; nothing was pushed.
            GitError: the remote took neither.
        """
        graft.check(self._git, made, remote, tuple(allow))
        graft.publish(self._git, made, remote)

    def adopt(self, made: Graft) -> bool:
        """Move the branch to it and make its tag, both or neither; whether they are there now."""
        return graft.pointed(self._git, made) or graft.point(self._git, made)

    def adopted(self, made: Graft) -> bool:
        """The tag is there and is ours."""
        return graft.pointed(self._git, made)

    def enlist(self, made: Graft) -> bool:
        """Let the user's index list it, beside what is staged; False when somebody else holds the index."""
        return graft.enlist(self._git, made)

    def unlock(self) -> None:
        """Take away the lock of the index that a killed process of ours has left."""
        graft.unlock(self._git)
