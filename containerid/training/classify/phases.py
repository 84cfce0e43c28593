"""The three phases of a classifier: look at the data, train, evaluate."""

import time
from typing import Any

import yaml

from containerid.dataset import classes, upright
from containerid.dataset.check import refuse
from containerid.dataset.sets import Dataset
from containerid.dataset.yamlfile import DatasetError
from containerid.errors import RunFailed, RunPaused
from containerid.job import Metrics
from containerid.training import answers as answers_of
from containerid.training import checkpoint, environment, halving, history, latency, sampling, tracking, validate
from containerid.training.classify import images, loop, model
from containerid.training.classify import score as scores
from containerid.training.classify.score import Score, measure
from containerid.training.evaluate import keep
from containerid.training.extras import attempt
from containerid.training.log import say
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
    """Train to the end, to the budget's end, or until it stops early; on one GPU, whatever there is.

    Raises:
        RunFailed: the model, its weights or the memory do not do.
        RunPaused: the budget ended, or somebody asked for it; `weights/resume.pt` can be gone on from.
    """
    environment.check_torchvision()
    tracking.begin(session)
    take_one_gpu(session)
    session.metrics = halving.train(session, lambda: _once(session))


def take_one_gpu(session: Session) -> None:
    """Of several that were asked for, the first."""
    if (count := len(session.hardware.indices)) > 1:
        session.hardware = session.hardware.single
        say(f"timm trains on one GPU here: GPU {session.hardware.index} of {count}")


def _once(session: Session) -> Metrics:
    if session.past and session.past.complete:
        return _finish(session, session.past)
    return _train(session)


def _finish(session: Session, past: checkpoint.Checkpoint) -> Metrics:
    """Of a training that was complete, what comes after its last epoch."""
    content = model.load(past.path)
    model.save(session.out / "weights" / "last.pt", content["model"], session, _dataset(session).names)
    session.epochs, session.batch = past.epoch, _given(session)["batch"]
    session.extras["best_epoch"] = content["best"]["epoch"] + 1
    return flat(content["best"]["metrics"], "val")


def evaluate(session: Session) -> None:
    """Measure the best weights on the test split, and describe what they do there, or on val where there is none.

    Only the test metrics themselves can fail a run; what fails besides is said and left out.
    """
    dataset, device = _dataset(session), device_of(session)
    split = "test" if dataset.splits.get("test") else "val"
    network = model.build_saved(session, dataset.names).to(device)
    batches = _batches(session, dataset, network, (split,))[split]
    score = measure(network, batches, dataset.names, device)
    if split == "test":
        session.metrics |= {f"test/{name}": value for name, value in score.answers.metrics().items()}
    else:
        say("there is no test split: the metrics are those of the validation split")
    session.metrics["speed/inference"] = score.spent
    attempt(session, "evaluation", lambda: _describe(session, split, network, score))


def _describe(session: Session, split: str, network: Any, score: Score) -> None:
    """Write evaluation.json, and keep what metadata.json tells of it."""
    answers = score.answers
    document = {
        "version": 1,
        "task": "classify",
        "split": split,
        "images": len(answers.images),
        "names": list(answers.names),
        "metrics": answers.metrics(),
    }
    parts = answers_of.parts(answers, _dataset(session).root, session.out, split, session.params.training.seed)
    keep(session, document, {**parts, "speed": lambda: _speed(session, network, score)})


def _speed(session: Session, network: Any, score: Score) -> dict[str, Any]:
    size, device, wanted = session.params.training.imgsz, device_of(session), model.input_of(network)
    clock = scores.clock(network, images.plain_transform(wanted, size), device)
    work = scores.gflops(network, wanted["input_size"][0], size, device)
    return {
        "model": latency.size(network, session.best, work),
        "speed": {
            "hardware": session.hardware.proof,
            "imgsz": size,
            "throughput": {"images_per_second": round(1000 / score.spent, 1), "batch": _given(session)["batch"]},
            **latency.measure(clock, score.answers.images, upright.decode),
        },
    }


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
    return given | halving.batch(session)


def _train(session: Session) -> Metrics:
    dataset, given = _dataset(session), _given(session)
    session.batch = given["batch"]
    # A model that starts from nothing starts from the seed.
    loop.sow(given)
    network = model.build(session, dataset.names).to(device_of(session))
    plan = loop.Plan(
        given,
        device_of(session),
        session.out,
        lambda path, state: model.save(path, state, session, dataset.names),
    )
    (session.out / "args.yaml").write_text(yaml.safe_dump(dict(plan.given)), encoding="utf-8")
    trainer = loop.Loop(network, _batches(session, dataset, network, ("train", "val")), dataset.names, plan)
    if session.past:
        trainer.restore(model.load(session.past.path))
    follower, meter = _follower(session), sampling.Meter(session)
    follower.follow(trainer)
    meter.follow(trainer)
    begun = time.monotonic()
    try:
        with meter:
            trainer.run()
    except RunPaused:
        session.metrics = follower.metrics
        raise
    finally:
        session.seconds, session.epochs = session.seconds + time.monotonic() - begun, follower.epoch
        session.checkpoint = follower.checkpoint
    session.extras["best_epoch"] = trainer.best["epoch"] + 1
    return flat(trainer.best["metrics"], "val")


def _follower(session: Session) -> Follower:
    held = {split: counts.get("images", 0) for split, counts in session.report.counts.items()}
    validated = max(held.get("val", 0), 1)
    session.budget.passes = held.get("test", validated) / validated
    return Follower(
        session.log,
        session.stop,
        session.tracking,
        history.recorder(session.out, session.spec, session.hardware.proof),
        session.budget,
        keep=lambda trainer: _keep(session, trainer),
        kept=session.past is not None,
    )


def _keep(session: Session, trainer: Any) -> None:
    spec = session.spec
    ours = {"run": spec.run, "meant": checkpoint.meant(spec), "epochs": trainer.epochs, "over": trainer.stop}
    # What a leg has halved stays halved in the next, and counts there.
    ours["halved"] = session.extras.get("halved", [])
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
