"""What runs have left on Kaggle, on the remote and here: what of it may go, and why the rest stays."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from containerid.errors import CidError
from containerid.git import MODELS, RUNS, Remote, Repository
from containerid.home import Home
from containerid.job import State
from containerid.kaggle import control
from containerid.kaggle.estate import Estate, Session
from containerid.kaggle.handover import carrier
from containerid.kaggle.scratch import remains
from containerid.runs import trees
from containerid.runs.registry import Run
from containerid.runs.verify import verify
from containerid.runs.versions import facts, promoted

_LOOKED_AT = timedelta(days=14)
"""A set of images that was used within this time is likely to be used again, and would have to be sent again."""

FOREIGN = "of no run of this registry"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that cid has made.

    Attributes:
        kind: `kernel`, `dataset`, `ref`, `parcel`, `upload` or `tree`.
        goes: nobody needs it any more.
        why: it goes, or stays.
    """

    kind: str
    name: str
    goes: bool
    why: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def resumable(run: Run) -> bool:
    """Another leg can go on from what the last one left, or one before it."""
    kept = bool(run.result and run.result.checkpoint) or any(leg["epoch"] for leg in run.legs)
    return run.state is State.PAUSED or (run.state in {State.FAILED, State.CANCELLED} and kept)


def needs(run: Run) -> str:
    """Why what belongs to a run must stay; empty when it is done with."""
    if not run.state.final:
        return f"{run.run} is {run.state}"
    return f"cid resume {run.run} needs it" if resumable(run) else ""


