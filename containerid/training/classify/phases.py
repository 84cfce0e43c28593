"""The three phases of a classifier: look at the data, train, evaluate."""

import re
import time
from typing import Any

import yaml

from containerid.dataset import classes
from containerid.dataset.check import refuse
from containerid.dataset.sets import Dataset
from containerid.dataset.yamlfile import DatasetError
from containerid.errors import RunFailed, RunPaused
from containerid.training import checkpoint, environment, tracking, validate
from containerid.training.classify import images, loop, model
from containerid.training.classify.score import measure
from containerid.training.progress import Follower, flat
from containerid.training.session import Session

_QUICK_EPOCHS, _QUICK_BATCH = 2, 4


def look(session: Session) -> None:
    """Check the set, and that timm knows the model, before time is spent. Raises RunFailed when one is not good."""
    model.prepare(session)
    if session.folder is None:
        raise RunFailed("there is no data", hint="data.path in params.yaml")
    try:
        session.dataset = classes.read(session.folder)
        session.report = classes.check(session.dataset, session.params.data.minimum.model_dump())
    except DatasetError as error:
        session.report = refuse(error)
    validate.tell(session)


def train(session: Session) -> None:
    """Train to the end, to the budget's end, or until it stops early.

    Raises:
        RunFailed: the model, its weights or the memory do not do.
        RunPaused: the budget ended, or somebody asked for it; `weights/resume.pt` can be gone on from.
    """
    environment.check_torchvision()
    tracking.begin(session)
    if session.past and session.past.complete:
        content = model.load(session.past.path)
        session.metrics, session.epochs = flat(content["best"]["metrics"], "val"), session.past.epoch
        model.save(session.out / "weights" / "last.pt", content["model"], session, _dataset(session).names)
        return
    try:
        session.metrics = _train(session)
    except RuntimeError as error:
        if re.search("out of memory", str(error), re.IGNORECASE):
            hint = "halve training.batch_size, or lower imgsz"
            raise RunFailed("the GPU's memory is too small for it", hint=hint) from error
        raise


def evaluate(session: Session) -> None:
    """Measure the best weights on the test split, or on the validation split where there is none."""
    dataset = _dataset(session)
    split = "test" if dataset.splits.get("test") else "val"
    network = model.build_saved(session, dataset.names)
    batches = _batches(session, dataset, network, (split,))[split]
    score = measure(network.to(device_of(session)), batches, len(dataset.names), device_of(session))
    session.metrics |= score.metrics(split) | {"speed/inference": score.speed}
    session.extras["per_class"] = score.per_class(dataset.names)
    session.extras["confusion"] = {"split": split, "names": list(dataset.names), "matrix": score.matrix}


def device_of(session: Session) -> str:
    """As PyTorch names it; of several GPUs the first."""
    first = str(session.hardware.device).partition(",")[0]
    return f"cuda:{first}" if first.isdecimal() else first


def _dataset(session: Session) -> Dataset:
    if session.dataset is None:
        raise RunFailed("the data was not looked at")
    return session.dataset


def _given(session: Session) -> dict[str, Any]:
    given: dict[str, Any] = session.params.train_arguments()
    if session.spec.quick:
        given |= {"epochs": min(given["epochs"], _QUICK_EPOCHS), "batch": _QUICK_BATCH}
    return given


def _train(session: Session) -> dict[str, float]:
    import torch

    dataset = _dataset(session)
    # A model that starts from nothing starts from the seed.
    torch.manual_seed(session.params.training.seed)
    network = model.build(session, dataset.names).to(device_of(session))
    plan = loop.Plan(
        _given(session),
        device_of(session),
        session.out,
        lambda path, state: model.save(path, state, session, dataset.names),
    )
    (session.out / "args.yaml").write_text(yaml.safe_dump(dict(plan.given)), encoding="utf-8")
    trainer = loop.Loop(network, _batches(session, dataset, network, ("train", "val")), len(dataset.names), plan)
    if session.past:
        trainer.restore(model.load(session.past.path))
    follower = _follower(session)
    follower.follow(trainer)
    begun = time.monotonic()
    try:
        trainer.run()
    except RunPaused:
        session.metrics = follower.metrics
        raise
    finally:
        session.seconds, session.epochs = time.monotonic() - begun, follower.epoch
        session.checkpoint = follower.checkpoint
    return flat(trainer.best["metrics"], "val")


def _follower(session: Session) -> Follower:
    held = {split: counts.get("images", 0) for split, counts in session.report.counts.items()}
    session.budget.passes = held.get("test", 0) / max(held.get("val", 0), 1)
    return Follower(
        session.log,
        session.stop,
        session.tracking,
        session.out / tracking.PROGRESS_FILE,
        session.budget,
        keep=lambda trainer: _keep(session, trainer),
        kept=session.past is not None,
    )


def _keep(session: Session, trainer: Any) -> None:
    spec = session.spec
    ours = {"run": spec.run, "meant": checkpoint.meant(spec), "epochs": trainer.epochs, "over": trainer.stop}
    model.write(session.out / "weights" / checkpoint.RESUME, trainer.state() | {"cid": ours})


def _batches(session: Session, dataset: Dataset, network: Any, splits: tuple[str, ...]) -> dict[str, Any]:
    import torch

    given, training = _given(session), session.params.training
    wanted = model.input_of(network)
    transforms = {
        "train": images.training_transform(wanted, training.imgsz, session.params.augmentation.arguments()),
        "plain": images.plain_transform(wanted, training.imgsz),
    }
    made = {}
    for split in splits:
        limit = validate.QUICK.get(split, 0) if session.spec.quick else 0
        found = images.Images(images.pairs(dataset, split, limit), transforms.get(split, transforms["plain"]))
        generator = torch.Generator() if split == "train" else None
        made[split] = images.loader(found, given["batch"], training.workers, generator)
    return made
