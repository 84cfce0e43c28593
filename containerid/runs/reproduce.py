"""Make a run again: the same commit in a work tree of its own, the same parameters, the same data.

What cannot be the same is said before anything starts; what must be the same and is not, is refused.
"""

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from containerid.errors import GitError, UsageError
from containerid.events import Caution, Step
from containerid.home import Home
from containerid.job import Data, Tell
from containerid.report.origins import flatten
from containerid.report.outputs import Outputs
from containerid.runs import trees
from containerid.runs.compare import outputs_of
from containerid.runs.data import is_set
from containerid.runs.draft import Ask
from containerid.runs.ending import must_have_ended
from containerid.runs.fetch import fetch
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request
from containerid.runs.submit import submit
from containerid.runs.watch import look, watch

_CHANGEABLE = ("training.device",)
"""Parameters that say on what to train."""

_TELLING = (
    *("python", "torch", "torchvision", "ultralytics", "timm", "albumentations", "numpy", "scipy", "pillow"),
    *("opencv-python", "opencv-python-headless", "containerid"),
)
"""Packages whose versions are most likely to be seen in the metrics."""

_FEW = 5
"""How many packages are named one by one."""


@dataclass(frozen=True, slots=True)
class Again:
    """A run that is made again.

    Attributes:
        before: the run as it was.
        run: the new one.
        folder: the commit's work tree; the new run needs it for as long as it goes on on this machine.
    """

    before: Run
    run: Run
    folder: Path

    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Every metric `before`, `after`, and the `difference`; None where one of them is not known."""
        first, second = (outputs_of(run).metrics for run in (self.before, self.run))
        return {
            name: {
                "before": first.get(name),
                "after": second.get(name),
                "difference": second[name] - first[name] if name in first and name in second else None,
            }
            for name in dict.fromkeys([*first, *second])
        }

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**self.run.document(), "of": self.before.run, "difference": self.metrics()}


def reproduce(
    run: Run, *, home: Home, backend: str = "local", tell: Tell | None = None, ask: Ask | None = None
) -> Again:
    """Start a run again.

    Args:
        run: of the registry.
        home: the user's folder.
        backend: where; a name of `containerid.backends.TABLE`.
        tell: gets what happens, and what cannot be the same.
        ask: as for `submit`.

    Raises:
        StillRunning: it has not ended.
        NotFound: it never reached its platform.
        UsageError: the run was made from no commit, or the data is gone or not the same.
        GitError: the commit is gone.
    """
    tell = tell or (lambda _: None)
    run = look(run, home=home, tell=tell)
    must_have_ended(run)
    if not run.spec.get("code", {}).get("sha"):
        raise UsageError(f"{run.run} was made from no commit: its code is not known", hint="git init, then cid train")
    outputs = outputs_of(run)
    if not outputs.metrics:
        tell(Caution(f"{run.run} {run.state} without metrics: there will be nothing to compare with"))
    data = _data(run, outputs, backend)
    folder = _checkout(run, home, tell)
    try:
        request = _request(run, folder, backend, data, outputs)
        for caution in _cautions(outputs, backend):
            tell(Caution(caution))
        again = submit(request, home=home, tell=tell, ask=ask)
        trees.note(home, folder, again.run)
        return Again(run, _settle(again, run, home), folder)
    except BaseException:
        # A submit that was cut short is gone on with from there.
        if not trees.needed(home, folder, Registry(home.registry).runs()):
            _clear(home, folder)
        raise


def follow(again: Again, *, home: Home, tell: Tell | None = None) -> Again:
    """Wait for its end and bring its outputs to where the first run's project keeps them; its work tree goes.

    Raises:
        RunFailed and the others that tell how a run ended are left to the caller: see `runs.error_of`.
    """
    tell = tell or (lambda _: None)
    run = watch(again.run, home=home, tell=tell)
    _clear(home, again.folder)
    again = replace(again, run=fetch(run, home=home, tell=tell))
    if run.backend != "local":
        for caution in _apart(_installed(outputs_of(again.before)), _installed(outputs_of(again.run)), "there"):
            tell(Caution(caution))
    return again


def _request(run: Run, folder: Path, backend: str, data: Path | None, outputs: Outputs) -> Request:
    """What is to be asked for, so that the merged parameters are the run's own whatever made them so."""
    from containerid import config

    project = config.load(config.find(folder))
    experiment = run.experiment or None
    plain = flatten(project.params(experiment).to_dict())
    wanted = flatten(run.spec.get("params", {})) | _batch(run, outputs)
    differing = {name: value for name, value in wanted.items() if name not in plain or plain[name] != value}
    overrides = tuple(f"{name}={_word(value)}" for name, value in differing.items())
    made = flatten(project.params(experiment, overrides).to_dict())
    # A newer version knows parameters that the run could not have; those keep their defaults.
    wrong = sorted(name for name, value in wanted.items() if made.get(name) != value)
    if wrong:
        raise UsageError(f"these parameters cannot be what they were: {', '.join(wrong)}", hint=f"cid show {run.run}")
    return Request(
        backend=backend,
        folder=folder,
        experiment=experiment,
        overrides=overrides,
        quick=bool(run.spec.get("quick")),
        git="snapshot",
        data=str(data) if data else "",
        new=True,
    )


