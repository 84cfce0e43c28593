"""Bring the project's images to Kaggle before a run needs them: one private dataset for each content."""

from pathlib import Path
from typing import TYPE_CHECKING

from containerid.errors import UsageError
from containerid.events import Caution
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.checkdata import require
from containerid.runs.data import in_folder

if TYPE_CHECKING:
    from containerid.kaggle.sets import Placed


def push_data(folder: Path, given: str, *, home: Home, tell: Tell) -> "Placed":
    """See to it that a processed set is on Kaggle, where runs attach it by themselves.

    Args:
        folder: of the project, or below it.
        given: the set's folder or its .dvc file, from `folder`; empty for `data.path` of params.yaml.
        home: the user's folder.
        tell: gets the steps.

    Raises:
        UsageError: there is no such set here.
        RunFailed: it has errors; nothing was sent.
        Refused, Unreachable: Kaggle does not take it; the same call goes on with what was begun.
    """
    from containerid import config
    from containerid.kaggle.backend import open_kaggle

    project = config.load(config.find(folder))
    params = project.params(None)
    section = params.data
    path = (folder / given).absolute() if given else (project.folder / section.path).absolute()
    path = path.with_suffix("") if path.suffix == ".dvc" else path
    if not path.is_dir():
        recorded = path.with_name(f"{path.name}.dvc").is_file()
        raise UsageError(f"{path} is not here", hint="dvc pull" if recorded else "cid data push FOLDER")
    data = in_folder(path)
    require(data.source, params, folder=project.folder, home=home, tell=tell)
    backend = open_kaggle(home, {**project.section("kaggle"), "project": project.folder})
    placed = backend.place(path, data.digest, tell)
    if placed.stale:
        tell(Caution(f"{path.name} is not what its .dvc file says; after `dvc add` it will be another dataset"))
    if section.kaggle and section.provider in {"auto", "kaggle"} and section.kaggle != placed.dataset:
        tell(Caution(f"runs attach {section.kaggle}, which data.kaggle in params.yaml names, and not this one"))
    return placed
