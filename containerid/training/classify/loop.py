"""The training loop. It tells what happens by the events of Ultralytics' trainer, so that one Follower follows both."""

import csv
import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.errors import RunFailed
from containerid.training.classify.score import Score, measure

_RATE = {"SGD": 0.01, "RMSprop": 0.01}
_USUAL_RATE = 0.001
_SPREAD = 100_003
"""Between the seeds of two runs lie those of as many epochs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a training goes.

    Attributes:
        given: Ultralytics' names to values.
        device: as PyTorch names it.
        out: the output folder.
        save: writes weights to a path.
    """

    given: Mapping[str, Any]
    device: str
    out: Path
    save: Callable[[Path, Mapping[str, Any]], None]


class Loop:
    """Trains a model, epoch after epoch, from wherever it stands.

    Every epoch draws its random numbers from a seed of its own: one that is begun anew after a stop is the same.

    Attributes:
        epoch: that runs, 0-based; `start_epoch` is the first of this leg, `epochs` how many there are.
        metrics: of the last epoch, by Ultralytics' names.
        best: of all epochs, the epoch and its metrics.
        tloss, lr: losses and learning rates of the last epoch.
        stop: it ends early, since the validation has not become better for long.
        batch_number: that is used, counted over all epochs.
    """

    def __init__(self, model: Any, batches: Mapping[str, Any], names: Sequence[str], plan: Plan) -> None:
        import torch
        from timm.optim import create_optimizer_v2

        self.model, self._batches, self._names, self._plan = model, batches, names, plan
        self.train_loader = batches["train"]
        given = plan.given
        name = "AdamW" if given["optimizer"] == "auto" else given["optimizer"]
        rate = given.get("lr0") or _RATE.get(name, _USUAL_RATE)
        self.optimizer = create_optimizer_v2(
            model, name.lower(), rate, given["weight_decay"], given.get("momentum", 0.937)
        )
        self.schedule = _schedule(self.optimizer, given, rate, len(self.train_loader))
        self.epochs: int = given["epochs"]
        self.start_epoch = self.epoch = 0
        self.batch_number = -1
        self.metrics: dict[str, float] = {}
        self.best: dict[str, Any] = {"epoch": -1, "fitness": -1.0, "loss": math.inf, "metrics": {}}
        self.tloss: dict[str, float] = {}
        self.lr: dict[str, float] = {}
        self.stop = False
        self._seconds = 0.0
        self._callbacks: dict[str, list[Callable[[Any], object]]] = defaultdict(list)
        self._half = half_of(given, plan.device)
        # Sixteen bits of bfloat16 reach as far as thirty-two; those of float16 do not.
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._half is torch.float16)

    def add_callback(self, event: str, callback: Callable[[Any], object]) -> None:
        """Have something called with this loop when something happens."""
        self._callbacks[event].append(callback)

    def state(self) -> dict[str, Any]:
        """What `restore` goes on from: plain data and tensors."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "best": self.best,
            "seconds": self._seconds,
            "train_metrics": self.metrics,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stand where another loop stood after an epoch."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self.start_epoch = self.epoch = state["epoch"] + 1
        self.best, self._seconds = dict(state["best"]), state["seconds"]

    def run(self) -> None:
        """Train to the end. Raises RunFailed when the loss is no number any more."""
        begun = time.monotonic() - self._seconds
        self._tell("on_train_start")
        for epoch in range(self.start_epoch, self.epochs):
            self.epoch = epoch
            self._draw_anew()
            self._tell("on_train_epoch_start")
            self._train()
            self._tell("on_train_epoch_end")
            score = measure(self.model, self._batches["val"], self._names, self._plan.device)
            self._seconds = time.monotonic() - begun
            self._keep(score)
            self._tell("on_model_save")
            self._tell("on_fit_epoch_end")
            if self.stop:
                return

    def _tell(self, event: str) -> None:
        for callback in self._callbacks[event]:
            callback(self)

    def _draw_anew(self) -> None:
        import numpy as np
        import torch

        seed = self._plan.given["seed"] * _SPREAD + self.epoch
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)

    def _train(self) -> None:
        self.model.train()
        total, count = 0.0, 0
        for number, (pictures, labels) in enumerate(self.train_loader):
            self._tell("on_train_batch_start")
            self.schedule.step_update(self.epoch * len(self.train_loader) + number)
            total, count = total + self._step(pictures, labels), count + 1
            self._tell("on_train_batch_end")
        self.tloss = {"loss": total / count}
        self.lr = {f"lr/pg{at}": float(group["lr"]) for at, group in enumerate(self.optimizer.param_groups)}
        if not math.isfinite(total):
            raise RunFailed(f"the loss is no number any more in epoch {self.epoch + 1}", hint="lower the learning rate")

    def _step(self, pictures: Any, labels: Any) -> float:
        import torch

        kind = self._plan.device.partition(":")[0]
        with torch.autocast(kind, dtype=self._half, enabled=self._half is not None):
            answers = self.model(pictures.to(self._plan.device))
            loss = torch.nn.functional.cross_entropy(answers.float(), labels.to(self._plan.device))
        self.optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return float(loss.detach())

    def _keep(self, score: Score) -> None:
        reached = score.answers.metrics()
        self.metrics = {f"metrics/{name}": value for name, value in reached.items()}
        weights, state = self._plan.out / "weights", self.model.state_dict()
        self._plan.save(weights / "last.pt", state)
        top1 = reached["accuracy_top1"]
        if (top1, -score.loss) > (self.best["fitness"], -self.best["loss"]):
            self._plan.save(weights / "best.pt", state)
            self.best = {"epoch": self.epoch, "fitness": top1, "loss": score.loss, "metrics": self.metrics}
        row = {"epoch": self.epoch + 1, "time": round(self._seconds, 3), "train/loss": self.tloss["loss"]}
        _append(self._plan.out / "results.csv", row | self.metrics | {"val/loss": score.loss} | self.lr)
        patience = self._plan.given["patience"]
        self.stop = bool(patience) and self.epoch - self.best["epoch"] >= patience


def _schedule(optimizer: Any, given: Mapping[str, Any], rate: float, updates: int) -> Any:
    from timm.scheduler import create_scheduler_v2

    schedule, _ = create_scheduler_v2(
        optimizer,
        "cosine" if given["cos_lr"] else "poly",
        num_epochs=given["epochs"],
        min_lr=rate * given.get("lrf", 0.01),
        warmup_lr=rate / 100,
        warmup_epochs=given["warmup_epochs"],
        decay_rate=1.0,  # the power of a polynomial; this one is a line
        step_on_epochs=False,
        updates_per_epoch=updates,
    )
    return schedule


def sow(given: Mapping[str, Any]) -> None:
    """Begin at the seed, and have PyTorch compute alike each time, as Ultralytics does."""
    import torch

    torch.manual_seed(given["seed"])
    exactly = bool(given.get("deterministic", True))
    if exactly:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(exactly, warn_only=True)
    torch.backends.cudnn.deterministic = exactly


def half_of(given: Mapping[str, Any], device: str) -> Any:
    """The type of PyTorch's that a GPU computes in where `amp` allows it; None for single precision."""
    import torch

    types = {True: torch.float16, "fp16": torch.float16, "bf16": torch.bfloat16}
    return types.get(given.get("amp", True)) if device.startswith("cuda") else None


def _append(path: Path, row: Mapping[str, float]) -> None:
    new = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
