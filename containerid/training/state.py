"""What Ultralytics' checkpoint lacks, so that a leg goes on exactly where the one before it stopped.

Its checkpoint holds the averaged weights in half precision, from which it goes on as if they were the trained ones; it
holds no random numbers, forgets the gradients of batches that no optimizer step has used yet, and steps at once when it
goes on. On a CPU a training that is restored from here gives the same weights as one that was never stopped; where
processes of their own load the images, these draw other augmentations.
"""

import math
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from containerid.training.packing import Packer

PARTS = "part"
"""A folder beside the weights, in which they are written: whoever is killed meanwhile has the ones from before."""


def stepping(base: Any) -> Any:
    """A trainer class that writes its weights whole or not at all, and can be told on which batch it last stepped.

    Ultralytics keeps that in a local variable, which starts anew at a resume, and compares the batches since with
    `accumulate`: what is missing in the one is added to the other until the first step.

    Nor does it halve the batch itself, which Ultralytics does three times in a first epoch, on one GPU, and records
    nowhere: the error comes out, and `halving` goes on.
    """

    def step(self: Any) -> None:
        base.optimizer_step(self)
        self.stepped, self.shift = self.batch_number, 0

    def build(self: Any) -> None:
        self.shift = 0
        base._build_train_pipeline(self)

    def begin(self: Any) -> None:
        base._model_train(self)
        # The retries that it counts are used up; where an epoch ends well, it sets them to 0, and asks for no other.
        self._oom_retries = math.inf

    def save(self: Any) -> Any:
        with _aside(self):
            return base.save_model(self)

    def finish(self: Any) -> None:
        with _aside(self, copied=True):
            base.final_eval(self)

    return type(
        base.__name__,
        (base,),
        {
            "stepped": -1,
            "shift": 0,
            "batch_number": -1,
            "accumulate": property(
                lambda self: self._nominal + self.shift, lambda self, value: setattr(self, "_nominal", value)
            ),
            "optimizer_step": step,
            "_build_train_pipeline": build,
            "_model_train": begin,
            "save_model": save,
            "final_eval": finish,
        },
    )


@contextmanager
def _aside(trainer: Any, *, copied: bool = False) -> Iterator[None]:
    """Within, last.pt and best.pt are others, in a folder aside; after it, these are in the place of those."""
    if import_module("ultralytics.utils").RANK not in {-1, 0}:
        yield
        return
    folder, whole = trainer.wdir / PARTS, (trainer.last, trainer.best)
    folder.mkdir(parents=True, exist_ok=True)
    trainer.last, trainer.best = parts = tuple(folder / each.name for each in whole)
    try:
        for source, part in zip(whole, parts, strict=True):
            if copied and source.exists():
                shutil.copyfile(source, part)
        yield
        for part, target in zip(parts, whole, strict=True):
            if part.exists():
                part.replace(target)
    finally:
        trainer.last, trainer.best = whole
        shutil.rmtree(folder, ignore_errors=True)


def count(trainer: Any, *, start: bool = False) -> None:
    """Know the number of the batch that is about to be used; `start` for an epoch that is about to begin."""
    trainer.batch_number = len(trainer.train_loader) * trainer.epoch - 1 if start else trainer.batch_number + 1


def checkpoint(trainer: Any, packer: Packer) -> dict[str, Any]:
    """What Ultralytics goes on from, in full precision.

    Made anew rather than read back from the last.pt that it has just written: to read that costs as much as to write
    it. Only a model that is trained for whole numbers has parts that are known to Ultralytics alone.
    """
    optimizer = packer.pack("optimizer", trainer.optimizer.state_dict())
    if trainer.args.quantize:
        import torch

        saved: dict[str, Any] = torch.load(trainer.last, map_location="cpu", weights_only=False)
        return saved | {"optimizer": optimizer}
    return {
        "epoch": trainer.epoch,
        "best_fitness": trainer.best_fitness,
        "stopper": {name: getattr(trainer.stopper, name) for name in ("best_fitness", "best_epoch")},
        "model": None,
        "ema": packer.pack_model("ema", trainer.ema.ema),
        "updates": trainer.ema.updates,
        "optimizer": optimizer,
        "scaler": trainer.scaler.state_dict(),
        "train_args": vars(trainer.args),
        "train_metrics": {**trainer.metrics, "fitness": trainer.fitness},
        "version": import_module("ultralytics").__version__,
    }


