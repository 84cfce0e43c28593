"""Bringing what a run recorded offline to W&B, after its outputs have arrived."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from containerid.errors import CidError
from containerid.events import Caution, Step
from containerid.home import Home
from containerid.job import Tell
from containerid.keychain import Keychain
from containerid.process import end_session
from containerid.runs import uploads
from containerid.training import site
from containerid.training.secrets import WANDB

if TYPE_CHECKING:
    from containerid.runs.registry import Registry, Run

_PATIENCE = 120.0
"""Seconds for an upload."""
_SEEN_AT = re.compile(r" at (https?://\S+/runs/\S+)")


def upload(run: "Run", registry: "Registry", *, home: Home, tell: Tell) -> "Run":
    """Send what a fetched run recorded offline to W&B, once; the last leg's folder holds all legs.

    Nothing is raised: a run is fetched whether or not this succeeds. Without a key, one line says how to do it later.
    """
    folder = _pending(run, registry)
    if folder is None:
        return run
    later = f"cid fetch {run.run}"
    key, program = _key(home), _program()
    if not key or not program:
        missing = "wandb login" if program else "pip install wandb"
        tell(Step("W&B", f"recorded offline; {missing}, then: {later}"))
        return run
    try:
        url = _send(folder, program, key)
    except _Failed as error:
        tell(Caution(f"W&B: not uploaded ({error}); later: {later}"))
        return run
    uploads.remember(registry, run.run, folder.name, url)
    tell(Step("W&B", url))
    _warn_of_guests(url, key, tell)
    return registry.get(run.run)


class _Failed(Exception):
    """The upload did not succeed; the message says why."""


def _pending(run: "Run", registry: "Registry") -> Path | None:
    if not run.ours or not run.outputs:
        return None
    found = sorted(Path(run.outputs, "wandb").glob(f"offline-run-*-{run.run}"))
    return found[-1] if found and not uploads.sent(registry, run.run, found[-1].name) else None


def _key(home: Home, environ: Mapping[str, str] = os.environ) -> str:
    if found := site.key(environ):
        return found
    with suppress(CidError, KeyError):
        return Keychain(home).get(WANDB)
    return ""


def _program() -> list[str]:
    if find_spec("wandb"):
        return [sys.executable, "-m", "wandb"]
    found = shutil.which("wandb")
    return [found] if found else []


def _send(folder: Path, program: list[str], key: str) -> str:
    """Where the run can be seen. A copy is sent, since W&B notes beside it what it sent: outputs stay as they are."""
    if not site.answers(site.address()):
        raise _Failed(f"{site.address()} does not answer")
    with tempfile.TemporaryDirectory(prefix="cid-wandb-", ignore_cleanup_errors=True) as scratch:
        copy = Path(shutil.copytree(folder, Path(scratch, folder.name)))
        said, code = _run([*program, "sync", str(copy)], Path(scratch), key)
    found = _SEEN_AT.findall(said)
    if code or not found:
        lines = [line for line in said.splitlines() if line.strip()] or [f"exit code {code}"]
        raise _Failed(lines[-1][:200])
    return str(found[-1])


def _run(command: list[str], folder: Path, key: str) -> tuple[str, int]:
    environ = {**os.environ, WANDB: key, "WANDB_ERROR_REPORTING": "false", "WANDB_DIR": str(folder)}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise _Failed(f"no end within {_PATIENCE:.0f} s") from None
    finally:
        if process.poll() is None:
            end_session(process.pid)
            process.communicate()
    return said, process.returncode


def _warn_of_guests(url: str, key: str, tell: Tell) -> None:
    entity, project, *_ = [*urlsplit(url).path.strip("/").split("/")[-4:], "", ""]
    if site.is_public(site.address(), entity, project, key):
        tell(Caution(f"W&B: the project {entity}/{project} is public: anybody can see this run"))
