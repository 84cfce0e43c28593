"""Clean up after runs: look first, delete what nobody needs, and more only when told to."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from containerid.errors import CidError, Refused
from containerid.events import Caution, Step
from containerid.git import Repository
from containerid.home import Home
from containerid.job import Tell
from containerid.kaggle.control import remote_of
from containerid.kaggle.estate import Estate, open_estate
from containerid.runs import trees
from containerid.runs.leftovers import Item, Leftovers
from containerid.runs.registry import Registry


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is, and where it was looked for.

    Attributes:
        items: all that cid has made.
        folder: whose repository's remote was looked at.
        backend: whose account was.
    """

    items: tuple[Item, ...]
    folder: Path
    backend: str


def survey(folder: Path, *, home: Home, backend: str = "kaggle", tell: Tell | None = None) -> Survey:
    """Look at all that cid makes. Nothing is deleted; a place that does not answer is left out.

    Args:
        folder: in the repository whose remote is looked at.
        home: the user's folder.
        backend: `kaggle` or `rehearsal`.
        tell: gets a Caution for each place that does not answer.
    """
    tell = tell or (lambda _: None)
    estate, found = open_estate(home, backend), Leftovers(Registry(home.registry).runs(), home)
    items: list[Item] = []
    told: set[str] = set()
    places = (partial(found.kernels, estate), partial(found.datasets, estate), partial(found.refs, folder))
    for look in places:
        try:
            items += look()
        except CidError as error:
            if error.message not in told:
                tell(Caution(f"not looked at: {error.message}"))
            told.add(error.message)
    return Survey((*items, *found.parcels(), *found.uploads(), *found.trees()), folder, backend)


def sweep(
    surveyed: Survey, items: Iterable[Item], *, home: Home, tell: Tell | None = None, forced: bool = False
) -> list[Item]:
    """Delete.

    Args:
        surveyed: what `items` is a part of.
        items: to be deleted.
        home: the user's folder.
        tell: gets a step for each, a Caution for each that cannot be deleted.
        forced: kernels go although they are still needed.

    Returns:
        What was deleted.
    """
    tell = tell or (lambda _: None)
    estate, gone = open_estate(home, surveyed.backend), []
    for item in items:
        try:
            _delete(item, surveyed.folder, estate, home, forced=forced)
        except CidError as error:
            tell(Caution(f"{item.name} stays: {error.message}"))
        else:
            tell(Step("deleted", f"{item.kind} {item.name}"))
            gone.append(item)
    return gone


def _delete(item: Item, folder: Path, estate: Estate, home: Home, *, forced: bool) -> None:
    if not (item.goes or (forced and item.kind == "kernel")):
        raise Refused(item.why)
    if item.kind == "kernel":
        _delete_kernel(item, estate, home, forced=forced)
    elif item.kind == "dataset":
        estate.delete_dataset(item.name)
    elif item.kind == "ref":
        _delete_refs(folder, [item.name])
    elif item.kind == "tree":
        trees.clear(home, home.root / "again" / item.name)
    else:
        _delete_path(home.root / ("parcels" if item.kind == "parcel" else "uploads") / item.name)


def _delete_path(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _delete_kernel(item: Item, estate: Estate, home: Home, *, forced: bool) -> None:
    """Looked at once more: since the survey somebody may have started it again."""
    if not forced and (live := estate.sessions({item.name: estate.kernels().get(item.name, 1)})):
        raise Refused(f"version {live[0].version} is {live[0].state}")
    estate.delete_kernel(item.name)
    registry = Registry(home.registry)
    for run in _runs_of(registry, item.name):
        with registry.writing():
            registry.note(run, registry.get(run).state, f"its kernel {item.name} was deleted by cid gc")


def _runs_of(registry: Registry, handle: str) -> Iterator[str]:
    return (run.run for run in registry.runs() if handle in {run.handle, *(leg["handle"] for leg in run.legs)})


def _delete_refs(folder: Path, refs: Sequence[str]) -> None:
    repository = Repository.open(folder)
    remote = remote_of(repository, folder)
    if remote is None or (refusal := repository.unmark(remote, refs)):
        raise Refused(refusal if remote else "there is no remote any more")
