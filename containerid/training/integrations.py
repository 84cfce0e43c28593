"""Ultralytics' integrations with other trackers: all are off but those that params.yaml asks for."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from containerid.training.session import Session

OFF = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg", "openvino_msg")
"""Ultralytics' switches. Most are on by default as soon as a package of theirs can be imported; `sync` reports home."""
ASKED = ("mlflow", "tensorboard")


def switches(session: "Session") -> dict[str, bool]:
    """Every switch of Ultralytics' settings; one is on if it was asked for and its package is installed.

    W&B's stays off: the run there is ours, see `tracking`. MLflow writes beside the outputs unless the environment
    names a server of its own; when it fails, Ultralytics goes on without it.
    """
    on = []
    for name in ASKED:
        if not getattr(session.params.tracking, name):
            continue
        if find_spec(name):
            on.append(name)
        elif session.phase == "train":
            session.log.caution(f"tracking.{name}: it is not installed here; the run goes on without it")
    if "mlflow" in on:
        os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{session.out}/mlflow.db")
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", session.spec.project or "containerid")
        os.environ.setdefault("MLFLOW_RUN", session.spec.run)
    return {name: name in on for name in OFF}
