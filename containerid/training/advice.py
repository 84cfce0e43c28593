"""What to try next: rules over the curves and the metrics of a run, each with the numbers that speak for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from containerid.training import curves, history
from containerid.training.curves import Row
from containerid.training.session import Session

_RISE = 0.005
_OVERFIT = 1.1
_GAP = 0.05
_FEW = 100
_LEAN = 0.1
_WEAK = 0.15
_GOOD = 0.9
_NOTHING = 0.02
_SEVERAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that the rules look at.

    Attributes:
        classifies: it tells classes of images, and finds no boxes.
        rows: of results.csv.
        epochs: that were asked for.
        metrics: flat.
        counted: true boxes of each class, or images of it, over all splits.
        per_class: class name to its metrics on the test split.
        sure: boxes that count as false, or images that are taken for another class, though the model is sure.
        operating: precision and recall at the configured thresholds; empty where they were not measured.
        unmet: metrics whose gates are not met.
        imgsz: pixels.
        best_epoch: whose weights best.pt holds, from 1; None where the curves have to say it.
    """

    rows: Sequence[Row] = ()
    epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    classifies: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sure: int = 0
    operating: Mapping[str, Any] = field(default_factory=dict)
    unmet: Sequence[str] = ()
    imgsz: int = 640
    best_epoch: int | None = None

    @property
    def rises(self) -> bool:
        """The best epoch is one of the last."""
        best = self.best_epoch or curves.best(self.rows).get("epoch", 0)
        return best > len(self.rows) - _tail(self.rows)

    @property
    def quality(self) -> str:
        """The metric that says how good it is."""
        return "accuracy_top1" if self.classifies else "mAP50"

    @property
    def items(self) -> str:
        """What a class is counted in."""
        return "images" if self.classifies else "boxes"

    @property
    def scores(self) -> dict[str, float]:
        """How good each class is; recall is the accuracy of one class."""
        return {name: row["recall" if self.classifies else "mAP50"] for name, row in self.per_class.items()}


def give(session: Session, unmet: Sequence[str]) -> None:
    """Keep what there is to say about a run; a quick one says nothing about the data or the model."""
    session.extras["advice"] = [] if session.spec.quick else advise(_case(session, unmet))


def _case(session: Session, unmet: Sequence[str]) -> Case:
    told, training = session.extras, session.params.training
    return Case(
        rows=curves.read(session.out),
        epochs=training.epochs,
        metrics=session.metrics,
        classifies=session.params.model.task == "classify",
        counted=_counted(session),
        per_class=told.get("per_class", {}),
        sure=told.get("sure_and_false", 0),
        operating=told.get("operating", {}),
        unmet=unmet,
        imgsz=training.imgsz,
        best_epoch=history.best_epoch(history.read(session.out)),
    )


def _counted(session: Session) -> dict[str, int]:
    """Of the classes that are trained on."""
    chosen, names = session.params.training.arguments().get("classes"), session.dataset.names if session.dataset else ()
    left_out = {name for index, name in enumerate(names) if chosen is not None and index not in chosen}
    return {name: count for name, count in session.report.classes.items() if name not in left_out}


def advise(case: Case) -> list[str]:
    """One line for each rule that applies, the most telling first.

    Where there are curves, a gate of quality is not met and no rule applies, one line says what is left.
    """
    found = [line for rule in _RULES for line in rule(case)]
    if not found and case.rows and any(not name.startswith("speed/") for name in case.unmet):
        found.append("No curve shows why: try a larger model, larger images, or more data like the worst mistakes")
    return found


def _learned_nothing(case: Case) -> Iterator[str]:
    score, common = case.metrics.get(f"val/{case.quality}"), max(case.counted.values(), default=0)
    blind = common / sum(case.counted.values()) if case.classifies and common else 0.0
    if score is None or score >= blind + _NOTHING:
        return
    said = f"It learned next to nothing (val/{case.quality} {score:.3f}"
    if case.classifies:
        said += f", and always saying the most frequent class would give {blind:.3f}): look whether the folders hold"
        said += " the images of their class"
    else:
        said += "): look whether the boxes lie right (cid data stats --html)"
    yield f"{said}, start from published weights (model.pretrained: true), or train for longer"


def _still_rising(case: Case) -> Iterator[str]:
    tail = _tail(case.rows)
    if len(case.rows) < max(case.epochs, 2 * tail) or not case.rises:
        return
    what = "val/accuracy" if case.classifies else "val/mAP50-95"
    last, before = (_mean(case.rows, part) for part in (slice(-tail, None), slice(-2 * tail, -tail)))
    # What is nearly perfect has nowhere to rise to.
    if last is not None and before is not None and last - before > _RISE and last < 1 - _RISE:
        yield (
            f"The metric {what} still rose at the end ({last - before:+.3f} over the last {tail} epochs): "
            f"more epochs, such as --set training.epochs={2 * case.epochs}"
        )


