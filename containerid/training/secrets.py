"""Secrets that a run needs: sealed in its spec, else from the environment, else from Kaggle's own store. Never printed.

What is opened goes into the environment of this process, where DVC, W&B and a project's own trainer read it, and
nowhere else: no file is written, and a file of the outputs that holds a value all the same is cleaned or taken out.
"""

import os
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from containerid.redaction import Redactor
from containerid.training.sealed import CannotOpen, unseal

GDRIVE = "GDRIVE_CREDENTIALS_DATA"
WANDB = "WANDB_API_KEY"
GITHUB = "GITHUB_TOKEN"
NAMES = (GDRIVE, WANDB, GITHUB)


@dataclass(frozen=True, slots=True)
class Found:
    """Where a secret was looked for.

    Attributes:
        origin: `spec`, `environment`, `store of Kaggle`, or empty when it is nowhere.
        problem: what those that gave none said; empty when none was asked.
    """

    name: str
    origin: str = ""
    problem: str = ""

    def __str__(self) -> str:
        """For the log."""
        found = f"from the {self.origin} (hidden)" if self.origin else "not set"
        return f"{self.name}: {found}" + (f" ({self.problem})" if self.problem else "")


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a run brings along.

    Attributes:
        run: its id.
        ciphertexts: name to what `sealed.seal` made of the value; empty for one that the environment hands over.
        mounts: where Kaggle attaches datasets, the one with the key among them.
    """

    run: str = ""
    ciphertexts: Mapping[str, str] = field(default_factory=dict)
    mounts: Path = Path("/kaggle/input")


def needed(*, online: bool, drive: bool, pushes: bool = False) -> list[str]:
    """The names of the secrets that a run needs.

    Args:
        online: it records at W&B.
        drive: it pulls from, or pushes to, a DVC remote on Google Drive.
        pushes: it pushes its model to a branch of the git remote.
    """
    return [name for name, used in ((GDRIVE, drive), (WANDB, online), (GITHUB, pushes)) if used]


def collect(
    names: Iterable[str],
    redactor: Redactor,
    environ: MutableMapping[str, str] = os.environ,
    parcel: Parcel = Parcel(),
) -> dict[str, Found]:
    """Look for every secret that is needed, or was sent, and put it into the environment.

    Whatever the environment holds under the known names is hidden from the log, needed or not. Kaggle's store answers
    only for kernels that were started from its editor; what it says otherwise is passed on as it is.
    """
    for name in {*NAMES, *parcel.ciphertexts}:
        if value := environ.get(name):
            redactor.add(value)
    return {name: _find(name, redactor, environ, parcel) for name in dict.fromkeys([*parcel.ciphertexts, *names])}


def _find(name: str, redactor: Redactor, environ: MutableMapping[str, str], parcel: Parcel) -> Found:
    problems = []
    if ciphertext := parcel.ciphertexts.get(name):
        try:
            value = unseal(ciphertext, name=name, run=parcel.run, mounts=parcel.mounts)
        except CannotOpen as error:
            problems.append(f"sealed: {error}")
        else:
            _keep(name, value, redactor, environ)
            return Found(name, "spec")
    if environ.get(name):
        return Found(name, "environment", "; ".join(problems))
    if find_spec("kaggle_secrets") is not None:
        try:
            value = str(import_module("kaggle_secrets").UserSecretsClient().get_secret(name))
        except Exception as error:
            problems.append(f"Kaggle: {_unmasked(error)}")
        else:
            _keep(name, value, redactor, environ)
            return Found(name, "store of Kaggle", "; ".join(problems))
    return Found(name, problem="; ".join(problems))


def _keep(name: str, value: str, redactor: Redactor, environ: MutableMapping[str, str]) -> None:
    redactor.add(value)
    environ[name] = value


def _unmasked(error: Exception) -> str:
    """What the store said, and the HTTP status behind it.

    Kaggle's client catches URLError before HTTPError, its subclass: 400, 401, 403, 404, 429 and 500 all come out as
    one and the same ConnectionError.
    """
    said = f"{type(error).__name__}: {str(error).strip()}"
    status = getattr(error.__cause__, "code", None) or getattr(error.__context__, "code", None)
    return f"{said} (HTTP {status}: it serves kernels that were started in its editor)" if status else said


def sweep(out: Path, redactor: Redactor) -> list[str]:
    """Take known secrets out of the outputs, before they are listed in the manifest.

    Text is cleaned in place; any other file that holds one is removed, since nobody could say what else it would do.

    Returns:
        What was done, a line a file.
    """
    if not redactor:
        return []
    files = sorted(path for path in out.rglob("*") if path.is_file() and not path.is_symlink())
    return [told for path in files if (told := _clean(path, path.relative_to(out).as_posix(), redactor))]


_TEXT_LIMIT = 32 << 20
"""Bytes up to which a file may be a text that is worth cleaning."""


def _clean(path: Path, name: str, redactor: Redactor) -> str:
    content = path.read_bytes()
    text = _text(content)
    if text is None:
        if redactor.is_in(content):
            path.unlink()
            return f"{name} held a secret, and was taken out of the outputs"
        return ""
    cleaned = redactor.clean(text)
    if cleaned == text:
        return ""
    path.write_bytes(cleaned.encode())
    return f"{name} held a secret, which was taken out of it"


def _text(content: bytes) -> str | None:
    if len(content) > _TEXT_LIMIT or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
