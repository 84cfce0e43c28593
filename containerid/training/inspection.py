"""Loads a model and lets it look at one picture: `python -m containerid.training.inspection FILE`.

A model's file is a pickle, which may run anything when it is read. This runs in a process of its own, reads nothing but
weights and the classes that Ultralytics lists as known, and never falls back to more. The last line that it prints is
a JSON object: what it found, or `error`.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

_ROUNDS = 5


def inspect(path: Path) -> dict[str, Any]:
    """What a model is.

    Returns:
        `task`, `classes` (names in the order of their indices), `parameters`, `imgsz` in pixels, `milliseconds` an
        image of that size on the CPU (the median of five after one to warm up), `boxes` that it found in a drawn scene.

    Raises:
        Exception: of torch or Ultralytics: it holds more than weights and known classes, or is no model of Ultralytics.
    """
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"  # read once, when Ultralytics is imported
    from ultralytics import YOLO
    from ultralytics.nn import tasks

    if not (tasks.SAFE_LOAD and tasks._SafeLoad.SUPPORTED):
        raise RuntimeError("this torch cannot load weights alone; torch 2.6 or later can")
    model = YOLO(path)
    size = int(model.overrides.get("imgsz") or 640)
    picture = _scene(size)
    times, boxes = [], 0
    for _ in range(_ROUNDS + 1):
        begun = time.perf_counter()
        (seen,) = model.predict(picture, imgsz=size, device="cpu", verbose=False, save=False)
        times.append(1000 * (time.perf_counter() - begun))
        boxes = len(seen.boxes) if seen.boxes is not None else 0
    return {
        "task": str(model.task),
        "classes": [str(name) for _, name in sorted(model.names.items())],
        "parameters": sum(each.numel() for each in model.model.parameters()),
        "imgsz": size,
        "milliseconds": round(statistics.median(times[1:]), 1),
        "boxes": boxes,
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
