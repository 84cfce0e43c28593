"""Which run is meant: a run id or the start of one, an experiment, a slug, `owner/slug`, a kernel's URL, or nothing."""

import re
from contextlib import suppress
from pathlib import Path

from containerid.dvc import upward
from containerid.errors import NotFound, UsageError
from containerid.events import Step
from containerid.job import State, Tell
from containerid.runs.registry import Registry, Run

_URL = re.compile(r"https?://[^/]+/(?:code|kernels?)/([^/?#]+/[^/?#]+)")
_HANDLE = re.compile(r"([\w.-]+/([\w.-]+))(?:/(\d+))?")


def find(
    registry: Registry,
    name: str = "",
    *,
    backend: str = "kaggle",
    here: Path | None = None,
    tell: Tell | None = None,
) -> Run:
    """The run that `name` means; the latest when it is empty. One that never reached its platform comes last.

    In a project's folder the latest run is that project's, and so is that of an experiment which it has run. Elsewhere
    it is the latest of all. An `owner/slug` that the registry has never seen is a foreign kernel, and so is
    `owner/slug/N`, one version of any: a run on `backend` without a spec, not recorded.

    Args:
        registry: the user's.
        name: what the user typed.
        backend: of a foreign kernel.
        here: where the user stands; the working folder by default.
        tell: is told which project a run is of that was not named by itself, unless that is the one here.

    Raises:
        NotFound: nothing fits, or the project here has no run yet.
        UsageError: the start of an id fits several runs.
    """
    runs = sorted(registry.runs(), key=lambda run: run.state.final and not run.handle)
    folder = project_here(here)
    mine = {each for each in {run.folder for run in runs} if each and Path(each).resolve() == folder}
    own = [run for run in runs if run.folder in mine]
    name = _handle(name)
    if not name:
        found = _latest(runs, own, folder)
    else:
        ordered = [*own, *(run for run in runs if run.folder not in mine)]
        found = _exactly(ordered, name) or _by_start(own, name) or _by_start(runs, name) or _foreign(name, backend)
    if tell and found.folder and name in {"", found.experiment} and found.folder not in mine:
        tell(Step("run", f"{found.run}, of {found.project} in {found.folder}"))
    return found


def project_here(here: Path | None = None) -> Path | None:
    """The folder of the project in which the user stands, links followed; None outside any."""
    with suppress(OSError):
        # As `config.find` does, but without its schemas, which take long to load.
        for each in upward(here or Path.cwd()):
            if (each / "params.yaml").is_file():
                return each.resolve()
            if (each / ".git").exists():
                return None
    return None


def _latest(runs: list[Run], own: list[Run], folder: Path | None) -> Run:
    if not runs:
        raise NotFound("there is no run yet", hint="cid train --rehearse -e smoke")
    if folder is not None and not own:
        raise NotFound(f"no run of the project in {folder} yet", hint="cid ls shows the others; their ids can be named")
    return (own or runs)[0]


def name_of(run: Run) -> str:
    """What a command takes for a run: its id; of a foreign kernel `owner/slug`, with the version where one is meant."""
    return "/".join(filter(None, (run.handle, run.version))) if is_foreign(run) else run.run


def is_foreign(run: Run) -> bool:
    """A kernel that this registry does not hold."""
    return bool(run.handle) and not run.ours


def _handle(name: str) -> str:
    match = _URL.match(name)
    return match[1] if match else name


def _exactly(runs: list[Run], name: str) -> Run | None:
    for fits in (
        lambda run: run.run == name,
        lambda run: run.handle == name,
        lambda run: run.handle.rpartition("/")[2] == name,
        lambda run: run.experiment == name,
    ):
        if found := next(filter(fits, runs), None):
            return found
    return None


def _by_start(runs: list[Run], name: str) -> Run | None:
    found = [run for run in runs if run.run.startswith(name)]
    if len(found) > 1:
        shown = ", ".join(run.run for run in found[:4])
        more = ", …" if len(found) > 4 else ""
        raise UsageError(f"{name} is the start of {len(found)} runs: {shown}{more}", hint="cid ls")
    return found[0] if found else None


def _foreign(name: str, backend: str) -> Run:
    match = _HANDLE.fullmatch(name)
    if not match:
        raise NotFound(f"no run, experiment or kernel is called {name}", hint="cid ls")
    return Run(run=match[2], backend=backend, handle=match[1], version=match[3] or "", state=State.QUEUED)
