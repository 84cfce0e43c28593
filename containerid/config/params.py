"""The parameters of one experiment: the base section with the experiment's overrides, checked, frozen, typed."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from containerid.config import architectures, trainers, traps
from containerid.config.arguments import Wrong
from containerid.config.faults import Problem, checked, located, refusal
from containerid.config.rules import module, number, read, suggestion
from containerid.config.sections import (
    ENTRY,
    Augmentation,
    DataSection,
    Model,
    Section,
    Trackers,
    Training,
    Validation,
    Wandb,
    is_free,
    wrong_at,
)

_BOXES = ("mAP50", "mAP50-95", "precision", "recall")
_NAMES = (*_BOXES, *(f"{name}({kind})" for kind in "MP" for name in _BOXES), "accuracy_top1", "accuracy_top5")
METRICS = tuple(f"{split}/{name}" for split in ("val", "test") for name in _NAMES)
"""Metrics of a run that a gate can hold, each from 0 to 1; `(M)` of masks, `(P)` of keypoints."""
LATENCY = "speed/inference"
"""Milliseconds an image."""


class Params(Section):
    """Everything that decides how a run trains.

    Attributes:
        gates: metric to the bound that it must reach; a `speed/…` metric must stay below its bound, in milliseconds.
    """

    model: Model = Model()
    training: Training = Training()
    augmentation: Augmentation = Augmentation()
    validation: Validation = Validation()
    wandb: Wandb = Wandb()
    tracking: Trackers = Trackers()
    data: DataSection = DataSection()
    gates: dict[str, float] = Field(default_factory=dict)

    @field_validator("gates", mode="before")
    @classmethod
    def _bounds(cls, values: Any, info: ValidationInfo) -> Any:
        if not isinstance(values, Mapping):
            return values
        gates, wrong = {}, []
        for metric, bound in values.items():
            try:
                if bound is not None:
                    gates[metric] = float(_bound(metric, bound, free=is_free(info)))
            except ValueError as error:
                wrong.append(Wrong(metric, str(error)))
        if wrong:
            raise wrong_at("gates", *wrong)
        return gates

    @classmethod
    def check(cls, document: Mapping[str, Any]) -> "Params | list[Problem]":
        """The parameters, or every problem of the section, by its path in it."""
        free = _trains_itself(document)
        document = document if free else trainers.completed(document)
        found = checked(cls, _without_empty(document), {"free": free})
        problems = [*contradictions(document, free=free), *(found if isinstance(found, list) else [])]
        return problems or found

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Params":
        """Read back what `to_dict` gave.

        Raises:
            ConfigError: every fault of the document.
        """
        found = cls.check(document)
        if not isinstance(found, Params):
            raise refusal(located(found, {}))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types in our spelling, defaults included, without what the model's trainer does not read."""
        return trainers.honoured(self.model_dump(mode="json"))

    def train_arguments(self) -> dict[str, Any]:
        """What `YOLO(params.model.file).train(**…)` gets, by Ultralytics' names.

        Data, device and the folder for outputs are the caller's. The validation thresholds are left out, since they
        would cut the mAP. Arguments that only the project's own entry module knows are in it.
        """
        named = self.training.arguments() | self.augmentation.arguments()
        named.pop("device")
        return named | {"pretrained": self.model.pretrained}

    def warnings(self) -> tuple[str, ...]:
        """What is allowed and seldom meant, one line each."""
        return tuple(traps.found(self))


def contradictions(document: Mapping[str, Any], *, free: bool) -> Iterator[Problem]:
    """What no section can see by itself; the document may be wrong in any other way.

    Args:
        document: the merged section, not checked yet.
        free: the project trains with a module of its own, so that any model name may be right.
    """
    model, data = _section(document, "model"), _section(document, "data")
    if not free and trainers.is_timm(model.get("architecture")):
        yield from trainers.refused(document)
    elif not free:
        architecture, pretrained = model.get("architecture", "yolo11s"), model.get("pretrained", True)
        if isinstance(architecture, str) and (wrong := architectures.check(architecture, pretrained)):
            yield ("model", wrong.key), wrong.reason
    if data.get("provider") == "kaggle" and data.get("kaggle") is None:
        yield ("data", "provider"), "is `kaggle`, but `data.kaggle` names no dataset"


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name)
    return section if isinstance(section, Mapping) else {}


def _bound(metric: str, bound: Any, *, free: bool) -> Any:
    if metric in METRICS:
        return read([number(0, 1)], bound)
    if metric == LATENCY or free:
        return read([number(0)], bound)
    raise ValueError(f"no metric is called so{suggestion(metric, [*METRICS, LATENCY])}")


def _without_empty(document: Mapping[str, Any]) -> dict[str, Any]:
    """A section whose lines are all commented out is as good as left out."""
    return {name: value for name, value in document.items() if value is not None or name not in Params.model_fields}


def _trains_itself(document: Mapping[str, Any]) -> bool:
    try:
        return bool(read([module()], _section(document, "training").get("entry") or ENTRY) != ENTRY)
    except ValueError:
        return False
