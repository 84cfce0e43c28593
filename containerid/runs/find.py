"""Which run is meant: a run id or the start of one, an experiment, a slug, `owner/slug`, a kernel's URL, or nothing."""

import re

from containerid.errors import NotFound, UsageError
from containerid.job import State
from containerid.runs.registry import Registry, Run

_URL = re.compile(r"https?://[^/]+/(?:code|kernels?)/([^/?#]+/[^/?#]+)")
_HANDLE = re.compile(r"([\w.-]+/([\w.-]+))(?:/(\d+))?")


def find(registry: Registry, name: str = "", *, backend: str = "kaggle") -> Run:
    """The run that `name` means; the latest when it is empty. One that never reached its platform comes last.

    An `owner/slug` that the registry has never seen is a foreign kernel, and so is `owner/slug/N`, one version of any:
    a run on `backend` without a spec, not recorded.

    Raises:
        NotFound: nothing fits.
        UsageError: the start of an id fits several runs.
    """
    runs = sorted(registry.runs(), key=lambda run: run.state.final and not run.handle)
    if not name:
        if not runs:
            raise NotFound("there is no run yet", hint="cid train --rehearse -e smoke")
        return runs[0]
    name = _handle(name)
    return _exactly(runs, name) or _by_start(runs, name) or _foreign(name, backend)


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
        raise UsageError(f"{name} is the start of {len(found)} runs: {shown}", hint="cid ls")
    return found[0] if found else None


def _foreign(name: str, backend: str) -> Run:
    match = _HANDLE.fullmatch(name)
    if not match:
        raise NotFound(f"no run, experiment or kernel is called {name}", hint="cid ls")
    return Run(run=match[2], backend=backend, handle=match[1], version=match[3] or "", state=State.QUEUED)
