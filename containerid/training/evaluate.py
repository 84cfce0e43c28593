"""How good the best weights are on images that no epoch has seen, and where to put their thresholds."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.training import yolo
from containerid.training.extras import attempt
from containerid.training.log import say
from containerid.training.progress import flat
from containerid.training.session import Session

if TYPE_CHECKING:
    from containerid.training.answers import Heard
    from containerid.training.evaluation import Passes
    from containerid.training.sightings import Watch

Parts = Mapping[str, Callable[[], dict[str, Any]]]
"""What a document is made of: how to make each part, by what the log calls it."""

_BATCH = 16
"""Where neither the training nor the parameters say another; Ultralytics' own."""
_CHEAP = 60.0
"""Seconds: a first pass that took longer is not followed by a second one."""
_PICTURES = ("confusion_matrix*.png", "val_batch*_pred.jpg")
_METRICS = ("boxes", "precision", "recall", "mAP50", "mAP50-95")
_METRICS_OF_CLASSIFIERS = ("images", "precision", "recall", "f1")
_WORST = 12
_TOLD = ("confusion", "best", "wanted_recall", "wanted", "highest_recall", "operating", "intervals", "speed", "model")
"""Parts of the evaluation that metadata.json tells as well."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """Attributes: Ultralytics' metrics, the boxes or the classes that it gave, the seconds that it took."""

    measured: Any
    watch: "Watch"
    heard: "Heard"
    seconds: float


def evaluate(session: Session) -> None:
    """Measure the test split: mAP at Ultralytics' own thresholds, then the confusion matrix at the configured ones.

    At a confidence of 0.25 the same weights lose a quarter of their mAP, and at 0.001 a confusion matrix drowns in
    false positives: neither threshold serves both. Only the test metrics themselves can fail a run; what fails
    besides is said and left out. It is made of best.pt and the data alone, so that it can be made again.
    """
    if session.dataset is None:
        return
    with yolo.ultralytics(session) as package:
        model = package.YOLO(str(session.best))
        if "test" in session.dataset.splits:
            first = _look(session, model, "test", session.out / "test")
            session.metrics |= flat(first.measured.results_dict, "test")
            session.metrics["speed/inference"] = float(first.measured.speed["inference"])
            attempt(session, "evaluation", lambda: _describe(session, package, model, "test", first))
        else:
            say("there is no test split: the metrics are those of the validation split")
            attempt(session, "evaluation", lambda: _describe(session, package, model, "val"))


def _look(session: Session, model: Any, split: str, folder: Path, **more: Any) -> _Pass:
    from containerid.training.answers import Heard, hearing
    from containerid.training.sightings import Watch, watching

    training, watch, heard = session.params.training, Watch(), Heard()
    sizes = {"imgsz": training.imgsz, "batch": _batch(session)}
    given = {**sizes, "workers": training.workers, "plots": _plots(session), **chosen_classes(session), **more}
    base, classifies = model.task_map[model.task]["validator"], model.task == "classify"
    validator = hearing(base, heard) if classifies else watching(base, watch, confuse=bool(more))
    places = {"data": str(session.view), "split": split, "save_dir": str(folder), "device": session.hardware.device}
    begun = time.monotonic()
    return _Pass(model.val(validator=validator, **places, **given), watch, heard, time.monotonic() - begun)


def chosen_classes(session: Session) -> dict[str, Any]:
    """By Ultralytics' name, the classes that are trained on where those are not all: the others have no box to find."""
    chosen = session.params.training.arguments().get("classes")
    return {} if chosen is None else {"classes": chosen}


