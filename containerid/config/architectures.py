"""The model names that Ultralytics 8.4.190 knows: which are built from a description, which come with weights."""

import re
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from containerid.config.arguments import Wrong
from containerid.config.rules import shown, suggestion
from containerid.config.trainers import is_timm

CLASSIFY = "classify"
"""The task of a model that tells the classes of images, and finds no boxes."""
_SIZES = "nsmlx"
_TASKS = ("", "-seg", "-cls", "-pose", "-obb")
_FILES = (".pt", ".yaml", ".yml")
_NAMED = {"-seg": "segment", "-cls": CLASSIFY, "-pose": "pose", "-obb": "obb", "-sem": "semantic", "-depth": "depth"}


def _names(family: str, sizes: str, suffixes: tuple[str, ...] = ("",)) -> set[str]:
    return {f"{family}{size}{suffix}" for size, suffix in product(sizes, suffixes)}


WEIGHTS = frozenset(
    _names("yolo11", _SIZES, _TASKS)
    | _names("yolo12", _SIZES)
    | _names("yolo26", _SIZES, (*_TASKS, "-sem", "-depth"))
    | _names("yolov8", _SIZES, _TASKS)
    | _names("yolov5", _SIZES, ("u", "6u"))
    | _names("yolov9", "tsmce")
    | _names("yolov9", "ce", ("-seg",))
    | _names("yolov10", "nsmblx")
    | {"rtdetr-l", "rtdetr-x"}
)
"""Names with pretrained weights: `<name>.pt` can be downloaded."""

BUILDABLE = frozenset(
    _names("yolo11", _SIZES, _TASKS)
    | _names("yolo12", _SIZES, _TASKS)
    | _names("yolo26", _SIZES, (*_TASKS, "-sem", "-depth", "-p2", "-p6"))
    | _names("yolov8", _SIZES, (*_TASKS, "-p2", "-p6", "-ghost"))
    | _names("yolov5", _SIZES, ("", "-p6"))
    | _names("yolov6", _SIZES)
    | _names("yolov9", "tsmce")
    | _names("yolov9", "ce", ("-seg",))
    | _names("yolov10", "nsmblx")
    | {"rtdetr-l", "rtdetr-x", "rtdetr-resnet50", "rtdetr-resnet101"}
)
"""Names that are built untrained, from `<name>.yaml`."""


def task(name: str) -> str:
    """What a model of this name does: `detect`, unless it is called after something else."""
    if is_timm(name):
        return CLASSIFY
    stem = Path(name).name.partition(".")[0]
    return next((its for suffix, its in _NAMED.items() if stem.endswith(suffix) or f"{suffix}-" in stem), "detect")


def installed() -> frozenset[str]:
    """Names that the Ultralytics which is installed here describes; read off its files, since importing it is slow."""
    package = find_spec("ultralytics")
    if package is None or not package.origin:
        return frozenset()
    files = Path(package.origin).parent.glob("cfg/models/*/*.yaml")
    found = (re.fullmatch(r"(yolov?\d+)(-\w+)*", each.stem) for each in files)
    return frozenset(
        name for each in found if each for name in _names(each[1], _SIZES, (each[0].removeprefix(each[1]),))
    )


def is_file(name: str) -> bool:
    """Whether the name is a path to a model of the user's own."""
    return "/" in name or name.endswith(_FILES)


def check(name: str, pretrained: object) -> Wrong | None:
    """What keeps Ultralytics from loading this model, if anything does.

    Args:
        name: the architecture.
        pretrained: as it stands in the file: true, false or the path of weights.
    """
    if isinstance(pretrained, str) and not pretrained.endswith(".pt"):
        return Wrong("pretrained", f"must be true, false or the path of a `.pt` file, not {shown(pretrained)}")
    if is_file(name):
        return _file(name, pretrained)
    if name not in WEIGHTS | BUILDABLE:
        if name in installed():
            return None
        return Wrong("architecture", f"no model is called `{name}`{_nearest(name)}")
    if pretrained is True and name not in WEIGHTS:
        return Wrong("pretrained", f"no weights are published for `{name}`; say false, or take another model")
    if pretrained is not True and name not in BUILDABLE:
        return Wrong("pretrained", f"`{name}` cannot be built without its weights; say true, or take another model")
    return None


def _file(name: str, pretrained: object) -> Wrong | None:
    if name.endswith(".pt") and pretrained is not True:
        return Wrong("pretrained", "must be true for a `.pt` model, which holds its weights")
    if not name.endswith(".pt") and pretrained is True:
        return Wrong("pretrained", "loads nothing for a `.yaml` model; say false, or the path of the weights")
    return None


def _nearest(name: str) -> str:
    known = sorted(WEIGHTS | BUILDABLE)
    plain = re.sub(r"yolov?-?(11|12|26)", r"yolo\1", name.lower())
    return f" (did you mean `{plain}`?)" if plain in known else suggestion(name, known)
