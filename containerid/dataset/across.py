"""The same image twice: by content within and across splits, and by look where pixels were decoded."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from containerid.dataset.findings import ERROR, INFO, WARNING, Finding, relative

_PIECE = 4096


class Member(NamedTuple):
    """An image in its split.

    Attributes:
        split: its name.
        path: absolute.
        size: bytes; 0 for one that cannot be used.
    """

    split: str
    path: str
    size: int


def members(splits: Mapping[str, Sequence[str]], sizes: Mapping[str, Sequence[int]]) -> list[Member]:
    """Every image of every split, in the order train, val, test, then by path."""
    return [
        Member(split, path, size)
        for split, paths in splits.items()
        for path, size in zip(paths, sizes[split], strict=True)
    ]


def duplicates(everything: Sequence[Member], root: str) -> Iterator[Finding]:
    """Images of exactly the same content, each reported at the later one."""
    for group in _same(everything):
        first = group[0]
        for index, later in enumerate(group[1:], 1):
            other = next((each for each in group[:index] if each.split != later.split), None)
            where = relative(root, (other or first).path)
            name = relative(root, later.path)
            if other and other.path == later.path:
                message = f"{later.split} holds an image of {other.split}: the same file"
                yield Finding(name, 0, "split-leak", ERROR, message, "name it in one split only")
            elif other:
                message = f"{later.split} holds an image of {other.split}: the same as {where}"
                yield Finding(name, 0, "split-leak", ERROR, message, "remove one of the two")
            else:
                yield Finding(
                    name, 0, "image-duplicate", WARNING, f"the same image as {where}", "remove one of the two"
                )


def _same(everything: Sequence[Member]) -> Iterator[list[Member]]:
    by_size: dict[int, list[Member]] = defaultdict(list)
    for member in everything:
        if member.size:
            by_size[member.size].append(member)
    for found in by_size.values():
        for group in _split(found, _glimpse) if len(found) > 1 else ():
            yield from _split(group, _digest)


def _split(found: Sequence[Member], key: Callable[[Member], bytes]) -> Iterator[list[Member]]:
    groups: dict[bytes, list[Member]] = defaultdict(list)
    for member in found:
        with suppress(OSError):
            groups[key(member)].append(member)
    yield from (group for group in groups.values() if len(group) > 1)


def _glimpse(member: Member) -> bytes:
    """A piece from the middle: tells most images of one size apart."""
    descriptor = os.open(member.path, os.O_RDONLY)
    try:
        return os.pread(descriptor, _PIECE, max(0, member.size // 2 - _PIECE // 2))
    finally:
        os.close(descriptor)


def _digest(member: Member) -> bytes:
    with open(member.path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").digest()


def lookalikes(everything: Sequence[Member], prints: Mapping[str, bytes], root: str) -> Iterator[Finding]:
    """Images that look the same without being the same file, each reported once, at the later one.

    Args:
        everything: as `members` gives it.
        prints: fingerprints by path, as `pixels.decode` gives them; needs numpy.
        root: the set's folder.
    """
    from containerid.dataset.likeness import pairs

    seen = [member for member in everything if member.path in prints]
    if not seen:
        return
    first: dict[int, tuple[bool, int]] = {}
    for earlier, later in pairs([prints[member.path] for member in seen]):
        across = seen[earlier].split != seen[later].split
        known = first.get(later)
        if known is None or (across, -earlier) > (known[0], -known[1]):
            first[later] = (across, earlier)
    exact = {member.path for group in _same(everything) for member in group}
    for later, (across, earlier) in sorted(first.items()):
        one, other = seen[earlier], seen[later]
        if one.path == other.path or {one.path, other.path} <= exact:
            continue
        message = f"looks like {relative(root, one.path)}"
        if across:
            message = f"{other.split} holds what looks like an image of {one.split}: {relative(root, one.path)}"
        kind, severity = ("split-near", WARNING) if across else ("image-near", INFO)
        yield Finding(relative(root, other.path), 0, kind, severity, message, "see whether both are wanted")
