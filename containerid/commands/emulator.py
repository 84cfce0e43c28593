"""The embedded Kaggle by itself: emulator serve."""

from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command

if TYPE_CHECKING:
    from containerid.console import Screen

emulator_app = typer.Typer(help="The embedded Kaggle.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(emulator_app, name="emulator")


@command(emulator_app, "serve")
def serve(screen: "Screen", port: o.PortOption = 0, state: o.StateOption = None, faults: o.FaultsOption = None) -> None:
    """Serve the embedded Kaggle on loopback, for Kaggle's own client or for cid, until Ctrl-C.

    Example: cid emulator serve --faults plan.yaml
    """
    from containerid.events import Caution
    from containerid.home import Home
    from containerid.kaggle.emulator import FaultPlan
    from containerid.kaggle.emulator import serve as run
    from containerid.kaggle.emulator.script import read_plan
    from containerid.views import show_server

    planned = read_plan(faults) if faults else FaultPlan()
    folder = state.absolute() if state else Home.of_user().emulator
    run(folder, port, lambda kaggle: show_server(screen, kaggle.url), faults=planned)
    for fault in planned.left:
        screen.tell(Caution(f"planned and never met: {fault}"))
