"""COCO's JSON: one file a split, boxes, polygons, masks and keypoints, categories by ids that may have gaps."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.dataset import geometry, masks
from containerid.dataset.gathered import Gathered, Sample, numbers, split_named
from containerid.dataset.geometry import Outline
from containerid.dataset.shapes import Drawn, Keypoint
from containerid.dataset.sought import Images, located
from containerid.dataset.tasks import DETECT, OBB, POSE, SEGMENT

_HEAD = 65536
_LISTS = re.compile(rb'"(images|annotations)"\s*:\s*\[')

Document = Mapping[str, Any]


def files(root: Path, task: str = DETECT) -> list[Path]:
    """Files below a folder that look like COCO's; where the names tell, those of what the task needs alone."""
    found = [
        path
        for pattern in ("*.json", "*/*.json", "*/annotations/*.json")
        for path in sorted(root.glob(pattern))
        if _looks(path)
    ]
    named = "person_keypoints_" if task == POSE else "instances_"
    return [path for path in found if path.name.startswith(named)] or found


def _looks(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, path.stat().st_size - _HEAD))
            ends = head + file.read()
    except OSError:
        # What cannot be read is told when it is read.
        return True
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and bool(_LISTS.search(ends))


def read(gathered: Gathered, paths: Sequence[Path], images: Images) -> None:
    """Read every file. Images that none of them names are no part of the set, and are counted.

    Args:
        gathered: gets samples, classes, counts and faults.
        paths: of the files.
        images: of the source.
    """
    seen: dict[Path, Path] = {}
    for path in paths:
        document = _load(gathered, path)
        if document is None:
            continue
        own = split_named(path.stem) or split_named(path.parent.relative_to(gathered.root).as_posix())
        _File(gathered, path, document, own).read(images, seen)
    if gathered.task == POSE and not gathered.keys and not gathered.faults:
        fix = "export COCO's keypoints: a list `keypoints` in each category and annotation"
        gathered.fault(gathered.root, 0, "no category has keypoints", fix)
    gathered.counts["unlisted"] += len(set(images.paths) - set(seen))


def _load(gathered: Gathered, path: Path) -> Document | None:
    try:
        document = json.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        gathered.fault(path, 0, f"cannot be read ({error.strerror})")
        return None
    except json.JSONDecodeError as error:
        gathered.fault(path, error.lineno, f"is not valid JSON: {error.msg.lower()}", "export it anew")
        return None
    except (ValueError, RecursionError):
        gathered.fault(path, 0, "is not JSON in UTF-8", "export it anew")
        return None
    for key in ("images", "categories"):
        if not isinstance(document, dict) or not _records(document.get(key)):
            gathered.fault(path, 0, f"has no list `{key}`", "export it as COCO's instances, with images and categories")
            return None
    if not isinstance(document.get("annotations", []), list):
        gathered.fault(path, 0, "`annotations` is no list", "export it anew")
        return None
    return document  # type: ignore[no-any-return]


def _records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


