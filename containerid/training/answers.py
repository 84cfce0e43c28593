"""What a classifier answered to each image of a split, and what is to be learned from it, whoever trained it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from containerid.job import Metrics
from containerid.training import intervals, mistakes

TOP = 5
_POINTS = 101
_SURE = 0.8
_DETAILED = 100
"""Classes up to which each has its own intervals: of more, nobody reads them."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """n images and c classes.

    Attributes:
        images: the n files.
        chances: (n, c): how likely the model finds each class, in [0, 1]; a row sums up to 1.
        true: (n,) class indices.
        names: of the c classes.
    """

    images: Sequence[Path]
    chances: NDArray[np.float32]
    true: NDArray[np.int64]
    names: Sequence[str]

    @property
    def said(self) -> NDArray[np.int64]:
        """(n,): the likeliest class of each."""
        return np.asarray(self.chances.argmax(1), dtype=np.int64)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(n,): how likely the model finds what it said."""
        return np.asarray(self.chances.max(1), dtype=np.float64)

    @property
    def among_five(self) -> NDArray[np.bool_]:
        """(n,): the true class is among the five likeliest."""
        best = np.argsort(-self.chances, axis=1, kind="stable")[:, :TOP]
        return np.asarray((best == self.true[:, None]).any(1))

    @property
    def matrix(self) -> NDArray[np.int64]:
        """(c, c): images by what was said (rows) and what is true (columns), as Ultralytics lays it out."""
        count = len(self.names)
        return np.bincount(self.said * count + self.true, minlength=count * count).reshape(count, count)

    def metrics(self) -> Metrics:
        """Shares of the images that are right, and that are right among five answers, by Ultralytics' names."""
        if not len(self.true):
            return {"accuracy_top1": 0.0, "accuracy_top5": 0.0}
        right = float((self.said == self.true).mean())
        return {"accuracy_top1": right, "accuracy_top5": float(self.among_five.mean())}


def parts(answers: Answers, view: Path, out: Path, split: str, seed: int) -> dict[str, Callable[[], dict[str, Any]]]:
    """How to make each part of evaluation.json that is about classes; any may fail without harm to the others.

    Args:
        answers: to the images of the split.
        view: the folder that images are named from.
        out: the outputs; pictures of the worst mistakes are written there.
        split: `test` or `val`.
        seed: of the bootstrap.
    """
    matrix = answers.matrix
    return {
        "metrics per class": lambda: {"per_class": per_class(matrix, answers.names)},
        "confusion": lambda: {"confusion": {"names": list(answers.names), "matrix": matrix.tolist()}},
        "curves": lambda: {"curves": curves(answers)},
        "mistakes": lambda: {"mistakes": _mistakes(answers, view, out, split)},
        "confidence intervals": lambda: {"intervals": _intervals(answers, seed)},
    }


def per_class(matrix: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    """Each class that has images: how many, and precision, recall (which is its accuracy) and F1."""
    hits, said, there = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    return [
        {
            "index": index,
            "name": name,
            "images": int(there[index]),
            "precision": _share(hits[index], said[index]),
            "recall": _share(hits[index], there[index]),
            "f1": _share(2 * hits[index], said[index] + there[index]),
        }
        for index, name in enumerate(names)
        if there[index]
    ]


def curves(answers: Answers) -> dict[str, list[float | None]]:
    """Over a confidence that is asked for: the share of images that reach it, and how many of these are right."""
    order = np.argsort(-answers.confidence, kind="stable")
    sure, right = answers.confidence[order], (answers.said == answers.true)[order].cumsum()
    asked = np.linspace(0, 1, _POINTS)
    counts = np.searchsorted(-sure, -asked, side="right")
    return {
        "confidence": [round(float(each), 2) for each in asked],
        "answered": [_share(count, len(sure)) for count in counts],
        "accuracy": [_share(right[count - 1], count) if count else None for count in counts],
    }


def _share(part: Any, whole: Any) -> float:
    return round(float(part) / float(whole), 4) if whole else 0.0


def _intervals(answers: Answers, seed: int) -> dict[str, Any]:
    found = intervals.of_classes(answers.said, answers.true, answers.among_five, len(answers.names), seed)
    if len(answers.names) > _DETAILED:
        found.pop("per_class")
    return found


def _mistakes(answers: Answers, view: Path, out: Path, split: str) -> dict[str, Any]:
    """The images with a wrong answer, those first whose answer is surest against the truth."""
    said, confidence = answers.said, answers.confidence
    truth = answers.chances[np.arange(len(said)), answers.true]
    scores = np.where(said == answers.true, 0, confidence - truth)
    wrong = np.flatnonzero(said != answers.true)
    order = sorted(map(int, wrong), key=lambda row: (-scores[row], str(answers.images[row])))
    worst = [
        {
            "image": mistakes.name_of(answers.images[row], view),
            "score": round(float(scores[row]), 3),
            "true": answers.names[answers.true[row]],
            "predicted": answers.names[said[row]],
            "confidence": round(float(confidence[row]), 3),
            "chance": round(float(truth[row]), 3),
        }
        for row in order[: mistakes.LISTED]
    ]
    mistakes.illustrate(worst, [answers.images[row] for row in order], out, split)
    return {"images_with_errors": len(wrong), "sure": int((confidence[wrong] > _SURE).sum()), "worst": worst}


@dataclass(slots=True)
class Heard:
    """What a pass of Ultralytics' validator has heard.

    Attributes:
        chances, true: a batch each; `images` of all.
        fault: why something is missing, empty where nothing is.
    """

    chances: list[NDArray[np.float32]] = field(default_factory=list)
    true: list[NDArray[np.int64]] = field(default_factory=list)
    images: Sequence[Path] = ()
    fault: str = ""

    def answers(self, names: Sequence[str]) -> Answers | None:
        """All of it; None where not every image has its answer."""
        if not self.chances or sum(map(len, self.true)) != len(self.images):
            return None
        return Answers(self.images, np.concatenate(self.chances), np.concatenate(self.true), names)


def hearing(base: Any, heard: Heard) -> Any:
    """A validator class that keeps what it hears.

    Args:
        base: Ultralytics' validator of classes; its numbers stay as they are.
        heard: gets an entry a batch.
    """

    def update(self: Any, preds: Any, batch: Any) -> None:
        base.update_metrics(self, preds, batch)
        try:
            heard.chances.append(preds.detach().float().cpu().numpy())
            heard.true.append(batch["cls"].detach().cpu().numpy().astype(np.int64))
            heard.images = [Path(sample[0]) for sample in self.dataloader.dataset.samples]
        except Exception as error:
            heard.fault = f"{type(error).__name__}: {error}"

    def load(self: Any, path: Any, batch: int) -> Any:
        # Its own loader draws the images in any order, and does not tell which.
        build = import_module("ultralytics.data.build").build_dataloader
        return build(self.build_dataset(path), batch, self.args.workers, shuffle=False, rank=-1, device=self.device)

    return type(base.__name__, (base,), {"update_metrics": update, "get_dataloader": load})
