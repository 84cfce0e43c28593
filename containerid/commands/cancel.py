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
    patience: o.PatienceOption = "3m",
    delete: o.DeleteOption = False,
    yes: o.YesOption = False,
) -> None:
    """Stop a run, and say how: it is asked first, and keeps a checkpoint; then Kaggle ends its session.

    With --delete its kernel goes at once, with all that it left. Example: cid cancel exp001
    """
    from containerid import runs
    from containerid.views import show_run

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run)
    if delete:
        _confirm(screen, found, yes=yes)
        stopped = runs.delete(found, home=home, tell=screen.tell)
    else:
        stopped = runs.cancel(found, home=home, tell=screen.tell, patience=o.seconds(patience))
    screen.document(stopped.document())
    screen.say(f"stopped: {stopped.detail}" if stopped.how != "ended" else stopped.detail)
    show_run(screen, stopped.run)
    if stopped.run.result and stopped.run.result.checkpoint:
        screen.hint(f"  next: cid resume {stopped.run.run}")


def _confirm(screen: "Screen", run: "Run", *, yes: bool) -> None:
    """Asked twice: what a kernel left is gone with it. Raises UsageError when nobody agrees."""
    if yes:
        return
    if not screen.asks:
        raise UsageError("nobody can be asked here whether the kernel may go", hint="--yes, if you are sure")
    lost = "" if run.verified else "; its outputs were NOT fetched and verified"
    if not typer.confirm(f"delete {run.handle} with its log and its outputs{lost}?", default=False, err=True):
        raise UsageError("nothing was deleted")
    require_slug(run.handle)


def require_slug(handle: str) -> None:
    """Have the user type a kernel's slug. Raises UsageError for anything else."""
    slug = handle.rpartition("/")[2]
    if typer.prompt(f"type {slug} to delete it", default="", show_default=False, err=True).strip() != slug:
        raise UsageError(f"{handle} stays: that was not its slug")
