"""Where a value comes from when it is set: a file, a .env, or what DVC keeps; never an option of the command line."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from containerid.errors import CredentialsError, UsageError
from containerid.keychain import google

_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*"""
    r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^\n#]*?))[ \t]*(?:\#.*)?$""",
    re.MULTILINE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def of_file(path: Path) -> str:
    """All that a file holds, without a line end at its end. Raises UsageError when it cannot be read as text."""
    try:
        return path.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}") from error


def of_env_file(path: Path) -> dict[str, str]:
    """The assignments of a .env: quoted or not, `export` in front or not, values over several lines in quotes."""
    found = {}
    for name, single, double, bare in _ASSIGNMENT.findall(of_file(path)):
        plain = re.sub(r"\\(.)", lambda code: _ESCAPES.get(code[1], code[1]), double, flags=re.DOTALL)
        found[name] = single or plain or bare.strip()
    return {name: value for name, value in found.items() if value}


def of_dvc(settings: Mapping[str, str], environ: Mapping[str, str], home: Path) -> tuple[str, Path]:
    """The credentials that DVC keeps for Google Drive after `dvc pull` has signed in, completed.

    Args:
        settings: of the project's DVC remote; empty outside a project.
        environ: `XDG_CACHE_HOME` moves the cache on Linux.
        home: the user's home folder.

    Returns:
        The document, and the file it comes from.

    Raises:
        CredentialsError: there is none, or there are several and nothing says which.
    """
    path = _cache(settings, environ, home)
    return google.complete(of_file(path), settings), path


def _cache(settings: Mapping[str, str], environ: Mapping[str, str], home: Path) -> Path:
    for key in ("gdrive_user_credentials_file", "gdrive_service_account_json_file_path"):
        if (named := settings.get(key)) and Path(named).expanduser().is_file():
            return Path(named).expanduser()
    caches = (
        home / "Library/Caches" if sys.platform == "darwin" else Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    )
    folder = caches / "pydrive2fs"
    client = settings.get("gdrive_client_id", "*")
    found = sorted(folder.glob(f"{client}/*.json"))
    found = [path for path in found if path.name == f"{settings.get('profile', 'default')}.json"] or found
    if not found:
        raise CredentialsError(
            f"DVC keeps no Google credentials in {folder}",
            hint="sign in once here with `dvc pull`, then the same command again; or --from-file",
        )
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        raise CredentialsError(f"DVC keeps several Google credentials: {names}", hint="name one with --from-file")
    return found[0]
