"""What a model saw in each image of a validation, kept from Ultralytics' own pass, beside what is true."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SAME = 0.5
"""The overlap (IoU) from which a box of the right class counts as found."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One image with n predicted and m true boxes, as fractions of it: left, top, right, bottom.

    Attributes:
        image: the file that was looked at.
        boxes: (n, 4), the most confident first; of a rotated box, the upright one around it.
        confidences: (n,); `classes` (n,) their class indices.
        correct: (n, levels): whether it is right at each level of IoU, 0.5 to 0.95, as Ultralytics decides.
        beside: (n,): it lies on a true box of another class.
        true_boxes: (m, 4); `true_classes` (m,).
        found_by: (m,): the row of the prediction that found it at IoU 0.5; -1 where none did.
    """

    image: Path
    boxes: NDArray[np.float64]
    confidences: NDArray[np.float64]
    classes: NDArray[np.int64]
    correct: NDArray[np.bool_]
    beside: NDArray[np.bool_]
    true_boxes: NDArray[np.float64]
    true_classes: NDArray[np.int64]
    found_by: NDArray[np.int64]

    def above(self, confidence: float) -> "Sighting":
        """What is left when only predictions of more than this confidence count: the less confident take nothing."""
        kept = self.confidences > np.float32(confidence)
        rows = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
        return Sighting(
            self.image,
            self.boxes[kept],
            self.confidences[kept],
            self.classes[kept],
            self.correct[kept],
            self.beside[kept],
            self.true_boxes,
            self.true_classes,
            rows[self.found_by],
        )


@dataclass(slots=True)
class Watch:
    """Attributes: what has been seen, an entry an image; why the rest is missing, empty where nothing is."""

    seen: list[Sighting] = field(default_factory=list)
    fault: str = ""


def watching(base: Any, watch: Watch, *, confuse: bool) -> Any:
    """A validator class that keeps what it sees.

    Args:
        base: Ultralytics' validator of boxes; its numbers stay as they are.
        watch: gets an entry an image.
        confuse: fill the confusion matrix; Ultralytics does so itself only when it draws plots.
    """

    def match(self: Any, predicted: Any, true: Any, iou: Any, *rest: Any, **more: Any) -> Any:
        # Masks and keypoints are matched after the boxes: the first is the boxes'.
        self.overlap = iou if self.overlap is None else self.overlap
        return base.match_predictions(self, predicted, true, iou, *rest, **more)

    def process(self: Any, preds: Any, batch: Any) -> Any:
        self.overlap = None
        found = base._process_batch(self, preds, batch)
        try:
            watch.seen.append(_see(preds, batch, self.overlap, found["tp"]))
            if confuse and not self.args.plots:
                self.confusion_matrix.process_batch(preds, batch, conf=self.args.conf)
        except Exception as error:
            watch.fault = f"{type(error).__name__}: {error}"
        return found

    return type(base.__name__, (base,), {"overlap": None, "match_predictions": match, "_process_batch": process})


def _see(preds: Any, batch: Any, overlap: Any, correct: NDArray[np.bool_]) -> Sighting:
    classes, true_classes = (_plain(each["cls"]).astype(np.int64) for each in (preds, batch))
    shape = (len(true_classes), len(classes))
    iou = np.zeros(shape) if overlap is None else _plain(overlap)
    other = true_classes[:, None] != classes
    return Sighting(
        Path(batch["im_file"]),
        _fractions(preds["bboxes"], batch),
        _plain(preds["conf"]).astype(np.float64),
        classes,
        np.asarray(correct, dtype=bool),
        np.asarray((np.where(other, iou, 0) >= _SAME).any(0)),
        _fractions(batch["bboxes"], batch),
        true_classes,
        claims(np.where(other, 0, iou)),
    )


def claims(iou: NDArray[Any]) -> NDArray[np.int64]:
    """Which prediction finds each true box, as Ultralytics matches them: the most confident chooses first.

    Args:
        iou: (m true, n predicted); 0 where the class is another one.

    Returns:
        (m,): the row of the prediction, -1 where none overlaps enough.
    """
    found_by = np.full(iou.shape[0], -1, dtype=np.int64)
    for row in np.flatnonzero((iou >= _SAME).any(0)) if iou.size else ():
        free = np.where(found_by < 0, iou[:, row], 0)
        best = int(free.argmax())
        if free[best] >= _SAME:
            found_by[best] = row
    return found_by


def _fractions(boxes: Any, batch: Any) -> NDArray[np.float64]:
    """Boxes of the network's input, of any kind, as upright ones in fractions of the image."""
    if not len(boxes):
        return np.zeros((0, 4))
    ops = import_module("ultralytics.utils.ops")
    if boxes.shape[-1] == 5:
        corners = ops.xywhr2xyxyxyxy(boxes)
        boxes = import_module("torch").cat([corners.amin(1), corners.amax(1)], 1)
    height, width = batch["ori_shape"][:2]
    scaled = ops.scale_boxes(batch["imgsz"], boxes.clone(), batch["ori_shape"], ratio_pad=batch["ratio_pad"])
    return np.asarray(np.clip(_plain(scaled).astype(np.float64) / [width, height, width, height], 0, 1))


def _plain(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().float().cpu().numpy()
    return array


def count(seen: Sequence[Sighting], classes: int) -> NDArray[np.int64]:
    """(images, classes, 3): right, false and missed boxes of each class in each image, at IoU 0.5."""
    counts = np.zeros((len(seen), classes, 3), dtype=np.int64)
    for row, each in enumerate(seen):
        right = each.correct[:, 0]
        np.add.at(counts[row, :, 0], each.classes[right], 1)
        np.add.at(counts[row, :, 1], each.classes[~right], 1)
        np.add.at(counts[row, :, 2], each.true_classes[each.found_by < 0], 1)
    return counts
