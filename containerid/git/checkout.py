"""A commit of the past in a work tree of its own, beside the user's, whose index, branch and files do not notice."""

from pathlib import Path

from containerid.errors import GitError
from containerid.git.plumbing import Plumbing, complaint


def has(plumbing: Plumbing, sha: str) -> bool:
    """The repository holds this commit."""
    return plumbing.ask("cat-file", "-e", f"{sha}^{{commit}}").good


def bring(plumbing: Plumbing, sha: str, place: str, ref: str) -> bool:
    """Fetch a ref that held the commit once, to no ref of ours; whether the commit is here now.

    Args:
        plumbing: of the repository.
        sha: the commit.
        place: the remote's name or URL.
        ref: as the run recorded it.
    """
    plumbing.ask("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", place, ref, timeout=120)
    return has(plumbing, sha)


def put(plumbing: Plumbing, sha: str, folder: Path) -> None:
    """Check a commit out into a new folder, on no branch.

    Raises:
        GitError: git did not.
    """
    answer = plumbing.ask("worktree", "add", "--quiet", "--detach", "--", str(folder), sha)
    if not answer.good:
        raise complaint(answer, f"{sha[:12]} cannot be checked out")


def remove(plumbing: Plumbing, folder: Path) -> None:
    """Take such a work tree away, with whatever lies in it. Raises GitError when it stays."""
    plumbing.ask("worktree", "remove", "--force", "--", str(folder))
    if folder.exists():
        raise GitError(f"{folder} stays", hint=f"git worktree remove --force {folder}")
