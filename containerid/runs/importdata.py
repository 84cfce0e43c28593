"""Getting data in: a set made of somebody's annotations, a set split anew, and what a set holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from containerid import __version__
from containerid.dataset import importing, sets, splitting, stats, writing
from containerid.dataset.gathered import DEFAULT
from containerid.dataset.grouping import Grouping
from containerid.dataset.pixels import INSTALL
from containerid.errors import UsageError
from containerid.runs.checkdata import find_set

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
    "shape": "shapes that are no area, left out",
    "other-class": "boxes of classes that were not asked for, left out",
    "unlabelled": "images without annotation, taken as background",
    "unlisted": "images that the annotations do not name, left out",
    "unsplit": "images in none of the source's splits, left out",
}
"""What was changed or passed over on the way."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of an import.

    Attributes:
        form: one of `importing.FORMATS`, or `auto`.
        names: classes in their order; empty for all.
        split: shares such as `0.8/0.1/0.1`; empty keeps the source's own, or takes these.
        seed: of what is drawn.
        group: a regular expression over names, or `folder`.
        copy: copy images rather than link them.
    """

    form: str = importing.AUTO
    names: Sequence[str] = ()
    split: str = ""
    seed: int = 0
    group: str = ""
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """A new set.

    Attributes:
        folder: where it is.
        form: what it was made of.
        arranged: what became of the images.
        copied: images that were copied, the rest being linked.
    """

    folder: Path
    form: str
    arranged: importing.Arranged
    copied: int

    @property
    def counts(self) -> dict[str, int]:
        """Of what was changed or passed over, by the words of `WORDS`; those that happened."""
        return {word: self.arranged.counts[word] for word in WORDS if self.arranged.counts[word]}

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        splits = {
            split: {"images": len(samples), "boxes": sum(len(each.boxes) for each in samples)}
            for split, samples in self.arranged.splits.items()
        }
        document = {"set": str(self.folder), "format": self.form, "names": list(self.arranged.names), "splits": splits}
        groups = _groups(self.arranged.groups)
        return {
            **document,
            "kept_splits": self.arranged.kept,
            "groups": groups,
            "counts": self.counts,
            "copied": self.copied,
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
    if wanted.form not in {importing.AUTO, *importing.FORMATS}:
        raise UsageError(f"{wanted.form!r} is no format", hint=f"--format {'|'.join(importing.FORMATS)}")
    shares = _shares(wanted.split or (DEFAULT if anew else ""))
    _free(source, target)
    try:
        re.compile(wanted.group)
        found = importing.locate(source, wanted.form)
        gathered = importing.gather(found, wanted.names)
        arranged = importing.arrange(gathered, shares, seed=wanted.seed, pattern=wanted.group)
    except importing.Refused as refused:
        raise _refusal(refused, source) from refused
    except re.error as error:
        raise UsageError(
            f"--group {wanted.group!r} is no regular expression: {error}", hint="--group folder"
        ) from error
    except ValueError as error:
        hint = "fewer splits, or smaller groups: images of one group, and those that look alike, stay together"
        raise UsageError(f"the images make too few groups: {error}", hint=hint) from error
    made = Imported(target, found.form, arranged, 0)
    copied = writing.write(target, arranged.splits, arranged.names, _record(source, wanted, made), copy=wanted.copy)
    return replace(made, copied=copied)


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
    return {**asked, **{key: value for key, value in made.document().items() if key not in {"set", "copied"}}}


def _shares(text: str) -> dict[str, float] | None:
    try:
        return splitting.shares(text) if text else None
    except ValueError as error:
        hint = f"train/val/test, such as --split {DEFAULT}"
        raise UsageError(f"--split {text}: {error}", hint=hint) from error


def _free(source: Path, target: Path) -> None:
    if not writing.vacant(target):
        raise UsageError(f"{target} is there already, and not empty", hint="--to a folder that is not there yet")
    if target.resolve().is_relative_to(source):
        raise UsageError(f"{target} is inside the source", hint="--to a folder beside it")


def _refusal(refused: importing.Refused, source: Path) -> UsageError:
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


def stats_of(path: str, folder: Path) -> tuple[sets.Dataset, stats.Stats]:
    """A set and its numbers.

    Args:
        path: a folder or a data.yaml; empty for the project's own.
        folder: where the user stands.

    Raises:
        UsageError: there is no such set, or its data.yaml cannot be used.
        ConfigError: params.yaml cannot be used.
    """
    file = find_set(path, folder)
    dataset = sets.survey(file)
    if not dataset.splits and dataset.faults:
        fault = dataset.faults[0]
        where = f"{file}{f':{fault.line}' if fault.line else ''}"
        raise UsageError(f"{where}: {fault.message}", hint=fault.fix or f"cid data check {file}")
    return dataset, stats.count(dataset)


def cautions(arranged: importing.Arranged) -> list[str]:
    """What somebody who trusts the split should know."""
    told, found = [], arranged.groups
    images = sum(map(len, arranged.splits.values()))
    if found and found.alike is None:
        told.append(f"images that look alike were not looked for, and may be in two splits: {INSTALL}")
    if found and found.largest * 3 > images:
        told.append(f"one group holds {found.largest} of {images} images; the shares are rough")
    return told
