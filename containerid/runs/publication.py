"""Before a run is sent that is to push its model itself: whether it can, as far as that can be known here."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from containerid import dvc
from containerid.errors import CredentialsError, GitError, UsageError
from containerid.events import Caution
from containerid.job import RESULTS, Publish, Spec, Tell
from containerid.training.branch import Branch
from containerid.training.secrets import GITHUB

_OFF = "versioning.from_kernel: never"
_ASKING = 30.0
_OPEN = ("gdrive", "http", "https", "remote")
"""Remotes of DVC that a run reaches with what it is given, or without; for others nothing is carried along."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NAME = "dvc remote add -d NAME URL"


def check(publish: Publish, folder: Path, tell: Tell, *, internet: bool) -> None:
    """Refuse a run whose settings leave it nowhere to push its model to.

    Args:
        publish: what it is to do.
        folder: the project's, whose settings of DVC count as far as git holds them.
        tell: gets what makes a push unlikely.
        internet: the run may reach the network.

    Raises:
        UsageError: it may not, or DVC has no remote that a run elsewhere could reach.
    """
    if not publish.asked:
        return
    if not internet:
        raise UsageError("versioning.from_kernel needs the network, and this run has none", hint=_or("--internet"))
    if dvc.root_of(folder) is None:
        raise UsageError(f"{folder.name} is no DVC project: no run can push a model", hint=_or(f"dvc init; {_NAME}"))
    url = dvc.remote(folder, dvc.FILES[:1]).get("url", "")
    if not url:
        raise UsageError("DVC has no default remote in .dvc/config, which a run elsewhere gets", hint=_or(_NAME))
    scheme = urlsplit(url).scheme if "://" in url else "file"
    if scheme == "file":
        raise UsageError("DVC's remote is a folder, which a run elsewhere cannot reach", hint=_or(_NAME))
    if scheme not in _OPEN:
        tell(Caution(f"cid carries no credentials for {scheme}: the run's model may not get to DVC's remote"))


def prove(spec: Spec, values: Mapping[str, str], tell: Tell) -> None:
    """Ask the git remote now, from here, whether it would take the branch with this token. Nothing is sent.

    Args:
        spec: as it will be sent if all goes well.
        values: the secrets that the run needs.
        tell: gets a caution when nobody answers.

    Raises:
        UsageError: the remote is none that a run elsewhere could push to.
        CredentialsError: it takes no such token.
    """
    if not spec.publish.asked:
        return
    _check_remote(spec.code.remote)
    name, token = f"{RESULTS}{spec.run}", values.get(GITHUB, "")
    with tempfile.TemporaryDirectory(prefix="cid-asking-") as scratch:
        try:
            Branch(Path(scratch, "git"), spec.code.remote, name, token, lambda: _ASKING).probe()
        except (CredentialsError, UsageError) as error:
            error.hint = _or(error.hint)
            raise
        except GitError as error:
            tell(Caution(f"whether {spec.code.remote} will take {name} could not be asked: {error.message}"))


def _check_remote(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    faults = {
        "": "there is no git remote that a run elsewhere could push its model to",
        "file": "the git remote is a folder, which a run elsewhere cannot reach",
    }
    other = f"{GITHUB} is sent over https alone, and the git remote is {parts.scheme}"
    raise UsageError(faults.get(parts.scheme, other), hint=_or("git remote set-url origin https://HOST/PATH"))


def row(publish: Publish, run: str) -> Iterator[tuple[str, str]]:
    """The plan's row about it; none where nothing is pushed."""
    if publish.asked:
        when = "once its gates are met" if publish.when == "on-pass" else "whatever its gates say"
        yield "publishes", f"{RESULTS}{run}, with {publish.path} in DVC, {when}"


def _or(mend: str) -> str:
    return f"{mend}; or {_OFF}"
