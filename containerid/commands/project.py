"""Commands about the project: init, doctor, params, demo."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command, finish
from containerid.errors import CidError
from containerid.events import Caution

if TYPE_CHECKING:
    from containerid.console import Screen


@command(app, "params")
def params(screen: "Screen", experiment: o.ExperimentOption = None, sets: o.SetOption = None) -> None:
    """Print an experiment's parameters, merged.

    Without -e, every experiment is checked first.
    Example: cid params -e exp001
    """
    import yaml

    from containerid import config

    project = config.load(config.find(Path.cwd()))
    if experiment is None:
        project.check()
    for warning in project.warnings():
        screen.tell(Caution(warning))
    merged = project.params(experiment, tuple(sets or ()))
    screen.document(merged.to_dict())
    screen.say(yaml.safe_dump(merged.to_dict(), sort_keys=False, allow_unicode=True).rstrip())


@command(app, "init")
def init(screen: "Screen") -> None:
    """Set up this folder: params.yaml, ignore lines.

    Asks nothing, never overwrites.
    """
    from containerid.runs.init import init as write

    written = write(Path.cwd(), screen.tell)
    screen.document({"written": [str(path) for path in written]})
    screen.say("ready; next: cid doctor, then cid train --rehearse -e smoke")


@command(app, "doctor")
def doctor(screen: "Screen") -> None:
    """Check what a run needs, name what mends it."""
    from containerid import runs
    from containerid.doctor import examine, verdict

    checks = list(examine(Path.cwd(), runs.Home.of_user()))
    screen.document({"checks": [check.document() for check in checks]})
    for check in checks:
        screen.say(f"{check.mark} {check.name:<12} {check.found}" + (f"\n  try: {check.mend}" if check.mend else ""))
    screen.say(verdict(checks), style="bold")
    if any(check.needed and not check.good for check in checks):
        raise typer.Exit(CidError.code)


@command(app, "demo")
def demo(screen: "Screen", to: o.ToOption = None) -> None:
    """See the main job, in about two minutes.

    Draws container doors, makes a repository with a remote, and trains through the embedded Kaggle.
    """
    from containerid.demo import show

    run = show(to, tell=screen.tell)
    try:
        finish(screen, run)
    finally:
        if run.outputs:
            screen.say(f"summary: {run.outputs}/summary.md")
