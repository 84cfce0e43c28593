"""Secrets that a run needs: from the environment, else from Kaggle's own store. Never printed."""

import os
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from containerid.training.log import Redactor

GDRIVE = "GDRIVE_CREDENTIALS_DATA"
WANDB = "WANDB_API_KEY"
GITHUB = "GITHUB_TOKEN"
NAMES = (GDRIVE, WANDB, GITHUB)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a secret was looked for.

    Attributes:
        origin: `environment`, `Kaggle`, or empty when it is nowhere.
        problem: what the store said when it gave none; empty when it was not asked.
    """

    name: str
    origin: str = ""
    problem: str = ""

    def __str__(self) -> str:
        """For the log."""
        if self.origin:
            return f"{self.name}: from the {self.origin} (hidden)"
        return f"{self.name}: not set" + (f" ({self.problem})" if self.problem else "")


def collect(
    needed: Iterable[str], redactor: Redactor, environ: MutableMapping[str, str] = os.environ
) -> dict[str, Found]:
    """Look for every secret that is needed and put it into the environment, where DVC and W&B read it.

    Whatever the environment holds under the known names is hidden from the log, needed or not. Kaggle's store answers
    only for kernels that were started from its editor; what it says otherwise is passed on as it is.
    """
    for name in NAMES:
        if value := environ.get(name):
            redactor.add(value)
    return {name: _find(name, redactor, environ) for name in needed}


def _find(name: str, redactor: Redactor, environ: MutableMapping[str, str]) -> Found:
    if environ.get(name):
        return Found(name, "environment")
    if find_spec("kaggle_secrets") is None:
        return Found(name)
    try:
        value = str(import_module("kaggle_secrets").UserSecretsClient().get_secret(name))
    except Exception as error:
        return Found(name, problem=f"Kaggle: {type(error).__name__}: {str(error).strip()}")
    redactor.add(value)
    environ[name] = value
    return Found(name, "store of Kaggle")
