"""Ultralytics, tamed: it sends nothing, installs nothing, and writes nothing outside scratch and outputs."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from containerid.errors import RunFailed
from containerid.training import integrations, prefetch
from containerid.training.data import Place
from containerid.training.session import Session

_ENVIRON = {
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "1",
    # albumentations asks the package index for news at import: a minute's wait where there is no network.
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
weights_folder = prefetch.weights_folder


@contextmanager
def ultralytics(session: Session) -> Iterator[Any]:
    """The package, set up; the working folder is scratch meanwhile, for what it writes beside itself."""
    scratch = session.place.scratch
    settings = _settle(scratch, integrations.switches(session))
    try:
        package = import_module("ultralytics")
    except Exception as error:
        reason = f"Ultralytics cannot be imported ({type(error).__name__}: {error})"
        raise RunFailed(reason, hint="pip install '.[training]' in the clone of cid") from error
    # Read at import: no start-up checks of the network. Downloads ask again, and get their retries.
    if session.spec.internet:
        os.environ.pop("YOLO_OFFLINE", None)
    package.settings.update(settings)
    _forget_git(package)
    with chdir(scratch):
        yield package


def find_model(session: Session, package: Any) -> str:
    """What `YOLO(…)` is to load: a file that is here, or the name of a model that is built untrained.

    Raises:
        RunFailed: the weights are nowhere and cannot be downloaded.
    """
    name: str = session.params.model.file
    if found := find_file(name, session.place):
        return str(found)
    if name.endswith(".pt"):
        if "/" in name:
            raise RunFailed(f"the weights {name} are not there", hint="model.architecture in params.yaml")
        begun = time.monotonic()
        downloaded = _download(name, package, internet=session.spec.internet)
        session.timeline["weights"] = round(time.monotonic() - begun, 3)
        return str(downloaded)
    return name


def find_file(name: str, place: Place) -> Path | None:
    """A model file in the project, among attached datasets, or downloaded before."""
    return prefetch.find_file(name, place.project, place.mounts)


def _download(name: str, package: Any, *, internet: bool) -> Path:
    target = weights_folder() / name
    part = target.parent / f"part-{os.getpid()}" / name
    hint = f"set model.pretrained: false, or put {name} into the project or an attached dataset"
    if not internet:
        raise RunFailed(f"the weights {name} are not here, and the run has no internet", hint=hint)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        import_module(f"{package.__name__}.utils.downloads").attempt_download_asset(part)
        part.replace(target)
    except Exception as error:
        raise RunFailed(f"the weights {name} cannot be downloaded ({str(error).strip()[:200]})", hint=hint) from error
    finally:
        part.unlink(missing_ok=True)
        part.parent.rmdir()
    return target


def _settle(scratch: Path, switches: dict[str, bool]) -> dict[str, Any]:
    folder = scratch / "Ultralytics"
    folder.mkdir(parents=True, exist_ok=True)
    weights = weights_folder()
    weights.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "settings_version": "0.0.8",
        "datasets_dir": str(scratch / "datasets"),
        "weights_dir": str(weights),
        "runs_dir": str(scratch / "runs"),
        "uuid": "0" * 64,
        "api_key": "",
        "openai_api_key": "",
        **switches,
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    _bring_font(folder)
    # Its platform uploads what is trained as soon as this key is set.
    os.environ.pop("ULTRALYTICS_API_KEY", None)
    os.environ.update(_ENVIRON, YOLO_CONFIG_DIR=str(scratch))
    return {key: value for key, value in settings.items() if key != "settings_version"}


def _bring_font(folder: Path) -> None:
    # Plots want Arial.ttf and would download it; matplotlib brings a font that serves.
    try:
        matplotlib = import_module("matplotlib")
    except ImportError:
        return
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    if font.is_file():
        (folder / "Arial.ttf").write_bytes(font.read_bytes())


def _forget_git(package: Any) -> None:
    # Checkpoints would hold the URL of the remote as .git/config has it, credentials included.
    git = import_module(f"{package.__name__}.utils").GIT
    git.root = git.gitdir = git.refdir = None
    for name in ("head", "branch", "commit", "message", "origin"):
        git.__dict__.pop(name, None)
