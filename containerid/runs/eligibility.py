"""What may be promoted: a run that passed, into places where nothing is lost."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from containerid import tracked
from containerid.errors import GitError, NotFound, OutputsUnverified, RunFailed, UsageError
from containerid.git import Repository
from containerid.home import Home
from containerid.job import MANIFEST_FILE, State
from containerid.runs.registry import Run
from containerid.runs.standing import METRICS
from containerid.runs.verify import Entry, read_manifest, verify
from containerid.versioned import FILES, dvc_files

_GATES = "gates not met"


def checked(run: Run, home: Home, *, force: bool) -> Mapping[str, Entry]:
    """The manifest of a run that may be promoted.

    Raises:
        UsageError, RunFailed, NotFound, OutputsUnverified: as `containerid.runs.promotion.promote`.
    """
    if not run.ours:
        raise UsageError(f"{run.run} is no run of cid's: nothing tells what it is", hint="cid ls")
    missed = run.state is State.FAILED and _GATES in run.reason
    if run.state is not State.SUCCEEDED and not missed:
        raise UsageError(f"{run.run} is {run.state}: only a run that succeeded is promoted", hint="cid ls")
    if missed and not force:
        raise RunFailed(f"{run.run}: {run.reason}", hint=f"cid promote {run.run} --force, if you mean it")
    if run.spec.get("quick") and not force:
        raise UsageError(
            f"{run.run} was a quick run, which no gate has looked at", hint=f"cid promote {run.run} --force"
        )
    findings = verify(run, home=home)
    if not findings.verified:
        bad = ", ".join((*findings.changed, *findings.missing)[:5])
        raise OutputsUnverified(f"outputs of {run.run} are not the manifest's: {bad}", hint=f"cid fetch {run.run}")
    manifest = read_manifest(findings.folder / MANIFEST_FILE, run.run) or {}
    if FILES["best.pt"] not in manifest:
        raise NotFound(f"{run.run} has no {FILES['best.pt']}", hint=f"cid show {run.run}")
    return manifest


def passed(run: Run) -> bool:
    """Whether a run has met gates: there were some, and it succeeded with them."""
    spec = run.spec
    gates = spec.get("params", {}).get("gates")
    return bool(run.ours and run.verified and run.state is State.SUCCEEDED and gates and not spec.get("quick"))


def unproven(run: Run) -> str:
    """What speaks against a model that no gate has looked at; empty where nothing does."""
    metrics = run.result.metrics if run.result else {}
    none = next((name for name in METRICS if metrics.get(name) == 0), "")
    gated = run.spec.get("params", {}).get("gates")
    return f"no gate has looked at this model, and its {none} is 0" if none and not gated else ""


def refuse_unsafe(repository: Repository, project: Path, paths: Sequence[str]) -> None:
    """Refuse to write over what would be lost.

    Args:
        repository: that the paths, from its root, lie in.
        project: the project's folder.
        paths: the files of the model.

    Raises:
        GitError: git tracks one of them, DVC does not know it, or its `.dvc` file was changed or is ignored.
    """
    for path in paths:
        head, index = repository.versions(path)
        if head is not None or index is not None:
            raise GitError(f"git tracks {path}, so DVC cannot", hint=f"git rm --cached {path}, and commit that")
        _refuse_unknown(repository.root / path, path, project)
    for path in dvc_files(paths):
        head, index = repository.versions(path)
        if not head == index == content(repository.root / path):
            raise GitError(f"{path} has changes of its own", hint=f"commit them, or git restore --staged -W {path}")
        if repository.ignores(path):
            raise GitError(f"git ignores {path}", hint=f"git check-ignore -v {path}; or versioning.path elsewhere")


def content(path: Path) -> bytes | None:
    """What a file holds; None where there is none."""
    return path.read_bytes() if path.is_file() else None


def _refuse_unknown(file: Path, path: str, project: Path) -> None:
    if not file.exists():
        return
    recorded = tracked.hash_of(file, project)
    if recorded == tracked.md5_of(file):
        return
    # Adding what was changed would make a version of it.
    mend = f"dvc checkout --force {file}.dvc" if recorded else f"dvc add {file}"
    raise GitError(f"{path} is there, and is not what DVC has", hint=f"{mend}, or move it away")
