"""Every argument of Ultralytics 8.4.190 by name, with what it may be, so that a laptop without torch can refuse one.

Checked against `ultralytics.cfg.DEFAULT_CFG_DICT` and `get_cfg` by tests/test_arguments.py, which tells when the
installed version moves. Stricter than Ultralytics where it would take nonsense: `true` is no number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from containerid.config.rules import (
    Rule,
    exactly,
    flag,
    listing,
    meaning,
    nothing,
    number,
    pair,
    read,
    suggestion,
    text,
    whole,
    word,
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """An argument that cannot be used: its key as it was written, and why."""

    key: str
    reason: str


OPTIMIZERS = ("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSprop")


def _device(value: Any) -> str:
    device: str = value.strip().lower()
    numbers = device.removeprefix("cuda:").split(",")
    if device not in {"auto", "cpu", "cuda", "gpu", "mps", "all"} and not all(it.isdecimal() for it in numbers):
        raise ValueError
    return "cuda" if device == "gpu" else device


_DEVICE = Rule("one of auto, cpu, cuda, mps, all, a GPU's number", _device)
_FRACTION = (number(0, 1),)
_GAIN = (number(0),)
_FLAG = (flag(),)

TRAINING: dict[str, tuple[Rule, ...]] = {
    "epochs": (whole(1),),
    "time": (number(0.001), nothing()),
    "patience": (whole(0),),
    "batch": (whole(1), meaning("auto", -1), exactly(-1, "as the GPU's memory allows"), number(0.01, 0.99)),
    "imgsz": (whole(32, 8192),),
    "save_period": (whole(-1),),
    "cache": (flag(), word("auto", "ram", "disk")),
    "device": (whole(0), _DEVICE, listing(whole(0))),
    "workers": (whole(0),),
    "cls_remap": _FLAG,
    "optimizer": (word(*OPTIMIZERS),),
    "verbose": _FLAG,
    "seed": (whole(0, 2**32 - 1),),
    "deterministic": _FLAG,
    "single_cls": _FLAG,
    "rect": _FLAG,
    "cos_lr": _FLAG,
    "close_mosaic": (whole(0),),
    "amp": (flag(), word("fp16", "bf16", "fp32")),
    "fraction": (number(0.0001, 1), whole(2), pair(number(0.0001, 1)), pair(whole(1))),
    "profile": _FLAG,
    "freeze": (whole(0), listing(whole(0), text()), nothing()),
    "multi_scale": _FRACTION,
    "compile": (flag(), word("default", "reduce-overhead", "max-autotune-no-cudagraphs")),
    "channels_last": (flag(), nothing()),
    "overlap_mask": _FLAG,
    "mask_ratio": (whole(1),),
    "dropout": _FRACTION,
    "val": _FLAG,
    "plots": _FLAG,
    "quantize": (exactly(8, "quantization-aware training"), word("int8"), nothing()),
    "classes": (whole(0), listing(whole(0)), nothing()),
    "lr0": (number(0, 1), nothing()),
    "lrf": _FRACTION,
    "momentum": _FRACTION,
    "weight_decay": _FRACTION,
    "warmup_epochs": _GAIN,
    "warmup_momentum": _FRACTION,
    "warmup_bias_lr": _FRACTION,
    "distill_model": (text("a model"), nothing()),
    "nbs": (whole(1),),
    "cls_pw": _FRACTION,
    "dlam": _FRACTION,
    **dict.fromkeys(("dis", "box", "cls", "dfl", "pose", "kobj", "rle", "angle", "dlog", "dgrad"), _GAIN),
}
AUGMENTATION: dict[str, tuple[Rule, ...]] = {
    **dict.fromkeys(("hsv_h", "hsv_s", "hsv_v", "translate", "perspective", "flipud", "fliplr", "bgr"), _FRACTION),
    **dict.fromkeys(("mosaic", "mixup", "cutmix", "copy_paste", "erasing"), _FRACTION),
    "degrees": (number(0, 180),),
    "scale": (number(0, 1), pair(number(0))),
    "shear": (number(0, 89),),
    "copy_paste_mode": (word("flip", "mixup"),),
    "auto_augment": (word("randaugment", "autoaugment", "augmix"), nothing()),
}
VALIDATION: dict[str, tuple[Rule, ...]] = {
    "conf": (number(0, 1), nothing()),
    "iou": _FRACTION,
    "max_det": (whole(1),),
    "agnostic_nms": _FLAG,
    "nms": (flag(), nothing()),
    "augment": _FLAG,
}
SECTIONS: dict[str, dict[str, tuple[Rule, ...]]] = {
    "training": TRAINING,
    "augmentation": AUGMENTATION,
    "validation": VALIDATION,
}

_OURS = {
    "batch": "batch_size",
    "lr0": "learning_rate",
    "cos_lr": "lr_scheduler",
    "conf": "conf_threshold",
    "iou": "iou_threshold",
}
THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
"""Our spellings, to Ultralytics'."""
_SCHEDULERS = {"cosine": True, "linear": False}

