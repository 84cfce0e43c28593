"""What a run leaves for others: metadata.json, summary.md, result.json, manifest.json."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from containerid.job import MANIFEST_FILE, RESULT_FILE, Result
from containerid.training import curves, environment, gates, history, summary
from containerid.training.session import Session, now

METADATA_FILE = "metadata.json"
_PLACES = frozenset({"data", "model", "save_dir", "project", "name", "resume"})
"""Training arguments that say where, not how; they differ from machine to machine."""


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_result(out: Path, result: Result) -> None:
    """The truth about the leg."""
    write(out / RESULT_FILE, json.dumps(result.to_dict(), indent=1) + "\n")


def write_manifest(out: Path, run: str, but: Collection[str] = ()) -> None:
    """Every file of the folder with its size and SHA-256, but for some names; the last that is written."""
    files = [entry for entry in (_entry(path, out) for path in _files(out)) if entry["path"] not in but]
    write(out / MANIFEST_FILE, json.dumps({"version": 1, "run": run, "files": files}, indent=1) + "\n")


def write_metadata(session: Session) -> None:
    """From this the model can be made again: what, with what, on what, how good."""
    write(session.out / METADATA_FILE, json.dumps(metadata(session), indent=1, sort_keys=False) + "\n")


def metadata(session: Session) -> dict[str, Any]:
    """The content of metadata.json; plain JSON types."""
    spec, report = session.spec, session.report
    rows, lines, trained = curves.read(session.out), history.read(session.out), session.before + session.seconds
    return {
        "version": 1,
        "run": spec.run,
        "experiment": spec.experiment,
        "project": spec.project,
        "architecture": session.params.model.architecture,
        "entry": spec.entry,
        "quick": spec.quick,
        "started": session.started,
        "ended": now(),
        "leg": spec.leg,
        "legs": history.legs(lines, spec, session.hardware.proof, trained),
        "training_seconds": round(trained, 1),
        "duration_seconds": round(curves.seconds(rows, trained), 1),
        "timeline": session.timeline,
        "epochs": session.epochs,
        "batch": session.batch or None,
        "best_epoch": history.best_epoch(lines) or int(curves.best(rows).get("epoch", 0)) or None,
        "seed": session.params.training.seed,
        "seeds": {"training": session.params.training.seed, "data": session.params.data.seed},
        "metrics": session.metrics,
        **session.extras,
        "gates": [asdict(gate) for gate in judged(session)],
        "hyperparameters": _hyperparameters(session),
        "params": spec.params,
        "code": spec.to_dict()["code"],
        "spec_sha256": hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode()).hexdigest(),
        "data": {
            "provider": spec.data.provider,
            "source": Path(spec.data.source).name if spec.data.provider == "folder" else spec.data.source,
            "sha256": session.digest,
            "names": list(session.dataset.names) if session.dataset else [],
            "splits": report.counts,
            "classes": report.classes,
            "findings": dict(Counter(each.severity for each in report.findings)),
        },
        "weights": {path.name: _fingerprint(path) for path in sorted(session.best.parent.glob("*.pt"))},
        "hardware": session.hardware.proof,
        "environment": session.environment,
        "packages": environment.packages(),
    }


def write_summary(session: Session) -> None:
    """One page for a person."""
    write(session.out / summary.FILE, summary.write(session, judged(session)))


def judged(session: Session) -> list[gates.Gate]:
    """The gates, held against the metrics; a quick run is held to none."""
    return [] if session.spec.quick else gates.judge(session.params.gates, session.metrics)


def _hyperparameters(session: Session) -> dict[str, Any]:
    """As the trainer wrote them down before it began; the batch is the one that it has trained with."""
    with suppress(OSError, yaml.YAMLError):
        used = yaml.safe_load((session.out / "args.yaml").read_text(encoding="utf-8"))
        found = {key: value for key, value in used.items() if key not in _PLACES}
        return found | ({"batch": session.batch} if session.batch else {})
    return {}


def _files(out: Path) -> Iterator[Path]:
    for at, _, files in os.walk(out):
        paths = (Path(at, name) for name in files)
        yield from (path for path in paths if not path.is_symlink() and path != out / MANIFEST_FILE)


def _entry(path: Path, out: Path) -> dict[str, Any]:
    return {"path": path.relative_to(out).as_posix(), **_fingerprint(path)}


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
