"""The command that watches runs: all that are active, in one table."""

from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command
from containerid.errors import Detached, NotFound

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Run


@command(app, "watch")
def watch(screen: "Screen", names: o.RunsArg = None, timeout: o.TimeoutOption = "") -> None:
    """Watch runs until they end: those that are named, or all that are active.

    Ends with the code of the first that did not succeed. Example: cid watch
    """
    from containerid import runs

    limit = o.seconds(timeout) if timeout else None
    chosen = _chosen(names or [], screen)
    try:
        ended = runs.watch_all(chosen, home=runs.Home.of_user(), tell=screen.tell, timeout=limit)
    except KeyboardInterrupt:
        raise Detached("left; what was watched goes on", hint="cid watch") from None
    screen.rest()
    _show(screen, ended)
    if error := next(filter(None, map(runs.error_of, ended)), None):
        raise typer.Exit(error.code)


def _chosen(names: list[str], screen: "Screen") -> "list[Run]":
    """Each run once, whatever it was called. Raises NotFound when nothing is active."""
    from containerid import runs

    registry = runs.Registry(runs.Home.of_user().registry)
    if names:
        return list({run.run: run for run in (runs.find(registry, name, tell=screen.tell) for name in names)}.values())
    active = [run for run in registry.runs() if run.handle and not run.state.final]
    if not active:
        raise NotFound("no run is active", hint="cid ls")
    return active


def _show(screen: "Screen", ended: "list[Run]") -> None:
    from containerid.views import next_steps, show_run

    screen.document({"runs": [run.document() for run in ended]})
    for run in ended:
        show_run(screen, run)
        next_steps(screen, run)
