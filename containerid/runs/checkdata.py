"""Looking at a detection set where it lies: which one is meant, what its project asks of it, and where results stay."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from containerid.dataset import check, pixels, sets, tasks
from containerid.dataset.mend import Mended, mend
from containerid.errors import ConfigError, UsageError
from containerid.home import Home

_PARTS = frozenset({"images", "labels", "train", "val", "valid", "test"})
_MADE_BY = "data.yaml with `train:`, `val:` and `names:` belongs there"


@dataclass(frozen=True, slots=True)
class Checked:
    """A set that was looked at.

    Attributes:
        file: its data.yaml.
        report: what was found.
        mended: the new set, where one was asked for.
    """

    file: Path
    report: check.Report
    mended: Mended | None = None

    def document(self) -> dict[str, Any]:
        """Plain JSON types: the report, and where a mended copy is."""
        document = {"set": str(self.file.parent), **self.report.document()}
        if self.mended:
            errors = [str(finding) for finding in self.mended.errors]
            fixes = [asdict(fix) for fix in self.mended.fixes]
            document["mended"] = {"folder": str(self.mended.folder), "fixes": fixes, "errors": errors}
        return document


def check_data(path: str, *, folder: Path, home: Home, deep: bool = False, fix: bool = False) -> Checked:
    """Check a set.

    Args:
        path: a folder or a data.yaml; empty for the project's own.
        folder: where the user stands.
        home: where results are kept.
        deep: decode every image too.
        fix: write a mended copy beside it.

    Raises:
        UsageError: there is no such set, or decoding needs packages that are not there.
        ConfigError: params.yaml cannot be used.
    """
    if deep and (absent := pixels.missing()):
        raise UsageError(f"--deep needs {' and '.join(absent)}", hint=pixels.INSTALL)
    minimum, named, task = _asked(folder, path)
    file = _find(folder / named)
    if not file.is_file():
        missing = sets.DatasetError(file, 0, "is not there", _MADE_BY)
        return Checked(file, check.refuse(missing))
    dataset = sets.survey(file)
    report = check.check(dataset, minimum, deep=deep, keep=home.folder("checks"))
    report = tasks.settle(report, task)
    return Checked(file, report, mend(dataset, report, minimum, task) if fix and dataset.splits else None)


def find_set(path: str, folder: Path) -> Path:
    """The data.yaml that a path means, or the project's own where it is empty; it need not be there.

    Raises:
        UsageError: there is no such set.
        ConfigError: params.yaml cannot be used.
    """
    return _find(folder / _asked(folder, path)[1])


def _asked(folder: Path, path: str) -> tuple[Mapping[str, int], str, str]:
    """The limits, the folder and the task that the project's params.yaml names; without one, the defaults."""
    from containerid import config

    try:
        found = config.find(folder)
    except ConfigError:
        return check.MINIMUM, path or ".", "detect"
    params = config.load(found).params()
    return params.data.minimum.model_dump(), path or os.fspath(found.parent / params.data.path), params.model.task


def _find(path: Path) -> Path:
    if path.is_file() and path.suffix.lower() in {".yaml", ".yml"}:
        return path
    if not path.is_dir():
        raise UsageError(f"{path} is no folder and no data.yaml", hint="cid data check FOLDER")
    if found := sets.find_yaml(path):
        return found
    if any((path / part).is_dir() for part in _PARTS):
        return path / sets.YAML
    raise UsageError(f"{path} holds no {sets.YAML}", hint="cid data check FOLDER, with data.yaml in it")
