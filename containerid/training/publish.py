"""A run's model, pushed from where it was trained: into DVC first, then one commit to a branch of the run's own.

It is what `cid promote` makes of the same run, without a tag: versions are counted where all of them are known.
"""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from containerid import dvc
from containerid.errors import CidError, GitError, NotFound
from containerid.job import RESULTS
from containerid.training import apart, secrets
from containerid.training.branch import Branch
from containerid.training.gates import Gate
from containerid.training.log import say
from containerid.training.session import Session
from containerid.versioned import FILES, STAGE, Dvc, dvc_files, ignored, message, told

PATIENCE = 1800.0
"""Seconds that all of it may take, in a session that has as many left."""

_RESERVE, _LEAST = 30.0, 60.0
"""Seconds that stay for the records, and those below which it is not begun."""

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


def publish(session: Session, gates: Sequence[Gate], patience: float = PATIENCE) -> None:
    """Push the model of a run that was trained and evaluated, if it was asked for; `published` tells what came of it.

    Whatever keeps it from being pushed is said, and is no failure of the run: its outputs are there all the same.

    Args:
        session: at its end, with metadata.json written.
        gates: as they were judged.
        patience: seconds that all of it may take.
    """
    wish = session.spec.publish
    passed = bool(gates) and all(gate.met for gate in gates)
    if not wish.asked or (wish.when == "on-pass" and not passed):
        return
    session.stop.check()
    try:
        session.published = _publish(session, gates, _deadline(session, patience))
        say(f"published: {told(session.published, session.spec.run)}")
    except Exception as error:
        reason = error.message if isinstance(error, CidError) else f"{type(error).__name__}: {error}"
        session.published = {"problem": " ".join(reason.split())}
        session.log.caution(f"published: {told(session.published, session.spec.run)}, once it was fetched")
    session.stop.check()


def _deadline(session: Session, patience: float) -> Callable[[], float]:
    """The seconds that are left for it: of its own, and of the session."""
    begun = time.monotonic()
    return lambda: max(1.0, min(patience - (time.monotonic() - begun), session.budget.left - _RESERVE))


def _publish(session: Session, gates: Sequence[Gate], left: Callable[[], float]) -> dict[str, str]:
    spec, project = session.spec, session.place.project
    names = [name for name, output in FILES.items() if (session.out / output).is_file()]
    _check(session, names)
    apart.provide(session.place.scratch, drive=dvc.on_drive(project), patience=left() / 2)  # it has two steps
    with tempfile.TemporaryDirectory(prefix=STAGE, dir=project) as stage:
        model = _stage(session, names, Path(stage))
        model.add(left())
        name = f"{RESULTS}{spec.run}"
        branch = Branch(session.place.scratch / "results.git", spec.code.remote, name, session.token, left)
        branch.bring(spec.code.sha, spec.code.ref)
        files = _files(branch, spec.code.sha, _folder(session), {each: Path(stage, "model") / each for each in names})
        sha = branch.commit(spec.code.sha, files, _message(session, gates), _moment(spec.created))
        found = branch.there(sha)
        say(f"dvc push {', '.join(names)}")
        # First what is pointed at, then what points: no branch ever names what nobody has.
        model.push(left())
        if not found:
            say(f"git push {name}")
            branch.push(sha)
    return {"branch": name, "sha": found or sha, "storage": _USERINFO.sub("", dvc.remote(project).get("url", ""))}


def _check(session: Session, names: Sequence[str]) -> None:
    if not session.spec.code.ref:
        raise GitError("the run's commit could not be pushed to the remote when it was sent")
    if "best.pt" not in names:
        raise NotFound(f"the run left no {FILES['best.pt']}")
    if dvc.root_of(session.place.project) is None:
        raise GitError(f"{session.place.project.name} is no DVC project")
    if (left := session.budget.left) < _RESERVE + _LEAST:
        raise GitError(f"the session had {max(left, 0):.0f} s left, which do not suffice")


def _stage(session: Session, names: Sequence[str], stage: Path) -> Dvc:
    """The files as the outputs will be: those with a known secret in them are cleaned, or gone, at the end of a run."""
    folder = stage / "model"
    folder.mkdir()
    for name in names:
        shutil.copyfile(session.out / FILES[name], folder / name)
    for caution in secrets.sweep(folder, session.log.redactor):
        session.log.caution(caution)
    if lost := [name for name in names if not (folder / name).is_file()]:
        raise GitError(f"{', '.join(lost)} held a secret")
    return Dvc(folder, names, session.place.project, stage, ())


def _folder(session: Session) -> str:
    """The folder of the model from the repository's root."""
    return (PurePosixPath(session.spec.code.folder) / session.spec.publish.path).as_posix()


def _files(branch: Branch, parent: str, folder: str, staged: dict[str, Path]) -> dict[str, bytes]:
    paths = [f"{folder}/{name}" for name in staged]
    if kept := [path for path in paths if branch.read(parent, path) is not None]:
        raise GitError(f"git tracks {kept[0]}, so DVC cannot")
    pointers = [place.with_name(f"{place.name}.dvc").read_bytes() for place in staged.values()]
    listed = ignored(branch.read(parent, f"{folder}/.gitignore"), paths)
    return dict(zip(dvc_files(paths), pointers, strict=True)) | {f"{folder}/.gitignore": listed}


def _moment(created: str) -> str:
    """When the run was asked for, as git takes it: another try of the same run makes the same commit."""
    return f"@{datetime.fromisoformat(created).timestamp() if created else 0:.0f} +0000"


def _message(session: Session, gates: Sequence[Gate]) -> str:
    spec = session.spec
    facts = {"run": spec.run, "experiment": spec.experiment or "base", "path": _folder(session), "code": spec.code.sha}
    looked = "none" if not gates else "met" if all(gate.met for gate in gates) else "missed"
    return message(f"Results of {spec.run}", facts, session.metrics, looked)
