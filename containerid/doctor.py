"""What a run needs, checked one by one; each finding names the command that mends it."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from containerid.errors import CidError
from containerid.home import Home

_ROOM = 5 * 10**9
_SKEW = 300


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        good: it is as it should be.
        found: what there is, one line.
        mend: the command that mends it; empty when there is nothing to mend.
        needed: without it no run can start; else it is only good to have.
    """

    name: str
    good: bool
    found: str
    mend: str = ""
    needed: bool = False

    @property
    def mark(self) -> str:
        """✓, ✗ for what no run can do without, – for what some runs need."""
        return "✓" if self.good else "✗" if self.needed else "–"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def examine(folder: Path, home: Home) -> Iterator[Check]:
    """Check everything that a run from `folder` needs, one finding at a time. Never raises for what it finds."""
    yield _python()
    yield _tool()
    yield from _repository(folder)
    yield from _promotion(folder, home)
    yield from _params(folder)
    yield from _kaggle(home)
    yield _dvc(folder)
    yield _tracking()
    yield _training()
    yield _disk(home)


_HERE = ("training",)
_KAGGLE = ("repository", "credentials", "kaggle", "quota", "clock")


def verdict(checks: Sequence[Check]) -> str:
    """What can be done now, and what the rest is for want of."""
    bad = [check.name for check in checks if not check.good]
    lacking = [check.name for check in checks if check.needed and not check.good]
    told = []
    for what, names in (("train here", _HERE), ("rehearse", (*_HERE, "repository")), ("train on Kaggle", _KAGGLE)):
        missing = [*lacking, *(name for name in names if name in bad and name not in lacking)]
        told.append(f"to {what}: " + (f"first {', '.join(missing)}" if missing else "ready"))
    return "; ".join(told)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check("python", good, version, "" if good else "install Python 3.11, 3.12 or 3.13", needed=True)


def _tool() -> Check:
    path = shutil.which("git")
    return Check("git", path is not None, path or "not on PATH", "" if path else "install git", needed=True)


def _repository(folder: Path) -> Iterator[Check]:
    from containerid.git import Repository

    try:
        repository = Repository.open(folder)
        changes = repository.changes()
    except CidError as error:
        yield Check("repository", good=False, found=error.message, mend=error.hint)
        return
    dirty = changes.staged + changes.unstaged + len(changes.untracked)
    yield Check("repository", good=True, found=f"{changes.branch or 'detached'}, {dirty} files changed")
    if repository.lags():
        found = "a run was killed while it moved your branch: your next commit would undo what it committed"
        yield Check("index", good=False, found=found, mend="git reset -q (your files stay as they are)")
    remote = repository.remote()
    found = (
        f"{remote.name}: {remote.public or 'no public address'}" if remote else "none: runs go from the archive alone"
    )
    mend = "" if remote else "git remote add origin URL"
    try:
        if remote:
            repository.marks(remote)
    except CidError as error:
        yield Check("remote", good=False, found=f"{found}; it does not answer: {error.message}", mend="git ls-remote")
        return
    yield Check("remote", remote is not None, found, mend)


def _promotion(folder: Path, home: Home) -> Iterator[Check]:
    """A promotion that was killed is finished or undone; nothing is said where there was none."""
    from containerid.events import Caution, Event, Step
    from containerid.runs.promotion import recover

    told: list[str] = []

    def tell(event: Event) -> None:
        if isinstance(event, Step | Caution):
            told.append(f"{event.name}: {event.detail}" if isinstance(event, Step) else event.text)

    try:
        recover(folder, home, tell)
    except CidError:
        return  # no repository, which is said already
    if told:
        yield Check("promotion", good=True, found="; ".join(told))


