"""How good a classifier is on a split."""

import time
from dataclasses import dataclass
from typing import Any

from containerid.job import Metrics


@dataclass(frozen=True, slots=True)
class Score:
    """What a pass over a split found.

    Attributes:
        top1, top5: shares of the images whose class is the likeliest, or among the five likeliest.
        loss: cross entropy, the mean over the images.
        matrix: images by predicted class (rows) and true class (columns), as Ultralytics' confusion matrix is laid out.
        speed: milliseconds an image, the model alone.
    """

    top1: float
    top5: float
    loss: float
    matrix: list[list[int]]
    speed: float

    def metrics(self, prefix: str) -> Metrics:
        """Flat, by Ultralytics' names for them."""
        return {f"{prefix}/accuracy_top1": self.top1, f"{prefix}/accuracy_top5": self.top5}

    def per_class(self, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and the number of images of each class."""
        found = {}
        for index, name in enumerate(names):
            hits, said = self.matrix[index][index], sum(self.matrix[index])
            there = sum(row[index] for row in self.matrix)
            precision, recall = hits / said if said else 0.0, hits / there if there else 0.0
            f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
            found[name] = {"precision": precision, "recall": recall, "f1": f1, "images": there}
        return found


def measure(model: Any, batches: Any, classes: int, device: str) -> Score:
    """Look through a split once.

    Args:
        model: on the device; it is left in evaluation mode.
        batches: of a loader.
        classes: how many there are.
        device: as PyTorch names it.
    """
    import torch

    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    top5 = images = 0
    loss = seconds = 0.0
    model.eval()
    with torch.inference_mode():
        for pictures, labels in batches:
            pictures, labels = pictures.to(device), labels.to(device)  # noqa: PLW2901 - the same batch, elsewhere
            begun = time.perf_counter()
            answers = model(pictures).float()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds += time.perf_counter() - begun
            loss += float(torch.nn.functional.cross_entropy(answers, labels, reduction="sum"))
            likeliest = answers.topk(min(5, classes), dim=1).indices
            top5 += int((likeliest == labels[:, None]).any(dim=1).sum())
            images += len(labels)
            pairs = (likeliest[:, 0] * classes + labels).cpu()
            matrix += torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    count = max(images, 1)
    return Score(int(matrix.trace()) / count, top5 / count, loss / count, matrix.tolist(), 1000 * seconds / count)