def capture(trainer: Any, packer: Packer) -> dict[str, Any]:
    """The state of a trainer whose epoch has just ended."""
    import numpy as np
    import torch

    loader, model = trainer.train_loader, _bare(trainer.model)
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return {
        "model": packer.pack("model", model.state_dict()),
        "gradients": packer.pack("gradients", gradients if trainer.stepped != trainer.batch_number else {}),
        "stepped": trainer.stepped,
        "batch": trainer.batch_size,
        "seconds": time.time() - trainer.train_time_start,
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "order": loader.generator.get_state(),
        # A classifier's images are never joined to mosaics.
        "mosaic": list(getattr(loader.dataset, "buffer", ())) if not loader.num_workers else [],
    }


class Restoration:
    """Puts a captured state back, step by step as the trainer gets ready. Each step is one of its callbacks.

    Args:
        state: what `capture` gave.
        regrouped: the batches are of another size now. Their count starts anew with the epoch, and gradients of
            batches that no step has used are let go.
        first: it is the process that captured the state. One that trains beside it takes over the weights alone.
    """

    def __init__(self, state: dict[str, Any], *, regrouped: bool = False, first: bool = True) -> None:
        self._state = state | ({} if first and not regrouped else {"gradients": {}, "mosaic": []})
        self._regrouped, self._first = regrouped, first
        self._mosaic: int | None = None

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """The trained weights, in place of the averaged ones."""
        _bare(trainer.model).load_state_dict(self._state["model"])

    def on_train_start(self, trainer: Any) -> None:
        """The time that the earlier legs took, the last step, and the end of mosaics where that was before."""
        trainer.train_time_start -= self._state["seconds"]
        first = len(trainer.train_loader) * trainer.start_epoch
        trainer.stepped = first - 1 if self._regrouped else self._state["stepped"]
        trainer.shift = trainer.stepped + 1
        if trainer.args.close_mosaic > 0 and trainer.start_epoch > trainer.epochs - trainer.args.close_mosaic:
            trainer._close_dataloader_mosaic()
            self._mosaic, trainer.args.close_mosaic = trainer.args.close_mosaic, 0

    def on_train_epoch_start(self, trainer: Any) -> None:
        """Gradients, the order of the images and all random numbers: the last thing before the first batch."""
        if not self._state:
            return
        if self._mosaic is not None:
            trainer.args.close_mosaic = self._mosaic
        for name, each in _bare(trainer.model).named_parameters():
            if name in self._state["gradients"]:
                each.grad = self._state["gradients"][name].to(each.device)
        if self._first:
            _restore_loader(trainer.train_loader, self._state)
            _restore_randomness(self._state)
        self._state = {}


def _restore_loader(loader: Any, state: dict[str, Any]) -> None:
    if not loader.num_workers:
        # Between two epochs its sampler stands at the end of the one, from where it draws once more before the other.
        # A loader with processes of its own runs ahead, and cannot be brought there.
        loader.iterator = loader._get_iterator()
        for _ in range(len(loader)):
            loader.iterator._next_index()
        for index in state["mosaic"]:
            loader.dataset.load_image(index)
        loader.dataset.buffer = list(state["mosaic"])
    loader.generator.set_state(state["order"])


def _restore_randomness(state: dict[str, Any]) -> None:
    import numpy as np
    import torch

    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _bare(model: Any) -> Any:
    return import_module("ultralytics.utils.torch_utils").unwrap_model(model)
