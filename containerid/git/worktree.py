"""What the work tree holds that HEAD does not, and what keeps it from being shipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from containerid.errors import GitError, SecretFound
from containerid.git.plumbing import Plumbing, as_path
from containerid.secretscan import permitted

FILE_LIMIT = 10_000_000
"""Bytes of one file that git may carry outside LFS."""
UNTRACKED_LIMIT = 2_000
"""How many new untracked files one snapshot takes."""
UNTRACKED_BYTES = 50_000_000
"""Bytes of all new untracked files of one snapshot."""

_OPERATIONS = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


@dataclass(frozen=True, slots=True)
class Changes:
    """How the work tree stands against HEAD. Paths are relative to the repository's root, POSIX.

    Attributes:
        head: the commit that is checked out, 40 hex digits; empty before the first one.
        branch: empty when HEAD is detached.
        upstream: such as `origin/main`; empty when there is none.
        ahead: commits that the upstream lacks, as of the last fetch; `behind` the other way round.
        staged: how many tracked files the index has otherwise than HEAD.
        unstaged: how many tracked files the work tree has otherwise than the index.
        untracked: files that are neither tracked nor ignored, and that a snapshot takes.
        conflicts: files of an unresolved merge.
        modified: files of the work tree that differ from the index.
        submodules: submodules with changes of their own.
        nested: folders that are git repositories of their own, which no snapshot takes.
    """

    head: str = ""
    branch: str = ""
    upstream: str = ""
    ahead: int = 0
    behind: int = 0
    staged: int = 0
    unstaged: int = 0
    untracked: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """HEAD's tree is all there is to ship."""
        return not (self.staged or self.unstaged or self.untracked or self.conflicts)


def read(plumbing: Plumbing, ignore: Sequence[str]) -> Changes:
    """Look at the work tree; the index is not refreshed.

    Args:
        plumbing: of the repository.
        ignore: folders whose untracked files do not count, relative to the root.
    """
    flags = ("--porcelain=v2", "--branch", "-z", "-uall", "--no-renames", "--ignore-submodules=none")
    records = as_path(plumbing.run("status", *flags)).split("\0")
    return _untracked(_tracked(_head(records), records), records, ignore)


def _head(records: Sequence[str]) -> Changes:
    header = dict(record[2:].split(" ", 1) for record in records if record.startswith("# "))
    ahead, behind = header.get("branch.ab", "+0 -0").split()
    return Changes(
        head=header["branch.oid"].replace("(initial)", ""),
        branch=header["branch.head"].replace("(detached)", ""),
        upstream=header.get("branch.upstream", ""),
        ahead=int(ahead),
        behind=-int(behind),
    )


def _tracked(changes: Changes, records: Sequence[str]) -> Changes:
    # 1 XY sub mH mI mW hH hI path: X is the index against HEAD, Y the work tree against the index
    rows = [record.split(" ", 8) for record in records if record.startswith("1 ")]
    return replace(
        changes,
        staged=sum(row[1][0] != "." for row in rows),
        unstaged=sum(row[1][1] != "." for row in rows),
        modified=tuple(row[8] for row in rows if row[1][1] in "MT" and row[2] == "N..."),
        submodules=tuple(row[8] for row in rows if row[2][0] == "S" and row[2][2:] != ".."),
        conflicts=tuple(record.split(" ", 10)[10] for record in records if record.startswith("u ")),
    )


def _untracked(changes: Changes, records: Sequence[str], ignore: Sequence[str]) -> Changes:
    paths = [record[2:] for record in records if record.startswith("? ") and not _below(record[2:], ignore)]
    return replace(
        changes,
        untracked=tuple(path for path in paths if not path.endswith("/")),
        nested=tuple(path for path in paths if path.endswith("/")),
    )


def refuse_unfinished(plumbing: Plumbing, changes: Changes) -> None:
    """Refuse a merge, rebase, cherry-pick or revert in progress, and submodules with changes of their own.

    Raises:
        GitError: one of them is there.
    """
    if changes.conflicts:
        raise GitError(
            f"unresolved conflicts in {_some(changes.conflicts)}", hint="resolve them, then git add and git commit"
        )
    for name, operation in _OPERATIONS.items():
        if Path(plumbing.root, plumbing.line("rev-parse", "--git-path", name)).exists():
            raise GitError(
                f"a {operation} is in progress", hint=f"git {operation} --continue, or git {operation} --abort"
            )
    if changes.submodules:
        raise GitError(
            f"submodules with changes of their own: {_some(changes.submodules)}",
            hint="commit and push inside the submodule first",
        )


def refuse_large(plumbing: Plumbing, changes: Changes, allow: Sequence[str]) -> None:
    """Refuse, before git copies anything, files that are too large and too many new ones.

    Raises:
        SecretFound: a file is over FILE_LIMIT outside LFS, or untracked files are more than UNTRACKED_LIMIT or over
            UNTRACKED_BYTES; the message names what to permit.
    """
    sizes = {path: _size(plumbing.root / path) for path in (*changes.untracked, *changes.modified)}
    sizes = {path: size for path, size in sizes.items() if not permitted(path, allow)}
    large = {path: size for path, size in sizes.items() if size > FILE_LIMIT}
    refuse_files({path: size for path, size in large.items() if path not in _in_lfs(plumbing, large)})
    new = [path for path in changes.untracked if path in sizes]
    weight = sum(sizes[path] for path in new)
    if len(new) > UNTRACKED_LIMIT or weight > UNTRACKED_BYTES:
        raise SecretFound(
            f"{len(new)} new files that git does not track ({weight / 1e6:.1f} MB), most of them below "
            f"{_fullest(new)}; the limit is {UNTRACKED_LIMIT} files and {UNTRACKED_BYTES // 1_000_000} MB",
            hint="name them in .gitignore, or dvc add them; "
            f'or permit them in params.yaml, git.allow: ["{_fullest(new)}"]',
        )


def refuse_files(large: Mapping[str, int]) -> None:
    """Refuse files by path and size in bytes, if there are any.

    Raises:
        SecretFound: there are.
    """
    if large:
        rows = "".join(f"\n  {path}: {size / 1e6:.1f} MB" for path, size in sorted(large.items()))
        raise SecretFound(
            f"files over {FILE_LIMIT // 1_000_000} MB belong in DVC or LFS:{rows}",
            hint=f'dvc add {min(large)}; or permit it in params.yaml, git.allow: ["{min(large)}"]',
        )


def _in_lfs(plumbing: Plumbing, paths: Mapping[str, int]) -> set[str]:
    """Those that git will hand to LFS: by attribute, and only where LFS is set up."""
    if not paths or not plumbing.ask("config", "filter.lfs.clean").good:
        return set()
    listed = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    fields = as_path(plumbing.run("check-attr", "-z", "--stdin", "filter", stdin=listed)).split("\0")
    return {path for path, value in zip(fields[::3], fields[2::3], strict=False) if value == "lfs"}


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _fullest(paths: Sequence[str]) -> str:
    folders = [path.split("/", 1)[0] + "/" * ("/" in path) for path in paths]
    return max(sorted(set(folders)), key=folders.count)


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
