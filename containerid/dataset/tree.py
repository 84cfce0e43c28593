"""Folders as they lie on the disk, links followed, none twice."""

import os
from collections.abc import Iterator
from typing import NamedTuple


class Folder(NamedTuple):
    """One folder.

    Attributes:
        path: absolute.
        folders: names of the folders in it, sorted; hidden ones are not entered.
        files: names of everything else, links to nowhere included.
        loops: those of `folders` that are links to a folder that they lie in; they are not entered either.
    """

    path: str
    folders: list[str]
    files: list[str]
    loops: list[str]


def walk(top: str) -> Iterator[Folder]:
    """A folder and all below it, each before what it holds; a folder that cannot be listed counts as empty."""
    seen = {os.path.realpath(top)}
    waiting = [top]
    while waiting:
        path = waiting.pop()
        folders, files, linked = _list(path)
        loops = [name for name in linked if _is_around(os.path.realpath(f"{path}{os.sep}{name}"), path)]
        yield Folder(path, folders, files, sorted(loops))
        for name in reversed(folders):
            below = f"{path}{os.sep}{name}"
            if name.startswith(".") or name in loops:
                continue
            if name in linked:
                real = os.path.realpath(below)
                if real in seen:
                    continue
                seen.add(real)
            waiting.append(below)


def _is_around(folder: str, path: str) -> bool:
    return f"{os.path.realpath(path)}{os.sep}".startswith(f"{folder.rstrip(os.sep)}{os.sep}")


def _list(path: str) -> tuple[list[str], list[str], set[str]]:
    folders, files, linked = [], [], set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not _is_folder(entry):
                    files.append(entry.name)
                    continue
                folders.append(entry.name)
                if entry.is_symlink():
                    linked.add(entry.name)
    except OSError:
        return [], [], set()
    return sorted(folders), sorted(files), linked


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself: an entry like any other, which cannot be opened.
        return False


def roots(bases: set[str], within: str) -> dict[str, str]:
    """Where a set's images and labels lie: the topmost folders to look through, to `images` or `labels`.

    Args:
        bases: folders that its images were found in.
        within: the set's own folder; what lies outside may belong to other sets, so only the bases count there.
    """
    found: dict[str, str] = {}
    for base in sorted(bases):
        before, inside, _ = f"{base}{os.sep}".rpartition(f"{os.sep}images{os.sep}")
        if not inside:
            found[base] = "both"
            continue
        images = f"{before}{os.sep}images"
        top = images if images.startswith(f"{within}{os.sep}") else base
        found[top] = "images"
        found[f"{before}{os.sep}labels{top[len(images) :]}"] = "labels"
    return {path: what for path, what in found.items() if not _below_another(path, found)}


def _below_another(path: str, others: dict[str, str]) -> bool:
    return any(path.startswith(f"{other}{os.sep}") for other in others)
