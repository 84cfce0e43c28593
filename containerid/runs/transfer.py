"""Outputs on their way here: streamed aside, checked against the run's manifest, and only then given their names."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from containerid.crew import at_once
from containerid.errors import CidError, OutputsUnverified
from containerid.events import Caution, Fetched, LogLine, Step
from containerid.job import MANIFEST_FILE, PACKED_FILES, Output, Tell
from containerid.platform import Backend
from containerid.runs.paths import PARTS_FOLDER, Wish, confine, log_names, sort
from containerid.runs.registry import Run
from containerid.runs.verify import Entry, digest_of, is_good, read_manifest

_WORKERS = 64
"""Files at once. 200 files of 256 KB at 80 ms a request take 1.78 s with 16, 1.28 with 32, 1.16 with 48, 1.13 with 64;
measured on a machine with two busy cores.
"""

_MOST = 40 << 30
"""Bytes that are taken in one fetch: twice what a kernel may leave. More than that is a trick, or a mistake."""

_MARGIN = 64 << 20
"""Bytes that stay free on the disk."""

_SMALL = 1 << 20
"""A file below so many bytes is fetched without waiting for the manifest."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_ELSEWHERE = "see who may write there, or name another folder with --to"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a fetch brought.

    Attributes:
        folder: where the files are.
        files: names that arrived whole or were there already.
        missing: names that were asked for and did not arrive as the manifest has them, or were skipped as unsafe.
        verified: there is a manifest, and every file that was asked for is the manifest's.
        full: the disk took no more.
        listed: the run left a manifest, whether or not it arrived.
    """

    folder: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    verified: bool
    full: bool = False
    listed: bool = True


def bring(backend: Backend, run: Run, folder: Path, tell: Tell, wish: Wish = Wish()) -> Delivery:  # noqa: B008
    """Fetch a run's outputs into `folder`. A file that is there and is the manifest's is not fetched again.

    A file that was there before stays until its successor is whole and checked.

    Raises:
        CidError: the folder cannot be written, or has no room. What arrived before stays.
    """
    _make(folder)
    with _alone(folder, tell):
        outputs, unsafe = sort(backend.outputs(run.leg), folder, log_names(run.run))
        unsafe = [name for name in unsafe if wish.covers(name)]
        if unsafe:
            tell(Caution(f"skipped, since the name is not safe to write: {', '.join(map(repr, unsafe))}"))
        asked = [output for output in outputs if _is_asked(output.name, wish) or output.name == MANIFEST_FILE]
        courier = _Courier(backend, run, folder, tell)
        arrived = courier.bring(asked)
    manifest = courier.manifest
    listed = {output.name for output in asked} - {MANIFEST_FILE}
    named = listed | {name for name in manifest or () if wish.covers(name)}
    missing = unsafe + sorted(named - arrived - set(unsafe))
    verified = manifest is not None and not missing
    left = any(output.name == MANIFEST_FILE for output in asked)
    return Delivery(folder, tuple(sorted(arrived)), tuple(missing), verified, full=courier.full, listed=left)


def _is_asked(name: str, wish: Wish) -> bool:
    """What is left for the next leg alone is brought only where a glob asks for it."""
    return wish.covers(name) and (bool(wish.include) or not fnmatchcase(name, PACKED_FILES))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise OutputsUnverified(f"{folder} cannot be written: {error.strerror}", hint=_ELSEWHERE) from error


@contextmanager
def _alone(folder: Path, tell: Tell) -> Iterator[None]:
    """No other fetch into this folder meanwhile: two would write the same bytes into the same parts."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(Step("waiting", f"another cid fetches into {folder}"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _Courier:
    """Brings a run's outputs into one folder.

    Attributes:
        manifest: of the run, once it has arrived; None when there is none.
        full: the disk took no more.
    """

    def __init__(self, backend: Backend, run: Run, folder: Path, tell: Tell) -> None:
        self._backend = backend
        self._run = run
        self._folder = folder
        self._parts = folder / PARTS_FOLDER
        self._tell = tell
        self.full = False
        self._there = 0
        self.manifest: dict[str, Entry] | None = None
        self._manifest_read = threading.Event()

    def bring(self, outputs: Sequence[Output]) -> set[str]:
        """The names that arrived as they should be."""
        begun = time.monotonic()
        self._must_fit(outputs)
        # The manifest first, since others wait for it; then the largest: it decides when all are there.
        ordered = sorted(outputs, key=lambda output: (output.name != MANIFEST_FILE, -(output.size or 0)))
        if not ordered or ordered[0].name != MANIFEST_FILE:
            self._manifest_read.set()
        good = at_once(self._bring_one, ordered, _WORKERS)
        arrived = {output.name for output, fine in zip(ordered, good, strict=True) if fine}
        with suppress(OSError):
            shutil.rmtree(self._parts) if len(arrived) == len(outputs) else self._parts.rmdir()
        self._sum_up(len(arrived), time.monotonic() - begun)
        return arrived

    def _bring_one(self, output: Output) -> bool:
        return self._bring_manifest(output) if output.name == MANIFEST_FILE else self._bring_file(output)

    def _bring_manifest(self, output: Output) -> bool:
        try:
            if self._takes(output):
                self.manifest = read_manifest(self._folder / MANIFEST_FILE, self._run.run)
            return self.manifest is not None
        finally:
            self._manifest_read.set()

    def _known(self, output: Output) -> Output:
        """The output with what the manifest says about it, which is waited for."""
        self._manifest_read.wait()
        entry = (self.manifest or {}).get(output.name)
        return replace(output, size=entry.size, sha256=entry.sha256) if entry else output

    def _bring_file(self, output: Output) -> bool:
        path = self._folder / output.name
        # A small file that is not here is fetched anyway: no need to wait for the manifest first.
        if path.exists() or output.size is None or output.size >= _SMALL:
            output = self._known(output)
        if output.sha256 and is_good(path, Entry(output.size or 0, output.sha256)):
            self._there += 1
        elif not self._takes(output):
            return False
        self._tell(Fetched(output.name, path.stat().st_size, verified=bool(self._known(output).sha256)))
        return True

    def _sum_up(self, count: int, seconds: float) -> None:
        there = f", {self._there} of them there already" if self._there else ""
        self._tell(Step("fetched", f"{count} files in {seconds:.1f} s{there}"))

    def _must_fit(self, outputs: Sequence[Output]) -> None:
        missing = sum(output.size or 0 for output in outputs if not self._has_length(output))
        if missing > _MOST:
            raise OutputsUnverified(
                f"the outputs are {missing / 1e9:,.0f} GB, more than any kernel leaves", hint="--include GLOB"
            )
        # Parts of an earlier fetch take room already; what they hold need not be found again.
        held = sum(_allocated(path) for path in self._parts.glob("*")) if self._parts.is_dir() else 0
        free = shutil.disk_usage(self._folder).free
        if missing - held + _MARGIN > free:
            raise OutputsUnverified(
                f"{missing / 1e6:,.0f} MB are to be fetched, and {self._folder} has {free / 1e6:,.0f} MB free",
                hint="make room, --to DIR on another disk, or --include GLOB",
            )

    def _has_length(self, output: Output) -> bool:
        path = self._folder / output.name
        return path.is_file() and path.stat().st_size == output.size

    def _takes(self, output: Output) -> bool:
        """Fetch one output, check it, and give it its name; else say why not."""
        if self.full:
            return False
        try:
            self._take(output)
        except CidError as error:
            self._tell(Caution(f"{output.name} did not arrive: {error.message}"))
            return False
        except OSError as error:
            if error.errno in _FULL:
                self.full = True
            self._tell(Caution(f"{output.name} did not arrive: {error.strerror or error}"))
            return False
        return True

    def _take(self, output: Output) -> None:
        part = self._parts / hashlib.sha256(output.name.encode(errors="surrogatepass")).hexdigest()[:32]
        self._parts.mkdir(exist_ok=True)
        digest = self._backend.download(output, part)
        known = output if output.name == MANIFEST_FILE else self._known(output)
        if known.sha256 and (digest or digest_of(part)) != known.sha256:
            part.unlink()
            if known != output:
                return self._take(known)
            raise OutputsUnverified("it differs from the manifest")
        path = confine(output.name, self._folder)
        if path is None:
            raise OutputsUnverified("something lies in its way")
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)
        return None


def _allocated(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_blocks * 512
    return 0


def keep_log(lines: Iterable[LogLine], folder: Path, name: str) -> None:
    """Write a log beside the outputs, as text (`<name>.log`, UTF-8) and as JSON lines (`<name>.log.jsonl`)."""
    paths = [folder / each for each in log_names(name)]
    drafts = [path.with_name(path.name + ".new") for path in paths]
    with drafts[0].open("w", encoding="utf-8") as text, drafts[1].open("w", encoding="utf-8") as records:
        for line in lines:
            text.write(line.text + "\n")
            records.write(json.dumps({"time": line.time, "stream": line.stream, "data": line.text}) + "\n")
    for draft, path in zip(drafts, paths, strict=True):
        draft.replace(path)
