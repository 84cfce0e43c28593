"""Work trees in which runs are made again: one commit of the past each, in the user's folder, and who is in it."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from containerid.errors import CidError
from containerid.git import Repository
from containerid.home import Home, keep
from containerid.runs.registry import Run

_FOLDER, _NOTE = "again", ".run"
_DAY = 86400.0


def place(home: Home, run: Run) -> Path:
    """A folder that is not there yet, for a run to be made again in; a reproduction that goes on keeps its own."""
    parent = home.folder(_FOLDER)
    names = (parent / f"{run.run}{f'-{number}' if number else ''}" for number in range(1000))
    free = next(name for name in names if not name.exists())
    free.with_name(free.name + _NOTE).unlink(missing_ok=True)
    return free


def note(home: Home, folder: Path, run: str) -> None:
    """Keep which run was started there; `folder` is the tree or lies in it."""
    tree = _tree(home, folder)
    keep(tree.with_name(tree.name + _NOTE), run.encode())


def clear(home: Home, folder: Path) -> None:
    """Take a tree away, with whatever lies in it, and let its repository forget it.

    Args:
        home: the user's folder.
        folder: the tree, or a folder in it.

    Raises:
        OSError: it stays.
    """
    tree = _tree(home, folder)
    with suppress(CidError):
        # Git does not remove the folder that it stands in.
        Repository.open(Repository.open(tree).store.parent).clear(tree)
    if tree.exists():
        shutil.rmtree(tree)
    tree.with_name(tree.name + _NOTE).unlink(missing_ok=True)


def survey(home: Home, runs: Iterable[Run]) -> Iterator[tuple[Path, list[Run], str]]:
    """Every tree that is there, with the runs in it; where there are none, with why it must stay all the same."""
    known = list(runs)
    for tree in sorted(home.folder(_FOLDER).iterdir()):
        if not tree.is_dir() or tree.is_symlink():
            continue
        noted = _noted(tree)
        inside = [run for run in known if run.run == noted or _is_in(run, tree)]
        yield tree, inside, "" if inside else _unclaimed(tree, noted)


def needed(home: Home, folder: Path, runs: Iterable[Run]) -> bool:
    """Whether a run that is not over is in the tree that a folder lies in."""
    tree = _tree(home, folder)
    return any(not run.state.final for found, inside, _ in survey(home, runs) if found == tree for run in inside)


def _unclaimed(tree: Path, noted: str) -> str:
    if noted:
        return f"of {noted}, which is no run of this registry"
    return "it is of today" if time.time() - tree.stat().st_mtime < _DAY else ""


def _is_in(run: Run, tree: Path) -> bool:
    """A run on this machine works in it, and a submit that was cut short would be gone on with from there."""
    places = (run.folder, str((run.spec.get("code") or {}).get("folder") or ""))
    return any(Path(each).is_relative_to(tree) for each in places if each)


def _noted(tree: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return tree.with_name(tree.name + _NOTE).read_text(encoding="utf-8")
    return ""


def _tree(home: Home, folder: Path) -> Path:
    root = home.root / _FOLDER
    return root / folder.relative_to(root).parts[0]
