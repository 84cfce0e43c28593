"""Training with Ultralytics: every parameter is passed through, the data is a view, the outputs are ours."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from containerid.errors import RunFailed, RunPaused
from containerid.job import Metrics
from containerid.training import (
    checkpoint,
    environment,
    evaluate,
    halving,
    history,
    memory,
    sampling,
    state,
    together,
    tracking,
    yolo,
)
from containerid.training.log import say
from containerid.training.progress import Follower, flat
from containerid.training.session import Session
from containerid.training.stop import Stopped

_QUICK_EPOCHS, _QUICK_BATCH = 2, 4


def train(session: Session) -> None:
    """Train to the end, to the budget's end, or until it stops early.

    Raises:
        RunFailed: the model, its weights or the memory do not do.
        RunPaused: the budget ended, or somebody asked for it; `weights/resume.pt` can be gone on from.
        Stopped: a signal arrived. Nothing is saved then: `weights/resume.pt` is of the last complete epoch, and what
            the one that ran has done is lost.
    """
    environment.check_torchvision()
    tracking.begin(session)
    try:
        with yolo.ultralytics(session) as package:
            session.metrics = _train(session, package)
    except RunPaused:
        checkpoint.settle(session.out)
        raise
    except Stopped:
        try:
            checkpoint.settle(session.out)
        except Exception as error:
            session.log.caution(f"weights/best.pt is larger than it need be ({type(error).__name__}: {error})")
        raise
    if not session.best.is_file():
        raise RunFailed("the training left no weights/best.pt", hint="look for NaN losses in the log")


def _train(session: Session, package: Any) -> Metrics:
    def once() -> Metrics:
        over = bool(session.past and session.past.complete)
        if not over and len(session.hardware.indices) > 1 and (found := _together(session, package)) is not None:
            return found
        # Those that did not go on together may have trained to the end before.
        if session.past and session.past.complete:
            return _finish(session, session.past, package)
        return attempt(session, load(session, package))

    return halving.train(session, once)


def _finish(session: Session, past: checkpoint.Checkpoint, package: Any) -> Metrics:
    """Of a training that was complete, what comes after its last epoch: the best weights are validated once more."""
    session.epochs = past.epoch
    checkpoint.finish(past, session.out)
    session.batch = int(past.state["batch"])
    given: dict[str, Any] = session.params.train_arguments()
    chosen: dict[str, Any] = {name: given[name] for name in ("imgsz", "workers", "plots") if name in given}
    # A trainer validates with twice what a GPU has of its batch.
    chosen["batch"] = 2 * max(session.batch // max(len(session.hardware.indices), 1), 1)
    places = {"data": str(session.view), "save_dir": str(session.out), "device": session.hardware.device}
    chosen |= evaluate.chosen_classes(session)
    measured = package.YOLO(str(session.best)).val(split="val", **places, **chosen)
    return flat(measured.results_dict, "val") | {"speed/inference": float(measured.speed["inference"])}


def _together(session: Session, package: Any) -> Metrics | None:
    """Train on all GPUs; None where it has to go on with one."""
    yolo.find_model(session, package)  # Downloaded once, by this process.
    begun = time.monotonic()
    try:
        while (ending := together.train(session)).error:
            if ending.batch < 2 * len(session.hardware.indices) or not halving.left(session):
                raise together.Apart(ending.error)
            halving.halve(session, ending.batch)
        return ending.metrics
    except together.Apart as error:
        session.past = checkpoint.last(session.spec, session.out) or session.past
        session.hardware = session.hardware.single
        session.extras["alone"] = str(error)
        session.log.caution(f"the GPUs do not train together ({error}); it goes on with GPU {session.hardware.index}")
        return None
    finally:
        session.seconds += time.monotonic() - begun


def load(session: Session, package: Any) -> Any:
    """The model that is to be trained, or gone on with."""
    return package.YOLO(str(session.past.path) if session.past else yolo.find_model(session, package))


def attempt(session: Session, model: Any, *, first: bool = True) -> Metrics:
    """Train once. Of several processes only the first keeps, tells and measures anything.

    Raises:
        RunPaused: the budget ended, or somebody asked for it.
        RuntimeError: of PyTorch, such as memory that does not do.
    """
    follower, meter = _follower(session), sampling.Meter(session)
    for each in (follower, meter) if first else ():
        each.follow(model)
    if session.past:
        regrouped = halving.regrouped(session, session.past.state["batch"])
        _restore(model, state.Restoration(session.past.state, regrouped=regrouped, first=first))
    begun = time.monotonic()
    try:
        with meter:
            model.train(trainer=state.stepping(model.task_map[model.task]["trainer"]), **arguments(session))
    except RunPaused:
        session.metrics = follower.metrics
        raise
    finally:
        session.seconds, session.epochs = session.seconds + time.monotonic() - begun, follower.epoch
        session.batch = int(getattr(model.trainer, "batch_size", 0))
        session.checkpoint = follower.checkpoint
    return _metrics(model) if first else {}


def _follower(session: Session) -> Follower:
    session.budget.passes = _passes(session)
    return Follower(
        session.log,
        session.stop,
        session.tracking,
        history.recorder(session.out, session.spec, session.hardware.proof),
        session.budget,
        keep=checkpoint.keeper(session.spec, session.extras.get("halved", ())),
        kept=session.past is not None,
    )


def _passes(session: Session) -> float:
    """The best weights are validated once more in the end, and the test split, else val, is looked through twice."""
    images = {split: counts.get("images", 0) for split, counts in session.report.counts.items()}
    validated = max(images.get("val", 0), 1)
    return 1 + 2 * images.get("test", validated) / validated


def _restore(model: Any, restoration: state.Restoration) -> None:
    for event in ("on_pretrain_routine_end", "on_train_start", "on_train_epoch_start"):
        model.add_callback(event, partial(_put_back, getattr(restoration, event)))


def _put_back(step: Callable[[Any], None], trainer: Any) -> None:
    """Memory that runs out meanwhile is told as such: a smaller batch may leave room."""
    try:
        step(trainer)
    except Exception as error:
        if memory.is_out(error):
            raise
        reason = f"the checkpoint cannot be put back ({type(error).__name__}: {error})"
        raise RunFailed(reason, hint="cid train begins anew") from error


def arguments(session: Session) -> dict[str, Any]:
    """What `YOLO.train` gets: all that params.yaml says, and where things are; a later leg has the rest from the first.

    Never `resume=True`: on a checkpoint that holds no training it would start another one, on data of its own.
    """
    places = {"data": str(session.view), "save_dir": str(session.out), "device": session.hardware.devices}
    batch = halving.batch(session)
    if session.past:
        return places | {"resume": str(session.past.path)} | batch
    given: dict[str, Any] = session.params.train_arguments()
    if isinstance(given.get("pretrained"), str):
        given["pretrained"] = _weights(session, given["pretrained"])
    if given.get("cache") == "auto":
        given["cache"] = _cache(session, given)
    if session.spec.quick:
        given |= {"epochs": min(given["epochs"], _QUICK_EPOCHS), "batch": _QUICK_BATCH}
    if (processes := len(session.hardware.indices)) > 1:
        given["batch"] = together.share(given["batch"], processes)
    return given | places | batch


def _cache(session: Session, given: dict[str, Any]) -> str | bool:
    """Images stay in memory where it holds them all. Loaded by several processes, each has the first one's."""
    images = sum(counts.get("images", 0) for split, counts in session.report.counts.items() if split != "test")
    fits = memory.holds_images(images, given["imgsz"])
    say(f"cache: {images} images {'are kept in memory' if fits else 'are read anew each epoch: the memory is small'}")
    return "ram" if fits else False


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
