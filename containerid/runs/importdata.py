"""Getting data in: a set made of somebody's annotations, a set split anew, and what a set holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from containerid import __version__
from containerid.dataset import classes, crops, importing, objects, sets, sources, splitting, stats, writing
from containerid.dataset.gathered import DEFAULT, Refused
from containerid.dataset.grouping import Grouping
from containerid.dataset.pixels import INSTALL
from containerid.dataset.tasks import CLASSIFY, DETECT, POSE
from containerid.errors import UsageError
from containerid.runs.checkdata import find_set, known

_CLASSES = 8
"""Classes that are named in a caution."""
_SHOWN = 20
"""Faults of a source that are told; what there are more is a number."""
WORDS = {
    "clipped": "boxes cut at the image's edge",
    "no-area": "boxes without area, or outside the image, left out",
    "twice": "boxes that stood there twice, written once",
    "crowd": "crowds left out",
    "difficult": "boxes marked difficult, taken like others",
    "truncated": "boxes marked truncated, taken like others",
    "from-one": "boxes counted from pixel 1, as Pascal VOC does",
    "polygon": "polygons and other areas, taken as the box around each",
    "turned": "turned boxes, taken as the upright box around each",
    "upright": "boxes without an angle, taken as turned by none",
    "around": "areas without four corners, taken as the smallest turned box around each",
    "rectangle": "boxes without an outline, taken as rectangles",
    "joined": "areas of several parts, joined by thin lines",
    "hole": "holes in masks, filled",
    "no-keypoints": "objects without a labelled keypoint, left out",
    "keypoint-outside": "keypoints outside the image, taken as not labelled",
    "unposed": "objects whose keypoints were left out",
    "small": "boxes below 8 pixels, left out",
    "shape": "shapes that the task has no use for, left out",
    "other-class": "boxes of classes that were not asked for, left out",
    "unlabelled": "images without annotation, taken as background",
    "unlisted": "images that the annotations do not name, left out",
    "unsplit": "images in none of the source's splits, left out",
    "skeleton": "skeletons left out, which --task pose takes",
    "unnamed": "classes without a name, for want of data.yaml or classes.txt, called by their number",
    "unsorted": "images in no class's folder, left out",
}
"""What was changed or passed over on the way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of an import.

    Attributes:
        form: one of `sources.FORMATS`, or `auto`.
        names: classes in their order; empty for all.
        split: shares such as `0.8/0.1/0.1`; empty keeps the source's own, or takes these.
        seed: of what is drawn.
        group: a regular expression over names, or `folder`.
        copy: copy images rather than link them.
        task: one of `tasks.TASKS`; empty where the labels are to tell.
    """

    form: str = sources.AUTO
    names: Sequence[str] = ()
    split: str = ""
    seed: int = 0
    group: str = ""
    copy: bool = False
    task: str = DETECT


@dataclass(frozen=True, slots=True)
class Imported:
    """A new set.

    Attributes:
        folder: where it is.
        form: what it was made of.
        arranged: what became of the images.
        copied: images that were copied, the rest being linked.
        written: images that were cut out of others.
    """

    folder: Path
    form: str
    arranged: importing.Arranged
    copied: int
    written: int = 0

    @property
    def cut(self) -> bool:
        """Whether its images are cut out of those of the source."""
        return self.arranged.task == CLASSIFY and self.form != sources.FOLDERS

    @property
    def counts(self) -> dict[str, int]:
        """Of what was changed or passed over, by the words of `WORDS`; those that happened."""
        return {word: self.arranged.counts[word] for word in WORDS if self.arranged.counts[word]}

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        splits = {
            split: {"images": len(samples), "boxes": sum(len(each.rows) for each in samples)}
            for split, samples in self.arranged.splits.items()
        }
        told = {"set": str(self.folder), "format": self.form, "task": self.arranged.task}
        document = {**told, "names": list(self.arranged.names), "splits": splits}
        groups = _groups(self.arranged.groups)
        return {
            **document,
            "kept_splits": self.arranged.kept,
            "groups": groups,
            "counts": self.counts,
            "copied": self.copied,
            "written": self.written,
        }


def _groups(found: Grouping | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "count": len(found.groups),
        "largest": found.largest,
        "named": found.named,
        "same": len(found.same),
        "alike": found.alike,
    }


def import_data(source: Path, target: Path, wanted: Wanted, *, anew: bool = False) -> Imported:
    """Make a set. Nothing is written before the source has been read as a whole.

    Args:
        source: a folder, or a file of annotations.
        target: the new set's folder; nothing may be there.
        wanted: what is asked for.
        anew: split, also where the source has splits of its own.

    Raises:
        UsageError: the source has faults, what is asked cannot be, or the target is taken.
    """
    source, target = source.resolve(), target.absolute()
    if wanted.form not in {sources.AUTO, *sources.FORMATS}:
        raise UsageError(f"{wanted.form!r} is no format", hint=f"--format {'|'.join(sources.FORMATS)}")
    known(wanted.task)
    if twice := next((name for name in wanted.names if list(wanted.names).count(name) > 1), None):
        raise UsageError(f"--names has {twice} twice", hint="name each class once")
    shares = _shares(wanted.split or (DEFAULT if anew else ""))
    _free(source, target)
    try:
        re.compile(wanted.group)
        found = sources.locate(source, wanted.form, wanted.task)
        gathered = importing.gather(found, wanted.names, wanted.task)
        arranged = importing.arrange(gathered, shares, seed=wanted.seed, pattern=wanted.group)
    except Refused as refused:
        raise _refusal(refused, source) from refused
    except re.error as error:
        raise UsageError(
            f"--group {wanted.group!r} is no regular expression: {error}", hint="--group folder"
        ) from error
    except ValueError as error:
        hint = "fewer splits, or smaller groups: images of one group, and those that look alike, stay together"
        raise UsageError(f"the images make too few groups: {error}", hint=hint) from error
    made = Imported(target, found.form, arranged, 0)
    if made.cut:
        if not find_spec("PIL"):
            raise UsageError("boxes cannot be cut out of images without Pillow", hint=INSTALL)
        arranged.names = crops.classes(arranged.names)
    return _write(made, _record(source, wanted, made), wanted)


def _write(made: Imported, record: dict[str, Any], wanted: Wanted) -> Imported:
    target, splits, names = made.folder, made.arranged.splits, made.arranged.names
    if made.cut:
        return replace(made, written=crops.write(target, splits, names, record, seed=wanted.seed))
    if made.arranged.task == CLASSIFY:
        return replace(made, copied=writing.sort(target, splits, names, record, copy=wanted.copy))
    keys = made.arranged.keys
    return replace(made, copied=writing.write(target, splits, names, record, copy=wanted.copy, keys=keys))


def _record(source: Path, wanted: Wanted, made: Imported) -> dict[str, Any]:
    """What `origin.json` says: enough to make the set again."""
    shares = "its own" if made.arranged.kept else wanted.split or DEFAULT
    asked = {
        "source": source.name,
        "shares": shares,
        "seed": wanted.seed,
        "group": wanted.group,
        "version": __version__,
    }
    return {
        **asked,
        **{key: value for key, value in made.document().items() if key not in {"set", "copied", "written"}},
    }


def _shares(text: str) -> dict[str, float] | None:
    try:
        return splitting.shares(text) if text else None
    except ValueError as error:
        hint = f"train/val/test, such as --split {DEFAULT}"
        raise UsageError(f"--split {text}: {error}", hint=hint) from error


def _free(source: Path, target: Path) -> None:
    if not writing.vacant(target):
        what = "is there already, and not empty" if target.is_dir() else "is no folder"
        raise UsageError(f"{target} {what}", hint="--to a folder that is not there yet")
    if (place := target.resolve()).is_relative_to(source):
        raise UsageError(f"{place} is inside the source", hint="--to a folder beside it")
    if above := next((each for each in target.parents if each.exists() and not each.is_dir()), None):
        raise UsageError(f"{above} is no folder", hint="--to a folder that is not there yet")


def _refusal(refused: Refused, source: Path) -> UsageError:
    told = []
    for fault in refused.faults[:_SHOWN]:
        path = fault.path.relative_to(source.parent) if fault.path.is_relative_to(source.parent) else fault.path
        told.append(f"{path}{f':{fault.line}' if fault.line else ''}: {fault.message}")
        told[-1] += f" (try: {fault.fix})" if fault.fix and len(refused.faults) > 1 else ""
    more = len(refused.faults) - _SHOWN
    if more > 0:
        told.append(f"… and {more:,} more")
    if len(told) == 1:
        return UsageError(told[0], hint=refused.faults[0].fix)
    message = "\n  ".join([f"{len(refused.faults):,} faults in {source.name}, nothing was written:", *told])
    return UsageError(message, hint="mend them in the source, then the same command again")


def stats_of(path: str, folder: Path, task: str = "") -> tuple[sets.Dataset, stats.Stats]:
    """A set and its numbers.

    Args:
        path: a folder or a data.yaml; empty for the project's own.
        folder: where the user stands.
        task: what the set is for; empty where params.yaml or its labels are to tell.

    Raises:
        UsageError: there is no such set or task, or its data.yaml cannot be used.
        ConfigError: params.yaml cannot be used.
    """
    place, own = find_set(path, folder, task=known(task))
    if own == CLASSIFY:
        try:
            dataset = classes.read(place)
        except sets.DatasetError as error:
            raise UsageError(f"{error.path}: {error.message}", hint=error.fix) from error
        return dataset, stats.count(dataset, CLASSIFY)
    file = place
    dataset = sets.survey(file)
    if not dataset.splits and dataset.faults:
        fault = dataset.faults[0]
        where = f"{file}{f':{fault.line}' if fault.line else ''}"
        raise UsageError(f"{where}: {fault.message}", hint=fault.fix or f"cid data check {file}")
    return dataset, stats.count(dataset, own or objects.task_of(dataset))


def cautions(arranged: importing.Arranged) -> list[str]:
    """What somebody who trusts the split should know."""
    told, found = [], arranged.groups
    used = {int(row[0]) for samples in arranged.splits.values() for sample in samples for row in sample.rows}
    asked = arranged.names if arranged.closed else ()
    absent = [name for at, name in enumerate(asked) if at not in used and not (at == 1 and name == crops.BACKGROUND)]
    if absent:
        there = ", ".join(name for name, _ in arranged.others.most_common(_CLASSES))
        more = f"; what was left out is of {there}" if there else ""
        told.append(f"nothing is of {', '.join(absent)}{more}")
    if arranged.task == POSE and "flip_idx" not in arranged.keys:
        told.append("no keypoints are called left and right: without flip_idx, Ultralytics does not mirror images")
    images = sum(map(len, arranged.splits.values()))
    if found and found.alike is None:
        told.append(f"images that look alike were not looked for, and may be in two splits: {INSTALL}")
    if found and found.largest * 3 > images:
        told.append(f"one group holds {found.largest} of {images} images; the shares are rough")
    return told
