"""Processes that outlive the one that starts them."""

import os
import subprocess
import sys
from pathlib import Path


def detached(module: str, *arguments: str, folder: Path, log: str) -> subprocess.Popen[bytes]:
    """Run a module of this package in a session of its own, in `folder`; what it prints goes to the file `log` there.

    The environment is this process's: what the child starts in turn must choose what it hands on.
    """
    package = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    with (folder / log).open("wb") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )


def leave(process: subprocess.Popen[bytes]) -> None:
    """Let go of a process that is not to be waited for; else Python warns of every one that still runs."""
    if process.poll() is None:
        process.returncode = 0
