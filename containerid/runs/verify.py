"""A run's manifest, and whether what lies in a folder is what it says."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.crew import at_once
from containerid.errors import NotFound, OutputsUnverified
from containerid.home import Home
from containerid.job import MANIFEST_FILE
from containerid.runs.ending import must_have_ended
from containerid.runs.find import name_of
from containerid.runs.paths import PARTS_FOLDER, confine, log_names
from containerid.runs.registry import Registry, Run

_CHUNK = 1 << 20
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What the manifest says about a file: its size in bytes and its SHA-256, hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of a run's outputs.

    Attributes:
        folder: where they lie.
        good: names that are what the manifest says.
        changed: names that are there and are not.
        missing: names that are not there.
        unknown: files that neither the manifest names nor cid has put beside them: what was added later.
    """

    run: str
    folder: Path
    good: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Everything is there as it was written."""
        return not self.changed and not self.missing

    def document(self) -> dict[str, Any]:
        """The same for JSON; the good ones are counted only."""
        return {
            "run": self.run,
            "folder": str(self.folder),
            "verified": self.verified,
            "good": len(self.good),
            "changed": list(self.changed),
            "missing": list(self.missing),
            "unknown": list(self.unknown),
        }


def read_manifest(path: Path, run: str) -> dict[str, Entry] | None:
    """The files that a manifest names; None when it is missing, broken, or another run's."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["run"] == run:
            return {each["path"]: Entry(int(each["size"]), str(each["sha256"])) for each in document["files"]}
    return None


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_good(path: Path, entry: Entry) -> bool:
    """The file is there and is what the manifest says."""
    return path.is_file() and path.stat().st_size == entry.size and digest_of(path) == entry.sha256


def verify(run: Run, *, home: Home) -> Findings:
    """Read a run's outputs again and compare them with its manifest; the registry keeps whether they are whole.

    Raises:
        StillRunning: it has not ended.
        NotFound: they were never fetched, or it never reached its platform.
        OutputsUnverified: there is no manifest of this run beside them.
    """
    folder = Path(run.outputs)
    if not run.outputs:
        must_have_ended(run)
    if not run.outputs or not folder.is_dir():
        what = f"{folder} is gone" if run.outputs else f"the outputs of {name_of(run)} were not fetched yet"
        raise NotFound(what, hint=f"cid fetch {name_of(run)}")
    manifest = read_manifest(folder / MANIFEST_FILE, run.run)
    if manifest is None:
        raise OutputsUnverified(f"{folder} has no manifest of {run.run}", hint=f"cid fetch {name_of(run)}")
    findings = _compare(run, folder, manifest)
    if run.ours:
        Registry(home.registry).set_outputs(run.run, folder, verified=findings.verified)
    return findings


def _compare(run: Run, folder: Path, manifest: dict[str, Entry]) -> Findings:
    there = set(_files(folder))
    present = sorted(name for name in manifest if name in there and confine(name, folder))
    good = at_once(lambda name: is_good(folder / name, manifest[name]), present, _WORKERS)
    whole = {name for name, fine in zip(present, good, strict=True) if fine}
    return Findings(
        run.run,
        folder,
        good=tuple(sorted(whole)),
        changed=tuple(sorted(set(present) - whole)),
        missing=tuple(sorted(set(manifest) - set(present))),
        unknown=tuple(sorted(there - set(manifest) - {MANIFEST_FILE, *log_names(run.run)})),
    )


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] != PARTS_FOLDER and path.is_file():
            yield name.as_posix()