_ELSEWHERE = {
    "model": "belongs under `model` as `architecture`",
    "pretrained": "belongs under `model`",
    "data": "is decided by the `data` section",
    "project": "is decided by cid: outputs go to the run's folder",
    "name": "is decided by cid: outputs go to the run's folder",
    "exist_ok": "is decided by cid: outputs go to the run's folder",
    "save_dir": "is decided by cid: outputs go to the run's folder",
    "save": "is decided by cid: a run without weights cannot be verified",
    "resume": "is decided by cid, which goes on from its own checkpoint",
    "task": "is decided by the model's name",
    "mode": "is decided by cid",
    "split": "is decided by cid: val while it trains, test afterwards",
    "cfg": "would hide parameters from this file; write them here",
    "wandb": "is no argument of Ultralytics; the `wandb` section decides",
    "lr": "is spelled `learning_rate` here",
    "half": "is spelled `quantize` today",
    "int8": "is spelled `quantize` today",
    "end2end": "is spelled `nms` today",
    **dict.fromkeys(("label_smoothing", "save_hybrid", "crop_fraction", "keras"), "was removed from Ultralytics"),
    "augmentations": "takes Python objects; it can only be given by an own `training.entry`",
}
"""Names that a training section cannot hold, and why."""
_OTHER_MODES = frozenset(
    {"source", "vid_stride", "stream_buffer", "visualize", "retina_masks", "embed", "tracker", "save_json", "dnn"}
    | {"show", "show_labels", "show_conf", "show_boxes", "line_width"}
    | {"save_frames", "save_txt", "save_conf", "save_crop"}
    | {"format", "optimize", "dynamic", "simplify", "opset", "workspace"}
)
"""Arguments of predict, track and export, which a training does not read."""


def canonical(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Wrong]]:
    """A section in our spelling, whichever was written.

    Returns:
        The values by our names; our names to the keys as they were written; both spellings of one thing, which is
        refused since one of them would be lost.
    """
    written: dict[str, str] = {}
    wrong = []
    for key in values:
        ours = _OURS.get(key, key)
        if ours in written:
            wrong.append(Wrong(key, f"says the same as `{written[ours]}`; keep one of them"))
        written.setdefault(ours, key)
    return {ours: _as_ours(key, values[key]) for ours, key in written.items()}, written, wrong


def spelling(key: str) -> str:
    """Our name for an argument that Ultralytics calls `key`."""
    return _OURS.get(key, key)


def _as_ours(key: str, value: Any) -> Any:
    if key == "cos_lr" and isinstance(value, bool):
        return "cosine" if value else "linear"
    return value


def theirs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Ultralytics' names and values for a section in our spelling."""
    named = {THEIRS.get(key, key): value for key, value in values.items()}
    if "cos_lr" in named:
        named["cos_lr"] = _SCHEDULERS[named["cos_lr"]]
    return named


def check(section: str, key: str, value: Any, *, own: Mapping[str, tuple[Rule, ...]] | None = None) -> Any:
    """The value of one argument as it will be used.

    Args:
        section: `training`, `augmentation` or `validation`.
        key: in our spelling.
        value: as it was read from the file.
        own: the rules of names that this section has besides Ultralytics' arguments.

    Raises:
        LookupError: Ultralytics has no such argument; the message says which comes nearest.
        ValueError: it has one, which cannot stand here or cannot have this value.
    """
    if own and key in own:
        return read(own[key], value)
    if key == "lr_scheduler" and section == "training":
        return read([word(*_SCHEDULERS)], value)
    name = THEIRS.get(key, key)
    if rules := SECTIONS[section].get(name):
        return read(rules, value)
    raise _misplaced(section, key, name, list(own or ()))


def home(key: str) -> str:
    """The section in which an argument stands, in either spelling; empty when Ultralytics has none of this name."""
    name = THEIRS.get(key, key)
    return next((section for section, names in SECTIONS.items() if name in names), "")


def _misplaced(section: str, key: str, name: str, own: list[str]) -> Exception:
    if section_of_it := home(name):
        return ValueError(f"belongs under `{section_of_it}`")
    if key in _ELSEWHERE:
        return ValueError(_ELSEWHERE[key])
    if key in _OTHER_MODES:
        return ValueError("is an argument of predict or export; a training does not read it")
    return LookupError(f"unknown argument{suggestion(key, [*_spellings(section), *own, *_spellings()])}")


def _spellings(*sections: str) -> list[str]:
    names = [name for section in sections or SECTIONS for name in SECTIONS[section]]
    return [*names, *(_OURS[name] for name in names if name in _OURS)]
