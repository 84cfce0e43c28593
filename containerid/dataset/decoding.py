"""A close look at a set: every pixel of every image, and images that look the same."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from containerid.dataset import across, crowd, pixels
from containerid.dataset.findings import ERROR, Finding, relative
from containerid.dataset.kept import Kept

_CHUNK, _PAYS = 64, 600
_PORTION = 1024
"""Images whose results are written down at once: so many are lost when the check is cut short."""
_ADVICE = "bring the original, or remove it and its label"


@dataclass(slots=True)
class Decoding:
    """What a close look gave.

    Attributes:
        findings: of damage, and of images that look the same.
        decoded: images that are known now.
        whole: all of them are.
    """

    findings: list[Finding] = field(default_factory=list)
    decoded: int = 0
    whole: bool = True


def decode(
    members: Sequence[across.Member],
    root: str,
    kept: Kept | None = None,
    *,
    seconds: float | None = None,
    processes: int | None = None,
) -> Decoding:
    """Decode every image that can be opened.

    Args:
        members: as `across.members` gives them.
        root: the set's folder.
        kept: what is known from checks before, and gets to know more.
        seconds: no longer than this; None as long as it takes.
        processes: at most so many; None takes one for each processor.
    """
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    paths = list(dict.fromkeys(member.path for member in members if member.size))
    known = kept.pixels(paths) if kept else {}
    fresh: dict[str, tuple[bytes, pixels.Decoded]] = {}
    for path, content, decoded in _decode([path for path in paths if path not in known], kept, processes):
        fresh[path], known[path] = (content, decoded), decoded
        if kept and len(fresh) >= _PORTION:
            kept.learn(fresh)
            fresh = {}
        if time.monotonic() > until:
            break
    if kept:
        kept.learn(fresh)
    return Decoding(list(_seen(members, known, root)), len(known), len(known) == len(paths))


def _decode(
    paths: Sequence[str], kept: Kept | None, processes: int | None
) -> Iterator[tuple[str, bytes, pixels.Decoded]]:
    """Each image with the content that it is kept under and what decoding it gave."""
    options = {"kept": os.fspath(kept.file), "marker": kept.marker.decode()} if kept else {}
    chunks = crowd.spread("decode", paths, options, chunk=_CHUNK, pays=_PAYS, processes=processes)
    for path, (content, fault, seen) in zip(paths, chain.from_iterable(chunks), strict=False):
        yield path, bytes.fromhex(content), (fault, bytes.fromhex(seen))


def _seen(members: Sequence[across.Member], known: Mapping[str, pixels.Decoded], root: str) -> Iterator[Finding]:
    for path, (fault, _) in known.items():
        if fault:
            message = f"its pixels cannot be decoded: {fault}"
            yield Finding(relative(root, path), 0, "image-corrupt", ERROR, message, _ADVICE)
    yield from across.lookalikes(members, {path: seen for path, (_, seen) in known.items() if seen}, root)
