from typing import Any

import pytest

from containerid.config import Params
from containerid.errors import ConfigError

TIMM: dict[str, Any] = {"model": {"architecture": "timm/resnet18", "pretrained": False}}


def faults_of(document: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Params.from_dict(document)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("augmentation", "mosaic", 1.0),
        ("augmentation", "degrees", 10),
        ("training", "close_mosaic", 10),
        ("training", "save_period", 5),
        ("validation", "conf_threshold", 0.25),
        ("training", "batch_size", -1),
        ("training", "optimizer", "MuSGD"),
    ],
)
def test_what_timm_does_not_know_is_refused_by_name(section: str, key: str, value: Any) -> None:
    told = faults_of(TIMM | {section: {key: value}})
    assert len(told) == 1
    assert told[0].startswith(f"{section}.{key}: ")


def test_a_value_that_asks_for_nothing_may_stand() -> None:
    off = {"augmentation": {"mixup": 0}, "training": {"save_period": -1}}
    assert Params.from_dict(TIMM | off).model.architecture == "timm/resnet18"


def test_what_it_does_not_read_is_in_no_record() -> None:
    told = Params.from_dict(TIMM | {"training": {"epochs": 3}}).to_dict()
    assert told["training"]["epochs"] == 3
    assert not {"mosaic", "degrees", "copy_paste"} & set(told["augmentation"])
    assert told["validation"] == {}
    assert Params.from_dict(told).to_dict() == told


def test_its_images_are_smaller_unless_somebody_says_otherwise() -> None:
    assert Params.from_dict(TIMM).training.imgsz == 224
    assert Params.from_dict(TIMM | {"training": {"imgsz": 96}}).training.imgsz == 96
    assert Params.from_dict({}).training.imgsz == 640


def test_a_model_must_be_named() -> None:
    assert faults_of({"model": {"architecture": "timm/"}})[0].startswith("model.architecture: must name a model")


def test_its_accuracy_can_be_a_gate() -> None:
    assert Params.from_dict(TIMM | {"gates": {"val/accuracy_top1": 0.9}}).gates == {"val/accuracy_top1": 0.9}


def test_trackers_are_off_and_can_be_asked_for() -> None:
    assert Params.from_dict({}).to_dict()["tracking"] == {"mlflow": False, "tensorboard": False}
    assert Params.from_dict({"tracking": {"mlflow": True}}).tracking.mlflow
    assert faults_of({"tracking": {"comet": True}})[0].startswith("tracking.comet: ")
