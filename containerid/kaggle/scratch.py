"""Where files lie that are on their way to Kaggle, and which of those folders nobody will clean up any more."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from containerid.home import Home
from containerid.process import started_at

LASTS = 6 * 86400
"""Seconds for which an upload that was begun is gone on with, as Kaggle's own client has it."""

_FOLDER = "uploads"
_NAME = re.compile(r"(\d+)-([0-9a-f]{8})-")
_DAY = 86400.0


@contextmanager
def scratch(home: Home) -> Iterator[Path]:
    """A folder that is gone afterwards. Its name says which process it belongs to, for the case that this is killed."""
    with TemporaryDirectory(prefix=f"{os.getpid()}-{_began(os.getpid())}-", dir=home.folder(_FOLDER)) as folder:
        yield Path(folder)


def remains(home: Home) -> Iterator[tuple[Path, str]]:
    """All that lies there, each with why it must stay; that is empty for what a killed process has left.

    Notes of uploads that broke off stay for the six days in which those are gone on with.
    """
    for path in sorted(home.folder(_FOLDER).iterdir()):
        yield path, _used_by(path) if path.is_dir() else _young(path, LASTS, "an upload that broke off goes on with it")


def _used_by(folder: Path) -> str:
    owner = _NAME.match(folder.name)
    if owner is None:
        return _young(folder, _DAY, "it is of today")
    return f"process {owner[1]} is sending it" if _began(int(owner[1])) == owner[2] else ""


def _began(pid: int) -> str:
    """When a process began, as eight hex digits; empty when there is none."""
    began = started_at(pid)
    return sha256(began.encode()).hexdigest()[:8] if began else ""


def _young(path: Path, seconds: float, why: str) -> str:
    return why if time.time() - path.stat().st_mtime < seconds else ""
