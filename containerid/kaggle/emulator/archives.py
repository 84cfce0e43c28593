"""Archives as Kaggle treats them: what is uploaded is unpacked, what is downloaded whole is a zip."""

import os
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

from containerid.kaggle.emulator.answers import Problem

_TARS = (".tar", ".tar.gz", ".tgz")
_ROUNDS = 2  # an archive inside an archive is unpacked too, one deeper is left


def files(folder: Path) -> list[str]:
    """Every regular file below a folder, as sorted POSIX paths relative to it; links are left out."""
    found = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file() and not path.is_symlink())


def size(folder: Path) -> int:
    """Bytes in all files below a folder, which may be changing meanwhile."""
    total = 0
    for name in files(folder):
        with suppress(FileNotFoundError):
            total += (folder / name).lstat().st_size
    return total


def pack(folder: Path, to: Path) -> None:
    """Write a zip of everything below the folder."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in files(folder):
            archive.write(folder / name, name)


def unpack_all(folder: Path) -> None:
    """Replace each archive below the folder by a folder of its name without the ending.

    Raises:
        Problem: an archive cannot be read.
    """
    for _ in range(_ROUNDS):
        for name in files(folder):
            _unpack(folder / name)


def _unpack(path: Path) -> None:
    ending = next((ending for ending in (".zip", *_TARS) if path.name.lower().endswith(ending)), "")
    target = path.with_name(path.name[: -len(ending)]) if ending else path
    if not ending or target.exists() or not target.name:
        return
    try:
        _extract(path, target)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise Problem(400, f"{path.name} is not an archive that can be unpacked") from error
    path.unlink()


def _extract(path: Path, target: Path) -> None:
    target.mkdir()
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(target)  # noqa: S202 - zipfile keeps names below the target
    else:
        with tarfile.open(path) as tar:
            tar.extractall(target, filter="data")
