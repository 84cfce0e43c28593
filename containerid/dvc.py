"""DVC as a program: where it is, which settings it gets from us, and what its complaints mean.

It is never imported: its Google Drive half does not get along with the versions that others want, so it may live in an
environment of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from containerid.errors import CredentialsError, GitError

CREDENTIALS = "GDRIVE_CREDENTIALS_DATA"
"""The variable from which DVC reads Google's credentials, as JSON."""
OVERRIDE = "cid-drive"
"""The name under which DVC is told of the default remote once more when credentials come in the variable."""

FILES = ("config", "config.local")
"""A project's files of settings; git holds the first."""

REQUIREMENTS = ("dvc[gdrive]>=3.67,<4", "pydrive2>=1.21.3", "pyopenssl>=24.2.1")
"""A DVC that can talk to Google Drive; without the last two it resolves to versions that cannot."""

_PROGRAM = "CID_DVC"
_NEEDED = "uv tool install " + " --with ".join(f"'{each}'" for each in REQUIREMENTS)
_AUTH = re.compile(r"authenticat|credential|access_token|NON_INTERACTIVE|forbidden|unauthorized", re.IGNORECASE)
_FLAG = "gdrive_use_service_account"
_FILES = ("gdrive_user_credentials_file", "gdrive_service_account_json_file_path")


def command() -> list[str]:
    """How DVC is called: `CID_DVC`, else the one of this Python's environment, else the one on PATH.

    Raises:
        GitError: there is none.
    """
    if named := os.environ.get(_PROGRAM):
        return [named]
    if find_spec("dvc") is not None:
        return [sys.executable, "-m", "dvc"]
    beside = Path(sys.executable).with_name("dvc")
    found = str(beside) if beside.is_file() else shutil.which("dvc")
    if found is None:
        raise GitError("dvc was not found", hint=f"{_NEEDED}; or {_PROGRAM}=/path/to/dvc")
    return [found]


def run(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run DVC; its exit status, and all it said as `stdout`.

    Raises:
        GitError: there is no DVC.
        subprocess.TimeoutExpired: it did not end; it was killed.
    """
    try:
        return subprocess.run(
            [*command(), *arguments],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise GitError(f"dvc cannot be run: {error}", hint=f"{_PROGRAM}=/path/to/dvc") from error


def environment(project: Path, scratch: Path, *, scm: bool = True, extra: Sequence[str] = ()) -> dict[str, str]:
    """The variables in which DVC runs: no terminal, no browser, no reports, and settings of ours below the project's.

    Args:
        project: a folder of the DVC project.
        scratch: where the settings are written; DVC's system level, so that a project's or a user's own win.
        scm: False where DVC is to leave git alone, or where there is none.
        extra: more lines of settings.
    """
    folder = scratch / "dvc"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[core]", "analytics = false", "check_update = false", *([] if scm else ["no_scm = true"])]
    text = "\n".join([*lines, *extra, *_override(project)])
    (folder / "config").write_text(f"{text}\n", encoding="utf-8")
    # Without a terminal DVC would print a sign-in address and wait for a browser for ever.
    ours = {"DVC_SYSTEM_CONFIG_DIR": str(folder), "DVC_NO_ANALYTICS": "1", "GDRIVE_NON_INTERACTIVE": "1"}
    return {**os.environ, **ours}


def chosen(project: Path) -> list[str]:
    """The option that names the remote for `pull` and `push`, as `environment` has described it; mostly none."""
    return ["--remote", OVERRIDE] if _override(project) else []


def _override(project: Path) -> list[str]:
    # The variable is refused where the remote does not say which of the two kinds it is, and a key file that the
    # remote names wins over it, even one that is not on this machine (dvc_gdrive 3.0). Nothing stands above the
    # project's settings but another name.
    credentials = os.environ.get(CREDENTIALS, "")
    if not credentials or not on_drive(project):
        return []
    kept = {name: value for name, value in remote(project).items() if name not in {_FLAG, *_FILES}}
    kept[_FLAG] = "true" if is_service_account(credentials) else "false"
    return [f"['remote \"{OVERRIDE}\"']", *(f"{name} = {value}" for name, value in kept.items())]


def upward(folder: Path) -> Iterator[Path]:
    """The folder and all above it."""
    yield folder.absolute()
    yield from folder.absolute().parents


def root_of(folder: Path) -> Path | None:
    """The root of the DVC project that a folder lies in; None when it lies in none."""
    return next((each for each in upward(folder) if (each / ".dvc").is_dir()), None)


def on_drive(project: Path) -> bool:
    """The project's default remote is on Google Drive, which nobody reads without credentials."""
    return remote(project).get("url", "").startswith("gdrive://")


def remote(project: Path, files: Sequence[str] = FILES) -> dict[str, str]:
    """The settings of the project's default remote, of these of its files; empty when they name none."""
    parser = settings(project, files)
    section = f"'remote \"{parser.get('core', 'remote', fallback='')}\"'"
    return dict(parser[section]) if parser.has_section(section) else {}


def settings(project: Path, files: Sequence[str] = FILES) -> ConfigParser:
    """What the project's own files of settings say, raw; empty where there is no DVC project."""
    parser = ConfigParser(interpolation=None, strict=False)
    for name in files if (root := root_of(project)) else ():
        with suppress(OSError):
            text = (root / ".dvc" / name).read_text(encoding="utf-8") if root else ""
            parser.read_string("\n".join(line.strip() for line in text.splitlines()))
    return parser


def is_service_account(credentials: str) -> bool:
    """Whether Google's credentials are a service account's; else they are somebody's session."""
    with suppress(ValueError):
        document = json.loads(credentials)
        return isinstance(document, dict) and document.get("type") == "service_account"
    return False


def needs_credentials(project: Path, environ: Mapping[str, str]) -> bool:
    """The remote is on Google Drive, and nothing that DVC could sign in with is here."""
    if not on_drive(project) or environ.get(CREDENTIALS):
        return False
    caches = (Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), Path.home() / "Library/Caches")
    named = any(remote(project).get(each) for each in _FILES)
    return not named and not any(any(cache.glob("pydrive2fs/*/*.json")) for cache in caches)


def complaint(output: str) -> str:
    """The error in what DVC said, one line. A failed transfer names every missing file before it, thousands of them."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR")]
    last = (errors or output.splitlines() or ["no word from dvc"])[0]
    return re.sub(r"^ERROR:\s*", "", last).strip()[:300]


def about_credentials(reason: str) -> bool:
    """Whether a complaint is about signing in."""
    return _AUTH.search(reason) is not None


def failure(doing: str, output: str, hint: str) -> GitError | CredentialsError:
    """The error for a DVC that failed.

    Args:
        doing: such as `dvc push`.
        output: all it said.
        hint: what mends it, unless it is about signing in.
    """
    reason = complaint(output)
    if about_credentials(reason):
        return CredentialsError(
            f"{doing} failed: {reason}", hint="sign in once with `dvc push`, then the same command again"
        )
    return GitError(f"{doing} failed: {reason}", hint=hint)
