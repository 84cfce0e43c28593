"""COCO's JSON: one file a split, boxes or polygons, categories by ids that may have gaps."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.dataset.gathered import Gathered, Images, Sample, around, located, numbers, split_named

_HEAD = 65536
_LISTS = re.compile(rb'"(images|annotations)"\s*:\s*\[')

Document = Mapping[str, Any]


def files(root: Path) -> list[Path]:
    """Files below a folder that look like COCO's, those of boxes alone where the names tell."""
    found = [
        path
        for pattern in ("*.json", "*/*.json", "*/annotations/*.json")
        for path in sorted(root.glob(pattern))
        if _looks(path)
    ]
    return [path for path in found if path.name.startswith("instances_")] or found


def _looks(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, path.stat().st_size - _HEAD))
            ends = head + file.read()
    except OSError:
        return False
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
        records, found = self.document["categories"], {}
        annotations = (each for each in self.document.get("annotations", []) if isinstance(each, dict))
        used = {key for each in annotations if isinstance(key := each.get("category_id"), int)}
        above = {name for each in records if isinstance(name := each.get("supercategory"), str)}
        for index, record in enumerate(records):
            key, name = record.get("id"), record.get("name")
            if not isinstance(key, int) or not isinstance(name, str) or not name or key in found:
                self.fault(f"categories[{index}] needs an id of its own and a name", "correct it")
            elif key in used or name not in above:
                found[key] = name
        # Some tools write what classes belong to as a category of its own, which no box has.
        for key in sorted(found):
            if not self.gathered.closed:
                self.gathered.index_of(found[key])
        return found

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
        elif record.get("iscrowd"):
            self.gathered.counts["crowd"] += 1
        elif (sample := self.samples[image]) is not None:
            try:
                corners = _corners(record)
            except (ValueError, TypeError):
                self.fault(f"{what} has no box of four numbers and no polygon", "correct it")
                return
            found = self.gathered.index_of(categories[category])
            if found is not None:
                self.gathered.counts["polygon"] += not record.get("bbox")
                self.gathered.box(sample, found, corners)


def _size(record: Document) -> tuple[float, float]:
    try:
        across, down = numbers([record.get("width"), record.get("height")])
    except ValueError:
        return 0, 0
    return across, down


def _corners(record: Document) -> tuple[float, float, float, float]:
    """Left, top, right, bottom. Raises ValueError or TypeError when there are none."""
    if box := record.get("bbox"):
        left, top, across, down = numbers(box)
        return left, top, left + across, top + down
    parts = record["segmentation"] if isinstance(record.get("segmentation"), list) else []
    points = [point for part in parts for point in numbers(part)]
    if len(points) < 6 or len(points) % 2:
        raise ValueError("no polygon")
    return around(points)
