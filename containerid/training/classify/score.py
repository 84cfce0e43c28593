"""How good a classifier is on a split, and how fast."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from containerid.training.answers import Answers
from containerid.training.latency import Clock


@dataclass(frozen=True, slots=True)
class Score:
    """What a pass over a split found.

    Attributes:
        answers: to each image.
        loss: cross entropy, the mean over the images.
        spent: milliseconds an image from its tensor to its answer, in batches.
    """

    answers: Answers
    loss: float
    spent: float


def measure(model: Any, batches: Any, names: Sequence[str], device: str) -> Score:
    """Look through a split once.

    Args:
        model: on the device; it is left in evaluation mode.
        batches: of a loader of `images.Images` that keeps their order.
        names: of the classes.
        device: as PyTorch names it.
    """
    import torch

    chances, true, loss, seconds = [], [], 0.0, 0.0
    model.eval()
    with torch.inference_mode():
        for pictures, labels in batches:
            begun = time.perf_counter()
            scores = model(pictures.to(device)).float().cpu()
            seconds += time.perf_counter() - begun
            chances.append(scores.softmax(1).numpy())
            true.append(labels.numpy())
            loss += float(torch.nn.functional.cross_entropy(scores, labels, reduction="sum"))
    images: list[Path] = batches.dataset.paths
    count = max(len(images), 1)
    heard = Answers(images, np.concatenate(chances), np.concatenate(true).astype(np.int64), tuple(names))
    return Score(heard, loss / count, 1000 * seconds / count)


def clock(model: Any, transform: Any, device: str) -> Clock:
    """The model, in evaluation mode and on the device, timed on one decoded image."""
    import torch

    def answer(picture: Any) -> tuple[float, float]:
        with torch.inference_mode():
            begun = time.perf_counter()
            tensor = transform(picture)[None].to(device)
            ready = time.perf_counter()
            scores = model(tensor)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            done = time.perf_counter()
            int(scores.argmax())
            return 1000 * (time.perf_counter() - begun), 1000 * (done - ready)

    return answer


def gflops(model: Any, channels: int, imgsz: int, device: str) -> float:
    """Billions of operations for one image, as PyTorch counts them: a multiplication and an addition are two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.zeros(1, channels, imgsz, imgsz, device=device))
    return float(counter.get_total_flops()) / 1e9
