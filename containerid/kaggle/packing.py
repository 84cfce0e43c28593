"""A folder of data as few large files, since Kaggle unpacks an archive into a folder of its name."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from containerid.errors import UsageError

_CACHES = (".cache", ".npy")
_TRAINED = frozenset({"images", "labels"})
_MOST_ENTRIES = 50
"""Files that Kaggle takes at the top of a dataset."""

_WHOLE = "data.zip"
_PACKED = frozenset(
    [".bz2", ".gif", ".gz", ".heic", ".jpeg", ".jpg", ".mp4", ".npz", ".png", ".pt", ".tgz", ".webp", ".xz", ".zip"]
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def content(folder: Path) -> list[str]:
    """The files of a data folder that are worth sending, as sorted POSIX paths: none hidden, no caches of a trainer.

    Raises:
        UsageError: the folder is not there, or holds nothing.
    """
    found = sorted(_walk(folder)) if folder.is_dir() else []
    if not found:
        raise UsageError(f"the data folder {folder} is not there, or is empty", hint="data.path, or --data FOLDER")
    return found


def _walk(folder: Path) -> Iterator[str]:
    for at, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(at).relative_to(folder)
        trained = not _TRAINED.isdisjoint(inside.parts)
        for name in files:
            if not name.startswith(".") and not (trained and name.endswith(_CACHES)):
                yield (inside / name).as_posix()


def digest(folder: Path, names: Sequence[str]) -> str:
    """SHA-256, hex, over these files: their paths and what is in them."""
    total = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as file:
            total.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def pack(folder: Path, names: Sequence[str], to: Path) -> list[Path]:
    """Write what is uploaded: one zip for each folder at the top, and the loose files as they are.

    A folder with too many entries at its top becomes one zip. The same files give the same bytes.

    Args:
        folder: the data.
        names: what of it, as `content` gives it.
        to: a folder, for the archives.

    Returns:
        The files to upload, some of them in `folder` itself.
    """
    tops: dict[str, list[str]] = {}
    for name in names:
        tops.setdefault(name.partition("/")[0], []).append(name)
    if len(tops) > _MOST_ENTRIES:
        return [_zip(folder, names, to / _WHOLE, start="")]
    return [
        folder / top if inside == [top] else _zip(folder, inside, to / f"{top}.zip", start=f"{top}/")
        for top, inside in tops.items()
    ]


def _zip(folder: Path, names: Sequence[str], to: Path, *, start: str) -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name.removeprefix(start), _EPOCH)
            dense = Path(name).suffix.lower() in _PACKED
            entry.compress_type = zipfile.ZIP_STORED if dense else zipfile.ZIP_DEFLATED
            entry.file_size = (folder / name).stat().st_size
            with (folder / name).open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
    return to
