"""DVC in an environment of its own, where the one that is here cannot be used.

What it needs for Google Drive asks for versions that others exclude: installed beside them, it downgrades cryptography
under Kaggle's packages, or does not import (iterative/PyDrive2#361).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from containerid import dvc
from containerid.errors import GitError, RunFailed
from containerid.training.log import say

AHEAD = "CID_AHEAD"
"""Names, in the environment, the folder in which a pull was begun ahead."""

_DRIVE = "import dvc, pydrive2.fs, oauth2client.service_account"
_INSTALLING, _PROBING = 1200, 120


def provide(scratch: Path, *, drive: bool, here: bool = True, patience: float = _INSTALLING) -> None:
    """See to a DVC that works; where there is none, `CID_DVC` names one in a new environment from then on.

    Args:
        scratch: where the environment is made, unless a pull was begun ahead: then there, and once.
        drive: it has to talk to Google Drive.
        here: one that this Python has may be used, if it works.
        patience: seconds for each of the steps.

    Raises:
        RunFailed: it cannot be installed.
    """
    if here and _works(drive=drive):
        return
    folder = Path(os.environ.get(AHEAD) or scratch) / "dvc-environment"
    python, whole = folder / "bin/python", folder / "whole"
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, patience)
        whole.touch()
    os.environ["CID_DVC"] = str(folder / "bin/dvc")


def _make(folder: Path, python: Path, patience: float) -> None:
    say(f"dvc: the one that is here cannot be used; {', '.join(dvc.REQUIREMENTS)} go into an environment of their own")
    if uv := shutil.which("uv"):
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *dvc.REQUIREMENTS],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *dvc.REQUIREMENTS],
        ]
    for step in steps:
        _do(step, min(patience, _INSTALLING))


def _works(*, drive: bool) -> bool:
    try:
        command = dvc.command()
    except GitError:
        return False
    if not drive or command[0] != sys.executable:
        return True
    return (
        subprocess.run([sys.executable, "-c", _DRIVE], capture_output=True, timeout=_PROBING, check=False).returncode
        == 0
    )


def _do(command: Sequence[str], patience: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=patience, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunFailed(f"DVC cannot be installed: {error}", hint="cid data push, which needs no DVC there") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise RunFailed(f"DVC cannot be installed: {last[:300]}", hint="cid data push, which needs no DVC there")
