"""Outputs on their way here: streamed to `.part`, renamed when whole, checked against the run's manifest."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from containerid.errors import CidError, OutputsUnverified
from containerid.events import Caution, Fetched, LogLine
from containerid.job import MANIFEST_FILE, Backend, Output, Tell
from containerid.runs.paths import confine
from containerid.runs.registry import Run

_WORKERS = 8
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What the manifest says about a file: its size in bytes and its SHA-256, hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a fetch brought.

    Attributes:
        folder: where the files are.
        files: names that arrived whole or were there already.
        missing: names that the manifest has and that did not arrive as it says, or that were skipped as unsafe.
        verified: there is a manifest and every file is the manifest's.
    """

    folder: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    verified: bool


def bring(backend: Backend, run: Run, folder: Path, tell: Tell) -> Delivery:
    """Fetch every output of a run into `folder`. A file that is there and is the manifest's is not fetched again.

    Raises:
        CidError: the folder cannot be written. What arrived before stays.
    """
    _make(folder)
    outputs, unsafe = _sort(backend.outputs(run.leg), folder, tell)
    manifest = _fetch_manifest(backend, run, outputs, folder)
    rest = [output for output in outputs if output.name != MANIFEST_FILE]
    with ThreadPoolExecutor(_WORKERS) as pool:
        good = list(pool.map(lambda output: _fetch(backend, output, folder, manifest, tell), rest))
    arrived = {output.name for output, whole in zip(rest, good, strict=True) if whole}
    missing = (
        unsafe
        + sorted({output.name for output in rest} - arrived)
        + sorted(set(manifest or {}) - {o.name for o in rest})
    )
    files = sorted(arrived | ({MANIFEST_FILE} if manifest is not None else set()))
    return Delivery(folder, tuple(files), tuple(missing), verified=manifest is not None and not missing)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputsUnverified(f"{folder} cannot be written: {error.strerror}", hint="--to DIR") from error


def _sort(outputs: Sequence[Output], folder: Path, tell: Tell) -> tuple[list[Output], list[str]]:
    """Outputs that may be written, one a name, and the names that may not."""
    safe: dict[str, Output] = {}
    unsafe = []
    for output in outputs:
        if confine(output.name, folder) is None or output.name.casefold() in safe:
            unsafe.append(output.name)
        else:
            safe[output.name.casefold()] = output
    if unsafe:
        tell(Caution(f"skipped, since the name is not safe to write: {', '.join(map(repr, unsafe[:5]))}"))
    return list(safe.values()), unsafe


def _fetch_manifest(backend: Backend, run: Run, outputs: Iterable[Output], folder: Path) -> dict[str, Entry] | None:
    output = next((output for output in outputs if output.name == MANIFEST_FILE), None)
    if output is None:
        return None
    path = folder / MANIFEST_FILE
    _stream(backend, output, path)
    return read_manifest(path, run.run)


def read_manifest(path: Path, run: str) -> dict[str, Entry] | None:
    """The files that a manifest names; None when it is missing, broken, or another run's."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["run"] == run:
            return {each["path"]: Entry(int(each["size"]), str(each["sha256"])) for each in document["files"]}
    return None


def _fetch(backend: Backend, output: Output, folder: Path, manifest: dict[str, Entry] | None, tell: Tell) -> bool:
    path = folder / output.name
    entry = (manifest or {}).get(output.name)
    if entry is None or not is_good(path, entry):
        try:
            _stream(backend, output, path)
        except (CidError, OSError) as error:
            tell(Caution(f"{output.name} did not arrive: {error}"))
            return False
    good = entry is not None and is_good(path, entry)
    if entry and not good:
        tell(Caution(f"{output.name} differs from the manifest"))
    tell(Fetched(output.name, path.stat().st_size, verified=good))
    return good or entry is None


def _stream(backend: Backend, output: Output, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        backend.download(output, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def is_good(path: Path, entry: Entry) -> bool:
    """The file is there and is what the manifest says."""
    if not path.is_file() or path.stat().st_size != entry.size:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == entry.sha256


def keep_log(lines: Iterable[LogLine], folder: Path, name: str) -> None:
    """Write a log beside the outputs, as text (`<name>.log`, UTF-8) and as JSON lines (`<name>.log.jsonl`)."""
    with (
        (folder / f"{name}.log").open("w", encoding="utf-8") as text,
        (folder / f"{name}.log.jsonl").open("w", encoding="utf-8") as records,
    ):
        for line in lines:
            text.write(line.text + "\n")
            records.write(json.dumps({"time": line.time, "stream": line.stream, "data": line.text}) + "\n")
