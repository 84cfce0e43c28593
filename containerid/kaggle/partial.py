"""A file on its way: the bytes that came so far, and beside them a note that says of which object they are.

A later attempt goes on from them, also after a kill, when it is still the same object that is asked for and there is
something that the whole can be checked against.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHUNK = 1 << 18


class Partial:
    """The file at `path` while it is being written. Not to be shared by two processes.

    Args:
        path: where the bytes go; the note is beside it, as `<path>.json`.
        size: bytes of the whole; None where nobody knows.
        noted: bytes from which a file is worth a note; a smaller one is fetched anew.

    Attributes:
        validator: the strong ETag of the object that the bytes are of; empty when it has none.
        inherited: bytes of an earlier process are among them.
    """

    def __init__(self, path: Path, size: int | None, *, noted: int) -> None:
        self.path = path
        self.validator = ""
        self.inherited = False
        self._size = size
        self._worth = noted
        self._note = path.with_name(path.name + ".json")
        self._noted = self._note.exists()
        # A link in the way would let the bytes go elsewhere.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | getattr(os, "O_CLOEXEC", 0)
        self.file = os.open(path, flags, 0o666)

    def recall(self) -> set[int] | None:
        """Go on with what an earlier process left; without its note nothing of that is used.

        Returns:
            The blocks that were noted as whole; None when the bytes are the start of the file, or nothing.
        """
        note: Any = None
        with suppress(OSError, ValueError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
        if not isinstance(note, dict) or note.get("size") != self._size or not isinstance(note.get("etag"), str):
            return None
        self.validator = note["etag"]
        self.inherited = bool(self.validator)
        blocks = note.get("blocks")
        return {each for each in blocks if isinstance(each, int)} if isinstance(blocks, list) else None

    @property
    def length(self) -> int:
        """Bytes in the file."""
        return os.fstat(self.file).st_size

    def forget(self, validator: str = "") -> None:
        """Throw the bytes away; those that follow are of the object that `validator` names."""
        os.ftruncate(self.file, 0)
        self.validator = validator
        self.inherited = False
        self.note()

    def note(self, blocks: Iterable[int] | None = None) -> None:
        """Write the note: which object, and which blocks of it are whole where it comes in blocks.

        A small file gets none, nor does an object that could change unnoticed.
        """
        if not self.validator or (self._size is not None and self._size < self._worth):
            self._drop_note()
            return
        draft = self._note.with_suffix(".new")
        note = {"etag": self.validator, "size": self._size, "blocks": blocks if blocks is None else sorted(blocks)}
        draft.write_text(json.dumps(note), encoding="utf-8")
        draft.replace(self._note)
        self._noted = True

    def _drop_note(self) -> None:
        if self._noted:
            self._note.unlink(missing_ok=True)
        self._noted = False

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in pieces."""
        while start < end and (data := os.pread(self.file, min(_CHUNK, end - start), start)):
            start += len(data)
            yield data

    def write(self, data: bytes, at: int) -> int:
        """Write at a place; the place behind."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.file, view, at)
            at += written
            view = view[written:]
        return at

    def close(self, *, keep: bool) -> None:
        """Let go of the file. With `keep` the bytes stay when there is a note to go on by; the whole needs none."""
        os.close(self.file)
        if not (keep and self._noted):
            self._drop_note()
            self.path.unlink(missing_ok=True)

    def done(self) -> None:
        """The file is whole: it stays, without a note."""
        os.close(self.file)
        self._drop_note()


class Digests:
    """What the bytes are checked against in the end: the SHA-256 that is known, else the MD5 that storage states."""

    def __init__(self, sha256: str) -> None:
        self.expected = sha256
        self.sha256 = hashlib.sha256()
        self._md5 = None if sha256 else hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """More bytes, in order."""
        self.sha256.update(data)
        if self._md5:
            self._md5.update(data)

    def differ(self, md5: bytes) -> bool:
        """They are not what they should be; `md5` is storage's word, empty when it gives none."""
        if self.expected:
            return self.sha256.hexdigest() != self.expected
        return bool(md5) and self._md5 is not None and self._md5.digest() != md5
