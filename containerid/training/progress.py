"""Our callbacks on a trainer: how far it is, its checkpoint, its budget. They never stop a training by failing.

Those of `state.Restoration` are others: a checkpoint that cannot be put back stops the run, since a training that went
on from something else would pass for the one that was asked for.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from containerid import events
from containerid.errors import RunPaused
from containerid.job import Metrics
from containerid.training import state
from containerid.training.budget import Budget
from containerid.training.log import Log
from containerid.training.stop import Stop
from containerid.training.tracking import Tracking

_SOON = 60.0
"""Seconds for which the end of an epoch is waited for when a run is asked to stop."""

_METRICS = frozenset({"precision", "recall", "mAP50", "mAP50-95", "accuracy_top1", "accuracy_top5"})


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


class Follower:
    """Follows one training.

    Args:
        log, stop, tracking: the session's.
        record: writes down what an epoch was like.
        budget: of the session. When it does not allow another epoch, the training ends with RunPaused.
        keep: keeps a checkpoint from which the next leg can go on.
        kept: there is such a checkpoint already, from an earlier leg.
        clock: seconds.

    Attributes:
        epoch: the last that was completed, 1-based; 0 before.
        metrics: of that epoch.
        asked: it was ended because somebody asked for it.
    """

    def __init__(
        self,
        log: Log,
        stop: Stop,
        tracking: Tracking,
        record: Callable[[dict[str, Any]], object],
        budget: Budget,
        *,
        keep: Callable[[Any], object],
        kept: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._stop, self._tracking, self._record, self._budget = log, stop, tracking, record, budget
        self._clock, self._keep, self._kept = clock, keep, kept
        self._best, self._spent = False, 0.0
        self._begun = self._first = 0.0
        self._epoch_begun = self._trained = 0.0
        self._paces: list[float] = []
        self._current = -1
        self._failed: set[str] = set()
        self._epochs = 0
        self.epoch = 0
        self.metrics: Metrics = {}
        self.asked = False

    @property
    def checkpoint(self) -> dict[str, Any]:
        """What a Result tells about the checkpoint that is kept; nothing when there is none."""
        if not self._kept:
            return {}
        return {"epoch": self.epoch, "epochs": self._epochs} | ({"asked": True} if self.asked else {})

    def follow(self, model: Any) -> None:
        """Add the callbacks to an Ultralytics model."""
        for event in (
            "on_train_start",
            "on_train_epoch_start",
            "on_train_batch_start",
            "on_train_batch_end",
            "on_train_epoch_end",
            "on_model_save",
            "on_fit_epoch_end",
        ):
            model.add_callback(event, self._guarded(event, getattr(self, f"_{event}")))

    def _guarded(self, event: str, callback: Callable[[Any], None]) -> Callable[[Any], None]:
        def call(trainer: Any) -> None:
            self._stop.check()
            try:
                callback(trainer)
            except RunPaused:
                raise
            except Exception as error:
                if event not in self._failed:
                    self._log.caution(f"{event}: {type(error).__name__}: {error}; the training goes on")
                self._failed.add(event)

        return call

    def _on_train_start(self, trainer: Any) -> None:
        self._begun = self._clock()
        self._first = self.epoch = trainer.start_epoch
        self._epochs = trainer.epochs

    def _on_train_epoch_start(self, trainer: Any) -> None:
        self._current = trainer.epoch
        self._epoch_begun = self._clock()
        self._best = False
        state.count(trainer, start=True)

    def _on_train_batch_start(self, trainer: Any) -> None:
        state.count(trainer)

    def _on_train_batch_end(self, _: Any) -> None:
        self._budget.note_batch()
        # What this epoch has done is lost, the rest is not; without a checkpoint there is nothing to lose.
        if self._kept and self._budget.left <= 0:
            self._pause()
        if self._kept and self._stop.pauses and self._rest() > _SOON:
            self._pause()

    def _rest(self) -> float:
        """Seconds until this epoch ends, by the last one; without one nobody knows, and it may be long."""
        spent = self._clock() - self._epoch_begun
        return self._paces[-1] - spent if self._paces else _SOON + 1

    def _on_train_epoch_end(self, _: Any) -> None:
        self._trained = self._clock()

    def _on_model_save(self, trainer: Any) -> None:
        # As Ultralytics decides whether best.pt is of this epoch, whatever the task rates.
        self._best = hasattr(trainer, "best_fitness") and trainer.best_fitness == trainer.fitness
        self._keep(trainer)
        self._kept = True

    def _on_fit_epoch_end(self, trainer: Any) -> None:
        # Ultralytics calls this once more, with the next epoch's number, after it has validated the best weights.
        if trainer.epoch != self._current:
            return
        self.epoch = trainer.epoch + 1
        now = self._clock()
        self._paces.append(now - self._epoch_begun)
        self._budget.note(self._paces[-1], now - self._trained)
        self._tell(trainer, now - self._begun)
        # A pause here costs nothing: the checkpoint of this very epoch is written. `time=` would end the training in
        # time as well, but by squeezing the schedule into the budget.
        if trainer.stop or not self._kept:
            return
        if self._stop.pauses or not self._budget.allows_an_epoch:
            self._pause()

    def _pause(self) -> None:
        self.asked = self._stop.pauses
        why = "asked to stop" if self.asked else f"the time budget of {self._budget.seconds:g} s ended"
        raise RunPaused(f"{why} after epoch {self.epoch}")

    def _tell(self, trainer: Any, spent: float) -> None:
        pace = spent / (self.epoch - self._first)
        self.metrics = metrics = flat(trainer.metrics, "val")
        told = events.Progress(self.epoch, trainer.epochs, metrics, round(pace * (trainer.epochs - self.epoch), 1))
        self._log.progress(told)
        losses = {f"train/{key}": float(value) for key, value in trainer.tloss.items()}
        rates = {key: float(value) for key, value in trainer.lr.items()}
        took, self._spent = spent - self._spent, spent
        line = {**asdict(told), "seconds": round(spent, 2), "losses": losses, "rates": rates}
        self._record(line | {"best": self._best, "took": round(took, 2)})
        self._tracking.tell({**losses, **metrics, **rates}, self.epoch)
