"""What must not leave: looked for in every new object of the push, history included, and in the whole archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from containerid import secretscan
from containerid.errors import GitError
from containerid.git.archive import SUBMODULE, covered, entries
from containerid.git.plumbing import Plumbing, as_path
from containerid.git.remote import Remote, known, tips
from containerid.git.snapshot import Snapshot
from containerid.git.worktree import FILE_LIMIT, refuse_files
from containerid.secretscan import Finding, permitted

_COMMIT = "commit message"


@dataclass(frozen=True, slots=True)
class Blob:
    """An object that would leave: its id, its size in bytes, and a path that it has or had.

    Attributes:
        new: the remote, or whoever gets the archive, does not have it yet.
        past: only the history holds it.
    """

    blob: str
    size: int
    path: str
    new: bool
    past: bool


def check(
    plumbing: Plumbing, snapshot: Snapshot, remote: Remote | None, *, allow: Sequence[str], exclude: Sequence[str]
) -> int:
    """Refuse a snapshot that would carry secrets or files over FILE_LIMIT out.

    Returns:
        How many files were looked through.

    Raises:
        SecretFound: every finding, with its place and what permits it.
    """
    base = _base(plumbing, remote)
    leaving = list(_leaving(plumbing, snapshot, remote, base, exclude))
    large = [each for each in leaving if each.size > FILE_LIMIT]
    refuse_files({each.path: each.size for each in large if each.new and not permitted(each.path, allow)})
    # a larger one is permitted or out already, and would take minutes
    found = _look(plumbing, [each for each in leaving if each.size <= FILE_LIMIT], allow)
    secretscan.refuse([_dated(plumbing, snapshot, base, blob, finding) for blob, finding in found])
    return len(leaving)


def _look(plumbing: Plumbing, leaving: Sequence[Blob], allow: Sequence[str]) -> list[tuple[Blob, Finding]]:
    places: dict[str, list[Blob]] = {}
    for each in leaving:
        places.setdefault(each.blob, []).append(each)
    return [
        (blob, finding)
        for sha, content in plumbing.blobs(list(places))
        for blob in places[sha]
        for finding in secretscan.scan(blob.path, content)
        if not permitted(blob.path, allow, finding.line)
    ]


def outgoing(plumbing: Plumbing, sha: str, base: Sequence[str]) -> list[Blob]:
    """Every blob and commit that a push of a commit makes reachable on a remote that holds the base.

    Args:
        plumbing: of the repository.
        sha: the commit.
        base: objects that the remote has, of those that are here too.
    """
    excluded = "".join(f"^{each}\n" for each in base)
    listed = as_path(plumbing.run("rev-list", "--objects", "--stdin", stdin=f"{sha}\n{excluded}".encode()))
    paths = dict((f"{line} ").split(" ", 1) for line in listed.split("\n") if line)
    asked = "".join(f"{each}\n" for each in paths).encode()
    facts = (line.split() for line in as_path(plumbing.run("cat-file", "--batch-check", stdin=asked)).split("\n"))
    return [
        Blob(fact[0], int(fact[2]), paths[fact[0]].removesuffix(" ") or _COMMIT, new=True, past=True)
        for fact in facts
        if fact[1:2] in (["blob"], ["commit"])
    ]


def _base(plumbing: Plumbing, remote: Remote | None) -> list[str]:
    """What the remote holds, as it says itself; if it does not answer, as it was at the last fetch."""
    if remote is None:
        return []
    try:
        return sorted(known(plumbing, tips(plumbing, remote)))
    except GitError:
        return plumbing.line("for-each-ref", "--format=%(objectname)", f"refs/remotes/{remote.name or '-'}/").split()


def _leaving(
    plumbing: Plumbing, snapshot: Snapshot, remote: Remote | None, base: Sequence[str], exclude: Sequence[str]
) -> Iterator[Blob]:
    pushed: Mapping[str, Blob] = {}
    if remote is not None:
        pushed = {each.blob: each for each in outgoing(plumbing, snapshot.sha, base)}
    tree = [entry for entry in entries(plumbing, snapshot.tree) if entry.mode != SUBMODULE]
    for entry in tree:
        if entry.blob in pushed or not covered(entry.path, exclude):
            new = remote is None or entry.blob in pushed
            yield Blob(entry.blob, entry.size, entry.path, new=new, past=False)
    present = {entry.blob for entry in tree}
    yield from (each for each in pushed.values() if each.blob not in present)


def _dated(plumbing: Plumbing, snapshot: Snapshot, base: Sequence[str], blob: Blob, finding: Finding) -> Finding:
    """A finding in the past, with the oldest outgoing commit that holds it."""
    if not blob.past:
        return finding
    if blob.path == _COMMIT:
        return replace(finding, commit=blob.blob)
    excluded = "".join(f"^{each}\n" for each in base).encode()
    search = ("log", "--format=%H", "--reverse", f"--find-object={blob.blob}", "--stdin")
    commits = as_path(plumbing.run(*search, stdin=f"{snapshot.sha}\n".encode() + excluded)).split()
    return replace(finding, commit=commits[0] if commits else snapshot.sha)
