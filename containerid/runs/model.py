"""Promoted models: which there are, and whether one is what it was, can be loaded safely, and sees."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from containerid import dvc, tracked
from containerid.errors import NotFound, OutputsUnverified, UsageError
from containerid.git import Repository, Tag
from containerid.runs.versions import Version, facts, promoted

_BEST = "best.pt"
_FETCHING, _INSPECTING = 3600, 600
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Listed:
    """A promoted model: its tag, the commit it marks, and what the tag says about it."""

    version: str
    commit: str
    facts: dict[str, str]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A model that was looked at.

    Attributes:
        version: its tag; empty for a file that was named by its path.
        file: what was looked at.
        size: bytes.
        md5: hex, as DVC has it.
        recorded: DVC has this very content; None where DVC knows nothing about the file.
        found: what it is, see `containerid.training.inspection.inspect`.
    """

    version: str = ""
    file: str
    size: int
    md5: str
    recorded: bool | None
    found: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON, what was found beside the rest."""
        document = asdict(self)
        found = document.pop("found")
        return {**document, **found}


def models(folder: Path) -> list[Listed]:
    """The promoted models of the repository that a folder lies in, the newest first.

    Raises:
        GitError: there is no repository.
    """
    return [Listed(tag.name, tag.commit, facts(tag)) for _, tag in promoted(Repository.open(folder))]


def examine(name: str, folder: Path) -> Examined:
    """Compare a model with the hash that DVC has for it, load it in a process of its own, and let it predict.

    Nothing is loaded whose hash is wrong. A version that is not checked out is taken from DVC's cache, or its remote.

    Args:
        name: a version, the start of one, `v1.2`, a `.pt` file, or a folder with `best.pt` in it.
        folder: where the user stands.

    Raises:
        NotFound: there is no such version or file.
        OutputsUnverified: it is not what DVC has, or it cannot be loaded as weights of known classes.
        GitError: DVC could not fetch it.
    """
    path = folder / name
    path = path / _BEST if path.is_dir() else path
    if path.is_file() and path.suffix not in {"", ".pt"}:  # DVC's cache has no suffixes
        raise UsageError(f"{name} is no model: a model is a .pt file", hint="cid model")
    if path.is_file():
        return _examine(path, tracked.hash_of(path, folder), "")
    if path.suffix == ".pt":
        raise NotFound(f"there is no file {name}", hint="dvc pull" if _pointer(path).is_file() else "cid model")
    repository = Repository.open(folder)
    version, tag = _meant(name, promoted(repository))
    with tempfile.TemporaryDirectory(prefix="cid-model-") as scratch:
        recorded = _recorded(repository, tag)
        found = _here(repository.root / facts(tag)["path"] / _BEST, recorded, folder)
        return _examine(found or _fetched(repository, tag, Path(scratch)), recorded, str(version))


def _meant(name: str, known: Sequence[tuple[Version, Tag]]) -> tuple[Version, Tag]:
    fitting = [each for each in known if str(each[0]) == name]
    fitting = fitting or [each for each in known if name in {f"v{each[0].major}.{each[0].minor}", each[0].experiment}]
    fitting = fitting or [each for each in known if str(each[0]).startswith(name)]
    if not fitting:
        raise NotFound(f"no promoted model is called {name}", hint="cid model")
    return fitting[0]


def _pointer(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def _recorded(repository: Repository, tag: Tag) -> str:
    import yaml

    content = repository.read(tag.name, f"{facts(tag)['path']}/{_BEST}.dvc") or b""
    with suppress(yaml.YAMLError, KeyError, IndexError, TypeError):
        return str(yaml.safe_load(content)["outs"][0]["md5"])
    raise OutputsUnverified(f"{tag.name} holds no {_BEST}.dvc that can be read", hint=f"git show {tag.name}")


def _here(path: Path, md5: str, folder: Path) -> Path | None:
    """The file in the work tree or in DVC's cache; None when it is in neither as it should be."""
    root = dvc.root_of(folder)
    cached = [root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]] if root else []
    return next((each for each in (path, *cached) if each.is_file() and tracked.md5_of(each) == md5), None)


def _fetched(repository: Repository, tag: Tag, scratch: Path) -> Path:
    root, to = repository.root, scratch / _BEST
    environ = dvc.environment(root, scratch)
    path = f"{facts(tag)['path']}/{_BEST}"
    arguments = ["get", str(root), path, "--rev", tag.name, "-o", str(to), *dvc.chosen(root)]
    try:
        done = dvc.run(arguments, scratch, environ, _FETCHING)
    except subprocess.TimeoutExpired as error:
        raise OutputsUnverified(f"{tag.name} did not arrive within an hour", hint="dvc pull") from error
    if done.returncode:
        raise dvc.failure(f"dvc get {path}", done.stdout, "dvc pull")
    return to


def _examine(path: Path, recorded: str, version: str) -> Examined:
    md5 = tracked.md5_of(path)
    if recorded and md5 != recorded:
        pointer = _pointer(path)
        mend = f"dvc checkout --force {pointer}; dvc pull --force {pointer} where the cache here lacks it"
        raise OutputsUnverified(f"{path} is not what DVC has: MD5 {md5}, recorded {recorded}", hint=mend)
    found = _inspect(path)
    if "error" in found:
        raise OutputsUnverified(
            f"{path} was not loaded: {found['error']}", hint="load it yourself only if you trust whoever made it"
        )
    size = path.stat().st_size
    return Examined(
        version=version, file=str(path), size=size, md5=md5, recorded=True if recorded else None, found=found
    )


def _inspect(path: Path) -> dict[str, Any]:
    """What a process of its own says about a file. It gets no key and no address from this one's environment."""
    if find_spec("ultralytics") is None:
        raise UsageError("Ultralytics is not installed, so no model can be loaded", hint="pip install '.[training]'")
    package = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory(prefix="cid-model-") as home:
        environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environ |= dict.fromkeys(("HOME", "YOLO_CONFIG_DIR", "MPLCONFIGDIR"), home)
        environ |= {"PYTHONPATH": package, "YOLO_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "YOLO_AUTOINSTALL": "0"}
        # In DVC's cache a file has no suffix, by which Ultralytics knows a model.
        named = Path(home) / _BEST
        named.symlink_to(path.absolute())
        try:
            done = subprocess.run(
                [sys.executable, "-m", "containerid.training.inspection", str(named)],
                cwd=home,
                env=environ,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=_INSPECTING,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"it did not answer within {_INSPECTING} s"}
    lines = done.stdout.splitlines() or done.stderr.splitlines() or [f"exit code {done.returncode}"]
    with suppress(ValueError):
        found = json.loads(lines[-1])
        return found if isinstance(found, dict) else {"error": lines[-1]}
    return {"error": lines[-1]}
