"""The user's repository: look at it, commit the work tree to the side, keep secrets in, push, and pack an archive.

Everything runs through gitpython's `Repo.git`. Paths are relative to the repository's root unless said otherwise.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from containerid.errors import GitError
from containerid.git import archive as archives
from containerid.git import delivery, gate, marks, worktree
from containerid.git.archive import Archive
from containerid.git.delivery import Pushed
from containerid.git.plumbing import Plumbing
from containerid.git.remote import RUNS, Remote, anonymously_readable, choose, holder, public_url, tips
from containerid.git.snapshot import Mode, Snapshot, take
from containerid.git.worktree import Changes

__all__ = [
    "RUNS",
    "Archive",
    "Changes",
    "Mode",
    "Pushed",
    "Remote",
    "Repository",
    "Snapshot",
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

    def holds(self, remote: Remote, sha: str) -> bool:
        """Whether the remote holds a commit, as it says itself now.

        Raises:
            GitError: it did not answer.
        """
        return bool(holder(self._git, tips(self._git, remote), sha))

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
        """A branch or tag on the remote from which a commit can be reached; empty when there is none.

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
