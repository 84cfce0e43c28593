"""A tree as a compressed archive: the same bytes for the same tree, read from git's objects, never from the disk.

`git archive` would honour export-ignore and export-subst, and so give another tree than the one that was committed.
"""

import hashlib
import io
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from containerid.git.plumbing import Plumbing, as_bytes, as_path
from containerid.git.snapshot import temporary_index

SUBMODULE = "160000"
"""Git's mode of a submodule, whose content is in no tree of ours."""

_LINK, _EXECUTABLE = "120000", "100755"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_INLINE = 16_000_000
"""Bytes up to which compressing well, at 2 MB a second, pays: more never fits into a kernel's source."""

_EPOCH = 315_532_800
"""1980-01-01: the earliest time that zip files, which a build on the far side may make, can hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a tree: git's mode, the blob's id, its size in bytes, its path from the root."""

    mode: str
    blob: str
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class Archive:
    """What travels.

    Attributes:
        data: a tar file, compressed with xz.
        tree: the git tree id of what unpacking it gives.
        files: how many files it holds.
        cautions: what it does not hold though the tree names it: submodules, contents in LFS.
    """

    data: bytes
    tree: str
    files: int
    cautions: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the data, hex."""
        return hashlib.sha256(self.data).hexdigest()


def entries(plumbing: Plumbing, tree: str) -> list[Entry]:
    """The files of a tree, submodules among them, in git's order."""
    rows = as_path(plumbing.run("ls-tree", "-r", "-z", "-l", "--full-tree", tree)).split("\0")
    return [_entry(row) for row in rows if row]


def pack(plumbing: Plumbing, tree: str, exclude: Sequence[str] = ()) -> Archive:
    """Archive a tree.

    Args:
        plumbing: of the repository.
        tree: its id, or a commit.
        exclude: paths relative to the root; what lies at or below them stays here.
    """
    found = [entry for entry in entries(plumbing, tree) if not covered(entry.path, exclude)]
    carried = [entry for entry in found if entry.mode != SUBMODULE]
    data, pointers = _tar(plumbing, carried)
    submodules = [entry.path for entry in found if entry.mode == SUBMODULE]
    return Archive(data, _tree_of(plumbing, carried), len(carried), _cautions(submodules, pointers))


def _tar(plumbing: Plumbing, carried: Sequence[Entry]) -> tuple[bytes, int]:
    """The compressed tar file, and how many of its files are pointers to LFS."""
    preset: Literal[1, 6] = 6 if sum(entry.size for entry in carried) <= _INLINE else 1
    buffer = io.BytesIO()
    pointers = 0
    with tarfile.open(fileobj=buffer, mode="w:xz", format=tarfile.PAX_FORMAT, preset=preset) as tar:
        for entry, content in _contents(plumbing, carried):
            pointers += content.startswith(_LFS_POINTER)
            tar.addfile(_header(entry, content), None if entry.mode == _LINK else io.BytesIO(content))
    return buffer.getvalue(), pointers


def _entry(row: str) -> Entry:
    fields, path = row.split("\t", 1)
    mode, _, blob, size = fields.split()
    return Entry(mode, blob, int(size) if size.isdigit() else 0, path)


def _contents(plumbing: Plumbing, carried: Sequence[Entry]) -> Iterator[tuple[Entry, bytes]]:
    read = plumbing.blobs([entry.blob for entry in carried])
    return ((entry, content) for entry, (_, content) in zip(carried, read, strict=True))


def _header(entry: Entry, content: bytes) -> tarfile.TarInfo:
    header = tarfile.TarInfo(entry.path)
    header.mtime = _EPOCH
    if entry.mode == _LINK:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, as_path(content), 0o777
    else:
        header.size, header.mode = len(content), 0o755 if entry.mode == _EXECUTABLE else 0o644
    return header


def _tree_of(plumbing: Plumbing, carried: Sequence[Entry]) -> str:
    rows = "".join(f"{entry.mode} {entry.blob}\t{entry.path}\0" for entry in carried)
    with temporary_index() as environment:
        plumbing.run("update-index", "-z", "--index-info", stdin=as_bytes(rows), environment=environment)
        return plumbing.line("write-tree", environment=environment)


def _cautions(submodules: Sequence[str], pointers: int) -> tuple[str, ...]:
    cautions = []
    if submodules:
        cautions.append(f"submodules are not carried: {', '.join(submodules)}")
    if pointers:
        cautions.append(f"{pointers} files are in Git LFS: their pointers are carried, not their contents")
    return tuple(cautions)


def covered(path: str, exclude: Sequence[str]) -> bool:
    """Whether a path lies at or below one of the excluded ones; all from the root."""
    return any(path == each or path.startswith(f"{each}/") for each in exclude)


def below(folder: str, paths: Sequence[str]) -> tuple[str, ...]:
    """Paths that params.yaml names, relative to the project's folder, as paths from the repository's root.

    The project's folder itself, and what lies outside the repository, are left out: they cover nothing.
    """
    joined = (posixpath.normpath(posixpath.join(folder, path)) for path in paths)
    return tuple(path for path in joined if path not in (folder, ".", "..") and not path.startswith(("../", "/")))
