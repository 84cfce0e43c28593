"""`dvc pull`, without a browser to wait for and without touching the project's settings."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from containerid import dvc
from containerid.dataset.sets import YAML
from containerid.dvc import on_drive, remote
from containerid.errors import CredentialsError, GitError, RunFailed
from containerid.training import apart
from containerid.training.log import say
from containerid.training.secrets import GDRIVE

__all__ = ["TooLong", "folder_of", "on_drive", "pull", "remote"]

_GDRIVE_HINT = f"where `dvc pull` works: cid secrets set {GDRIVE} --from-dvc; or pull there, and cid data push"


class TooLong(RunFailed):
    """DVC did not end in the time that it was given. Exit 7."""


def pull(target: str, project: Path, scratch: Path, timeout: float, *, here: bool = True) -> Path:
    """Pull a target (a .dvc file, a path) or a pipeline stage, unless it is here already.

    Args:
        target: as `dvc pull` takes it, from the project's folder.
        project: a folder of a DVC project; it need not be a git repository.
        scratch: where DVC finds settings of ours; the project's own stand above them.
        timeout: seconds.
        here: a DVC that this Python has may be used; else it gets an environment of its own.

    Returns:
        The folder of the data.

    Raises:
        CredentialsError: the remote needs credentials and there are none, or it does not take them.
        TooLong: it did not end.
        RunFailed: anything else; the message is DVC's last error.
    """
    if dvc.root_of(project) is None:
        raise RunFailed(
            f"{project.name} is no DVC project, so {target} cannot be pulled", hint="dvc init, then dvc add"
        )
    apart.provide(scratch, drive=on_drive(project), here=here)
    environ = _settings(project, scratch)
    if _is_here(target, project, environ):
        say(f"dvc: {target} is up to date")
    else:
        _need_credentials(project, environ)
        say(f"dvc pull {target}")
        done = _dvc(["pull", *dvc.chosen(project), target], project, environ, timeout)
        if done.returncode:
            raise _failure(target, done.stdout)
    return folder_of(target, project)


def _settings(project: Path, scratch: Path) -> dict[str, str]:
    # A work tree that came in an archive has no .git, and DVC refuses to run without one unless it is told so.
    return dvc.environment(project, scratch, scm=any((each / ".git").exists() for each in dvc.upward(project)))


def _dvc(
    arguments: list[str], project: Path, environ: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    try:
        return dvc.run(arguments, project, environ, timeout)
    except subprocess.TimeoutExpired as error:
        raise TooLong(f"dvc {' '.join(arguments)} did not end within {timeout:.0f} s") from error
    except GitError as error:
        raise RunFailed(error.message, hint=error.hint) from error


def _is_here(target: str, project: Path, environ: Mapping[str, str]) -> bool:
    with suppress(yaml.YAMLError, OSError):
        if not any(path.exists() for path in _outs(target, project)):
            return False  # as it is in every session's beginning; to ask DVC takes seconds
    done = _dvc(["status", target, "--json"], project, environ, 600)
    with suppress(ValueError):
        return done.returncode == 0 and json.loads(done.stdout.splitlines()[-1] if done.stdout else "") == {}
    return False


def _need_credentials(project: Path, environ: Mapping[str, str]) -> None:
    if dvc.needs_credentials(project, environ):
        url = dvc.remote(project)["url"]
        raise CredentialsError(f"there are no credentials for the DVC remote {url}", hint=_GDRIVE_HINT)


def _failure(target: str, output: str) -> Exception:
    reason = dvc.complaint(output)
    message = f"dvc pull {target} failed: {reason}"
    if dvc.about_credentials(reason):
        return CredentialsError(message, hint=_GDRIVE_HINT if "gdrive" in output.lower() else "check the credentials")
    return RunFailed(message, hint="try `dvc pull` and `dvc status -c` on your machine")


def folder_of(target: str, project: Path) -> Path:
    """The folder of the data that a target or stage names, which was pulled. Raises RunFailed: there is none."""
    outs = [path for path in _outs(target, project) if path.exists()]
    candidates = [*outs, *(path.parent for path in outs)]
    found = next((path for path in candidates if (path / YAML).is_file()), None)
    found = found or next((path for path in outs if path.is_dir()), None)
    if found is None:
        raise RunFailed(f"dvc pulled {target}, and no folder came of it", hint="name the target that holds data.yaml")
    return found.resolve()


def _outs(target: str, project: Path) -> list[Path]:
    file = project / (target if target.endswith(".dvc") else f"{target}.dvc")
    if file.is_file():
        document = _yaml(file)
        base = file.parent / document.get("wdir", ".")
        return [base / str(out["path"]) for out in document.get("outs", [])]
    name, _, stage = target.rpartition(":")
    pipeline = project / (name or "dvc.yaml")
    if pipeline.is_file() and stage in (stages := _yaml(pipeline).get("stages", {})):
        base = pipeline.parent / stages[stage].get("wdir", ".")
        return [base / (out if isinstance(out, str) else next(iter(out))) for out in stages[stage].get("outs", [])]
    return [project / target]


def _yaml(file: Path) -> dict[str, Any]:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document if isinstance(document, dict) else {}
