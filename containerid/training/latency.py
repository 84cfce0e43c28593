"""How long the model takes for one image on this hardware, and how large it is."""

import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

_WARM = 5
_IMAGES = 50
_KEPT = 16
"""Images that are held in memory; they are used in turn."""
_SECONDS = 15.0


Clock = Callable[[Any], tuple[float, float]]
"""Has a model answer to one decoded image. Gives the milliseconds that it took, and those of the network alone."""


def of_ultralytics(model: Any, **settings: Any) -> Clock:
    """A model of Ultralytics on its own clock; `settings` are arguments of its `predict`."""

    def clock(picture: Any) -> tuple[float, float]:
        (found,) = model.predict(picture, verbose=False, **settings)
        return sum(found.speed.values()), found.speed["inference"]

    return clock


def measure(clock: Clock, images: Sequence[Path], read: Callable[[Path], Any]) -> dict[str, Any]:
    """Milliseconds from a decoded image to its answer, one image at a time, after a warm-up.

    Args:
        clock: of the model.
        images: files; the first few are used in turn.
        read: decodes one; None where it cannot be read.

    Returns:
        `images` that were timed, and `latency` and of it `inference` (the network alone), each median and p95.
    """
    pictures = [picture for picture in map(read, images[:_KEPT]) if picture is not None]
    if not pictures:
        raise ValueError("no image of the split can be read")
    begun = time.monotonic()
    whole, network = [], []
    for number in range(_WARM + _IMAGES):
        spent, of_network = clock(pictures[number % len(pictures)])
        if number >= _WARM:
            whole.append(spent)
            network.append(of_network)
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


def size(network: Any, file: Path, gflops: float) -> dict[str, Any]:
    """Bytes of the file, parameters, and billions of operations for one image; 0 where these cannot be counted."""
    parameters = sum(each.numel() for each in network.parameters())
    return {"file": file.name, "bytes": file.stat().st_size, "parameters": parameters, "gflops": round(gflops, 2)}


def gflops(model: Any, imgsz: int) -> float:
    """What Ultralytics counts of its own model."""
    return float(import_module("ultralytics.utils.torch_utils").get_flops(model.model, imgsz))


def _spread(times: Iterable[float]) -> dict[str, float]:
    median, slow = np.percentile(list(times), [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(slow), 3)}
