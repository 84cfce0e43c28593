"""The checkpoint of a training: what a leg leaves after every epoch, and what the next leg goes on from."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from containerid.errors import RunFailed
from containerid.job import MANIFEST_FILE, NOT_ATTACHED, Past, Spec
from containerid.training import state
from containerid.training.log import say
from containerid.training.packing import Packer

RESUME = "resume.pt"
_OURS = "cid"
_WEIGHTS = (f"weights/{RESUME}", "weights/best.pt")
_RECORDS = ("results.csv", "progress.jsonl")
_LOG = "train.log"
_TRACKED = "wandb"
"""What the next leg takes over. Kept in a dataset, where there are no folders, the files lie side by side."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that fits the run, and lies among its outputs.

    Attributes:
        epoch: how many epochs are complete; `epochs` is how many there will be.
        state: see `containerid.training.state`.
    """

    path: Path
    epoch: int
    epochs: int
    state: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Nothing is left to train: it was the last epoch, or the training would have stopped early after it."""
        return self.epoch >= self.epochs or bool(self.state.get("over"))


def meant(spec: Spec) -> str:
    """SHA-256, hex, over what a training is: another one must not go on from its checkpoint."""
    document = {"params": spec.params, "quick": spec.quick, "entry": spec.entry}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def keeper(spec: Spec, halved: Sequence[Mapping[str, int]] = ()) -> Callable[[Any], None]:
    """What keeps the checkpoint of a trainer that has just saved its own; for its callback `on_model_save`.

    Args:
        spec: of the leg.
        halved: see `metadata.json`; the legs to come know of it.
    """
    ours = {"run": spec.run, "meant": meant(spec), "halved": [dict(each) for each in halved]}
    return partial(_keep, packer=Packer(), ours=ours)


def _keep(trainer: Any, packer: Packer, ours: Mapping[str, Any]) -> None:
    """Ultralytics writes last.pt in place and strips it at the end; this one is whole at any time, and has it all."""
    import torch

    content = state.checkpoint(trainer, packer)
    now = {"epochs": trainer.epochs, "over": bool(trainer.stop)}
    content[_OURS] = {**ours, **now, **state.capture(trainer, packer)}
    last = Path(trainer.last)
    part = last.with_name(f"{RESUME}.part")
    torch.save(content, part)
    os.replace(part, last.with_name(RESUME))  # noqa: PTH105


def settle(out: Path) -> None:
    """After a leg that others may follow: last.pt gone, since resume.pt holds more, and best.pt as small as in the end.

    Who was asked to end has seconds, and may be killed in the middle of it: best.pt is replaced, and the checkpoint is
    not touched.
    """
    best, folder = out / "weights" / "best.pt", out / "weights"
    if (folder / RESUME).is_file():
        (folder / "last.pt").unlink(missing_ok=True)
    if best.is_file():
        part = best.with_name(f"{best.name}.part")
        if import_module("ultralytics.utils.torch_utils").strip_optimizer(best, str(part)):
            part.replace(best)


def finish(past: Checkpoint, out: Path) -> None:
    """Make of a complete training the weights that it would have left, had its session not ended then."""
    strip = import_module("ultralytics.utils.torch_utils").strip_optimizer
    for target in (out / "weights" / "last.pt", out / "weights" / "best.pt"):
        source, part = target if target.is_file() else past.path, target.with_name(f"{target.name}.part")
        if strip(source, str(part), {_OURS: None} if source == past.path else None):
            part.replace(target)


def prune(out: Path) -> None:
    """Remove what only a leg to come would need."""
    (out / "weights" / RESUME).unlink(missing_ok=True)


def bring(spec: Spec, mounts: Path, out: Path) -> Checkpoint | None:
    """Take over what the leg before left, or this one before it was killed and started again; None for a beginning.

    Args:
        spec: of this leg.
        mounts: where Kaggle attaches outputs and datasets.
        out: this leg's output folder.

    Raises:
        RunFailed: the checkpoint is not there, is broken, or is another run's: nothing is trained from the beginning.
    """
    _sweep(out)
    folder = locate(spec.past, mounts) if spec.past.kind else out
    found = _again(spec, folder, out)
    if spec.past.kind and not found:
        source = _inside(folder, _WEIGHTS[0])
        _compare(source, folder)
        found = _read(source, spec)
        if folder != out:
            _copy(folder, out)
    for name in _RECORDS:
        _trim(out / name, found.epoch if found else 0)
    if found is None:
        return None
    say(f"goes on after epoch {found.epoch} of {found.epochs}, leg {spec.leg}")
    return replace(found, path=out / _WEIGHTS[0])


def _sweep(out: Path) -> None:
    """Remove what a session that was killed has left half written."""
    shutil.rmtree(out / "weights" / state.PARTS, ignore_errors=True)
    for folder in (out, out / "weights"):
        for part in folder.glob("*.part"):
            part.unlink()


