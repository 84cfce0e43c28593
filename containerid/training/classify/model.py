"""A classifier of timm: built, saved so that timm itself can load it, and loaded again."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from containerid.config.classifiers import TIMM
from containerid.errors import RunFailed
from containerid.training import yolo
from containerid.training.hardware import threads
from containerid.training.session import Session

_MOST_THREADS = 8


def prepare(session: Session) -> Any:
    """The package, if it is here and knows the architecture that is asked for.

    Raises:
        RunFailed: it is not installed, or has no such model.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_CACHE", str(yolo.weights_folder() / "hub"))
    if not session.spec.internet:
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import timm
    except Exception as error:
        reason = f"timm cannot be imported ({type(error).__name__}: {error})"
        raise RunFailed(reason, hint="pip install timm; on Kaggle, name it in your pyproject.toml") from error
    if not timm.is_model(name := name_of(session)):
        near = get_close_matches(name, timm.list_models(), n=1)
        meant = f" (did you mean `{TIMM}{near[0]}`?)" if near else ""
        raise RunFailed(f"timm {timm.__version__} has no model {name}{meant}", hint="model.architecture in params.yaml")
    leave_a_processor()
    return timm


def leave_a_processor() -> None:
    """As Ultralytics does. Where every processor computes and another program wants one, all wait for the slowest."""
    import torch

    torch.set_num_threads(min(_MOST_THREADS, max(1, threads() - 1)))


def name_of(session: Session) -> str:
    """The architecture by the name that timm has for it."""
    return session.params.model.architecture.removeprefix(TIMM)


def build(session: Session, names: tuple[str, ...]) -> Any:
    """The model as it starts, on the CPU: with published weights, with those of a file, or with none.

    Raises:
        RunFailed: the weights are nowhere, or do not fit.
    """
    timm = prepare(session)
    wanted = session.params.model.pretrained
    dropout = session.params.training.arguments().get("dropout", 0.0)
    given: dict[str, Any] = {"num_classes": len(names), "drop_rate": dropout}
    if isinstance(wanted, str):
        found = yolo.find_file(wanted, session.place)
        if found is None:
            raise RunFailed(f"the weights {wanted} are not there", hint="model.pretrained in params.yaml")
        given["checkpoint_path"] = str(found)
    try:
        return timm.create_model(name_of(session), pretrained=wanted is True, **given)
    except Exception as error:
        if not wanted:
            raise
        reason = f"the weights of {name_of(session)} cannot be had ({str(error).strip().splitlines()[0][:200]})"
        raise RunFailed(reason, hint="set model.pretrained: false, or name a file of weights") from error


def build_saved(session: Session, names: tuple[str, ...]) -> Any:
    """The model with the weights of the best epoch. Raises RunFailed when there are none."""
    if not session.best.is_file():
        raise RunFailed("the training left no weights/best.pt", hint="look for NaN losses in the log")
    model = prepare(session).create_model(name_of(session), pretrained=False, num_classes=len(names))
    model.load_state_dict(load(session.best)["state_dict"])
    return model


def input_of(model: Any) -> dict[str, Any]:
    """How the model wants its images."""
    from timm.data import resolve_model_data_config

    return dict(resolve_model_data_config(model))


def save(path: Path, state: Mapping[str, Any], session: Session, names: tuple[str, ...]) -> None:
    """Write weights whole or not at all; `timm.create_model(…, checkpoint_path=…)` reads them."""
    content = {
        "state_dict": dict(state),
        "architecture": name_of(session),
        "names": list(names),
        "imgsz": session.params.training.imgsz,
        "task": "classify",
    }
    write(path, content)


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write what PyTorch can load, whole or not at all."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    torch.save(dict(content), part)
    part.replace(path)


def load(path: Path) -> dict[str, Any]:
    """What `write` wrote; plain data and tensors only."""
    import torch

    return dict(torch.load(path, map_location="cpu", weights_only=True))