def _params(folder: Path) -> Iterator[Check]:
    from containerid import config

    try:
        project = config.load(config.find(folder))
    except CidError as error:
        mend = error.hint or "mend these lines"
        yield Check("params.yaml", good=False, found=error.message, mend=mend, needed=True)
        return
    names = ", ".join(project.experiments) or "no experiments"
    yield Check("params.yaml", good=True, found=names)
    for name, faults in project.faults().items():
        found = "; ".join(map(str, faults))
        yield Check("experiment", good=False, found=f"{name} cannot be used: {found}", mend="mend these lines")


def _kaggle(home: Home) -> Iterator[Check]:
    from containerid.kaggle.backend import open_kaggle

    backend = open_kaggle(home, None)
    try:
        account = backend.account()
    except CidError as error:
        yield Check("credentials", good=False, found=error.message, mend=error.hint)
        yield Check("not asked", good=False, found="Kaggle, quota, clock and ghosts, for want of credentials")
        return
    yield Check("credentials", good=True, found=account)
    try:
        quota = backend.quota()
    except CidError as error:
        found = f"{error.message}; quota, clock and ghosts are not known"
        yield Check("kaggle", good=False, found=found, mend=error.hint or "cid doctor, a little later")
        return
    yield Check("kaggle", good=True, found=quota.origin)
    left = f"{quota.left_h:.1f} of {quota.total_h:.0f} GPU hours left"
    yield Check("quota", quota.left_h > 0, left, "" if quota.left_h > 0 else f"wait until {quota.refresh}")
    skew = abs(quota.skew)
    yield Check(
        "clock",
        skew < _SKEW,
        f"{skew:.0f} s off Kaggle's",
        "" if skew < _SKEW else "set the clock (timedatectl set-ntp true)",
    )
    yield from _ghosts(home)


def _ghosts(home: Home) -> Iterator[Check]:
    from containerid.runs.ghosts import find_ghosts

    try:
        ghosts = find_ghosts(home)
    except CidError as error:
        yield Check("ghosts", good=False, found=f"unknown: {error.message}", mend=error.hint)
        return
    for each in ghosts:
        found = f"{each.handle} version {each.version} is {each.state} and billed: {each.why}"
        yield Check("ghosts", good=False, found=found, mend=each.mend)
    if not ghosts:
        yield Check("ghosts", good=True, found="no session of cid's goes on unseen")


def _dvc(folder: Path) -> Check:
    config = folder / ".dvc" / "config"
    if not config.is_file():
        inside = any((each / ".git").exists() for each in (folder, *folder.absolute().parents))
        mend = "dvc init && dvc remote add -d storage DIR" if inside else ""
        return Check(
            "dvc remote", good=False, found="no .dvc folder here; only promote and data in DVC need it", mend=mend
        )
    urls = [
        line.partition("=")[2].strip()
        for line in config.read_text(encoding="utf-8").splitlines()
        if "url" in line.partition("=")[0]
    ]
    return Check("dvc remote", bool(urls), ", ".join(urls) or "none", "" if urls else "dvc remote add -d storage DIR")


def _tracking() -> Check:
    keyed = bool(os.environ.get("WANDB_API_KEY")) or "api" in _read(Path.home() / ".netrc")
    found = "a key is there" if keyed else "no key: runs are recorded offline, which is the default"
    return Check("wandb", good=True, found=found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _training() -> Check:
    missing = [name for name in ("ultralytics", "torch", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        return Check(
            "training",
            good=False,
            found=f"{', '.join(missing)} missing",
            mend="pip install '.[training]' in the clone of cid",
        )
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("ultralytics", "torch")]
    return Check("training", good=True, found=", ".join(versions))


def _disk(home: Home) -> Check:
    try:
        folder = home.folder()
        if not os.access(folder, os.W_OK):
            raise CidError(f"{folder} cannot be written", hint="CID_HOME=FOLDER names another place")
    except CidError as error:
        return Check("disk", good=False, found=error.message, mend=error.hint, needed=True)
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.0f} GB free at {home.root}"
    return Check("disk", free > _ROOM, found, "" if free > _ROOM else "make room, or point CID_HOME elsewhere")
