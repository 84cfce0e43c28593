"""Training with Ultralytics: every parameter is passed through, the data is a view, the outputs are ours."""

import re
import time
from typing import Any

from containerid.errors import RunFailed, RunPaused
from containerid.training import tracking, yolo
from containerid.training.log import say
from containerid.training.progress import Follower, flat
from containerid.training.session import Session

_QUICK_EPOCHS, _QUICK_BATCH = 2, 4


def train(session: Session) -> None:
    """Train to the end, to the budget's end, or until it stops early.

    Raises:
        RunFailed: the model, its weights or the memory do not do.
        RunPaused: the budget ended; `weights/resume.pt` can be gone on from.
    """
    session.tracking = tracking.start(
        session.params.wandb,
        run=session.spec.run,
        project=session.spec.project,
        config=session.spec.params,
        folder=session.out,
    )
    with yolo.ultralytics(session) as package:
        model = package.YOLO(yolo.find_model(session, package))
        follower = Follower(
            session.log, session.stop, session.tracking, session.out / "progress.jsonl", session.spec.budget
        )
        follower.follow(model)
        begun = time.monotonic()
        try:
            model.train(**arguments(session))
        except RuntimeError as error:
            raise _explained(error) from error
        finally:
            session.seconds, session.epochs = time.monotonic() - begun, follower.epoch
    session.metrics |= _metrics(model)
    if not session.best.is_file():
        raise RunFailed("the training left no weights/best.pt", hint="look for NaN losses in the log")
    if follower.paused:
        raise RunPaused(f"the time budget of {session.spec.budget:g} s ended after epoch {follower.epoch}")


def arguments(session: Session) -> dict[str, Any]:
    """What `YOLO.train` gets: all that params.yaml says, and where things are."""
    given: dict[str, Any] = session.params.train_arguments()
    if isinstance(given.get("pretrained"), str):
        given["pretrained"] = _weights(session, given["pretrained"])
    if session.spec.quick:
        given |= {"epochs": min(given["epochs"], _QUICK_EPOCHS), "batch": _QUICK_BATCH}
    return given | {"data": str(session.view), "save_dir": str(session.out), "device": session.hardware.device}


def _weights(session: Session, name: str) -> str:
    found = yolo.find_file(name, session.place)
    if found is None:
        raise RunFailed(f"the weights {name} are not there", hint="model.pretrained in params.yaml")
    return str(found)


def _metrics(model: Any) -> dict[str, float]:
    # The trainer has just validated the best weights itself: a second validation would only cost time.
    trainer = model.trainer
    speed = getattr(trainer.validator, "speed", None) or {}
    found = flat(trainer.metrics, "val")
    return found | ({"speed/inference": float(speed["inference"])} if "inference" in speed else {})


def _explained(error: RuntimeError) -> Exception:
    text = str(error)
    if re.search(r"out of memory", text, re.IGNORECASE):
        return RunFailed("the GPU's memory is too small for it", hint="halve training.batch_size, or lower imgsz")
    if "DataLoader worker" in text and "killed" in text:
        say(text)
        return RunFailed("a data loading process was killed, often for host memory", hint="lower training.workers")
    return error
