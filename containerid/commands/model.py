"""Commands about models: promote, model."""

from pathlib import Path
from typing import TYPE_CHECKING

from containerid import options as o
from containerid.command import app, command
from containerid.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from containerid.console import Screen


@command(app, "promote")
def promote(
    screen: "Screen",
    run: o.RunArg = "",
    major: o.MajorOption = False,
    push: o.PushOption = True,
    force: o.ForcePromoteOption = False,
    yes: o.YesOption = False,
) -> None:
    """Make a version of a run's model: DVC, a commit, a tag, all pushed; or nothing of it.

    Only a run that was fetched, is verified and met its gates. Asked once; where nobody can be asked, -y is needed.
    Example: cid promote exp001
    """
    from containerid import runs
    from containerid.views_models import show_promotion

    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    ask = None if yes else screen.ask if screen.asks else _nobody(found.run)
    made = runs.promote(found, home=home, push=push, major=major, force=force, tell=screen.tell, ask=ask)
    screen.document(made.document())
    show_promotion(screen, made)


def _nobody(run: str) -> "Callable[[str], bool]":
    """What answers where nobody can be asked: promoting commits, tags and pushes."""

    def refuse(_: str) -> bool:
        message = "a promotion is asked for once, and nobody can be asked here: nothing was committed or pushed"
        raise UsageError(message, hint=f"cid promote {run} -y")

    return refuse


@command(app, "model")
def model(screen: "Screen", name: o.ModelArg = "") -> None:
    """List the promoted models, or verify one: its hash, that it loads safely, that it predicts.

    Exit 10 when it is not what DVC has, or holds more than weights. Example: cid model v1.0
    """
    from containerid import runs
    from containerid.views_models import show_model, show_models

    if name:
        found = runs.examine(name, Path.cwd())
        screen.document(found.document())
        show_model(screen, found)
        return
    listed = runs.models(Path.cwd())
    screen.document({"models": [each.document() for each in listed]})
    show_models(screen, listed)
