"""Bring a run's outputs here, verify them, and file them under runs/<run>."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from containerid.backends import open_backend
from containerid.crew import at_once
from containerid.errors import CidError, NotFound, OutputsUnverified, StillRunning
from containerid.events import Caution, Step
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.cancel import deleted
from containerid.runs.ending import must_have_ended
from containerid.runs.find import name_of
from containerid.runs.paths import Wish
from containerid.runs.registry import Registry, Run
from containerid.runs.transfer import Delivery, bring, keep_log
from containerid.runs.verify import verify
from containerid.runs.watch import look


def fetch(
    run: Run,
    *,
    home: Home,
    to: Path | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    upload: bool = True,
    tell: Tell | None = None,
) -> Run:
    """Download a run's outputs and its log, and check them against its manifest.

    Args:
        run: a run of the registry, or a foreign kernel as `find` gives it.
        home: the user's folder.
        to: the folder to write into, and nothing besides it; `runs/<run>` in the project by default.
        include: globs of the outputs to fetch, such as `*.pt` or `weights/*`; all by default.
        exclude: globs of those to leave out.
        upload: also send what it recorded offline to W&B, if the user is logged in there.
        tell: gets a `Fetched` event a file.

    Returns:
        The run with `outputs` and `verified`. A foreign kernel has no manifest and is never verified; a part of the
        outputs, asked for as such, leaves what is known about the whole as it was.

    Raises:
        StillRunning: it has not ended; outputs appear at its end.
        NotFound: it never reached its platform, or what it left there is gone and nothing is here.
        Unreachable: nobody says whether it has ended.
        OutputsUnverified: some of what was asked for is missing or differs; what is good has been written.
    """
    tell = tell or (lambda _: None)
    run = look(run, home=home, tell=tell)
    must_have_ended(run)
    if not run.state.final:
        hint = f"cid logs {name_of(run)} -f"
        raise StillRunning(f"{name_of(run)} is {run.state}; its outputs appear when it ends", hint=hint)
    backend = open_backend(run.backend, home)
    folder = to or Path(run.folder or Path.cwd()) / "runs" / run.run
    wish = Wish(tuple(include), tuple(exclude))
    if gone := deleted(run, Registry(home.registry)):
        return _what_is_here(run, folder, NotFound(gone), home, tell)
    log = at_once(lambda leg: list(backend.logs(leg, follow=False)), [run.leg], 1)
    try:
        delivery = bring(backend, run, folder, tell, wish)
    except NotFound as error:
        return _what_is_here(run, folder, error, home, tell)
    try:
        keep_log(next(log), folder, run.run)
    except CidError as error:
        tell(Caution(f"the log did not arrive: {error.message}"))
    if not wish.everything:
        return _file_part(run, delivery, wish, home, tell)
    run = _file(run, delivery, home)
    run = _upload(run, home, tell) if upload else run
    _promote(run, home, tell)
    return run


def _what_is_here(run: Run, folder: Path, gone: NotFound, home: Home, tell: Tell) -> Run:
    """A run whose outputs nobody can bring again. Raises unless all of them are where they were asked for."""
    again = f"cid reproduce {run.run} makes it again"
    if not run.ours or not run.outputs or not Path(run.outputs).is_dir():
        raise NotFound(f"{gone.message}, and no outputs of {run.run} are here", hint=again) from gone
    findings = verify(run, home=home)
    if bad := [*findings.changed, *findings.missing]:
        what = f"{len(bad)} of the outputs here are missing or changed: {_some(bad)}"
        raise OutputsUnverified(f"{gone.message}, and {what}", hint=again) from gone
    if folder.resolve() != findings.folder.resolve():
        raise NotFound(f"{gone.message}; its outputs are in {findings.folder}, whole", hint="copy them") from gone
    tell(Step("fetched", f"nothing: {gone.message}, and all {len(findings.good)} outputs are here, whole"))
    return Registry(home.registry).get(run.run)


def _promote(run: Run, home: Home, tell: Tell) -> None:
    from containerid.runs import promotion

    promotion.after_fetch(run, home, tell)


def _upload(run: Run, home: Home, tell: Tell) -> Run:
    from containerid.runs import tracking

    return tracking.upload(run, Registry(home.registry), home=home, tell=tell)


def _file(run: Run, delivery: Delivery, home: Home) -> Run:
    if not run.ours:
        _must_be_whole(run, delivery)
        return replace(run, outputs=str(delivery.folder), verified=False)
    run = Registry(home.registry).set_outputs(run.run, delivery.folder, verified=delivery.verified)
    if not delivery.verified:
        raise _wrong(run, delivery)
    return run


def _file_part(run: Run, delivery: Delivery, wish: Wish, home: Home, tell: Tell) -> Run:
    """What was not asked for is not missed, and nothing is said about the run as a whole."""
    _must_be_whole(run, delivery)
    if not any(map(wish.covers, delivery.files)):
        raise OutputsUnverified(f"no output of {run.run} fits", hint=f"cid fetch {name_of(run)}")
    tell(Step("verified" if delivery.verified else "not verified", f"what was asked for, in {delivery.folder}"))
    if run.ours and not run.outputs:
        return Registry(home.registry).set_outputs(run.run, delivery.folder, verified=False)
    return run


def _must_be_whole(run: Run, delivery: Delivery) -> None:
    if delivery.missing:
        raise _wrong(run, delivery)


def _wrong(run: Run, delivery: Delivery) -> OutputsUnverified:
    again = f"cid fetch {name_of(run)}"
    if not delivery.missing:
        what = f"{delivery.folder} has no manifest, so nothing could be checked"
        return OutputsUnverified(what, hint=again if delivery.listed else f"cid logs {name_of(run)} --tail 50")
    what = f"{len(delivery.missing)} outputs are missing or not the manifest's: {_some(delivery.missing)}"
    if delivery.full:
        return OutputsUnverified(f"the disk of {delivery.folder} is full; {what}", hint=f"make room; then {again}")
    # What this machine holds does not become better by being copied once more.
    return OutputsUnverified(what, hint=again if run.backend != "local" else f"cid reproduce {run.run} makes it again")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
