"""Loads a model and lets it look at one picture: `python -m containerid.training.inspection FILE`.

A model's file is a pickle, which may run anything when it is read. This runs in a process of its own, reads nothing but
weights and the classes that Ultralytics lists as known, and never falls back to more. The last line that it prints is
a JSON object: what it found, or `error`.
"""

import json
import os
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROUNDS = 5
_SAVED = {"state_dict", "architecture", "names", "imgsz"}


def inspect(path: Path) -> dict[str, Any]:
    """What a model is.

    Returns:
        `task`, `classes` (names in the order of their indices), `parameters`, `imgsz` in pixels, `milliseconds` an
        image of that size on the CPU (the median of five after one to warm up), `boxes` that it found in a drawn scene;
        of a classifier that timm has trained, `seen`: the class that it takes the scene for.

    Raises:
        Exception: of torch, timm or Ultralytics: it holds more than weights and known classes, or is no model of
            theirs.
    """
    if content := _classifier(path):
        return _inspect_classifier(content)
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"  # read once, when Ultralytics is imported
    from ultralytics import YOLO
    from ultralytics.nn import tasks

    if not (tasks.SAFE_LOAD and tasks._SafeLoad.SUPPORTED):
        raise RuntimeError("this torch cannot load weights alone; torch 2.6 or later can")
    model = YOLO(path)
    size = int(model.overrides.get("imgsz") or 640)
    picture = _scene(size)
    [seen], milliseconds = _timed(lambda: model.predict(picture, imgsz=size, device="cpu", verbose=False, save=False))
    return {
        "task": str(model.task),
        "classes": [str(name) for _, name in sorted(model.names.items())],
        "parameters": sum(each.numel() for each in model.model.parameters()),
        "imgsz": size,
        "milliseconds": milliseconds,
        "boxes": len(seen.boxes) if seen.boxes is not None else 0,
    }


def _timed(look: Callable[[], Any]) -> tuple[Any, float]:
    times, seen = [], None
    for _ in range(_ROUNDS + 1):
        begun = time.perf_counter()
        seen = look()
        times.append(1000 * (time.perf_counter() - begun))
    return seen, round(statistics.median(times[1:]), 1)


def _classifier(path: Path) -> dict[str, Any] | None:
    """What the timm trainer has saved: tensors and plain data; None for what asks for any class at all."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return None
    return content if isinstance(content, dict) and content.keys() >= _SAVED else None


def _inspect_classifier(content: dict[str, Any]) -> dict[str, Any]:
    import timm
    import torch

    from containerid.training.classify.model import leave_a_processor

    leave_a_processor()
    name, names, size = str(content["architecture"]), [str(each) for each in content["names"]], int(content["imgsz"])
    if not timm.is_model(name):  # a name such as `hf-hub:…` would fetch what it names
        raise RuntimeError(f"timm {timm.__version__} has no model {name[:60]}")
    model = timm.create_model(name, pretrained=False, num_classes=len(names)).eval()
    model.load_state_dict(content["state_dict"])
    scene = torch.from_numpy(_scene(size)[:size, :size, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        seen, milliseconds = _timed(lambda: int(model(scene).argmax()))
    return {
        "task": "classify",
        "classes": names,
        "parameters": sum(each.numel() for each in model.parameters()),
        "imgsz": size,
        "milliseconds": milliseconds,
        "boxes": 0,
        "seen": names[seen],
    }


def _scene(size: int) -> Any:
    from containerid.training.synthetic import picture_of

    return picture_of("doors", max(64, size), (0, 0, 0))[0]


def main() -> int:
    """Inspect the file that is named; 0 when it is a model that can be used."""
    from containerid.training.log import say

    try:
        found = inspect(Path(sys.argv[1]).absolute())
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
        found = {"error": f"{type(error).__name__}: {lines[0]}"}
    say(json.dumps(found))
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main())
