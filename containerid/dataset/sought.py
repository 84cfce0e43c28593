"""The images of a source, to be found by what its annotations call them; nothing outside it ever is."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from containerid.dataset import images
from containerid.dataset.gathered import Gathered
from containerid.dataset.tree import walk


class Images:
    """Every image below a folder, to be found by what annotations call it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = sorted(_below(root), key=lambda path: path.relative_to(root).as_posix())
        self._known = set(map(os.fspath, self.paths))
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._stems: dict[str, list[Path]] = defaultdict(list)
        for path in self.paths:
            self._named[path.name.casefold()].append(path)
            self._stems[path.stem.casefold()].append(path)

    def find(self, name: str, folder: Path, stem: str = "") -> list[Path]:
        """What an image's name may mean: one path when it is clear, none, or several.

        Args:
            name: as annotations write it, with folders or without, of another machine perhaps.
            folder: where the annotations lie; what is nearest to it is preferred.
            stem: of the file that annotates this image alone; it counts where the name leads nowhere.
        """
        plain = name.strip().replace("\\", "/")
        for base in (folder, self.root):
            path = os.path.normpath(base / plain)
            if plain and path in self._known:
                return [Path(path)]
        found = self._ending(plain) if plain else []
        return self._nearest(found or self._stems.get(stem.casefold(), []), folder)

    def _ending(self, plain: str) -> list[Path]:
        parts = [part for part in plain.casefold().split("/") if part not in {"", ".", ".."}]
        found = self._named.get(parts[-1], []) if parts else []
        for count in range(len(parts), 1, -1):
            tail = [path for path in found if list(map(str.casefold, path.parts[-count:])) == parts[-count:]]
            if tail:
                return tail
        return found

    def _nearest(self, found: Sequence[Path], folder: Path) -> list[Path]:
        if len(found) < 2:
            return list(found)
        shared = [len(os.path.commonpath([path, folder])) for path in found]
        return [path for path, length in zip(found, shared, strict=True) if length == max(shared)]


def _below(root: Path) -> Iterator[Path]:
    for folder, _, files, _ in walk(os.fspath(root)):
        yield from (Path(folder, name) for name in files if images.is_image(name))


def located(gathered: Gathered, found: Sequence[Path], name: str, place: tuple[Path, int]) -> Path | None:
    """The one image that was found; else a fault is noted."""
    if len(found) == 1:
        return found[0]
    if not found and images.suffix_of(name) and not images.is_image(Path(name).name):
        gathered.fault(
            *place, f"its image {name[:80]} is of a kind that Ultralytics does not read", "convert it to PNG"
        )
    elif not found:
        gathered.fault(*place, f"its image {name[:80]} is not there", "bring the image, or take its annotation out")
    else:
        told = " and ".join(path.relative_to(gathered.root).as_posix() for path in found[:2])
        gathered.fault(*place, f"its image {name[:80]} may be {told}", "write its folder too")
    return None
