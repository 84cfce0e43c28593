"""The id that git gives a folder's content, computed without git.

Standard library only, and nothing of ours: the far side carries this very source.
"""

import hashlib
import os
import stat
from pathlib import Path


def tree_id(folder: str | Path) -> str:
    """The git tree id of everything below a folder, as `git write-tree` would give it.

    Names, contents, exec bits and symbolic links count; empty folders and anything called `.git` do not.

    Returns:
        40 hex digits (SHA-1, git's default).

    Raises:
        OSError: something could not be read.
        ValueError: a device, socket or pipe lies there, which git cannot hold.
    """
    return _tree(os.fsencode(folder)).hex()


def _tree(folder: bytes) -> bytes:
    rows = []
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name == b".git":
                continue
            mode, digest = _entry(entry)
            if digest:
                # git sorts a folder as if its name ended in a slash
                rows.append((entry.name + b"/" * (mode == b"40000"), mode + b" " + entry.name + b"\0" + digest))
    return _hash(b"tree", b"".join(row for _, row in sorted(rows))) if rows else _EMPTY


def _entry(entry: os.DirEntry[bytes]) -> tuple[bytes, bytes]:
    if entry.is_symlink():
        return b"120000", _hash(b"blob", os.readlink(entry.path))  # noqa: PTH115 (a bytes path)
    if entry.is_dir():
        digest = _tree(entry.path)
        return b"40000", b"" if digest == _EMPTY else digest
    status = entry.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{os.fsdecode(entry.path)} is neither a file nor a folder nor a link")
    with open(entry.path, "rb") as file:  # noqa: PTH123 (a bytes path)
        return b"100755" if status.st_mode & stat.S_IXUSR else b"100644", _hash(b"blob", file.read())


def _hash(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha1(kind + b" %d\0" % len(content) + content, usedforsecurity=False).digest()


_EMPTY = _hash(b"tree", b"")
