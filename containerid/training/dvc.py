"""`dvc pull`, without a browser to wait for and without touching the project's settings."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from containerid.dataset.sets import YAML
from containerid.errors import CredentialsError, RunFailed
from containerid.training.log import say
from containerid.training.secrets import GDRIVE

_AUTH = re.compile(r"authenticat|credential|access_token|NON_INTERACTIVE|forbidden|unauthorized", re.IGNORECASE)
_GDRIVE_HINT = f"where `dvc pull` works: cid secrets set {GDRIVE} --from-dvc; or pull there, and cid data push"


def pull(target: str, project: Path, scratch: Path, timeout: float) -> Path:
    """Pull a target (a .dvc file, a path) or a pipeline stage, unless it is here already.

    Args:
        target: as `dvc pull` takes it, from the project's folder.
        project: a folder of a DVC project; it need not be a git repository.
        scratch: where DVC finds settings of ours; the project's own stand above them.
        timeout: seconds.

    Returns:
        The folder of the data.

    Raises:
        CredentialsError: the remote needs credentials and there are none, or it does not take them.
        RunFailed: anything else; the message is DVC's last error.
    """
    if not any((folder / ".dvc").is_dir() for folder in _upward(project)):
        raise RunFailed(
            f"{project.name} is no DVC project, so {target} cannot be pulled", hint="dvc init, then dvc add"
        )
    environ = _settings(project, scratch)
    if _is_here(target, project, environ):
        say(f"dvc: {target} is up to date")
    else:
        _need_credentials(project, environ)
        say(f"dvc pull {target}")
        done = _dvc(["pull", target], project, environ, timeout)
        if done.returncode:
            raise _failure(target, done.stdout)
    return _folder(target, project)


def _upward(folder: Path) -> Iterator[Path]:
    yield folder.absolute()
    yield from folder.absolute().parents


def _settings(project: Path, scratch: Path) -> dict[str, str]:
    # The system level stands below everything else, so a project's or a user's own settings win. A work tree that came
    # in an archive has no .git, and DVC refuses to run without one unless it is told so.
    folder = scratch / "dvc"
    folder.mkdir(parents=True, exist_ok=True)
    no_scm = not any((each / ".git").exists() for each in _upward(project))
    lines = ["[core]", "analytics = false", "check_update = false", *(["no_scm = true"] if no_scm else [])]
    if _is_service_account(os.environ.get(GDRIVE, "")):
        # A service account that comes in the variable is refused as long as the remote does not say that it is one.
        lines += [f"['remote \"{_remote(project)[0]}\"']", "gdrive_use_service_account = true"]
    (folder / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Without a terminal DVC would print a sign-in address and wait for a browser for ever.
    ours = {"DVC_SYSTEM_CONFIG_DIR": str(folder), "DVC_NO_ANALYTICS": "1", "GDRIVE_NON_INTERACTIVE": "1"}
    return {**os.environ, **ours}


def _dvc(
    arguments: list[str], project: Path, environ: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"dvc {' '.join(arguments)} did not end within {timeout:.0f} s") from error


def _is_here(target: str, project: Path, environ: Mapping[str, str]) -> bool:
    done = _dvc(["status", target, "--json"], project, environ, 600)
    with suppress(ValueError):
        return done.returncode == 0 and json.loads(done.stdout.splitlines()[-1] if done.stdout else "") == {}
    return False


def _need_credentials(project: Path, environ: Mapping[str, str]) -> None:
    settings = remote(project)
    if not on_drive(project) or environ.get(GDRIVE):
        return
    files = [settings.get(key) for key in ("gdrive_user_credentials_file", "gdrive_service_account_json_file_path")]
    caches = (Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), Path.home() / "Library/Caches")
    if not any(files) and not any(any(cache.glob("pydrive2fs/*/*.json")) for cache in caches):
        raise CredentialsError(f"there are no credentials for the DVC remote {settings['url']}", hint=_GDRIVE_HINT)


def on_drive(project: Path) -> bool:
    """The project's default remote is on Google Drive, which nobody reads without credentials."""
    return remote(project).get("url", "").startswith("gdrive://")


def remote(project: Path) -> dict[str, str]:
    """The settings of the project's default remote; empty when none is named."""
    return _remote(project)[1]


def _remote(project: Path) -> tuple[str, dict[str, str]]:
    """The default remote's name and settings."""
    parser = ConfigParser(interpolation=None, strict=False)
    for folder in _upward(project):
        if (folder / ".dvc").is_dir():
            for name in ("config", "config.local"):
                with suppress(OSError):
                    text = (folder / ".dvc" / name).read_text(encoding="utf-8")
                    parser.read_string("\n".join(line.strip() for line in text.splitlines()))
            break
    default = parser.get("core", "remote", fallback="")
    section = f"'remote \"{default}\"'"
    return default, dict(parser[section]) if parser.has_section(section) else {}


def _is_service_account(credentials: str) -> bool:
    with suppress(ValueError):
        document = json.loads(credentials)
        return isinstance(document, dict) and document.get("type") == "service_account"
    return False


def _failure(target: str, output: str) -> Exception:
    # A failed pull names every missing file, thousands of lines; what counts is the error at the end.
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    reason = re.sub(r"^ERROR:\s*", "", (errors or output.splitlines() or ["no word from dvc"])[0]).strip()
    message = f"dvc pull {target} failed: {reason[:300]}"
    if _AUTH.search(reason):
        return CredentialsError(message, hint=_GDRIVE_HINT if "gdrive" in output.lower() else "check the credentials")
    return RunFailed(message, hint="try `dvc pull` and `dvc status -c` on your machine")


def _folder(target: str, project: Path) -> Path:
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