def _batch(run: Run, outputs: Outputs) -> dict[str, int]:
    """The batch that it has trained with in the end, where that is not the one that was asked for."""
    trained = outputs.metadata.number("batch")
    return {"training.batch_size": int(trained)} if trained and not run.spec.get("quick") else {}


def _word(value: object) -> str:
    return value if isinstance(value, str) and value and value[0].isalpha() and value.isalnum() else json.dumps(value)


def _data(run: Run, outputs: Outputs, backend: str) -> Path | None:
    """The folder that holds the very images; None where they need not be looked for here.

    Raises:
        UsageError: they are gone, or are not the same any more.
    """
    from containerid.training.data import digest

    data = Data.from_dict(run.spec.get("data", {}))
    wanted = outputs.metadata["data"].text("sha256") or data.digest
    places = [Path(data.source)] if data.provider == "folder" and data.source else []
    places.append(Path(run.folder) / outputs.params["data"].text("path"))
    there = [place for place in dict.fromkeys(places) if is_set(place)]
    if data.provider == "synthetic" or not wanted:
        return there[0] if data.provider == "folder" and there else None
    if same := next((place for place in there if digest(place) == wanted), None):
        return same
    if data.provider == "dvc" or (data.provider == "kaggle" and backend != "local"):
        return None
    what = f"{there[0]} is not what it was" if there else f"the data of {run.run} is gone"
    hint = f"bring back {places[0]}, then cid reproduce {run.run}"
    raise UsageError(f"{what}: SHA-256 {wanted[:12]}… is wanted", hint=hint)


def _checkout(run: Run, home: Home, tell: Tell) -> Path:
    from containerid.git import Repository

    code = run.spec["code"]
    sha = code["sha"]
    repository = Repository.open(Path(run.folder))
    if not repository.has(sha, code.get("remote", ""), code.get("ref", "")):
        raise GitError(
            f"the commit {sha[:12]} of {run.run} is gone, here and at its remote", hint="git fetch from a clone with it"
        )
    folder = trees.place(home, run)
    repository.checkout(sha, folder)
    tell(Step("code", f"{sha[:12]} in {folder}"))
    return folder / repository.folder


def _cautions(outputs: Outputs, backend: str) -> Iterator[str]:
    """What is not the same on this machine; of a platform the new run's own record tells, once it has ended."""
    from containerid.training.environment import packages

    if halved := outputs.metadata.docs("halved"):
        last = halved[-1]
        after, batch = (int(last.number(key) or 0) for key in ("after_epoch", "to"))
        yield f"memory ran out: the batch was halved to {batch} after epoch {after}, and is {batch} from the start"
    if backend == "local":
        yield from _apart(_installed(outputs), {"python": platform.python_version(), **packages()}, "here")


def _installed(outputs: Outputs) -> dict[str, str]:
    """Python and every package that a run has recorded, with its version; fewer where that is all it told."""
    environment = outputs.doc("environment")
    known = {**environment["versions"].plain, **outputs.metadata["packages"].plain}
    python = environment.text("python")
    return {**({"python": python} if python else {}), **{name: str(version) for name, version in known.items()}}


def _apart(before: Mapping[str, str], now: Mapping[str, str], where: str) -> Iterator[str]:
    """Versions that are not what they were: one by one those that count most, the others by their number."""
    differing = [name for name, version in before.items() if now.get(name) != version]
    single = [name for name in differing if name in _TELLING] if len(differing) > _FEW else differing
    for name in single:
        yield f"{name} was {before[name]}, and is {now.get(name) or 'not installed'} {where}"
    if others := [name for name in differing if name not in single]:
        shown = ", ".join(others[:_FEW]) + (" …" if len(others) > _FEW else "")
        yield f"{len(others)} more of {len(before)} packages are not the same {where}: {shown}"


def _settle(again: Run, before: Run, home: Home) -> Run:
    """The new run belongs to the first one's project: that is where its outputs are looked for later."""
    registry = Registry(home.registry)
    with registry.writing() as database:
        database.execute("UPDATE runs SET folder = ? WHERE run = ?", (before.folder, again.run))
    return registry.get(again.run)


def _clear(home: Home, folder: Path) -> None:
    """One that stays is in nobody's way; `cid gc` finds it."""
    with suppress(OSError):
        trees.clear(home, folder)
