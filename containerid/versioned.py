"""What of a run is versioned, and DVC at work on it: the same at both ends, so that a run has one set of pointers."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from containerid import dvc
from containerid.errors import GitError

FILES = {"best.pt": "weights/best.pt", "last.pt": "weights/last.pt", "metadata.json": "metadata.json"}
"""What is versioned: its name there, and among the outputs of a run."""

STAGE = ".cid-promotion-"
"""How folders begin in which a version is made ready, inside the DVC project whose settings count."""

_ADDING, _PUSHING = 1800.0, 7200.0
_QUALITY = ("mAP50", "mAP50-95", "accuracy_top1", "accuracy_top5")
_SHOWN = (*(f"{split}/{name}" for split in ("test", "val") for name in _QUALITY), "speed/inference")


def dvc_files(paths: Sequence[str]) -> Iterator[str]:
    """The `.dvc` file of each path."""
    return (f"{path}.dvc" for path in paths)


def ignored(old: bytes | None, paths: Sequence[str]) -> bytes:
    """What the `.gitignore` beside the files of a model must hold; `old` is what it holds, None for nothing."""
    return with_lines(old, [f"/{PurePosixPath(path).name}" for path in paths])


def with_lines(old: bytes | None, lines: Sequence[str]) -> bytes:
    """Text with lines at its end, those that it lacks."""
    text = (old or b"").decode("utf-8", "surrogateescape")
    lacking = [line for line in lines if line not in text.splitlines()]
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    return (ended + "".join(f"{line}\n" for line in lacking)).encode("utf-8", "surrogateescape")


def message(title: str, facts: Mapping[str, str], metrics: Mapping[str, float], gates: str) -> str:
    """What a tag or a commit says about a model: a title, then a row a fact, the metrics that count, and the gates."""
    rows = {**facts, **{name: f"{metrics[name]:.4f}" for name in _SHOWN if name in metrics}, "gates": gates}
    return "\n".join([title, "", *(f"{name}: {value}" for name, value in rows.items() if value)])


def told(published: Mapping[str, str], run: str) -> str:
    """What a result says about the push of its model, in a phrase; empty where none was asked for."""
    if problem := published.get("problem"):
        return f"no: {problem}; cid promote {run}"
    if not published:
        return ""
    branch, sha, storage = (published.get(name, "") for name in ("branch", "sha", "storage"))
    return f"{branch} ({sha[:12]}), model in {storage}"


class Dvc:
    """DVC at work in a folder that holds the files of a model, without git.

    Args:
        folder: holds the files, inside the DVC project.
        names: of the files.
        project: a folder of the DVC project.
        scratch: where DVC's settings of ours are written.
        lines: more of these settings.
    """

    def __init__(self, folder: Path, names: Sequence[str], project: Path, scratch: Path, lines: Sequence[str]) -> None:
        self._folder, self._names, self._project = folder, names, project
        self._environ = dvc.environment(project, scratch, scm=False, extra=lines)

    def add(self, timeout: float = _ADDING) -> None:
        """Put the files into DVC's cache, and write their `.dvc` files.

        Raises:
            GitError: it cannot, or did not end within `timeout` seconds.
        """
        hint = "check that there is room, and that .dvcignore does not name them"
        self._run(["add", *self._names], timeout, hint)

    def push(self, timeout: float = _PUSHING) -> None:
        """Send them to the remote.

        Raises:
            CredentialsError: the remote needs credentials and there are none, or it does not take them.
            GitError: it cannot, or did not end within `timeout` seconds.
        """
        if dvc.needs_credentials(self._project, self._environ):
            raise dvc.failure("dvc push", "ERROR: there are no credentials for Google Drive", "")
        files = dvc_files(self._names)
        self._run(["push", *dvc.chosen(self._project), *files], timeout, "dvc push; or --no-push")

    def _run(self, arguments: list[str], timeout: float, hint: str) -> None:
        doing = f"dvc {arguments[0]}"
        try:
            done = dvc.run(arguments, self._folder, self._environ, timeout)
        except subprocess.TimeoutExpired as error:
            raise GitError(f"{doing} did not end within {timeout:.0f} s", hint=hint, retryable=True) from error
        if done.returncode:
            raise dvc.failure(doing, done.stdout, hint)