def _batch(session: Session) -> int:
    """As many images at once as one GPU has held in training: after a halving, those asked for may not fit."""
    if session.batch:
        return max(session.batch // max(len(session.hardware.indices), 1), 1)
    asked = session.params.training.batch_size
    return asked if isinstance(asked, int) and asked > 0 else _BATCH


def _plots(session: Session) -> bool:
    return bool(session.params.training.arguments().get("plots", True))


def _describe(session: Session, package: Any, model: Any, split: str, first: _Pass | None = None) -> None:
    from containerid.training import answers

    first = first or _look(session, model, split, session.place.scratch / split)
    document = _heading(session, model, split, first)
    second = _second(session, model, split, first) if first.watch.seen else None
    parts: dict[str, Any] = _about_boxes(session, split, first, second) if first.watch.seen else {}
    if heard := first.heard.answers(document["names"]):
        parts = answers.parts(heard, view_of(session), session.out, split, session.params.training.seed)
    speed = (second or first).measured.speed
    keep(session, document, {**parts, "speed": lambda: _time(session, package, split, speed)})


def keep(session: Session, document: dict[str, Any], parts: Parts) -> None:
    """Write evaluation.json, and keep what metadata.json and the gates want of it.

    Args:
        session: its metrics and extras are added to.
        document: how it begins.
        parts: what is added to it; one that cannot be made is left out.
    """
    from containerid.training import evaluation, records

    for what, make in parts.items():
        attempt(session, what, partial(_add, document, make))
    document = evaluation.plain(document)
    records.write(session.out / evaluation.FILE, evaluation.write_text(document))
    session.extras |= {key: document[key] for key in _TOLD if key in document}
    session.extras["per_class"] = {row["name"]: _brief_of_class(row) for row in document.get("per_class", [])}
    session.extras["sure_and_false"] = document.get("mistakes", {}).get("sure", 0)
    session.extras["worst"] = [_brief(each) for each in document.get("mistakes", {}).get("worst", [])[:_WORST]]
    if inference := document.get("speed", {}).get("inference"):
        # The gate on latency is about one image at a time.
        session.metrics["speed/inference"] = inference["median"]


def _brief_of_class(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in (_METRICS if "boxes" in row else _METRICS_OF_CLASSIFIERS)}


def _brief(mistake: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mistake.items() if key != "left_out" and not isinstance(value, list)}


def _add(document: dict[str, Any], make: Callable[[], dict[str, Any]]) -> None:
    document |= make()


def _heading(session: Session, model: Any, split: str, first: _Pass) -> dict[str, Any]:
    if fault := first.watch.fault or first.heard.fault:
        session.log.caution(f"what the model saw is not known in full: {fault}")
    metrics = flat(first.measured.results_dict, split)
    return {
        "version": 1,
        "task": model.task,
        "split": split,
        "images": len(first.watch.seen or first.heard.images) or session.report.counts.get(split, {}).get("images", 0),
        **({} if model.task == "classify" else {"boxes": sum(len(each.true_classes) for each in first.watch.seen)}),
        "names": [model.names[index] for index in sorted(model.names)],
        "metrics": {name.removeprefix(f"{split}/"): value for name, value in metrics.items()},
    }


def _second(session: Session, model: Any, split: str, first: _Pass) -> _Pass | None:
    """At the configured thresholds."""
    if first.seconds > _CHEAP:
        say(f"the pass took {first.seconds:.0f} s: no second one for the confusion matrix")
        return None
    scratch = session.place.scratch / "confusion"
    second = _look(session, model, split, scratch, **session.params.validation.arguments())
    folder = session.out / split
    folder.mkdir(exist_ok=True)
    for pattern in _PICTURES:
        for picture in scratch.glob(pattern):
            shutil.copyfile(picture, folder / picture.name)
    return second


def _confusion(session: Session, second: _Pass) -> dict[str, Any]:
    names = [*second.measured.names.values(), "background"]
    matrix = second.measured.confusion_matrix.matrix.tolist()
    return {"confusion": {**session.params.validation.arguments(), "names": names, "matrix": matrix}}


def _about_boxes(session: Session, split: str, first: _Pass, second: _Pass | None) -> dict[str, Any]:
    from containerid.training import evaluation

    confusion = {"confusion": partial(_confusion, session, second)} if second else {}
    passes = _passes(session, split, first, second)
    return {**confusion, **evaluation.parts(passes, view_of(session), session.out)}


def _passes(session: Session, split: str, first: _Pass, second: _Pass | None) -> "Passes":
    from containerid.training.evaluation import Passes

    validation = session.params.validation
    return Passes(
        split=split,
        measured=first.measured,
        first=first.watch.seen,
        second=second.watch.seen if second and not second.watch.fault else None,
        confidence=validation.conf_threshold,
        iou=validation.iou_threshold,
        recall=validation.wanted_recall,
        seed=session.params.training.seed,
    )


def view_of(session: Session) -> Path:
    """The folder that images are named from."""
    folder = session.view or session.folder or session.out
    return folder if folder.is_dir() else folder.parent


def _time(session: Session, package: Any, split: str, speed: dict[str, float]) -> dict[str, Any]:
    """Size and speed."""
    from containerid.training import latency

    training, hardware = session.params.training, session.hardware
    model = package.YOLO(str(session.best))
    images = session.dataset.splits[split] if session.dataset else ()
    clock = latency.of_ultralytics(model, imgsz=training.imgsz, device=hardware.device)
    return {
        "model": latency.size(model.model, session.best, latency.gflops(model, training.imgsz)),
        "speed": {
            "hardware": hardware.proof,
            "imgsz": training.imgsz,
            "throughput": latency.throughput(speed, _batch(session)),
            **latency.measure(clock, images, latency.read),
        },
    }
