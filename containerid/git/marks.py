"""Refs of cid's own on a remote: those with the code of runs, those that ask one to stop, those of pushed models."""

from collections.abc import Sequence

from containerid.errors import GitError
from containerid.git.plumbing import Plumbing, complaint
from containerid.git.remote import Remote
from containerid.job import RESULTS

MODELS = f"refs/heads/{RESULTS}"
"""How the refs of branches begin that runs made themselves."""

OURS = ("refs/cid/", MODELS)
_ASKING = 30
_AUTHOR = {
    "GIT_AUTHOR_NAME": "cid",
    "GIT_AUTHOR_EMAIL": "cid@localhost",
    "GIT_COMMITTER_NAME": "cid",
    "GIT_COMMITTER_EMAIL": "cid@localhost",
}


def put(plumbing: Plumbing, remote: Remote, ref: str, message: str) -> None:
    """Make a ref on the remote that holds an empty commit: nothing of the user's leaves with it.

    Raises:
        GitError: the remote does not take it.
    """
    tree = plumbing.line("hash-object", "-t", "tree", "-w", "--stdin")
    commit = plumbing.line("commit-tree", "-m", message, tree, environment=_AUTHOR)
    answer = plumbing.ask("push", "--force", "--", remote.place, f"{commit}:{ref}", timeout=_ASKING)
    if not answer.good:
        raise GitError(f"{remote.label} takes no {ref}: {complaint(answer, 'no answer').message}")


def listed(plumbing: Plumbing, remote: Remote) -> dict[str, str]:
    """Cid's refs on the remote, as they are now: ref to object id.

    Raises:
        GitError: it did not answer.
    """
    answer = plumbing.ask("ls-remote", "--refs", "--", remote.place, *(f"{each}*" for each in OURS), timeout=_ASKING)
    if not answer.good:
        raise GitError(f"{remote.label} cannot be read: {complaint(answer, 'no answer').message}", retryable=True)
    rows = (line.split("\t", 1) for line in answer.text.splitlines() if "\t" in line)
    return {ref: sha for sha, ref in rows if ref.startswith(OURS)}


def drop(plumbing: Plumbing, remote: Remote, refs: Sequence[str]) -> str:
    """Delete refs of cid's on the remote; why it refused, empty when it did not."""
    if foreign := [ref for ref in refs if not ref.startswith(OURS)]:
        raise GitError(f"{foreign[0]} is not a ref of cid's")
    answer = plumbing.ask("push", "--", remote.place, *(f":{ref}" for ref in refs), timeout=_ASKING)
    return "" if answer.good else complaint(answer, "no answer").message
