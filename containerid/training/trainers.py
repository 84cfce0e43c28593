"""Who trains: one row a trainer. A row knows how to look at the data, to train and to evaluate; the rest is shared."""

from collections.abc import Callable
from dataclasses import dataclass

from containerid.config import ENTRY
from containerid.config.trainers import is_timm
from containerid.training import entry, evaluate, train, validate
from containerid.training.classify import phases as classify
from containerid.training.session import Session

Phase = Callable[[Session], None]


@dataclass(frozen=True, slots=True)
class Trainer:
    """Three phases of a leg; each reads from the session what earlier ones found, and adds what it finds.

    Attributes:
        validate: sets `dataset` and `report`; raises RunFailed when the data cannot be used.
        train: sets `metrics`, `epochs`, `seconds` and `checkpoint`, and leaves `weights/best.pt`; raises RunPaused
            when it stopped with a checkpoint that the next leg can go on from.
        evaluate: adds to `metrics` and `extras`.
    """

    validate: Phase
    train: Phase
    evaluate: Phase


TRAINERS = {
    "ultralytics": Trainer(validate.validate, train.train, evaluate.evaluate),
    "timm": Trainer(classify.look, classify.train, classify.evaluate),
    "own": Trainer(entry.validate, entry.train, entry.evaluate),
}


def choose(session: Session) -> Trainer:
    """The project's own module where it names one, else whose model it is."""
    if session.spec.entry != ENTRY:
        return TRAINERS["own"]
    return TRAINERS["timm" if is_timm(session.params.model.architecture) else "ultralytics"]
