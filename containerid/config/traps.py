"""What Ultralytics takes without a word and is seldom meant."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from containerid.config import classifiers
from containerid.config.classifiers import TIMM

if TYPE_CHECKING:
    from containerid.config.params import Params

_ADAPTIVE = {"Adam", "AdamW", "Adamax", "NAdam", "RAdam"}


def found(params: "Params") -> Iterator[str]:
    """One line for each trap in the parameters."""
    yield from _training(params)
    if not params.model.architecture.startswith(TIMM):
        yield from _ultralytics(params)
        yield from _augmentation(params)
    elif doubt := classifiers.doubted(params.model.architecture):
        yield doubt


def _training(params: "Params") -> Iterator[str]:
    training = params.training
    if training.learning_rate == 0:
        yield "training.learning_rate is 0: nothing will be learnt"
    rate = 0.01 if training.learning_rate is None else training.learning_rate
    if training.optimizer in _ADAPTIVE and rate > 0.005:
        yield f"training.learning_rate {rate:g} is high for {training.optimizer}; 0.001 is usual"
    if training.warmup_epochs >= training.epochs:
        yield "training.warmup_epochs lasts as long as the training; the learning rate is never reached"


def _ultralytics(params: "Params") -> Iterator[str]:
    training = params.training
    if training.optimizer == "auto" and training.learning_rate is not None:
        yield "training.learning_rate is ignored while training.optimizer is `auto`; name an optimizer"
    if 0 < training.save_period < 10:
        kept = training.epochs // training.save_period
        yield f"training.save_period keeps {kept} full checkpoints, each about 5 times best.pt; -1 keeps best and last"
    if training.device == "all" and not 0 < training.batch_size < 1 and training.batch_size % 2:
        yield f"training.batch_size {training.batch_size:g} cannot be shared evenly by two GPUs; an even one can"
    if getattr(training, "cache", None) == "ram":
        yield "training.cache `ram` makes a run that cannot be repeated exactly, and fills the memory of small machines"
    if training.imgsz % 32:
        yield f"training.imgsz {training.imgsz} is no multiple of 32; Ultralytics takes {-(-training.imgsz // 32) * 32}"


def _augmentation(params: "Params") -> Iterator[str]:
    augmentation = params.augmentation
    if augmentation.copy_paste and params.model.task not in {"segment", "obb"}:
        yield "augmentation.copy_paste does nothing for a detection model"
    if augmentation.perspective > 0.001:
        yield f"augmentation.perspective {augmentation.perspective:g} tears the picture apart; 0.001 is already much"
