"""What Ultralytics' checkpoint lacks, so that a leg goes on exactly where the one before it stopped.

Its checkpoint holds the averaged weights in half precision, from which it goes on as if they were the trained ones; it
holds no random numbers, forgets the gradients of batches that no optimizer step has used yet, and steps at once when it
goes on. On a CPU a training that is restored from here gives the same weights as one that was never stopped; where
processes of their own load the images, these draw other augmentations.
"""

import random
import time
from importlib import import_module
from typing import Any


def stepping(base: Any) -> Any:
    """A trainer class that knows on which batch its optimizer last stepped, and can be told.

    Ultralytics keeps that in a local variable, which starts anew at a resume, and compares the batches since with
    `accumulate`: what is missing in the one is added to the other until the first step.
    """

    def step(self: Any) -> None:
        base.optimizer_step(self)
        self.stepped, self.shift = self.batch_number, 0

    def build(self: Any) -> None:
        self.shift = 0
        base._build_train_pipeline(self)

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
        },
    )


def count(trainer: Any, *, start: bool = False) -> None:
    """Know the number of the batch that is about to be used; `start` for an epoch that is about to begin."""
    trainer.batch_number = len(trainer.train_loader) * trainer.epoch - 1 if start else trainer.batch_number + 1


def capture(trainer: Any) -> dict[str, Any]:
    """The state of a trainer whose epoch has just ended."""
    import numpy as np
    import torch

    loader, model = trainer.train_loader, _bare(trainer.model)
    gradients = {name: each.grad for name, each in model.named_parameters() if each.grad is not None}
    return {
        "model": model.state_dict(),
        "gradients": gradients if trainer.stepped != trainer.batch_number else {},
        "stepped": trainer.stepped,
        "seconds": time.time() - trainer.train_time_start,
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "order": loader.generator.get_state(),
        "mosaic": list(loader.dataset.buffer) if not loader.num_workers else [],
    }


class Restoration:
    """Puts a captured state back, step by step as the trainer gets ready. Each step is one of its callbacks."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._mosaic: int | None = None

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """The trained weights, in place of the averaged ones."""
        _bare(trainer.model).load_state_dict(self._state["model"])

    def on_train_start(self, trainer: Any) -> None:
        """The time that the earlier legs took, the last step, and the end of mosaics where that was before."""
        trainer.train_time_start -= self._state["seconds"]
        trainer.stepped = self._state["stepped"]
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