class Leftovers:
    """Looks through what there is.

    Args:
        runs: of the registry, all of them.
        home: the user's folder.
    """

    def __init__(self, runs: list[Run], home: Home) -> None:
        self._runs = {run.run: run for run in runs}
        self._home = home

    def kernels(self, estate: Estate) -> Iterator[Item]:
        """Kernels on Kaggle."""
        found = estate.kernels()
        live = {each.handle: each for each in estate.sessions(found)}
        for name, versions in found.items():
            why = self._keeps(name, versions, live.get(name), estate.cargo(name))
            yield Item("kernel", name, not why, why or "its outputs are here, whole")

    def _keeps(self, name: str, versions: int, live: Session | None, cargo: Mapping[str, Any]) -> str:
        """Why a kernel must stay; empty when it may go."""
        if live:
            return f"version {live.version} is {live.state}"
        spec = cargo.get("spec") or {}
        run = self._runs.get(str(spec.get("run")))
        if run is None:
            return FOREIGN
        if versions > 1:
            return f"it holds {versions} versions"
        if name not in {run.handle, *(leg["handle"] for leg in run.legs)}:
            return f"{run.run} has no such leg"
        return needs(run) or self._unsaved(run)

    def _unsaved(self, run: Run) -> str:
        if not run.outputs:
            return f"its outputs were not fetched (cid fetch {run.run})"
        try:
            whole = verify(run, home=self._home).verified
        except CidError as error:
            return error.message
        return "" if whole else f"its outputs here are not whole (cid fetch {run.run})"

    def datasets(self, estate: Estate) -> Iterator[Item]:
        """Datasets on Kaggle."""
        users, wishes = (
            self._users(estate.owner),
            self._wishes(lambda run, leg: control.dataset(estate.owner, run, leg)),
        )
        for name in estate.datasets():
            slug = name.partition("/")[2]
            if slug.startswith("cid-vault"):
                yield Item("dataset", name, goes=False, why="the key of your secrets")
            elif slug.startswith("cid-control-"):
                yield Item("dataset", name, *wishes.get(name, (False, FOREIGN)))
            else:
                yield Item("dataset", name, *self._used(slug, users.get(name, [])))

    def _users(self, owner: str) -> dict[str, list[Run]]:
        """Dataset to the runs that read it."""
        users: dict[str, list[Run]] = {}
        for run in self._runs.values():
            spec = run.spec
            data, code, past = (spec.get(part) or {} for part in ("data", "code", "past"))
            names = {data.get("source") if data.get("provider") == "kaggle" else "", code.get("dataset")}
            names |= {past.get("source") if past.get("kind") == "dataset" else ""}
            names |= {carrier(owner, run.run, leg) for leg in _legs(run)}
            for name in filter(None, names):
                users.setdefault(name, []).append(run)
        return users

    def _used(self, slug: str, users: list[Run]) -> tuple[bool, str]:
        if not users:
            return False, FOREIGN
        if needed := next(filter(None, map(needs, users)), ""):
            return False, needed
        since = datetime.now(UTC) - max(datetime.fromisoformat(run.created) for run in users)
        if slug.startswith("cid-data-") and since < _LOOKED_AT:
            return False, f"images last used {since.days} days ago: the next run would send them again"
        return True, f"{len(users)} runs have used it, all are over"

    def _wishes(self, name: Callable[[str, int], str]) -> dict[str, tuple[bool, str]]:
        """What asks a leg to stop, to whether that is over and why."""
        found = {}
        for run in self._runs.values():
            for leg in _legs(run):
                over = run.state.final or leg < max(_legs(run))
                why = "the session that it asked to stop has ended" if over else f"{run.run} is {run.state}"
                found[name(run.run, leg)] = (over, why)
        return found

    def refs(self, folder: Path) -> Iterator[Item]:
        """Refs of cid's on the remote of the repository that a folder lies in."""
        try:
            repository = Repository.open(folder)
            remote = control.remote_of(repository, folder)
        except CidError:
            return
        wishes, versions = self._wishes(control.mark), _versions(repository, remote)
        for ref, sha in sorted(repository.marks(remote).items()) if remote else ():
            if remote and ref.startswith(RUNS):
                branch = partial(repository.branch_of, remote, sha)
                yield Item("ref", ref, *self._holds(self._runs.get(ref.removeprefix(RUNS)), branch))
            elif ref.startswith(MODELS):
                yield Item("ref", ref, *self._models(ref.removeprefix(MODELS), versions))
            else:
                yield Item("ref", ref, *wishes.get(ref, (False, FOREIGN)))

    def _models(self, name: str, versions: Mapping[str, str]) -> tuple[bool, str]:
        if name not in self._runs:
            return False, FOREIGN
        if name in versions:
            return True, f"{name} was promoted to {versions[name]}"
        return False, f"the model of {name}, which was not promoted (cid promote {name})"

    def _holds(self, run: Run | None, branch: Callable[[], str]) -> tuple[bool, str]:
        if run is None:
            return False, FOREIGN
        if needed := needs(run):
            return False, needed
        if held := branch():
            return True, f"{held} holds the commit too"
        if run.state is State.SUCCEEDED:
            return False, f"it alone holds the code of {run.run}, which succeeded"
        return True, f"{run.run} is {run.state}"

    def parcels(self) -> Iterator[Item]:
        """What was sent for runs, as it is kept here."""
        for path in sorted(self._home.folder("parcels").iterdir()):
            run = self._runs.get(path.name)
            if run is None:
                yield Item("parcel", path.name, goes=False, why=FOREIGN)
                continue
            source = run.backend == "local" and bool(run.handle)
            why = needs(run) or (self._unsaved(run) if source else "")
            over = "its outputs are here, whole; no fetch brings them again" if source else f"{run.run} is {run.state}"
            yield Item("parcel", path.name, not why, why or over)

    def uploads(self) -> Iterator[Item]:
        """What lies here to be sent, perhaps by a process that was killed."""
        for path, why in remains(self._home):
            yield Item("upload", path.name, not why, why or "whoever was sending it is gone")

    def trees(self) -> Iterator[Item]:
        """Work trees in which runs were made again."""
        for path, inside, stays in trees.survey(self._home, self._runs.values()):
            why = stays or next(filter(None, (needs(run) or _kept_in(path, run) for run in inside)), "")
            over = f"{inside[0].run} is {inside[0].state}" if inside else "no run came of it"
            yield Item("tree", path.name, not why, why or over)


def _versions(repository: Repository, remote: Remote | None) -> dict[str, str]:
    """Runs to the versions that the remote has of their models."""
    there = repository.tags_of(remote) if remote else {}
    return {facts(tag).get("run", ""): tag.name for _, tag in promoted(repository) if tag.name in there}


def _kept_in(tree: Path, run: Run) -> str:
    inside = run.outputs and Path(run.outputs).is_relative_to(tree)
    return f"the outputs of {run.run} are in it" if inside else ""


def _legs(run: Run) -> list[int]:
    return list(range(1, max(len(run.legs), int(run.spec.get("leg") or 1)) + 1))
