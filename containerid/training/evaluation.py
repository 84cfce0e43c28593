"""evaluation.json: all that was found out about the best weights, in plain JSON, for the report and for programs.

A key is missing where its part does not fit the task or could not be made; the log says why. Fractions are in [0, 1],
times in milliseconds, boxes are left, top, right, bottom in fractions of the image; boxes that are not upright stand as
the upright ones around them. At most 200 KB.

- `version` 1, `task`, `split` (`test`, or `val` where there is no test split: its numbers flatter), `images` and true
  `boxes` of that split, `names` of the classes by index.
- `metrics` of the split at Ultralytics' own thresholds: `mAP50`, `mAP50-95`, and `precision` and `recall` at the best
  F1.
- `per_class`: `index`, `name`, `images`, `boxes`, `precision`, `recall`, `f1`, `mAP50`, `mAP50-95`, and points `best`
  and `wanted` of its own. Classes without a true box are left out.
- `curves`: 101 points of `precision`, `recall` and `f1` over `confidence`, the mean over the classes; `pr` is
  `precision` over `recall` at IoU 0.5; `classes` the same of each, of 20 at most.
- `best`: the point (`confidence`, `precision`, `recall`, `f1`) of the best F1. `wanted`: the one of the highest
  confidence at which the recall is still `wanted_recall`; null where it never is. `highest_recall`: of any
  confidence. All are counted over all boxes, not read off the curves, and a box counts where it is more confident.
- `operating`: at the configured thresholds (`confidence`, `nms_iou`), counted over all boxes: `true`, `false`,
  `missed`, `precision`, `recall`, `f1`, and `per_class` the same. A box is true at IoU 0.5 and of the right class.
- `confusion`: `matrix[predicted][true]` at the configured thresholds; `names` ends with `background`. Ultralytics
  matches at IoU 0.45 there, whatever the class.
- `intervals`: `level`, `resamples`, `seed`, and `value`, `low`, `high` of `mAP50`, `mAP50-95`, and of `precision` and
  `recall` of `operating`.
- `speed` on `hardware`: `latency` at batch 1 from a decoded image to its boxes, and `inference`, of it the network
  alone, each `median` and `p95` over `images`; `throughput`: `images_per_second` at `batch`.
- `model`: `file`, `bytes`, `parameters`, `gflops` (0 where they cannot be counted).
- `mistakes` at `operating`: `images_with_errors`, `missed`, `false`, `confused` (right place, wrong class; false as
  well), `sure` (false at a confidence over 0.8), and `worst`, at most 60 images: `image`, `score` (missed boxes and
  the confidences of the false ones), `missed`, `false`, `confused`. The first 12 have a `picture` among the outputs,
  of `width` and `height` px, with nothing drawn on it, and the boxes to draw: `true` with `class`, `box`, `found`;
  `predicted` with `class`, `box`, `confidence` and `kind` (`true`, `false`, `confused`); `left_out` says how many are
  missing from the two lists.

Of a classifier, whoever trained it:

- `metrics`: `accuracy_top1`, `accuracy_top5`. No `boxes`, `best`, `wanted` or `operating`.
- `per_class`: `index`, `name`, `images`, `precision`, `recall` (which is the accuracy of a class) and `f1`.
- `curves`: 101 points over `confidence`: `answered`, the share of images whose answer is at least so confident, and
  `accuracy` among these; null where there are none.
- `confusion`: images, `matrix[predicted][true]`; `names` are the classes alone.
- `intervals`: of `accuracy_top1` and `accuracy_top5`, and `per_class` of `precision` and `recall` in the order of
  `names`, up to 100 classes.
- `mistakes`: `images_with_errors`, `sure` (wrong at a confidence over 0.8), and `worst`: `image`, `score` (how much
  likelier the model finds its answer than the truth), `true` and `predicted` by name, `confidence`, `chance` (that the
  truth was given), and the `picture` of the first 12.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.training import intervals, mistakes, operating, sightings
from containerid.training.sightings import Sighting

FILE = "evaluation.json"
_LIMIT = 200_000
_FEW_BOXES = 30
_DEFAULT_IOU = 0.7
"""At which Ultralytics thins overlapping boxes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What the passes over a split left.

    Attributes:
        measured: Ultralytics' metrics at its own thresholds.
        first: what was seen there, over all confidences.
        second: what was seen at the configured thresholds; None where only the first pass was made.
        confidence, iou: these thresholds.
        recall: that is wanted.
        seed: of the bootstrap.
    """

    split: str
    measured: Any
    first: Sequence[Sighting]
    second: Sequence[Sighting] | None
    confidence: float
    iou: float
    recall: float
    seed: int

    @property
    def there(self) -> Sequence[Sighting]:
        """What was seen at the operating point."""
        return self.second if self.second is not None else [each.above(self.confidence) for each in self.first]


def parts(passes: Passes, view: Path, out: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """How to make each part of the document that is about boxes; any may fail without harm to the others.

    Args:
        passes: over the split.
        view: the folder that images are named from.
        out: the outputs; pictures of the worst mistakes are written there.
    """
    there, names = passes.there, passes.measured.names
    counts = sightings.count(there, len(names))
    return {
        "metrics per class": lambda: {"per_class": operating.per_class(passes.measured, passes.first, passes.recall)},
        "curves": lambda: _curves(passes),
        "operating point": lambda: {"operating": _thresholds(passes) | operating.counted(counts.sum(0), names)},
        "mistakes": lambda: {"mistakes": mistakes.describe(mistakes.find(there), view, out, passes.split)},
        "confidence intervals": lambda: {"intervals": intervals.bootstrap(passes.first, counts.sum(1), passes.seed)},
    }


def _curves(passes: Passes) -> dict[str, Any]:
    box, names, thresholds = passes.measured.box, passes.measured.names, operating.Thresholds(passes.first)
    if not len(box.ap_class_index):
        return {}
    return {
        "curves": operating.curves(box, names, passes.measured.nt_per_class),
        "best": thresholds.best(),
        "wanted_recall": passes.recall,
        "wanted": thresholds.wanted(passes.recall),
        "highest_recall": thresholds.highest_recall,
    }


def _thresholds(passes: Passes) -> dict[str, float]:
    return {"confidence": passes.confidence, "nms_iou": passes.iou if passes.second is not None else _DEFAULT_IOU}


def write_text(document: Mapping[str, Any]) -> str:
    """The document as JSON within its limit: curves of single classes go first, then boxes, then the matrix."""
    lean = plain(document)
    for shed in (_keep_all, _shed_curves, _shed_boxes, _shed_matrix):
        shed(lean)
        text = json.dumps(lean, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) < _LIMIT:
            break
    return text + "\n"


def _keep_all(_: dict[str, Any]) -> None: ...


def _shed_curves(document: dict[str, Any]) -> None:
    document.get("curves", {}).pop("classes", None)


def _shed_boxes(document: dict[str, Any]) -> None:
    for entry in document.get("mistakes", {}).get("worst", []):
        for kind in ("true", "predicted"):
            if kind in entry:
                entry["left_out"] += len(entry[kind][_FEW_BOXES:])
                del entry[kind][_FEW_BOXES:]


def _shed_matrix(document: dict[str, Any]) -> None:
    document.pop("confusion", None)


def plain(value: Any) -> Any:
    """JSON types only; what is no finite number is null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
