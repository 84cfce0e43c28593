"""A set as it is written: whole or not at all, images linked or copied, labels and data.yaml of our own."""

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import yaml

from containerid.dataset.gathered import Row, Sample
from containerid.dataset.sets import YAML

RECORD = "origin.json"
"""Where a set came from and how it was split, beside its data.yaml."""
Splits = Mapping[str, Sequence[Sample]]


def vacant(target: Path) -> bool:
    """Nothing is there, or an empty folder."""
    if target.is_symlink() or not target.is_dir():
        return not target.exists() and not target.is_symlink()
    return not any(target.iterdir())


def write(
    target: Path,
    splits: Splits,
    names: Sequence[str],
    record: Mapping[str, Any],
    *,
    copy: bool,
    keys: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Write a set with labels.

    Args:
        target: absolute; nothing is there, or an empty folder.
        splits: samples by split.
        names: classes by their index.
        record: what `origin.json` says.
        copy: copy images, rather than give their content a second name.
        keys: what data.yaml says besides splits and names.

    Returns:
        How many images were copied.

    Raises:
        OSError: the disk takes no more, or an image cannot be read; nothing is left then.
    """
    called = called_in(splits)
    copied = 0
    with whole(target, record) as folder:
        for split, samples in splits.items():
            images, labels = folder / "images" / split, folder / "labels" / split
            images.mkdir(parents=True)
            labels.mkdir(parents=True)
            for sample in samples:
                name = called[sample.name]
                copied += _place(sample.image, images / name, copy=copy)
                (labels / f"{PurePosixPath(name).stem}.txt").write_bytes(text_of(sample.rows))
        document = {**{split: f"images/{split}" for split in splits}, "names": list(names), **keys}
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        (folder / YAML).write_text(text, encoding="utf-8")
    return copied


def sort(target: Path, splits: Splits, names: Sequence[str], record: Mapping[str, Any], *, copy: bool) -> int:
    """Write a set for a classifier, a folder for each class; otherwise as `write` does."""
    called = called_in(splits)
    copied = 0
    with whole(target, record) as folder:
        for split, samples in splits.items():
            for name in names:
                (folder / split / name).mkdir(parents=True)
            for sample in samples:
                place = folder / split / names[int(sample.rows[0][0])] / called[sample.name]
                copied += _place(sample.image, place, copy=copy)
    return copied


@contextmanager
def whole(target: Path, record: Mapping[str, Any]) -> Iterator[Path]:
    """A folder that becomes the target once it is filled; if that fails, or is interrupted, nothing is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        yield part
        (part / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def called_in(splits: Splits) -> dict[str, str]:
    """As `named`, of every image of a set."""
    return named([sample.name for samples in splits.values() for sample in samples])


def named(names: Sequence[str]) -> dict[str, str]:
    """A file's name of its own for each path: its last part, with its folders before it where that is not enough.

    Two images of one stem would share a label, and some disks know no letter case: neither sort counts as different.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        alike[PurePosixPath(name).stem.casefold()].append(name)
    called: dict[str, str] = {}
    taken = set(alike)
    for found in alike.values():
        called[found[0]] = PurePosixPath(found[0]).name
        for name in found[1:]:
            called[name] = _other(name, taken)
    return called


def _other(name: str, taken: set[str]) -> str:
    path = PurePosixPath(name)
    parts = [part for part in path.parent.parts if part not in {"..", "/"}]
    stem = "_".join([*parts, path.stem])
    number, made = 2, stem
    while made.casefold() in taken:
        made, number = f"{stem}_{number}", number + 1
    taken.add(made.casefold())
    return f"{made}{path.suffix}"


def text_of(rows: Sequence[Row]) -> bytes:
    """A label: one line an object, eight decimals at most; empty for background."""
    lines = [f"{int(row[0])} {' '.join(map(_short, row[1:]))}\n" for row in rows]
    return "".join(lines).encode("ascii")


def _short(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def _place(image: Path, target: Path, *, copy: bool) -> bool:
    """Put an image there; True when it had to be copied, or was to be."""
    if not copy:
        # Another disk, or one without links.
        with suppress(OSError):
            target.hardlink_to(image.resolve())
            return False
    shutil.copyfile(image, target)
    return True