def _again(spec: Spec, folder: Path, out: Path) -> Checkpoint | None:
    """What this very leg had kept among its outputs, which is more than the leg before had in its `folder`."""
    source = out / _WEIGHTS[0]
    if not source.is_file() or (spec.past.kind and folder == out):
        return None
    try:
        return _read(source, spec)
    except RunFailed as error:
        say(f"does not go on from what lies among the outputs: {error.message}")
        return None


def read(spec: Spec, out: Path) -> Checkpoint | None:
    """The checkpoint that this very leg has kept in its output folder; None before its first epoch."""
    source = out / _WEIGHTS[0]
    return _read(source, spec) if source.is_file() else None


def last(spec: Spec, out: Path) -> Checkpoint | None:
    """The same, to go on from it: what was written about epochs after it is dropped."""
    found = read(spec, out)
    for name in _RECORDS:
        _trim(out / name, found.epoch if found else 0)
    return found


def locate(past: Past, mounts: Path) -> Path:
    """Where the outputs of the leg before are; under either name that Kaggle has mounted them by. Raises RunFailed."""
    if past.kind == "folder":
        candidates = [Path(past.source)]
    else:
        below = "notebooks" if past.kind == "kernel" else "datasets"
        candidates = [mounts / below / past.source, mounts / past.source.partition("/")[2]]
    for folder in candidates:
        if folder.is_dir():
            return folder.absolute()
    raise RunFailed(f"{NOT_ATTACHED} ({past.kind} {past.source})", hint="cid resume")


def _inside(folder: Path, name: str) -> Path:
    whole, flat = folder / name, folder / Path(name).name
    return whole if whole.is_file() or not flat.is_file() else flat


def _compare(source: Path, folder: Path) -> None:
    """What was attached is what the leg before listed. A leg that was killed has listed nothing."""
    try:
        files = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    listed = {each["path"]: each["sha256"] for each in files}.get(_WEIGHTS[0])
    if listed and source.is_file():
        with source.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != listed:
            raise RunFailed(f"{RESUME} is not the one that the leg before listed in its manifest")


def _read(source: Path, spec: Spec) -> Checkpoint:
    if not source.is_file():
        raise RunFailed(f"the leg before left no {RESUME}: not one epoch was complete", hint="cid train")
    content = _load(source)
    ours = content.get(_OURS) or {}
    if ours.get("run") != spec.run:
        raise RunFailed(f"{RESUME} is of the run {ours.get('run') or 'of somebody else'}, not of {spec.run}")
    if ours["meant"] != meant(spec):
        raise RunFailed(f"{RESUME} was trained with other parameters than this leg is to be", hint="cid train")
    epoch = int(content.get("epoch", -1)) + 1
    if epoch < 1 or content.get("optimizer") is None:
        raise RunFailed(f"{RESUME} holds no training that can be gone on with")
    return Checkpoint(source, epoch, int(ours["epochs"]), ours)


def _load(source: Path) -> dict[str, Any]:
    import torch

    with suppress(Exception):
        if zipfile.is_zipfile(source):
            # It holds a model, which is a pickle; it is this run's own, or will not be used.
            content = torch.load(source, map_location="cpu", weights_only=False)
            if isinstance(content, dict):
                return content
    raise RunFailed(f"{RESUME} is broken ({source.stat().st_size} bytes)", hint="cid train begins anew")


def _copy(folder: Path, out: Path) -> None:
    for name in (*_WEIGHTS, *_RECORDS):
        source, target = _inside(folder, name), out / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for source in _epochs(folder):
        shutil.copyfile(source, out / "weights" / source.name)
    if (folder / _TRACKED).is_dir():
        shutil.copytree(folder / _TRACKED, out / _TRACKED, symlinks=True, dirs_exist_ok=True)
    _prepend(_inside(folder, _LOG), out / _LOG)


def _epochs(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "weights").glob("epoch*.pt"))


def _prepend(earlier: Path, log: Path) -> None:
    """In place: the log is open, for appending."""
    if earlier.is_file():
        before, now = earlier.read_bytes(), log.read_bytes() if log.exists() else b""
        with log.open("r+b" if log.exists() else "wb") as file:
            file.write(before + now)


def _trim(path: Path, epoch: int) -> None:
    """Drop what was written about epochs after the checkpoint: a leg that was killed may have begun one."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _number(line) <= epoch]
    if kept != lines:
        # Not in place: a file that was fetched before may be a hard link to this one.
        part = path.with_name(f"{path.name}.part")
        part.write_text("".join(kept), encoding="utf-8")
        part.replace(path)


def _number(line: str) -> int:
    """The epoch that a line is about; 0 for a header."""
    with suppress(ValueError, TypeError, KeyError):
        return int(json.loads(line)["epoch"] if line.startswith("{") else line.partition(",")[0])
    return 0
