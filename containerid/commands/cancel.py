"""Commands that stop and clean: cancel, gc."""

from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command
from containerid.errors import UsageError

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs import Run


@command(app, "cancel")
def cancel(
    screen: "Screen",
    run: o.RunArg = "",
    patience: o.PatienceOption = "4m",
    delete: o.DeleteOption = False,
    yes: o.YesOption = False,
) -> None:
    """Stop a run, and say how: it is asked first, and keeps a checkpoint; then Kaggle ends its session.

    With --delete its kernel goes at once, with all that it left. Example: cid cancel exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    if delete:
        _confirm(screen, found, yes=yes)
        stopped = runs.delete(found, home=home, tell=screen.tell)
    else:
        stopped = runs.cancel(found, home=home, tell=screen.tell, patience=o.seconds(patience))
    screen.document(stopped.document())
    screen.say(f"stopped: {stopped.detail}" if stopped.how != "ended" else stopped.detail)
    show_run(screen, stopped.run)
    if stopped.run.result and stopped.run.result.checkpoint and not stopped.run.diagnosis:
        screen.hint(f"  next: cid resume {stopped.run.run}")


def _confirm(screen: "Screen", run: "Run", *, yes: bool) -> None:
    """Asked twice: what a kernel left is gone with it. Raises UsageError when nobody agrees."""
    if yes or not run.handle:
        return
    if not screen.asks:
        raise UsageError("nobody can be asked here whether the kernel may go", hint="--yes, if you are sure")
    lost = "" if run.verified else "; its outputs were NOT fetched and verified"
    if not typer.confirm(f"delete {run.handle} with its log and its outputs{lost}?", default=False, err=True):
        raise UsageError("nothing was deleted")
    slug = run.handle.rpartition("/")[2]
    if str(typer.prompt(f"type {slug} to delete it", default="", show_default=False, err=True)).strip() != slug:
        raise UsageError(f"{run.handle} stays: that was not its slug")


@command(app, "gc")
def gc(
    screen: "Screen", yes: o.SweepOption = False, force: o.ForceOption = False, rehearse: o.EmbeddedOption = False
) -> None:
    """Show what cid has left on Kaggle, on the remote and here, and what of it nobody needs any more.

    Nothing is deleted without --yes. With --rehearse, of the embedded Kaggle. Example: cid gc --yes
    """
    from pathlib import Path

    from containerid import runs
    from containerid.runs.gc import survey, sweep
    from containerid.views import show_items

    if force and not screen.asks:
        raise UsageError("--force asks for each kernel, and nobody can be asked here", hint="cid gc --yes")
    home = runs.Home.of_user()
    surveyed = survey(Path.cwd(), home=home, backend="rehearsal" if rehearse else "kaggle", tell=screen.tell)
    show_items(screen, surveyed.items)
    gone = sweep(surveyed, [item for item in surveyed.items if yes and item.goes], home=home, tell=screen.tell)
    for item in surveyed.items if force else ():
        if item.kind == "kernel" and not item.goes and _agrees(item.name, item.why):
            gone += sweep(surveyed, [item], home=home, tell=screen.tell, forced=True)
    items = [{**item.document(), "deleted": item in gone} for item in surveyed.items]
    screen.document({"items": items})
    if not yes and any(item.goes for item in surveyed.items):
        screen.hint("nothing was deleted; next: cid gc --yes")


def _agrees(handle: str, why: str) -> bool:
    """Whether the user types the slug of a kernel that should stay."""
    slug = handle.rpartition("/")[2]
    question = f"{handle} should stay: {why}. Type its slug to delete it all the same, or nothing"
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip() == slug
