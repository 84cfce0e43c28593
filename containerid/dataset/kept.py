"""Results of checks, kept outside the set, by the identity of every file that they came from.

As with git's index, a file that has its size, times and inode still has its content.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid import __version__
from containerid.dataset.findings import Report
from containerid.dataset.pixels import Decoded
from containerid.dataset.sets import Dataset, images_of
from containerid.dataset.tree import roots, walk
from containerid.home import keep as write

_FORM = 3
_SETTLED = 0.1
"""Seconds after its last change within which a file can change again without a clock that shows it."""


class Kept:
    """What is known of one set from checks before.

    Args:
        folder: where it is kept; made when first written to.
        dataset: the set.
        options: what else the report depends on.
    """

    def __init__(self, folder: Path, dataset: Dataset, options: Mapping[str, Any]) -> None:
        name = hashlib.sha256(os.fsencode(dataset.file)).hexdigest()[:24]
        self._whole, self._pieces = folder / f"{name}.report.json", folder / f"{name}.pixels.json"
        self._newest = 0.0
        self._identity = self._identify(dataset, options)
        self._began = time.time()

    def _identify(self, dataset: Dataset, options: Mapping[str, Any]) -> str:
        total = hashlib.sha256(f"{_FORM} {__version__} {json.dumps(options, sort_keys=True)}".encode())
        for path in _files(dataset):
            total.update(f"{path}\0{self._stamp(path)}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def _stamp(self, path: str) -> str:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return "-"
        self._newest = max(self._newest, status.st_mtime, status.st_ctime)
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"

    def report(self, *, deep: bool) -> Report | None:
        """The report of the last check, when nothing has changed since and it looked as closely."""
        found = _read(self._whole)
        if found.get("identity") != self._identity or found.get("deep") != deep:
            return None
        return Report.from_document(found["report"])

    def keep(self, report: Report, *, deep: bool) -> None:
        """Remember a report, unless a file was changed while it was made or right before."""
        if self._newest < self._began - _SETTLED and report.decoded >= 0:
            _write(self._whole, {"identity": self._identity, "deep": deep, "report": report.document()})

    def pixels(self, paths: Sequence[str]) -> dict[str, Decoded]:
        """What decoding gave, of files that have not changed."""
        found = _read(self._pieces)
        known = {}
        for path in paths:
            stamp, fault, seen = found.get(path, ("", "", ""))
            if stamp and stamp == self._stamp(path):
                known[path] = fault, bytes.fromhex(seen)
        return known

    def keep_pixels(self, known: Mapping[str, Decoded]) -> None:
        """Remember what decoding gave."""
        if self._newest < self._began - _SETTLED:
            pieces = {path: (self._stamp(path), fault, seen.hex()) for path, (fault, seen) in known.items()}
            _write(self._pieces, pieces)


def _files(dataset: Dataset) -> Iterator[str]:
    """Whatever a check looks at, in an order of its own."""
    yield from map(os.fspath, (dataset.root, dataset.file, *dataset.lists))
    images = images_of(dataset)
    bases = {os.fspath(base) for found in dataset.bases.values() for base in found}
    folders = {image.rpartition(os.sep)[0] for image in images}
    seen: set[str] = set()
    for top in sorted(roots(bases | folders, os.fspath(dataset.root))):
        for folder in walk(top):
            yield folder.path
            for name in folder.files:
                path = f"{folder.path}{os.sep}{name}"
                seen.add(path)
                yield path
    yield from (image for image in images if image not in seen)


def _read(file: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _write(file: Path, document: dict[str, Any]) -> None:
    # What cannot be kept is found again.
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(file, json.dumps(document, separators=(",", ":")).encode())
