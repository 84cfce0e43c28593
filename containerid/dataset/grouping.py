"""Images that must not be parted: of one group by their names, the same image twice, or images that look the same."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from containerid.dataset import crowd, pixels

FOLDER = "folder"
"""The word for the folder that an image lies in, where a pattern is expected."""
_CHUNK, _PAYS = 64, 600


@dataclass(slots=True)
class Grouping:
    """Groups of images, by their places in the list that they came in.

    Attributes:
        groups: each in its order, ordered by their first; every image is in one of them.
        named: groups that the names made.
        same: images that are another's copy, byte by byte.
        alike: pairs that look the same; None when it was not looked for.
    """

    groups: list[list[int]] = field(default_factory=list)
    named: int = 0
    same: list[tuple[int, int]] = field(default_factory=list)
    alike: int | None = None

    @property
    def largest(self) -> int:
        """Images in the largest group."""
        return max(map(len, self.groups), default=0)


def key_of(name: str, pattern: str) -> str:
    """What a pattern finds in an image's name: its first group, or all that it matches; empty when it does not.

    Args:
        name: relative, POSIX.
        pattern: a regular expression, or the word `folder`.

    Raises:
        re.error: it is no regular expression.
    """
    if pattern == FOLDER:
        return os.fspath(PurePosixPath(name).parent)
    found = re.search(pattern, name)
    return next((part for part in (*found.groups(), found[0]) if part), "") if found else ""


def group(names: Sequence[str], paths: Sequence[Path], pattern: str = "", *, look: bool | None = None) -> Grouping:
    """Find groups.

    Args:
        names: of the images, relative, POSIX.
        paths: of the same images.
        pattern: as `key_of` takes it; empty for none.
        look: decode every image to find those that look the same; None does where the packages are there.

    Raises:
        re.error: the pattern is no regular expression.
    """
    together = _Together(len(names))
    found = Grouping()
    if pattern:
        keys = [key_of(name, pattern) for name in names]
        together.join(keys)
        found.named = len({key for key in keys if key})
    found.same = same(paths)
    for one, other in found.same:
        together.unite(one, other)
    if look or (look is None and not pixels.missing()):
        found.alike = 0
        for one, other in _alike(paths):
            found.alike += 1
            together.unite(one, other)
    found.groups = together.groups()
    return found


def same(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Pairs of files with the same content, each later one with the first of its kind."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, path in enumerate(paths):
        by_size[path.stat().st_size].append(index)
    pairs = []
    for found in by_size.values():
        first: dict[bytes, int] = {}
        for index in found if len(found) > 1 else ():
            with paths[index].open("rb") as file:
                earlier = first.setdefault(hashlib.file_digest(file, "sha256").digest(), index)
            if earlier != index:
                pairs.append((earlier, index))
    return sorted(pairs)


def _alike(paths: Sequence[Path]) -> Iterable[tuple[int, int]]:
    from containerid.dataset.likeness import pairs

    files = list(map(os.fspath, paths))
    chunks = crowd.spread("decode", files, {}, chunk=_CHUNK, pays=_PAYS)
    prints = [bytes.fromhex(seen) for found in chunks for _, _, seen in found]
    shown = [index for index, seen in enumerate(prints) if seen]
    if len(shown) < 2:
        return []
    return [(shown[one], shown[other]) for one, other in pairs([prints[index] for index in shown])]


class _Together:
    """Sets of indices that grow together."""

    def __init__(self, count: int) -> None:
        self.above = list(range(count))

    def _top(self, index: int) -> int:
        while self.above[index] != index:
            self.above[index] = self.above[self.above[index]]
            index = self.above[index]
        return index

    def unite(self, one: int, other: int) -> None:
        tops = sorted((self._top(one), self._top(other)))
        self.above[tops[1]] = tops[0]

    def join(self, keys: Sequence[Hashable]) -> None:
        """Unite what has the same key; an empty one joins nothing."""
        first: dict[Hashable, int] = {}
        for index, key in enumerate(keys):
            if key:
                self.unite(first.setdefault(key, index), index)

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self.above)):
            found[self._top(index)].append(index)
        return list(found.values())
