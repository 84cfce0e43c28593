"""Commands about runs: status, logs, fetch, ls, show."""

from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Run


@command(app, "status")
def status(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Ask how a run stands.

    Example: cid status exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.status(runs.find(runs.Registry(home.registry), run), home=home)
    screen.document(found.document())
    show_run(screen, found)
    _mirror(found, wanted=exit_code)


def _mirror(run: "Run", *, wanted: bool) -> None:
    from containerid import runs
    from containerid.errors import StillRunning

    if wanted and not run.state.final:
        raise typer.Exit(StillRunning.code)
    if wanted and (error := runs.error_of(run)):
        raise typer.Exit(error.code)


@command(app, "logs")
def logs(screen: "Screen", run: o.RunArg = "", follow: o.FollowOption = False, tail: o.TailOption = None) -> None:
    """Show a run's log.

    Example: cid logs exp001 -f
    """
    from containerid import runs
    from containerid.runs.logs import read

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run)
    lines = []
    for line in read(found, home=home, follow=follow, tail=tail):
        lines.append(line)
        screen.say(line.text)
    screen.document({"run": found.run, "lines": [{"time": e.time, "stream": e.stream, "text": e.text} for e in lines]})


@command(app, "fetch")
def fetch(screen: "Screen", run: o.RunArg = "", to: o.ToOption = None) -> None:
    """Download a run's outputs, verified.

    They are filed under runs/<run>. Example: cid fetch exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run)
    fetched = runs.fetch(found, home=home, to=to.absolute() if to else None, tell=screen.tell)
    screen.document(fetched.document())
    show_run(screen, fetched)


@command(app, "ls")
def ls(screen: "Screen") -> None:
    """List the runs of this user, the newest first."""
    from containerid import runs
    from containerid.views import show_runs

    found = runs.Registry(runs.Home.of_user().registry).runs()
    screen.document({"runs": [run.document() for run in found]})
    show_runs(screen, found)


@command(app, "show")
def show(screen: "Screen", run: o.RunArg = "", exit_code: o.ExitCodeOption = False) -> None:
    """Show all that is known about a run."""
    from containerid import runs
    from containerid.views import show_history, show_run

    registry = runs.Registry(runs.Home.of_user().registry)
    found = runs.find(registry, run)
    history = [{"state": state, "reason": reason, "at": at} for state, reason, at in registry.transitions(found.run)]
    screen.document({**found.document(), "plan": dict(found.plan), "transitions": history})
    show_run(screen, found)
    show_history(screen, found, registry)
    _mirror(found, wanted=exit_code)
