"""Bring a run's outputs here, verify them, and file them under runs/<run>."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from containerid.backends import open_backend
from containerid.crew import at_once
from containerid.errors import CidError, OutputsUnverified, StillRunning
from containerid.events import Caution, Step
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.paths import Wish
from containerid.runs.registry import Registry, Run
from containerid.runs.transfer import Delivery, bring, keep_log
from containerid.runs.watch import look


def fetch(
    run: Run,
    *,
    home: Home,
    to: Path | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    tell: Tell | None = None,
) -> Run:
    """Download a run's outputs and its log, and check them against its manifest.

    Args:
        run: a run of the registry, or a foreign kernel as `find` gives it.
        home: the user's folder.
        to: the folder to write into, and nothing besides it; `runs/<run>` in the project by default.
        include: globs of the outputs to fetch, such as `*.pt` or `weights/*`; all by default.
        exclude: globs of those to leave out.
        tell: gets a `Fetched` event a file.

    Returns:
        The run with `outputs` and `verified`. A foreign kernel has no manifest and is never verified; a part of the
        outputs, asked for as such, leaves what is known about the whole as it was.

    Raises:
        StillRunning: it has not ended; outputs appear at its end.
        OutputsUnverified: some of what was asked for is missing or differs; what is good has been written.
    """
    tell = tell or (lambda _: None)
    run = look(run, home=home, tell=tell)
    if not run.state.final:
        raise StillRunning(f"{run.run} is {run.state}; its outputs appear when it ends", hint=f"cid logs {run.run} -f")
    backend = open_backend(run.backend, home)
    folder = to or Path(run.folder or Path.cwd()) / "runs" / run.run
    wish = Wish(tuple(include), tuple(exclude))
    log = at_once(lambda leg: list(backend.logs(leg, follow=False)), [run.leg], 1)
    delivery = bring(backend, run, folder, tell, wish)
    try:
        keep_log(next(log), folder, run.run)
    except CidError as error:
        tell(Caution(f"the log did not arrive: {error.message}"))
    return _file(run, delivery, home) if wish.everything else _file_part(run, delivery, home, tell)


def _file(run: Run, delivery: Delivery, home: Home) -> Run:
    if not run.ours:
        _must_be_whole(run, delivery)
        return replace(run, outputs=str(delivery.folder), verified=False)
    run = Registry(home.registry).set_outputs(run.run, delivery.folder, verified=delivery.verified)
    if not delivery.verified:
        raise OutputsUnverified(_what_is_wrong(delivery), hint=f"cid fetch {run.run}")
    return run


def _file_part(run: Run, delivery: Delivery, home: Home, tell: Tell) -> Run:
    """What was not asked for is not missed, and nothing is said about the run as a whole."""
    _must_be_whole(run, delivery)
    if not delivery.files:
        raise OutputsUnverified(f"no output of {run.run} fits", hint=f"cid fetch {run.run}")
    tell(Step("verified" if delivery.verified else "not verified", f"what was asked for, in {delivery.folder}"))
    if run.ours and not run.outputs:
        return Registry(home.registry).set_outputs(run.run, delivery.folder, verified=False)
    return run


def _must_be_whole(run: Run, delivery: Delivery) -> None:
    if delivery.missing:
        raise OutputsUnverified(_what_is_wrong(delivery), hint=f"cid fetch {run.run}")


def _what_is_wrong(delivery: Delivery) -> str:
    if not delivery.missing:
        return f"{delivery.folder} has no manifest, so nothing could be checked"
    shown = ", ".join(delivery.missing[:5]) + (" …" if len(delivery.missing) > 5 else "")
    return f"{len(delivery.missing)} outputs are missing or not the manifest's: {shown}"