def _overfits(case: Case) -> Iterator[str]:
    losses = [(curves.loss(row, "train"), curves.loss(row, "val")) for row in case.rows]
    pairs = [(train, val) for train, val in losses if train is not None and val is not None]
    tail = _tail(case.rows)
    # Where the metric rises all the same, the loss says nothing against it.
    if len(pairs) < 2 * tail or len(pairs) < len(case.rows) or any(_still_rising(case)):
        return
    lowest = min(range(len(pairs) - tail), key=lambda at: pairs[at][1])
    train, val = (fmean(pair[side] for pair in pairs[-tail:]) for side in (0, 1))
    varied = "scale, erasing, hsv_v" if case.classifies else "mixup, scale, hsv_v"
    if val > _OVERFIT * pairs[lowest][1] and train < pairs[lowest][0]:
        yield (
            f"The loss on val rises since epoch {lowest + 1} while that on train falls: it learns the training images "
            f"by heart; more images, more augmentation (augmentation.{varied}), or a smaller model"
        )


def _differs_on_test(case: Case) -> Iterator[str]:
    val, test = (case.metrics.get(f"{split}/{case.quality}") for split in ("val", "test"))
    if val is not None and test is not None and val - test > _GAP:
        yield (
            f"It is worse on test than on val ({case.quality} {test:.3f} against {val:.3f}): the splits differ; "
            "split anew so that each holds every kind of scene, and look for near-duplicates between train and val"
        )


def _few_of_a_class(case: Case) -> Iterator[str]:
    scores = case.scores
    few = {name: count for name, count in case.counted.items() if count < _FEW and not scores.get(name, 0) >= _GOOD}
    if few:
        shown = ", ".join(f"{name} {count}" for name, count in sorted(few.items(), key=lambda it: it[1])[:5])
        yield f"Few {case.items} of a class ({shown}, over all splits): label more of it before anything else"


def _weak_class(case: Case) -> Iterator[str]:
    scores = case.scores
    if len(scores) > 1:
        weakest = min(scores, key=lambda name: scores[name])
        metric = "recall" if case.classifies else "mAP50"
        rest = fmean(score for name, score in scores.items() if name != weakest)
        if rest - scores[weakest] > _WEAK:
            yield (
                f"The weakest class is {weakest} ({metric} {scores[weakest]:.3f}, the others {rest:.3f}): "
                "more images of it, and look whether its labels agree with each other"
            )


def _unlabelled(case: Case) -> Iterator[str]:
    if case.sure >= _SEVERAL and case.classifies:
        yield (
            f"{case.sure} images are taken for another class though the model is sure: look at the worst mistakes "
            "whether they lie in the wrong folder"
        )
    elif case.sure >= _SEVERAL:
        yield (
            f"{case.sure} boxes count as false though the model is sure of them: look at the worst mistakes whether "
            "it is the labels that are missing"
        )


def _leans(case: Case) -> Iterator[str]:
    precision, recall = case.operating.get("precision"), case.operating.get("recall")
    if precision is None or recall is None:
        return
    said = f"precision {precision:.3f}, recall {recall:.3f} at confidence {case.operating['confidence']:g}"
    if precision - recall > _LEAN:
        yield (
            f"It misses more than it invents ({said}): lower validation.conf_threshold, raise training.imgsz "
            f"(now {case.imgsz}) where the missed boxes are small, or add images like those in the worst mistakes"
        )
    if recall - precision > _LEAN:
        yield (
            f"It invents more than it misses ({said}): raise validation.conf_threshold, and add images without "
            "a box that look like what it takes for one"
        )


def _slow(case: Case) -> Iterator[str]:
    if any(name.startswith("speed/") for name in case.unmet):
        fastest = "" if case.classifies else " (n is the fastest)"
        yield f"Too slow on this hardware: a smaller model{fastest}, or a smaller imgsz (now {case.imgsz})"


def _stopped_early(case: Case) -> Iterator[str]:
    quality = [name for name in case.unmet if not name.startswith("speed/")]
    if quality and 0 < len(case.rows) < case.epochs:
        top = curves.fitness(curves.best(case.rows))
        # Of equals the first: from there on it has waited for something better.
        at = next((row.get("epoch") for row in case.rows if top is not None and curves.fitness(row) == top), None)
        yield (
            f"It stopped after epoch {len(case.rows)} of {case.epochs}"
            f"{f', nothing being better than epoch {at:.0f}' if at else ''}: more epochs will not help; "
            "a larger model, larger images or more data may"
        )


_RULES: tuple[Callable[[Case], Iterator[str]], ...] = (
    _learned_nothing,
    _still_rising,
    _overfits,
    _stopped_early,
    _differs_on_test,
    _few_of_a_class,
    _weak_class,
    _unlabelled,
    _leans,
    _slow,
)


def _tail(rows: Sequence[Row]) -> int:
    """Epochs that count as the end of a training: a tenth, and three at least."""
    return max(3, len(rows) // 10)


def _mean(rows: Sequence[Row], part: slice) -> float | None:
    values = [value for row in rows[part] if (value := curves.fitness(row)) is not None]
    return fmean(values) if values else None
