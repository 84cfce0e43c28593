"""Names of promoted models, `detection_v1.4_20261121_exp001`, and what their tags say."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from containerid import versioned
from containerid.git import Repository, Tag
from containerid.job import State
from containerid.runs.registry import Run

_NAME = re.compile(r"(?P<kind>.+)_v(?P<major>\d+)\.(?P<minor>\d+)_(?P<date>\d{8})_(?P<experiment>.+)")
_UNFIT = re.compile(r"\.lock$|\.+$|\.{2,}|[^A-Za-z0-9._-]")
_ROW = re.compile(r"([\w/.-]+): (.*)")


@dataclass(frozen=True, slots=True)
class Version:
    """A promoted model's name.

    Attributes:
        kind: the last part of the folder that holds it.
        date: of the promotion, UTC, `YYYYMMDD`.
        experiment: its name; `base` for the base section.
    """

    kind: str
    major: int
    minor: int
    date: str
    experiment: str

    def __str__(self) -> str:
        return f"{self.kind}_v{self.major}.{self.minor}_{self.date}_{self.experiment}"

    @classmethod
    def read(cls, name: str) -> Self | None:
        """The version that a tag's name stands for; None for any other tag."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        return cls(found["kind"], int(found["major"]), int(found["minor"]), found["date"], found["experiment"])


def following(names: Iterable[str], kind: str, experiment: str, date: str, *, major: bool) -> Version:
    """The next version: the first is 1.0, then the minor number counts, and `major` begins the next whole one.

    Args:
        names: of all tags, here and on the remote.
        kind: see `Version`.
        experiment: in any words; what a tag's name cannot hold becomes `-`.
        date: `YYYYMMDD`.
        major: count the major number instead.
    """
    known = [(each.major, each.minor) for name in names if (each := Version.read(name)) and each.kind == kind]
    highest = max(known, default=(0, -1) if major else (1, -1))
    number = (highest[0] + 1, 0) if major else (highest[0], highest[1] + 1)
    return Version(kind, *number, date, _UNFIT.sub("-", experiment) or "base")


def facts(tag: Tag) -> dict[str, str]:
    """The rows `name: value` of a tag's message."""
    return {row[1]: row[2] for line in tag.message.splitlines() if (row := _ROW.fullmatch(line.strip()))}


def message(run: Run, version: str, path: str) -> str:
    """What a tag says about its model, a row a fact; `path` is the folder that holds it, from the root."""
    rows = {"run": run.run, "experiment": run.experiment or "base", "path": path, "code": run.sha}
    gates = run.spec.get("params", {}).get("gates") or {}
    looked = "missed" if run.state is State.FAILED else "met" if gates else "none"
    return versioned.message(version, rows, run.result.metrics if run.result else {}, looked)


def promoted(repository: Repository) -> Sequence[tuple[Version, Tag]]:
    """The promoted models of a repository, the newest first."""
    found = ((Version.read(tag.name), tag) for tag in repository.tags())
    return [(version, tag) for version, tag in found if version and "path" in facts(tag)]
