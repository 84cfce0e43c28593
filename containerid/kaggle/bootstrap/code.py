"""The code of the run: brought by its transport into a folder, and compared with what was submitted."""

import base64
import hashlib
import io
import lzma
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.journal import Stop, one_line, say
from containerid.lonegit import git_command, git_environment
from containerid.treeid import tree_id

PAUSES = (5.0, 20.0)
"""Seconds before a fetch is tried again that failed for a reason which passes."""

_PASSES = re.compile(r"resolve host|timed? ?out|connection|early eof|hung up|error: 5\d\d", re.IGNORECASE)
_GIT_TIMEOUT = 900


def bring_code(cargo: dict[str, Any], folder: Path, mounts: Path) -> None:
    """Write the submitted tree to `folder`, which is made, and prove that it is that tree.

    Args:
        cargo: the spec, and for the transport `embed` the archive.
        folder: does not exist yet.
        mounts: where the platform shows attached datasets.

    Raises:
        Stop: it cannot be had, or is not what was sent.
    """
    code = cargo["spec"]["code"]
    bring = {"embed": _unpack_cargo, "fetch": _fetch, "dataset": _take_from_dataset}.get(code["transport"])
    try:
        if bring is None:
            raise Stop(f"no kernel knows the transport {code['transport']}")
        bring(cargo, folder, mounts)
    except (Stop, OSError, ValueError, EOFError, tarfile.TarError, subprocess.SubprocessError) as error:
        raise Stop(f"the code could not be fetched: {one_line(error)}") from error


def bring_package(cargo: dict[str, Any], folder: Path) -> None:
    """Write the carried `containerid` to `folder`, for code that does not hold it itself."""
    try:
        _extract(base64.b85decode(cargo["package"]), folder)
    except (ValueError, EOFError, tarfile.TarError, lzma.LZMAError) as error:
        raise Stop(f"the carried containerid cannot be unpacked: {one_line(error)}") from error


def _unpack_cargo(cargo: dict[str, Any], folder: Path, _mounts: Path) -> None:
    code = cargo["spec"]["code"]
    archive = base64.b85decode(cargo["code"])
    if (digest := hashlib.sha256(archive).hexdigest()) != code["digest"]:
        raise Stop(f"the archive was changed on the way: SHA-256 {digest}, sent was {code['digest']}")
    _extract(archive, folder)
    _compare(folder, code["carried_tree"])


def _extract(archive: bytes, folder: Path) -> None:
    """The filter refuses what would land, or point, outside the folder; execute bits and links inside are kept."""
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:xz") as packed:
        packed.extractall(folder, filter="data")


def _compare(folder: Path, expected: str) -> None:
    if (arrived := tree_id(folder)) != expected:
        raise Stop(f"what arrived is tree {arrived}, sent was {expected}")


def _fetch(cargo: dict[str, Any], folder: Path, _mounts: Path) -> None:
    code = cargo["spec"]["code"]
    run_git(folder.parent, "init", "-q", "--template=", str(folder))
    # The files as they are in the repository, on every machine: no line ends converted, no large files filled in.
    (folder / ".git/info").mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_text("* -text -filter -ident -working-tree-encoding\n")
    _fetch_commit(folder, code)
    run_git(folder, "checkout", "-q", "--detach", "FETCH_HEAD")
    arrived = run_git(folder, "rev-parse", "HEAD", "HEAD^{tree}").split()
    if arrived != [code["sha"], code["tree"]]:
        raise Stop(f"commit {arrived[0]} with tree {arrived[1]} arrived, sent was {code['sha']} with {code['tree']}")
    shutil.rmtree(folder / ".git")
    # Git's tree names the commit of a submodule, which is not fetched.
    if not (folder / ".gitmodules").exists():
        _compare(folder, code["tree"])


def _fetch_commit(folder: Path, code: dict[str, Any]) -> None:
    """By its SHA, which cannot have moved on; by its ref where the server gives out tips alone."""
    wanted = [code["sha"], *filter(None, [code["ref"]])]
    reasons: list[str] = []
    for pause in (*PAUSES, None):
        reasons.clear()
        for each in wanted:
            try:
                run_git(folder, "fetch", "-q", "--depth", "1", "--no-tags", "--", code["remote"], each)
            except Stop as error:
                reasons.append(str(error))
            else:
                return
        if pause is None or not any(map(_PASSES.search, reasons)):
            raise Stop(reasons[0])
        say(f"the remote does not answer, next try in {pause:.0f} s: {reasons[0]}")
        time.sleep(pause)


def run_git(folder: Path, *arguments: str, timeout: float = _GIT_TIMEOUT) -> str:
    """Git's answer. It asks nobody, keeps no credentials, and takes no settings from this machine."""
    answer = subprocess.run(
        git_command(*arguments),
        cwd=folder,
        env=git_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    if answer.returncode:
        complaint = one_line(answer.stderr.decode("utf-8", "replace")) or f"exit code {answer.returncode}"
        raise Stop(f"git {arguments[0]}: {complaint}")
    return answer.stdout.decode("utf-8", "replace")


def _take_from_dataset(cargo: dict[str, Any], folder: Path, mounts: Path) -> None:
    """Out of an attached dataset: the archive, or the tree where the platform has unpacked it by itself."""
    code = cargo["spec"]["code"]
    owner, slug = code["dataset"].split("/")[:2]
    place = next((each for each in (mounts / "datasets" / owner / slug, mounts / slug) if each.is_dir()), None)
    if place is None:
        raise Stop(f"the dataset {code['dataset']} is not attached: it is not under {mounts}")
    for path in filter(Path.is_file, _near(place)):
        archive = path.read_bytes()
        if hashlib.sha256(archive).hexdigest() == code["digest"]:
            _extract(archive, folder)
            return _compare(folder, code["carried_tree"])
    for unpacked in filter(Path.is_dir, (place, *_near(place))):
        if tree_id(unpacked) == code["carried_tree"]:
            return _copy(unpacked, folder)
    raise Stop(f"the dataset {code['dataset']} holds neither archive {code['digest']} nor tree {code['carried_tree']}")


def _near(place: Path) -> Iterator[Path]:
    """What lies in a folder and in its folders: an archive may have been unpacked into one of its name."""
    for each in sorted(place.iterdir()):
        yield each
        if each.is_dir() and not each.is_symlink():
            yield from sorted(each.iterdir())


def _copy(source: Path, folder: Path) -> None:
    """A copy that can be written to: mounts are read-only, their permissions too."""
    shutil.copytree(source, folder, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)
