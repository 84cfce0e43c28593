"""Which trainer an architecture belongs to, and which parameters that trainer knows."""

from collections.abc import Iterator, Mapping
from typing import Any

from containerid.config import arguments, classifiers
from containerid.config.classifiers import TIMM
from containerid.config.faults import Problem

IMGSZ = 224
"""Pixels, the side that most classifiers were made for."""
KNOWN: Mapping[str, frozenset[str]] = {
    "training": frozenset(
        {"epochs", "batch_size", "imgsz", "optimizer", "learning_rate", "lrf", "momentum", "weight_decay", "dropout"}
        | {"warmup_epochs", "lr_scheduler", "patience", "seed", "device", "workers", "deterministic", "amp", "entry"}
    ),
    "augmentation": frozenset({"hsv_h", "hsv_s", "hsv_v", "scale", "fliplr", "flipud", "erasing", "auto_augment"}),
    "validation": frozenset(),
}
"""The parameters that the timm trainer honours, by section, in our spelling."""
_OFF = (None, False, 0, -1)
"""Values that ask for nothing, and so may stand where nothing would come of them."""


def is_timm(architecture: object) -> bool:
    """Whether timm trains this, and not Ultralytics."""
    return isinstance(architecture, str) and architecture.startswith(TIMM)


def completed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The merged section as the trainer of its model means it: a classifier's images are smaller."""
    filled = dict(document)
    if is_timm(_section(document, "model").get("architecture")):
        filled["training"] = {"imgsz": IMGSZ, **_section(document, "training")}
    return filled


def honoured(document: Mapping[str, Any]) -> dict[str, Any]:
    """A complete section without what the trainer of its model would not read."""
    if not is_timm(_section(document, "model").get("architecture")):
        return dict(document)
    kept = {
        name: {key: value for key, value in _section(document, name).items() if key in known}
        for name, known in KNOWN.items()
    }
    return {name: kept.get(name, value) for name, value in document.items()}


def refused(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What timm would not honour: each parameter by its name, unless its value asks for nothing."""
    if reason := classifiers.refused(str(_section(document, "model").get("architecture"))):
        # What the rest would be to a model that there is not is of no use to anybody.
        yield ("model", "architecture"), reason
        return
    for section, known in KNOWN.items():
        for key, value in _section(document, section).items():
            name = arguments.spelling(str(key))
            off = isinstance(value, int | float | None) and value in _OFF
            if name not in known and arguments.home(name) and not off:
                why = f"the timm trainer has no such parameter; `{section}: {{}}` in the experiment drops the base's"
                yield (section, key), why
    training = _section(document, "training")
    batch = training.get("batch_size", training.get("batch", 16))
    if isinstance(batch, int | float) and (batch < 1 or batch != int(batch)):
        yield ("training", "batch_size"), f"must be a whole number of at least 1 for timm, not {batch}"
    if training.get("optimizer") == "MuSGD":
        yield ("training", "optimizer"), "timm has no MuSGD; take SGD, AdamW or another"


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name)
    return section if isinstance(section, Mapping) else {}
