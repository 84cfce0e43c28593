"""The state on disk: JSON documents that are replaced whole, and locks that die with their process."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

Document = dict[str, Any]
_TRIES, _PAUSE = 5, 0.02


def read(path: Path) -> Document | None:
    """The document at this path; None when there is none."""
    try:
        document: Document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return document


def write(path: Path, document: Document) -> None:
    """Replace the document at this path; a reader sees the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    part.write_text(json.dumps(document), encoding="utf-8")
    part.replace(path)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of this path: one process at a time, freed by the system when its process ends, however it ends.

    Yields:
        True; with `wait=False`, False when another holds it.
    """
    with _opened(path) as descriptor:
        yield _lock(descriptor, tries=None if wait else _TRIES)


def held(path: Path) -> bool:
    """Some living process holds the lock of this path."""
    if not path.exists():
        return False
    with _opened(path) as descriptor:
        return not _lock(descriptor, tries=1)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, tries: int | None) -> bool:
    """Take the lock; more than one try, since somebody may hold it for an instant, to see whether it is held."""
    if tries is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return True
    for _ in range(tries):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        threading.Event().wait(_PAUSE if tries > 1 else 0)
    return False


class Store:
    """The server's folder. Everything that changes it does so under `lock`.

    Attributes:
        root: the folder; made if missing, readable by its owner alone, since it holds what was pushed.
        lock: held while documents are read, decided upon and written.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root.resolve()
        self.lock = threading.RLock()

    def place(self, *names: str) -> Path:
        """A path below the folder for names that came over the wire: each is one component, whatever it holds."""
        return self.root.joinpath(*(quote(name, safe="").replace(".", "%2E") for name in names))

    def next(self, name: str) -> int:
        """A number of this series that was never given out before, from 1."""
        with self.lock:
            counters = read(self.root / "counters.json") or {}
            counters[name] = counters.get(name, 0) + 1
            write(self.root / "counters.json", counters)
            number: int = counters[name]
        return number

    def secret(self) -> bytes:
        """What signs the links that this server gives out; the same after a restart."""
        path = self.root / "secret"
        with self.lock:
            if not path.exists():
                path.touch(mode=0o600)
                path.write_bytes(os.urandom(32))
            return path.read_bytes()
