"""Results of checks, kept outside the set.

A report is found again by the identity of every file that it came from: as with git's index, a file that has its size,
times and inode still has its content. What decoding an image gave is found again by the image's content, wherever it
lies; a file of known identity is not even read for that.
"""

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid import __version__
from containerid.dataset import pixels
from containerid.dataset.findings import Report
from containerid.dataset.pixels import Decoded
from containerid.dataset.sets import Dataset, images_of
from containerid.dataset.store import Store
from containerid.dataset.tree import roots, walk

_FILE = "kept.db"
_SETTLED = 2.0
"""Seconds after its last change within which a file can change again without a clock that shows it: FAT counts in
twos."""


class Kept:
    """What is known of a set, and of images in it, from checks before.

    Args:
        folder: where it is kept; made when first written to.
        dataset: the set.
        options: what else the report depends on.
        deep: whether images are decoded.

    Attributes:
        file: that holds it.
        marker: what looks at images, for `content_of`.
    """

    def __init__(self, folder: Path, dataset: Dataset, options: Mapping[str, Any], *, deep: bool) -> None:
        self.file = folder / _FILE
        self._store = Store(self.file)
        self._began = time.time()
        self.marker = f"{_code()} {pixels.decoders() if deep else ''}".encode()
        # Taken before anything is read: what changes meanwhile has another stamp afterwards.
        self._stamps: dict[str, tuple[str, float]] = {}
        for path in _files(dataset):
            if path not in self._stamps:
                self._stamps[path] = _stamp(path)
        self._place = self._key("report", os.fspath(dataset.file), str(deep))
        self._identity = self._identify(options)

    def _key(self, *words: str) -> bytes:
        text = "\0".join(words).encode("utf-8", "surrogateescape")
        return hashlib.sha256(b"\0".join((self.marker, text))).digest()[:20]

    def _identify(self, options: Mapping[str, Any]) -> str:
        stamps = (f"{path}\0{stamp}" for path, (stamp, _) in self._stamps.items())
        return self._key(json.dumps(options, sort_keys=True), *stamps).hex()

    def report(self) -> Report | None:
        """The report of the last check, when nothing has changed since."""
        if found := self._store.get([self._place]).get(self._place):
            with contextlib.suppress(ValueError, KeyError, zlib.error):
                document = json.loads(zlib.decompress(found))
                if document["identity"] == self._identity:
                    self._store.put({}, [self._place])
                    return Report.from_document(document["report"])
        return None

    def keep(self, report: Report) -> None:
        """Remember a report, unless a file was changed while it was made or right before."""
        if max((newest for _, newest in self._stamps.values()), default=0.0) < self._began - _SETTLED:
            document = {"identity": self._identity, "report": report.document()}
            self._store.put({self._place: zlib.compress(json.dumps(document).encode(), 1)})

    def pixels(self, paths: Sequence[str]) -> dict[str, Decoded]:
        """What decoding gave, of files that have not changed."""
        stamps = {key: path for path in paths if (key := self._stamp_key(path))}
        contents = self._store.get(stamps)
        decoded = self._store.get(set(contents.values()))
        self._store.put({}, [*contents, *decoded])
        return {stamps[key]: _unpack(decoded[content]) for key, content in contents.items() if content in decoded}

    def learn(self, found: Mapping[str, tuple[bytes, Decoded]]) -> None:
        """Remember what decoding gave: by path the `content_of` an image, and what it gave."""
        values = {content: _pack(decoded) for content, decoded in found.values() if content}
        for path, (content, _) in found.items():
            if content and (key := self._stamp_key(path)):
                values[key] = content
        self._store.put(values)

    def _stamp_key(self, path: str) -> bytes | None:
        stamp, newest = self._stamps.get(path, ("", 0.0))
        if not stamp or newest >= self._began - _SETTLED:
            return None
        return self._key("stamp", path, stamp)


def content_of(data: bytes, marker: bytes) -> bytes:
    """What tells an image's bytes, and what looks at them, from all others."""
    total = hashlib.sha256(marker)
    total.update(data)
    return total.digest()[:20]


@contextlib.contextmanager
def recalling(file: str) -> Iterator[Callable[[bytes], Decoded | None]]:
    """What looks up an image by its `content_of`, in a file of `Kept`."""
    with Store(Path(file)).finding() as find:
        yield lambda content: _unpack(found) if (found := find(content)) else None


def _pack(decoded: Decoded) -> bytes:
    fault, seen = decoded
    return b"!" + fault.encode("utf-8", "backslashreplace") if fault else b"=" + seen


def _unpack(value: bytes) -> Decoded:
    return (value[1:].decode("utf-8"), b"") if value[:1] == b"!" else ("", value[1:])


def _code() -> str:
    """The code that results come from: of one version there may be many, installed from clones."""
    total = hashlib.sha256(__version__.encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        total.update(module.read_bytes())
    return total.hexdigest()[:20]


def _stamp(path: str) -> tuple[str, float]:
    """What tells a file as it is from what it may become, and when it changed last."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return "", 0.0
    text = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    return text, max(status.st_mtime, status.st_ctime)


def _files(dataset: Dataset) -> Iterator[str]:
    """Whatever a check looks at, in an order of its own."""
    yield from map(os.fspath, (dataset.root, dataset.file, *dataset.lists))
    images = images_of(dataset)
    bases = {os.fspath(base) for found in dataset.bases.values() for base in found}
    folders = {image.rpartition(os.sep)[0] for image in images}
    for top in sorted(roots(bases | folders, os.fspath(dataset.root))):
        for folder in walk(top):
            yield folder.path
            yield from (f"{folder.path}{os.sep}{name}" for name in folder.files)
    yield from images
