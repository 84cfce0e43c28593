"""Looking at a set where it lies: which one is meant, what its project asks of it, and where results stay."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.dataset import check, classes, pixels, sets, tasks
from containerid.dataset.mend import Mended, mend
from containerid.errors import ConfigError, RunFailed, UsageError
from containerid.events import Caution
from containerid.home import Home
from containerid.job import Tell

if TYPE_CHECKING:
    from containerid.config import Params

_FIRST = 5
"""Errors that are told of a set that no run may be made of."""
_PARTS = frozenset({"images", "labels", "train", "val", "valid", "test"})
_MADE_BY = "data.yaml with `train:`, `val:` and `names:` belongs there"


@dataclass(frozen=True, slots=True)
class Checked:
    """A set that was looked at.

    Attributes:
        file: its data.yaml; the folder of a classification set.
        report: what was found.
        folder: where the set is.
        mended: the new set, where one was asked for.
    """

    file: Path
    report: check.Report
    folder: Path
    mended: Mended | None = None

    def document(self) -> dict[str, Any]:
        """Plain JSON types: the report, and where a mended copy is."""
        document = {"set": str(self.folder), **self.report.document()}
        if self.mended:
            errors = [str(finding) for finding in self.mended.errors]
            fixes = [asdict(fix) for fix in self.mended.fixes]
            document["mended"] = {"folder": str(self.mended.folder), "fixes": fixes, "errors": errors}
        return document


def check_data(
    path: str, *, folder: Path, home: Home, deep: bool = False, fix: bool = False, task: str = ""
) -> Checked:
    """Check a set.

    Args:
        path: a folder or a data.yaml; empty for the project's own.
        folder: where the user stands.
        home: where results are kept.
        deep: decode every image too.
        fix: write a mended copy beside it.
        task: what the set is for, one of `tasks.TASKS`; empty takes that of params.yaml.

    Raises:
        UsageError: there is no such set or task, or what is asked cannot be done with it.
        ConfigError: params.yaml cannot be used.
    """
    if deep and (absent := pixels.missing()):
        raise UsageError(f"--deep needs {' and '.join(absent)}", hint=pixels.INSTALL)
    minimum, named, own = _asked(folder, path)
    place, task = folder / named, known(task) or own
    if task == tasks.CLASSIFY or (path and classes.is_sorted(place)):
        if fix:
            hint = f"cid data check {path}".rstrip()
            raise UsageError(f"--fix knows detection sets; {place.name} is sorted into classes", hint=hint)
        return Checked(place, _sorted_into_classes(place, minimum, home, deep=deep), place)
    file = _find(place, "cid data check")
    dataset, report = _survey(file, minimum, task, home, deep=deep)
    mended = mend(dataset, report, minimum, task) if fix and dataset and dataset.splits else None
    return Checked(file, report, dataset.root if dataset else file.parent, mended)


def require(source: str, params: "Params", *, folder: Path, home: Home, tell: Tell) -> check.Report | None:
    """Look at the set that a run is to be made of, before anything of it is sent.

    Args:
        source: its folder, absolute.
        params: for the model's task, the limits, and which set is the project's own.
        folder: the project's.
        home: where results are kept: of a set that has not changed they are taken.
        tell: gets the first errors.

    Returns:
        What was found; None where the project trains with a module of its own, whose business the data is.

    Raises:
        RunFailed: it has errors.
    """
    from containerid.config import ENTRY

    if params.training.entry != ENTRY:
        return None
    place, minimum, task = Path(source), params.data.minimum.model_dump(), params.model.task
    if task == tasks.CLASSIFY:
        report = _sorted_into_classes(place, minimum, home)
    else:
        _, report = _survey(sets.find_yaml(place) or place / sets.YAML, minimum, task, home)
    for finding in report.errors[1:_FIRST]:  # the first is in the refusal itself
        tell(Caution(f"{finding}{f' ({finding.fix})' if finding.fix else ''}"))
    if report.errors:
        own = place == folder / params.data.path
        raise RunFailed(report.verdict, hint="cid data check" if own else f"cid data check {place}")
    return report


def known(task: str) -> str:
    """A task that was asked for. Raises UsageError when there is none of that name."""
    if task not in {"", *tasks.TASKS}:
        raise UsageError(f"{task!r} is no task", hint=f"--task {'|'.join(tasks.TASKS)}")
    return task


def _survey(
    file: Path, minimum: Mapping[str, int], task: str, home: Home, *, deep: bool = False
) -> tuple[sets.Dataset | None, check.Report]:
    if not file.is_file():
        return None, check.refuse(sets.DatasetError(file, 0, "is not there", _MADE_BY))
    dataset = sets.survey(file)
    report = check.check(dataset, minimum, task=task, deep=deep, keep=home.root / "checks")
    if lacking := tasks.lacking(dataset, task):
        report.findings[:0] = check.refuse(lacking).findings
    return dataset, report


def _sorted_into_classes(place: Path, minimum: Mapping[str, int], home: Home, *, deep: bool = False) -> check.Report:
    if not place.is_dir():
        raise UsageError(f"{place} is no folder", hint="cid data check FOLDER")
    try:
        return classes.check(classes.read(place), minimum, deep=deep, keep=home.root / "checks")
    except sets.DatasetError as error:
        return check.refuse(error)


def find_set(path: str, folder: Path, command: str = "cid data stats", *, task: str = "") -> tuple[Path, str]:
    """The data.yaml that a path means, or the project's own where it is empty; and what it is for.

    Args:
        path: as the user gave it.
        folder: where the user stands.
        command: for the hint.
        task: what the user says that the set is for.

    Returns:
        The file, which need not be there, or the folder of a classification set; and the task: the one that was given,
        that of params.yaml for the project's own set, or empty.

    Raises:
        UsageError: there is no such set.
        ConfigError: params.yaml cannot be used.
    """
    _, named, own = _asked(folder, path)
    place, task = folder / named, task or ("" if path else own)
    if task in {"", tasks.CLASSIFY} and place.is_dir() and (task or classes.is_sorted(place)):
        return place, tasks.CLASSIFY
    if task and place.is_dir() and classes.is_sorted(place):
        message = f"{place} is sorted into classes, and holds nothing for --task {task}"
        raise UsageError(message, hint=f"{command} {path} --task {tasks.CLASSIFY}")
    return _find(place, command), task


def _asked(folder: Path, path: str) -> tuple[Mapping[str, int], str, str]:
    """The limits, the folder and the task that the project's params.yaml names; without one, the defaults."""
    from containerid import config

    try:
        found = config.find(folder)
    except ConfigError:
        return check.MINIMUM, path or ".", "detect"
    params = config.load(found).params()
    return params.data.minimum.model_dump(), path or os.fspath(found.parent / params.data.path), params.model.task


def _find(path: Path, command: str) -> Path:
    if path.is_file() and path.suffix.lower() in {".yaml", ".yml"}:
        return path
    if not path.is_dir():
        raise UsageError(f"{path} is no folder and no data.yaml", hint=f"{command} FOLDER")
    if found := sets.find_yaml(path):
        return found
    if any((path / part).is_dir() for part in _PARTS):
        return path / sets.YAML
    raise UsageError(f"{path} holds no {sets.YAML}", hint=f"{command} FOLDER, with data.yaml in it")
