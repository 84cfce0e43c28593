"""Where a run's images come from: what the user said, else what params.yaml says, else what lies there."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.errors import UsageError
from containerid.job import Data

if TYPE_CHECKING:
    from containerid.config import DataSection as Section

_OWNED = re.compile(r"[\w-]+/[\w-]+")


def locate(section: "Section", given: str, *, folder: Path, backend: str) -> Data:
    """The data of a run.

    Args:
        section: `data` of the merged parameters.
        given: `--data`: a folder, `owner/slug` on Kaggle, or a DVC target; empty for the section's word.
        folder: the project's folder; relative names are below it.
        backend: the backend's name; `auto` prefers what is attached where a platform can attach.

    Raises:
        UsageError: there is no such data.
    """
    if given:
        return _given(given, folder)
    if section.provider == "auto":
        return _automatic(section, folder, attaches=backend != "local")
    return {"synthetic": _synthetic, "kaggle": _attached, "dvc": _dvc, "folder": _folder}[section.provider](
        section, folder
    )


def _given(given: str, folder: Path) -> Data:
    path = (folder / given).absolute()
    if path.is_dir():
        return in_folder(path)
    if path.suffix == ".dvc" and path.is_file():
        return _recorded(path.relative_to(folder.absolute()).as_posix(), folder)
    if _OWNED.fullmatch(given):
        return Data(provider="kaggle", source=given)
    raise UsageError(f"there is no data called {given}", hint="a folder, owner/slug on Kaggle, or a .dvc file")


def _automatic(section: "Section", folder: Path, *, attaches: bool) -> Data:
    if section.kaggle and attaches:
        return _attached(section, folder)
    if (folder / section.path).is_dir():
        return _folder(section, folder)
    if section.dvc or (folder / f"{section.path}.dvc").is_file():
        return _dvc(section, folder)
    raise UsageError(
        f"there is no data: neither {section.path} nor {section.path}.dvc is there",
        hint="--data FOLDER, or set detection.data in params.yaml (provider: synthetic draws some)",
    )


def _synthetic(section: "Section", folder: Path) -> Data:
    del folder
    options: dict[str, Any] = {"images": section.images, "imgsz": section.imgsz, "seed": section.seed}
    return Data(provider="synthetic", options=options)


def _attached(section: "Section", folder: Path) -> Data:
    del folder
    if not section.kaggle:
        raise UsageError("data.provider is kaggle, but data.kaggle names no dataset", hint="data.kaggle: owner/slug")
    return Data(provider="kaggle", source=section.kaggle)


def _dvc(section: "Section", folder: Path) -> Data:
    return _recorded(section.dvc or f"{section.path}.dvc", folder)


def _recorded(target: str, folder: Path) -> Data:
    """A DVC target with the hash that DVC has for it, by which a dataset on Kaggle is found."""
    from containerid import tracked

    found = tracked.hash_of(folder / target.removesuffix(".dvc"), folder)
    return Data(provider="dvc", source=target, options={"hash": found} if found else {})


def _folder(section: "Section", folder: Path) -> Data:
    return in_folder((folder / section.path).absolute())


def is_set(path: Path) -> bool:
    """Whether a folder holds a set: described by a data.yaml, or sorted into classes."""
    from containerid.dataset import classes

    return (path / "data.yaml").is_file() or classes.is_set(path)


def in_folder(path: Path) -> Data:
    """A folder of this machine, with the digest of its content. Raises UsageError when it is not a data set."""
    from containerid.training.data import digest

    if not is_set(path):
        above = next((str(each) for each in path.parents if is_set(each)), "")
        hint = f"the set is {above}" if above else "name the folder that holds data.yaml"
        raise UsageError(f"{path} holds no data.yaml", hint=hint)
    return Data(provider="folder", source=str(path), digest=digest(path))
