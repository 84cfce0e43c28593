"""A set made of somebody's images and annotations: read as a whole first, then split, then written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from containerid.dataset import coco, cvat, folders, grouping, splitting, voc, yolo
from containerid.dataset.gathered import DEFAULT, Gathered, Refused, Sample
from containerid.dataset.sought import Images
from containerid.dataset.sources import COCO, CVAT, FOLDERS, VOC, Found
from containerid.dataset.tasks import CLASSIFY, DETECT, OBB, POSE, SEGMENT
from containerid.dataset.yamlfile import SPLITS, DatasetError

_NAMED = 8
"""Classes that are named where others were asked for."""
_THINGS = {DETECT: "box", SEGMENT: "area", POSE: "object with keypoints", OBB: "box", CLASSIFY: "box"}


@dataclass(slots=True)
class Arranged:
    """A source and what becomes of each image.

    Attributes:
        splits: samples by split, by name.
        kept: the splits are the source's own.
        groups: what was kept together; None where the splits are the source's own.
        names: classes by their index.
        counts: as `Gathered.counts`.
        task: what the set is for.
        keys: of data.yaml, besides splits and names.
        closed: the classes were asked for.
        others: objects of those that were not.
    """

    splits: dict[str, list[Sample]]
    names: Sequence[str]
    counts: Counter[str]
    task: str = DETECT
    keys: Mapping[str, Any] = field(default_factory=dict)
    closed: bool = False
    others: Counter[str] = field(default_factory=Counter)
    kept: bool = False
    groups: grouping.Grouping | None = None


def gather(found: Found, names: Sequence[str] = (), task: str = DETECT) -> Gathered:
    """Read everything.

    Args:
        found: as `locate` gives it.
        names: classes in the order wanted; objects of others are passed over. Empty takes all.
        task: as `locate` takes it.

    Raises:
        Refused: something has to be mended in the source; nothing is left out of the list.
    """
    gathered = Gathered(found.root, task or (CLASSIFY if found.form == FOLDERS else ""), list(names), bool(names))
    images = Images(found.root)
    if not images.paths:
        fix = "export it with its images, or name the folder that holds both"
        raise Refused([DatasetError(found.root, 0, "holds annotations, and no image", fix)])
    if found.form == VOC:
        voc.read(gathered, list(found.files), images)
    elif found.form == COCO:
        coco.read(gathered, found.files, images)
    elif found.form == CVAT:
        cvat.read(gathered, list(found.files), images)
    elif found.form == FOLDERS:
        folders.read(gathered, images)
    else:
        yolo.read(gathered, next(iter(found.files), None), images)
    if not gathered.faults and not any(sample.rows for sample in gathered.samples):
        what = "of the classes asked for" if gathered.counts["other-class"] else "that can be used"
        thing = "image" if found.form == FOLDERS else _THINGS[gathered.task]
        gathered.fault(found.root, 0, f"holds no {thing} {what}", _advice(gathered))
    if gathered.faults:
        raise Refused(gathered.faults)
    return gathered


def _advice(gathered: Gathered) -> str:
    counts = gathered.counts
    if gathered.others:
        return f"--names {','.join(name for name, _ in gathered.others.most_common(_NAMED))}"
    if counts["skeleton"]:
        return "--task pose takes its skeletons"
    if counts["no-keypoints"]:
        return "--task detect takes its boxes"
    return "see what its annotations hold"


def arrange(
    gathered: Gathered, shares: Mapping[str, float] | None = None, *, seed: int = 0, pattern: str = ""
) -> Arranged:
    """Give every image a split.

    Args:
        gathered: the source.
        shares: of the splits; None keeps the source's own where it has train and val, and else takes the default.
        seed: of what is drawn.
        pattern: that makes groups of names, as `grouping.key_of` takes it.

    Raises:
        Refused: the source's own splits share an image, or no image is found by the pattern.
        ValueError: there are too few groups for so many splits.
        re.error: the pattern is no regular expression.
    """
    gathered.samples.sort(key=lambda sample: sample.name)
    if shares is None and not pattern and {"train", "val"} <= {sample.split for sample in gathered.samples}:
        return _kept(gathered)
    samples, wanted = gathered.samples, shares or splitting.shares(DEFAULT)
    found = grouping.group([each.name for each in samples], [each.image for each in samples], pattern)
    if pattern and not found.named:
        fix = f"it is searched in names such as {samples[0].name}"
        raise Refused([DatasetError(gathered.root, 0, f"holds no image whose name has {pattern}", fix)])
    units = [_unit([samples[index] for index in each]) for each in found.groups]
    given = splitting.split(units, wanted, seed)
    placed = {index: split for each, split in zip(found.groups, given, strict=True) for index in each}
    splits = {split: [sample for index, sample in enumerate(samples) if placed[index] == split] for split in wanted}
    return _arranged(gathered, splits, groups=found)


def _arranged(gathered: Gathered, splits: dict[str, list[Sample]], **more: Any) -> Arranged:
    told = gathered.task, gathered.keys, gathered.closed, gathered.others
    return Arranged(splits, gathered.names, gathered.counts, *told, **more)


def _unit(samples: Sequence[Sample]) -> splitting.Unit:
    labels: Counter[int] = Counter()
    for sample in samples:
        labels.update({int(row[0]) for row in sample.rows} or {splitting.BACKGROUND})
    return splitting.Unit(len(samples), labels)


def _kept(gathered: Gathered) -> Arranged:
    listed = [sample for sample in gathered.samples if sample.split]
    gathered.counts["unsplit"] += len(gathered.samples) - len(listed)
    for one, other in grouping.same([sample.image for sample in listed]):
        first, later = listed[one], listed[other]
        if first.split != later.split:
            gathered.leak(later.image, 0, f"is in {later.split}, and the same image in {first.split}: {first.name}")
    if gathered.leaks:
        raise Refused(gathered.leaks)
    present = [split for split in SPLITS if any(sample.split == split for sample in listed)]
    splits = {split: [sample for sample in listed if sample.split == split] for split in present}
    return _arranged(gathered, splits, kept=True)
