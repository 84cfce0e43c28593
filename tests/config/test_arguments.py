"""The table of arguments: the installed Ultralytics takes what it takes, and it is whole."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.config import architectures, arguments

VERSION = "8.4.190"
EVERY = sorted({(section, name) for section, names in arguments.SECTIONS.items() for name in names})


@pytest.fixture(scope="module")
def cfg() -> Any:
    return pytest.importorskip("ultralytics.cfg")


def taken_by_us(section: str, name: str, value: object) -> bool:
    try:
        arguments.check(section, arguments.spelling(name), value)
    except ValueError:
        return False
    return True


def taken_by_ultralytics(cfg: Any, name: str, value: object) -> bool:
    try:
        cfg.get_cfg(overrides={name: value})
    except (SyntaxError, TypeError, ValueError):
        return False
    return True


def test_the_table_is_of_the_version_that_is_installed(cfg: Any) -> None:
    import ultralytics

    assert ultralytics.__version__ == VERSION, "look through arguments.py and architectures.py, then move VERSION"


def test_every_argument_of_ultralytics_has_one_place_or_a_reason_why_it_has_none(cfg: Any) -> None:
    ours = [name for _, name in EVERY]
    assert len(ours) == len(set(ours))
    for name in set(cfg.DEFAULT_CFG_DICT) - set(ours):
        with pytest.raises(ValueError, match=r"belongs under|is decided|is an argument of|would hide"):
            arguments.check("training", name, None)
    assert set(ours) <= set(cfg.DEFAULT_CFG_DICT)


@pytest.mark.parametrize(("section", "name"), EVERY)
def test_the_default_of_every_argument_is_right_at_both_ends(cfg: Any, section: str, name: str) -> None:
    value = cfg.DEFAULT_CFG_DICT[name]
    if name == "cos_lr":
        value = "linear"
    assert value is None or taken_by_us(section, name, value)


VALUES = (
    st.none() | st.booleans() | st.integers(-3, 400) | st.floats(-2, 400, allow_nan=False) | st.sampled_from(
        ["ram", "disk", "fp16", "bf16", "flip", "adamw", "SGD", "int8", "max-autotune-no-cudagraphs", "x", "", "auto"]
    ) | st.lists(st.integers(-1, 5) | st.floats(0, 1), max_size=3)
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_we_take_ultralytics_takes(cfg: Any, data: st.DataObject) -> None:
    section, name = data.draw(st.sampled_from(EVERY))
    value = data.draw(VALUES)
    if name not in {"cos_lr", "device"} and value is not None and taken_by_us(section, name, value):
        read = arguments.check(section, arguments.spelling(name), value)
        assert taken_by_ultralytics(cfg, name, read), f"{name}={value}"


WRONG = [
    ("training", "epochs", 1.5), ("training", "epochs", 0), ("training", "epochs", True),
    ("training", "imgsz", 16), ("training", "patience", "20"), ("training", "cos_lr", "cosine!"),
    ("augmentation", "scale", 1.5), ("augmentation", "fliplr", 2.0),
    ("training", "batch", 0), ("training", "batch", -2), ("training", "optimizer", "lion"), ("training", "lr0", 3),
    ("training", "amp", "fp8"), ("training", "device", "tpu"), ("training", "seed", -1), ("validation", "iou", -0.1),
    ("training", "fraction", 0), ("augmentation", "mosaic", True),
]  # fmt: skip


@pytest.mark.parametrize(("section", "name", "value"), WRONG)
def test_a_value_that_makes_no_sense_is_refused(section: str, name: str, value: object) -> None:
    assert not taken_by_us(section, name, value)


READ = [
    ("epochs", 1e2, 100), ("optimizer", "adamw", "AdamW"), ("batch_size", -1, -1), ("batch_size", 0.7, 0.7),
    ("device", "GPU", "cuda"), ("device", "0,1", "0,1"), ("device", [0, 1], [0, 1]),
    ("freeze", [1, "23.cv2"], [1, "23.cv2"]),
    ("amp", False, False), ("amp", "BF16", "bf16"), ("cache", "disk", "disk"), ("lr_scheduler", "Cosine", "cosine"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "read"), READ)
def test_a_value_is_read_as_it_is_meant(name: str, value: object, read: object) -> None:
    found = arguments.check("training", name, value)
    assert (found, type(found)) == (read, type(read))


REASONS = {
    "wandb": "the `wandb` section decides",
    "mosaic": "belongs under `augmentation`",
    "conf": "belongs under `validation`",
    "iou_threshold": "belongs under `validation`",
    "data": "is decided by the `data` section",
    "save": "a run without weights cannot be verified",
    "resume": "goes on from its own checkpoint",
    "pretrained": "belongs under `model`",
    "half": "is spelled `quantize` today",
    "label_smoothing": "was removed",
    "save_txt": "is an argument of predict or export",
}


@pytest.mark.parametrize(("name", "reason"), REASONS.items())
def test_a_known_name_in_the_wrong_place_is_told_where_it_belongs(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        arguments.check("training", name, 1)


NEAREST = {"epoch": "epochs", "batchsize": "batch_size", "learn_rate": "learning_rate", "warmup": "warmup_epochs",
           "Optimizer": "optimizer", "weightdecay": "weight_decay", "mossaic": "mosaic"}  # fmt: skip


@pytest.mark.parametrize(("name", "nearest"), NEAREST.items())
def test_an_unknown_name_comes_with_the_nearest_right_one(name: str, nearest: str) -> None:
    with pytest.raises(LookupError, match=f"unknown argument \\(did you mean `{nearest}`"):
        arguments.check("training", name, 1)


def test_both_spellings_of_one_thing_are_refused_and_neither_is_chosen_silently() -> None:
    values, written, wrong = arguments.canonical({"batch": 8, "epochs": 3, "batch_size": 16})
    assert [(each.key, each.reason) for each in wrong] == [("batch_size", "says the same as `batch`; keep one of them")]
    assert values == {"batch_size": 8, "epochs": 3}
    assert written == {"batch_size": "batch", "epochs": "epochs"}


def test_our_spelling_and_theirs_are_the_same_arguments() -> None:
    ours = {"batch_size": 8, "learning_rate": 0.1, "lr_scheduler": "cosine", "box": 7.5}
    theirs = {"batch": 8, "lr0": 0.1, "cos_lr": True, "box": 7.5}
    assert arguments.theirs(ours) == theirs
    assert arguments.canonical(theirs)[0] == ours


def test_every_name_with_weights_can_be_downloaded_and_every_other_can_be_built(cfg: Any) -> None:
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils.downloads import GITHUB_ASSETS_STEMS

    assert architectures.WEIGHTS <= GITHUB_ASSETS_STEMS
    for name in sorted(architectures.BUILDABLE):
        assert yaml_model_load(f"{name}.yaml")["head"], name


MODELS = [
    ("yolo11s", True, None), ("yolo11s", False, None), ("yolo26n", True, None), ("yolo12x", "weights/a.pt", None),
    ("models/mine.yaml", False, None), ("mine.pt", True, None),
    ("yolov11s", True, "architecture: no model is called `yolov11s` (did you mean `yolo11s`?)"),
    ("YOLO11s", True, "architecture: no model is called `YOLO11s` (did you mean `yolo11s`?)"),
    ("yolo11", True, "architecture: no model is called `yolo11` (did you mean"),
    ("resnet", True, "architecture: no model is called `resnet`"),
    ("yolo26n-p2", True, "pretrained: no weights are published for `yolo26n-p2`; say false"),
    ("yolov5nu", False, "pretrained: `yolov5nu` cannot be built without its weights"),
    ("mine.yaml", True, "pretrained: loads nothing for a `.yaml` model"),
    ("mine.pt", False, "pretrained: must be true for a `.pt` model"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "pretrained", "wrong"), MODELS)
def test_a_model_that_ultralytics_cannot_load_is_refused_by_name(
    name: str, pretrained: object, wrong: str | None
) -> None:
    found = architectures.check(name, pretrained)
    said = f"{found.key}: {found.reason}" if found else None
    assert said == wrong or (said and wrong and said.startswith(wrong))


def test_auto_leaves_the_batch_and_the_cache_to_the_machine() -> None:
    assert arguments.check("training", "batch_size", "auto") == -1
    assert arguments.check("training", "cache", "auto") == "auto"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("yolo11s", "detect"),
        ("yolo26n-seg", "segment"),
        ("yolo12m-cls", "classify"),
        ("yolov8x-pose", "pose"),
        ("yolo11n-obb", "obb"),
        ("weights/doors-seg.pt", "segment"),
        ("yolo26n-pose-p6", "pose"),
        ("rtdetr-l", "detect"),
    ],
)
def test_the_name_of_a_model_says_its_task(name: str, task: str) -> None:
    assert architectures.task(name) == task


def test_a_family_that_only_the_installed_ultralytics_knows_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "ultralytics/cfg/models/27"
    models.mkdir(parents=True)
    (tmp_path / "ultralytics/__init__.py").touch()
    for name in ("yolo27", "yolo27-seg", "other"):
        (models / f"{name}.yaml").touch()
    assert architectures.check("yolo27n", True) is not None
    monkeypatch.delitem(sys.modules, "ultralytics", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert architectures.check("yolo27n", True) is None
    assert architectures.check("yolo27x-seg", False) is None
    assert architectures.check("yolo28n", True) is not None
