"""Commands about runs: status, logs, fetch, verify, ls, show."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command
from containerid.errors import Unreachable
from containerid.events import Event, Fetched
from containerid.text import size

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Run


@command(app, "status")
def status(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Ask how a run stands.

    Where nobody answers you see what was known last (exit 6). Example: cid status exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found, silence = runs.find(runs.Registry(home.registry), run, tell=screen.tell), None
    try:
        found = runs.status(found, home=home, tell=screen.tell)
    except Unreachable as error:
        silence = error
    screen.document(found.document())
    show_run(screen, found)
    if silence:
        screen.complain(silence)
        raise typer.Exit(silence.code)
    _mirror(found, wanted=exit_code)


def _mirror(run: "Run", *, wanted: bool) -> None:
    from containerid import runs
    from containerid.errors import StillRunning

    if wanted and not run.state.final:
        raise typer.Exit(StillRunning.code)
    if wanted and (error := runs.error_of(run)):
        raise typer.Exit(error.code)


@command(app, "logs")
def logs(
    screen: "Screen",
    run: o.RunArg = "",
    follow: o.FollowOption = False,
    tail: o.TailOption = None,
    grep: o.GrepOption = "",
    since: o.SinceOption = "",
    stderr: o.StderrOption = False,
) -> None:
    """Show a run's log, and why it failed.

    Example: cid logs exp001 -f
    """
    from containerid import runs
    from containerid.runs.logs import Wanted, explain, read
    from containerid.views import show_diagnosis

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    wanted = Wanted(tail, o.seconds(since) if since else None, grep, stderr)
    lines = []
    for line in read(found, home=home, follow=follow, wanted=wanted):
        lines.append(line)
        screen.say(line.text, wrap=False)
    diagnosis = explain(found, lines)
    document = {"run": found.run, "lines": [{"time": e.time, "stream": e.stream, "text": e.text} for e in lines]}
    screen.document({**document, "diagnosis": diagnosis.document() if diagnosis else None})
    if grep and not lines:
        screen.hint(f"no line of the log of {found.run} fits {grep!r}")
    show_diagnosis(screen.hint, diagnosis)


@command(app, "fetch")
def fetch(
    screen: "Screen",
    run: o.RunArg = "",
    to: o.ToOption = None,
    include: o.IncludeOption = None,
    exclude: o.ExcludeOption = None,
    no_upload: o.NoUploadOption = False,
) -> None:
    """Download a run's outputs, verified.

    They are filed under runs/<run>; what is there and good is not fetched again. What was recorded offline for W&B is
    sent there once, where you are logged in. Example: cid fetch exp001
    """
    from containerid import runs
    from containerid.runs.standing import stand
    from containerid.views import show_run, show_standing

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    folder = to.absolute() if to else None
    wish = {"include": include or (), "exclude": exclude or ()}
    files: list[Fetched] = []

    def tell(event: Event) -> None:
        files.extend([event] if isinstance(event, Fetched) else [])
        screen.tell(event)

    fetched = runs.fetch(found, home=home, to=folder, upload=not no_upload, tell=tell, **wish)
    named = [asdict(each) for each in sorted(files, key=lambda each: each.name)]
    screen.document({**fetched.document(), "files": named})
    show_run(screen, fetched)
    screen.say(f"  {'files':<15} {len(files)}, {size(sum(each.size for each in files))}")
    show_standing(screen, stand(fetched, runs.Registry(home.registry).runs()))


@command(app, "verify")
def verify(screen: "Screen", run: o.RunArg = "") -> None:
    """Compare a run's fetched outputs with its manifest, again.

    Exit 10 when something is missing or was changed. Example: cid verify exp001
    """
    from containerid import runs
    from containerid.errors import OutputsUnverified
    from containerid.views import show_findings

    home = runs.Home.of_user()
    findings = runs.verify(runs.find(runs.Registry(home.registry), run, tell=screen.tell), home=home)
    screen.document(findings.document())
    show_findings(screen, findings)
    if not findings.verified:
        bad = len(findings.changed) + len(findings.missing)
        screen.complain(OutputsUnverified(f"{bad} outputs are not the manifest's", hint=f"cid fetch {findings.run}"))
        raise typer.Exit(OutputsUnverified.code)


@command(app, "ls")
def ls(screen: "Screen", ghosts: o.GhostsOption = False) -> None:
    """List the runs of this user, the newest first.

    Sessions that are billed and that nobody waits for are shown, as they were found within ten minutes.
    """
    from containerid import runs
    from containerid.runs.ghosts import find_ghosts, glance
    from containerid.views import show_ghosts, show_runs

    home = runs.Home.of_user()
    found = runs.Registry(home.registry).runs()
    unseen = find_ghosts(home) if ghosts else glance(home, seconds=2)
    screen.document({"runs": [run.document() for run in found], "ghosts": [each.document() for each in unseen]})
    show_runs(screen, found)
    show_ghosts(screen, unseen)


@command(app, "show")
def show(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Show all that is known about a run."""
    from containerid import runs
    from containerid.runs.standing import stand, versions
    from containerid.views import show_history, show_run, show_standing

    registry = runs.Registry(runs.Home.of_user().registry)
    found = runs.find(registry, run, tell=screen.tell)
    history = [{"state": state, "reason": reason, "at": at} for state, reason, at in registry.transitions(found.run)]
    standing = stand(found, registry.runs())
    told = {"plan": dict(found.plan), "transitions": history, "standing": standing.document() if standing else None}
    made, timeline = versions(found), dict(found.result.timeline) if found.result else {}
    screen.document({**found.document(), **told, "versions": made, "timeline": timeline})
    show_run(screen, found, made)
    show_standing(screen, standing)
    show_history(screen, found, registry)
    _mirror(found, wanted=exit_code)
