"""The parameters of one experiment: every value is checked, nothing gets lost on the way to the trainer."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from containerid.config import Params
from containerid.errors import ConfigError


def faults_of(document: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Params.from_dict(document)
    return str(caught.value)


def test_what_is_left_out_is_as_ultralytics_has_it() -> None:
    cfg = pytest.importorskip("ultralytics.cfg")
    passed = Params().train_arguments()
    assert {name: cfg.DEFAULT_CFG_DICT[name] for name in passed} == passed


def test_every_value_of_the_file_reaches_the_trainer_by_its_name() -> None:
    params = Params.from_dict(
        {
            "training": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "lr_scheduler": "cosine", "box": 9.5},
            "augmentation": {"mixup": 0.25, "cutmix": 0.5},
            "model": {"architecture": "yolo11n", "pretrained": False},
        }
    )
    passed = params.train_arguments()
    assert params.model.file == "yolo11n.yaml"
    expected = {"epochs": 3, "batch": 8, "lr0": 0.01, "cos_lr": True, "box": 9.5, "mixup": 0.25, "cutmix": 0.5}
    assert {name: passed[name] for name in expected} == expected
    assert passed["pretrained"] is False


def test_thresholds_of_the_operating_point_never_reach_the_trainer_where_they_would_cut_the_map() -> None:
    passed = Params.from_dict({"validation": {"conf_threshold": 0.5, "iou": 0.3}}).train_arguments()
    assert not {"conf", "iou", "conf_threshold", "entry", "device", "data", "model"} & set(passed)


FILES = [
    ({"architecture": "yolo11s", "pretrained": True}, "yolo11s.pt"),
    ({"architecture": "yolo11s", "pretrained": False}, "yolo11s.yaml"),
    ({"architecture": "yolo11s", "pretrained": "runs/best.pt"}, "yolo11s.yaml"),
    ({"architecture": "weights/mine.pt"}, "weights/mine.pt"),
    ({"architecture": "models/mine.yaml", "pretrained": False}, "models/mine.yaml"),
]


@pytest.mark.parametrize(("model", "file"), FILES)
def test_the_model_to_load_follows_from_architecture_and_pretrained(model: dict[str, Any], file: str) -> None:
    assert Params.from_dict({"model": model}).model.file == file


def test_all_faults_are_told_at_once() -> None:
    told = faults_of(
        {
            "modl": {},
            "model": {"architecture": "yolov11s"},
            "training": {"epoch": 3, "imgsz": "big", "optimizer": "lion", "entry": "not a module"},
            "augmentation": {"mosaic": 2},
            "wandb": {"mode": "loud", "tags": "door"},
            "data": {"provider": "kaggle", "images": 1},
            "gates": {"val/map50": 0.9, "test/mAP50": 90, "speed/inference": 50},
            "epochs": 3,
        }
    )
    assert sorted(told.splitlines()) == [
        "augmentation.mosaic: must be a number from 0 to 1, not 2",
        "data.images: must be a whole number from 6 to 100000, not 1",
        "data.provider: is `kaggle`, but `data.kaggle` names no dataset",
        "epochs: belongs under `training`",
        "gates.test/mAP50: must be a number from 0 to 1, not 90",
        "gates.val/map50: no metric is called so (did you mean `val/mAP50`?)",
        "model.architecture: no model is called `yolov11s` (did you mean `yolo11s`?)",
        "modl: unknown key (did you mean `model`?)",
        'training.entry: must be a Python module such as `my_project.train`, not "not a module"',
        "training.epoch: unknown argument (did you mean `epochs`?)",
        'training.imgsz: must be a whole number from 32 to 8192, not "big"',
        'training.optimizer: must be one of auto, SGD, MuSGD, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, not "lion"',
        'wandb.mode: must be one of auto, offline, online, disabled, not "loud"',
        'wandb.tags: must be a list of words, not "door"',
    ]  # fmt: skip


def test_the_project_s_own_trainer_gets_parameters_that_ultralytics_does_not_know() -> None:
    document = {
        "training": {"entry": "shop.train", "epochs": 2, "depth": 18},
        "model": {"architecture": "resnet18"},
        "gates": {"accuracy": 0.5},
    }
    params = Params.from_dict(document)
    assert params.to_dict()["training"]["depth"] == 18
    assert params.gates == {"accuracy": 0.5}
    assert faults_of({"training": {"entry": "shop.train", "epochs": "many", "depth": 18}}).count("\n") == 0
    document["training"].pop("entry")  # type: ignore[attr-defined]
    assert "training.depth: unknown argument" in faults_of(document)


def test_a_gate_left_empty_is_no_gate() -> None:
    assert Params.from_dict({"gates": {"val/mAP50": None, "test/mAP50": 0.8}}).gates == {"test/mAP50": 0.8}


@pytest.mark.parametrize("empty", ["training", "gates", "wandb", "data"])
def test_a_section_whose_lines_are_all_commented_out_is_as_good_as_left_out(empty: str) -> None:
    assert Params.from_dict({empty: None}) == Params()


@pytest.mark.parametrize("wrong", [3, [], "text", True])
def test_a_section_that_is_no_section_is_told_so(wrong: object) -> None:
    assert "must be a section of `key: value` lines" in faults_of({"training": wrong, "data": wrong})


def test_parameters_cannot_be_changed_afterwards() -> None:
    params = Params()
    with pytest.raises(ValidationError):
        params.training.epochs = 3  # type: ignore[misc]


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
TREES = st.dictionaries(
    st.sampled_from(["model", "training", "augmentation", "validation", "wandb", "data", "gates", "x"]),
    VALUES
    | st.dictionaries(
        st.sampled_from(
            [
                "epochs",
                "batch",
                "batch_size",
                "architecture",
                "pretrained",
                "lr0",
                "mosaic",
                "tags",
                "provider",
                "conf",
                "val/mAP50",
                "kaggle",
                "entry",
                "device",
                "lr_scheduler",
                "cos_lr",
            ]
        ),
        VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.text(max_size=3), VALUES, max_size=2),
    ),
)


@settings(max_examples=300, deadline=None)
@given(TREES)
def test_any_document_is_parameters_or_a_list_of_faults_and_parameters_survive_the_journey(tree: Any) -> None:
    try:
        params = Params.from_dict(tree)
    except ConfigError:
        return
    assert Params.from_dict(params.to_dict()) == params


TRAPS = [
    ({"training": {"optimizer": "auto", "learning_rate": 0.01}}, "training.learning_rate is ignored"),
    ({"training": {"optimizer": "AdamW", "learning_rate": 0.01}}, "training.learning_rate 0.01 is high for AdamW"),
    ({"training": {"optimizer": "AdamW"}}, "training.learning_rate 0.01 is high for AdamW"),
    ({"training": {"save_period": 1}}, "training.save_period keeps 100 full checkpoints"),
    ({"training": {"epochs": 3}}, "training.warmup_epochs lasts as long as the training"),
    ({"training": {"imgsz": 100}}, "training.imgsz 100 is no multiple of 32; Ultralytics takes 128"),
    ({"augmentation": {"copy_paste": 0.5}}, "augmentation.copy_paste does nothing for a detection model"),
    ({"augmentation": {"perspective": 0.1}}, "augmentation.perspective 0.1 tears the picture apart"),
]


@pytest.mark.parametrize(("document", "warning"), TRAPS)
def test_a_trap_is_named_before_it_costs_a_run(document: dict[str, Any], warning: str) -> None:
    (found,) = Params.from_dict(document).warnings()
    assert found.startswith(warning)


def test_good_parameters_have_no_warnings() -> None:
    assert Params().warnings() == ()
