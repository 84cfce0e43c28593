"""How good the best weights are on images that no epoch has seen."""

import shutil
import time
from pathlib import Path
from typing import Any

from containerid.training import yolo
from containerid.training.log import say
from containerid.training.progress import flat
from containerid.training.session import Session

_CHEAP = 60.0
"""Seconds: a first pass that took longer is not followed by a second one."""
_PICTURES = ("confusion_matrix*.png", "val_batch*_pred.jpg")


def evaluate(session: Session) -> None:
    """Measure the test split: mAP at Ultralytics' own thresholds, then the confusion matrix at the configured ones.

    At a confidence of 0.25 the same weights lose a quarter of their mAP, and at 0.001 a confusion matrix drowns in
    false positives: neither threshold serves both.
    """
    if session.dataset is None or "test" not in session.dataset.splits:
        say("there is no test split: the metrics are those of the validation split")
        return
    with yolo.ultralytics(session) as package:
        model = package.YOLO(str(session.best))
        begun = time.monotonic()
        measured = _validate(session, model, session.out / "test")
        spent = time.monotonic() - begun
        session.metrics |= flat(measured.results_dict, "test")
        session.metrics["speed/inference"] = float(measured.speed["inference"])
        session.extras["per_class"] = _per_class(measured)
        if not _plots(session):
            return  # Ultralytics fills the matrix only when it draws it.
        if spent > _CHEAP:
            say(f"the pass took {spent:.0f} s: no second one for the confusion matrix")
            return
        _confuse(session, model)


def _validate(session: Session, model: Any, folder: Path, **more: Any) -> Any:
    training = session.params.training
    given = {"imgsz": training.imgsz, "workers": training.workers, "plots": _plots(session), **more}
    batch = training.batch_size
    if isinstance(batch, int) and batch > 0:
        given["batch"] = batch
    return model.val(
        data=str(session.view), split="test", save_dir=str(folder), device=session.hardware.device, **given
    )


def _confuse(session: Session, model: Any) -> None:
    point = session.params.validation.arguments()
    scratch = session.place.scratch / "confusion"
    measured = _validate(session, model, scratch, **point)
    session.extras["confusion"] = {
        **point,
        "names": [*measured.names.values(), "background"],
        "matrix": measured.confusion_matrix.matrix.tolist(),
    }
    for pattern in _PICTURES:
        for picture in scratch.glob(pattern):
            shutil.copyfile(picture, session.out / "test" / picture.name)


def _plots(session: Session) -> bool:
    return bool(session.params.training.arguments().get("plots", True))


def _per_class(measured: Any) -> dict[str, dict[str, float]]:
    box = measured.box
    return {
        measured.names[int(index)]: {
            "precision": float(box.p[row]),
            "recall": float(box.r[row]),
            "mAP50": float(box.ap50[row]),
            "mAP50-95": float(box.ap[row]),
        }
        for row, index in enumerate(box.ap_class_index)
    }