class _File:
    """One file that is being read."""

    def __init__(self, gathered: Gathered, path: Path, document: Document, split: str) -> None:
        self.gathered, self.path, self.document, self.split = gathered, path, document, split
        self.samples: dict[Any, Sample | None] = {}
        self.points: dict[Any, int] = {}

    def fault(self, message: str, fix: str) -> None:
        self.gathered.fault(self.path, 0, message, fix)

    def read(self, images: Images, seen: dict[Path, Path]) -> None:
        categories = self._categories()
        for index, record in enumerate(self.document["images"]):
            self._image(index, record, images, seen)
        for index, record in enumerate(self.document.get("annotations", [])):
            if isinstance(record, dict):
                self._annotation(index, record, categories)
            else:
                self.fault(f"annotations[{index}] is no object", "export it anew")

    def _categories(self) -> dict[Any, str]:
        records, found, bones = self.document["categories"], {}, {}
        annotations = (each for each in self.document.get("annotations", []) if isinstance(each, dict))
        used = {key for each in annotations if isinstance(key := each.get("category_id"), int)}
        above = {name for each in records if isinstance(name := each.get("supercategory"), str)}
        for index, record in enumerate(records):
            key, name = record.get("id"), record.get("name")
            if not isinstance(key, int) or not isinstance(name, str) or not name or key in found:
                self.fault(f"categories[{index}] needs an id of its own and a name", "correct it")
            elif key in used or name not in above:
                found[key], bones[key] = name, record.get("keypoints")
        if self.gathered.task == POSE:
            self._skeletons(found, bones)
        # Some tools write what classes belong to as a category of its own, which no box has.
        for key in sorted(found):
            if not self.gathered.closed and (self.gathered.task != POSE or key in self.points):
                self.gathered.index_of(found[key])
        return found

    def _skeletons(self, found: Mapping[Any, str], bones: Mapping[Any, object]) -> None:
        for key, name in sorted(found.items()):
            names = bones[key]
            if isinstance(names, list) and names and (not self.gathered.closed or name in self.gathered.names):
                self.points[key] = len(names)
                self.gathered.pose((self.path, 0), {name: list(map(str, names))}, len(names))

    def _image(self, index: int, record: Document, images: Images, seen: dict[Path, Path]) -> None:
        key, name = record.get("id"), record.get("file_name")
        if not isinstance(key, int | str) or not isinstance(name, str) or key in self.samples:
            self.fault(f"images[{index}] needs an id of its own and a file_name", "correct it")
            return
        self.samples[key] = None
        place = (self.path, 0)
        image = located(self.gathered, self._find(images, name), name, place)
        if image is None:
            return
        if image in seen:
            where = "twice" if seen[image] == self.path else f"as {seen[image].name} does"
            self.fault(f"images[{index}] names {name} {where}", "name it once")
            return
        seen[image] = self.path
        sample = self.gathered.sample(image, _size(record), place)
        if sample:
            sample.split = self.split
            self.samples[key] = sample

    def _find(self, images: Images, name: str) -> list[Path]:
        found = images.find(name, self.path.parent)
        if len(found) > 1 and self.split:
            return [each for each in found if split_named(each.parent.name) == self.split] or found
        return found

    def _annotation(self, index: int, record: Document, categories: Mapping[Any, str]) -> None:
        what, image, category = f"annotations[{index}]", record.get("image_id"), record.get("category_id")
        if not isinstance(image, int | str) or image not in self.samples:
            self.fault(f"{what} is of image {str(image)[:40]}, which is not listed", "remove it, or list the image")
        elif not isinstance(category, int) or category not in categories:
            self.fault(f"{what} is of category {str(category)[:40]}, which is not listed", "correct it")
        elif record.get("iscrowd") and not _is_of_cvat(record):
            self.gathered.counts["crowd"] += 1
        elif (sample := self.samples[image]) is not None:
            try:
                drawn = self._drawn(record, sample)
            except _Faulty as faulty:
                self.fault(f"{what} {faulty}", "correct it")
            else:
                self.gathered.draw(sample, categories[category], drawn)

    def _drawn(self, record: Document, sample: Sample) -> Drawn:
        try:
            box = _box(record)
            turn = numbers([record["attributes"].get("rotation") or 0])[0] if _is_of_cvat(record) else 0.0
            points = self._points(record)
            # The areas of a set for boxes may be anything, as long as there are boxes.
            parts = self._parts(record, sample) if not box or self.gathered.task in {SEGMENT, OBB} else []
        except (ValueError, TypeError):
            raise _Faulty("has no box of four numbers and no polygon") from None
        if box and turn and not parts:
            left, top, right, bottom = box
            middle = (left + right) / 2, (top + bottom) / 2
            return Drawn(corners=geometry.turned(middle, (right - left, bottom - top), turn), keypoints=points)
        if not box and not parts and not points:
            raise _Faulty("has no box of four numbers and no polygon")
        return Drawn(box, tuple(parts), keypoints=points, area=not box)

    def _points(self, record: Document) -> tuple[Keypoint, ...]:
        words = record.get("keypoints")
        if self.gathered.task != POSE or not words:
            return ()
        count = self.points.get(record.get("category_id"), 0)
        try:
            found = numbers(words)
        except (ValueError, TypeError):
            found = []
        if len(found) != 3 * count:
            raise _Faulty(f"has {len(found)} numbers of keypoints, and its category has {count} of 3 each")
        return tuple((x, y, min(max(int(seen), 0), 2)) for x, y, seen in zip(*[iter(found)] * 3, strict=True))

    def _parts(self, record: Document, sample: Sample) -> list[Outline]:
        area = record.get("segmentation")
        if isinstance(area, dict):
            return self._mask(area, sample)
        parts = [numbers(part) for part in area] if isinstance(area, list) else []
        # Of parts without an area some tools write a point or two.
        return [geometry.paired(part) for part in parts if len(part) > 5 or len(part) % 2]

    def _mask(self, area: Document, sample: Sample) -> list[Outline]:
        counts, size = area.get("counts"), area.get("size")
        try:
            high, wide = (int(each) for each in numbers(size or []))
            lengths = (
                masks.letters(counts) if isinstance(counts, str) else [int(each) for each in numbers(counts or [])]
            )
            found, holes = masks.across(masks.runs(lengths, high, wide))
        except (ValueError, TypeError):
            raise _Faulty("has a mask that is no run lengths of its size") from None
        self.gathered.counts["hole"] += holes
        across, down = sample.size[0] / wide, sample.size[1] / high
        return [[(x * across, y * down) for x, y in outline] for outline in found]


class _Faulty(Exception):
    """An annotation that has to be mended; the message follows on its place."""


def _is_of_cvat(record: Document) -> bool:
    """CVAT marks every mask as a crowd, and gives turned boxes upright, with an angle among its attributes."""
    return isinstance(record.get("attributes"), dict)


def _size(record: Document) -> tuple[float, float]:
    try:
        across, down = numbers([record.get("width"), record.get("height")])
    except ValueError:
        return 0, 0
    return across, down


def _box(record: Document) -> geometry.Corners | None:
    """The box, where there is one. Raises ValueError or TypeError where it is none."""
    box = record.get("bbox")
    if not box:
        return None
    left, top, across, down = numbers(box)
    return left, top, left + across, top + down
