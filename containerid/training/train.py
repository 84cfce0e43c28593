"""Training with Ultralytics: every parameter is passed through, the data is a view, the outputs are ours."""

import re
import time
from typing import Any

from containerid.errors import RunFailed, RunPaused
from containerid.job import Metrics
from containerid.training import checkpoint, environment, state, tracking, yolo
from containerid.training.log import say
from containerid.training.progress import Follower, flat
from containerid.training.session import Session

_QUICK_EPOCHS, _QUICK_BATCH = 2, 4


def train(session: Session) -> None:
    """Train to the end, to the budget's end, or until it stops early.

    Raises:
        RunFailed: the model, its weights or the memory do not do.
        RunPaused: the budget ended, or somebody asked for it; `weights/resume.pt` can be gone on from.
    """
    environment.check_torchvision()
    session.tracking = tracking.start(
        session.params.wandb,
        run=session.spec.run,
        project=session.spec.project,
        config=session.spec.params,
        folder=session.out,
    )
    with yolo.ultralytics(session) as package:
        if session.past and session.past.complete:
            session.metrics, session.epochs = flat(session.past.metrics, "val"), session.past.epoch
            checkpoint.settle(session.out)
        else:
            session.metrics = _train(session, package)
    if not session.best.is_file():
        raise RunFailed("the training left no weights/best.pt", hint="look for NaN losses in the log")


def _train(session: Session, package: Any) -> Metrics:
    model = package.YOLO(str(session.past.path) if session.past else yolo.find_model(session, package))
    follower = _follower(session)
    follower.follow(model)
    if session.past:
        _restore(model, state.Restoration(session.past.state))
    begun = time.monotonic()
    try:
        model.train(trainer=state.stepping(model.task_map[model.task]["trainer"]), **arguments(session))
    except RunPaused:
        checkpoint.settle(session.out)
        session.metrics = follower.metrics
        raise
    except RuntimeError as error:
        raise _explained(error) from error
    finally:
        session.seconds, session.epochs = time.monotonic() - begun, follower.epoch
        session.checkpoint = follower.checkpoint
    return _metrics(model)


def _follower(session: Session) -> Follower:
    session.budget.passes = _passes(session)
    return Follower(
        session.log,
        session.stop,
        session.tracking,
        session.out / "progress.jsonl",
        session.budget,
        keep=checkpoint.keeper(session.spec),
        kept=session.past is not None,
    )


def _passes(session: Session) -> float:
    """The best weights are validated once more in the end, and the test split is looked through twice."""
    images = {split: counts.get("images", 0) for split, counts in session.report.counts.items()}
    return 1 + 2 * images.get("test", 0) / max(images.get("val", 0), 1)


def _restore(model: Any, restoration: state.Restoration) -> None:
    for event in ("on_pretrain_routine_end", "on_train_start", "on_train_epoch_start"):
        model.add_callback(event, getattr(restoration, event))


def arguments(session: Session) -> dict[str, Any]:
    """What `YOLO.train` gets: all that params.yaml says, and where things are; a later leg has the rest from the first.

    Never `resume=True`: on a checkpoint that holds no training it would start another one, on data of its own.
    """
    places = {"data": str(session.view), "save_dir": str(session.out), "device": session.hardware.device}
    if session.past:
        return places | {"resume": str(session.past.path)}
    given: dict[str, Any] = session.params.train_arguments()
    if isinstance(given.get("pretrained"), str):
        given["pretrained"] = _weights(session, given["pretrained"])
    if session.spec.quick:
        given |= {"epochs": min(given["epochs"], _QUICK_EPOCHS), "batch": _QUICK_BATCH}
    return given | places


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
