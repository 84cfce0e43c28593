"""Our callbacks on a trainer: they tell how far it is, keep the time budget, and never stop a training by failing."""

import json
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from containerid import events
from containerid.job import Metrics
from containerid.training.log import Log
from containerid.training.stop import Stop
from containerid.training.tracking import Tracking

RESUME = "resume.pt"
_METRICS = {"precision": "precision", "recall": "recall", "mAP50": "mAP50", "mAP50-95": "mAP50-95"}


def flat(metrics: Mapping[str, Any], split: str) -> Metrics:
    """Ultralytics' metrics by our names: `metrics/mAP50(B)` becomes `val/mAP50`.

    Masks and other kinds keep their letter: `val/mAP50(M)`. Losses and anything else are left out.
    """
    named = {}
    for key, value in metrics.items():
        prefix, _, rest = key.partition("/")
        name, _, kind = rest.partition("(")
        if prefix == "metrics" and name in _METRICS:
            named[f"{split}/{name}" + ("" if kind in {"B)", ""} else f"({kind}")] = float(value)
    return named


def keep(checkpoint: Path, name: str = RESUME) -> Path | None:
    """Copy a checkpoint beside itself, whole or not at all; None when it is not one that can be gone on from.

    Ultralytics strips the optimizer from last.pt when it ends in order, and writes it in place: a copy is what the
    next leg can go on from.
    """
    if not _is_resumable(checkpoint):
        return None
    target = checkpoint.with_name(name)
    part = target.with_suffix(".part")
    shutil.copyfile(checkpoint, part)
    part.replace(target)
    return target


def _is_resumable(checkpoint: Path) -> bool:
    if not zipfile.is_zipfile(checkpoint):
        return False
    import torch

    # It holds a model, which is a pickle; this process has just written it.
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    return content.get("optimizer") is not None


class Follower:
    """Follows one training.

    Args:
        log, stop, tracking: the session's.
        path: of progress.jsonl; one line an epoch is appended.
        budget: seconds; 0 is no limit. When the next epoch would not end within it, the training stops with a
            resumable checkpoint.
        clock: seconds.
        keep: keeps a checkpoint that Ultralytics is about to strip.

    Attributes:
        epoch: the last that was completed, 1-based; 0 before.
        paused: the budget ended it.
    """

    def __init__(
        self,
        log: Log,
        stop: Stop,
        tracking: Tracking,
        path: Path,
        budget: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[Path], object] = keep,
    ) -> None:
        self._log, self._stop, self._tracking, self._path, self._budget = log, stop, tracking, path, budget
        self._clock, self._keep = clock, keep
        self._begun = self._first = 0.0
        self._current = -1
        self._failed: set[str] = set()
        self.epoch = 0
        self.paused = False

    def follow(self, model: Any) -> None:
        """Add the callbacks to an Ultralytics model."""
        for event in ("on_train_start", "on_train_epoch_start", "on_train_batch_end", "on_fit_epoch_end"):
            model.add_callback(event, self._guarded(event, getattr(self, f"_{event}")))

    def _guarded(self, event: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(trainer: Any) -> None:
            self._stop.check()
            try:
                callback(trainer)
            except Exception as error:
                if event not in self._failed:
                    self._log.caution(f"{event}: {type(error).__name__}: {error}; the training goes on")
                self._failed.add(event)

        return call

    def _on_train_start(self, trainer: Any) -> None:
        self._begun = self._clock()
        self._first = trainer.start_epoch

    def _on_train_epoch_start(self, trainer: Any) -> None:
        self._current = trainer.epoch

    def _on_train_batch_end(self, trainer: Any) -> None:
        if self._budget and self._clock() - self._begun > self._budget:
            self._pause(trainer)

    def _on_fit_epoch_end(self, trainer: Any) -> None:
        # Ultralytics calls this once more, with the next epoch's number, after it has validated the best weights.
        if trainer.epoch != self._current:
            return
        self.epoch = trainer.epoch + 1
        spent = self._clock() - self._begun
        pace = spent / (self.epoch - self._first)
        self._tell(trainer, spent, pace)
        if self._budget and not trainer.stop and spent + pace > self._budget:
            self._pause(trainer)
        if self.paused:
            self._keep(Path(trainer.last))

    def _pause(self, trainer: Any) -> None:
        # `time=` would stretch or squeeze the schedule to fill the budget: a short training would burn all of it.
        self.paused = trainer.epoch + 1 < trainer.epochs
        trainer.stop = True

    def _tell(self, trainer: Any, spent: float, pace: float) -> None:
        metrics = flat(trainer.metrics, "val")
        told = events.Progress(self.epoch, trainer.epochs, metrics, round(pace * (trainer.epochs - self.epoch), 1))
        self._log.progress(told)
        losses = {f"train/{key}": float(value) for key, value in trainer.tloss.items()}
        rates = {key: float(value) for key, value in trainer.lr.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({**asdict(told), "seconds": round(spent, 2), "losses": losses, "rates": rates}) + "\n"
            )
        self._tracking.tell({**losses, **metrics, **rates}, self.epoch)
