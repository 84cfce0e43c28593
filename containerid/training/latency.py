"""How long the model takes for one image on this hardware, and how large it is."""

import time
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

_WARM = 5
_IMAGES = 50
_KEPT = 16
"""Images that are held in memory; they are used in turn."""
_SECONDS = 15.0


def measure(model: Any, images: Sequence[Path], **settings: Any) -> dict[str, Any]:
    """Milliseconds from a decoded image to its boxes, one image at a time, after a warm-up.

    Args:
        model: an Ultralytics model.
        images: files; the first few are used in turn.
        settings: arguments of its `predict`.

    Returns:
        `images` that were timed, and `latency` and of it `inference` (the network alone), each median and p95.
    """
    pictures = [picture for picture in map(read, images[:_KEPT]) if picture is not None]
    if not pictures:
        raise ValueError("no image of the split can be read")
    begun = time.monotonic()
    whole, network = [], []
    for number in range(_WARM + _IMAGES):
        (found,) = model.predict(pictures[number % len(pictures)], verbose=False, **settings)
        if number >= _WARM:
            whole.append(sum(found.speed.values()))
            network.append(found.speed["inference"])
        if whole and time.monotonic() - begun > _SECONDS:
            break
    return {"images": len(whole), "latency": _spread(whole), "inference": _spread(network)}


def read(image: Path) -> Any:
    """The image as Ultralytics reads it, upright, BGR; None where it cannot be read."""
    return import_module("ultralytics.utils.patches").imread(str(image))


def throughput(speed: dict[str, float], batch: Any) -> dict[str, Any]:
    """Images a second in batches, by Ultralytics' own clock over a whole validation."""
    spent = sum(speed[step] for step in ("preprocess", "inference", "postprocess"))
    return {"images_per_second": round(1000 / spent, 1), "batch": batch}


def size(model: Any, file: Path, imgsz: int) -> dict[str, Any]:
    """Bytes of the file, parameters, and billions of operations for one image; 0 where these cannot be counted."""
    flops = import_module("ultralytics.utils.torch_utils").get_flops(model.model, imgsz)
    parameters = sum(each.numel() for each in model.model.parameters())
    return {"file": file.name, "bytes": file.stat().st_size, "parameters": parameters, "gflops": round(float(flops), 2)}


def _spread(times: Iterable[float]) -> dict[str, float]:
    median, slow = np.percentile(list(times), [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(slow), 3)}
