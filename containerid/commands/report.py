"""Commands about what came out of runs: report, compare, reproduce."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command, finish
from containerid.errors import CidError, Detached, UsageError

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs.reproduce import Again


@command(app, "report")
def report(screen: "Screen", run: o.RunArg = "", open_page: o.OpenOption = False) -> None:
    """Say where a run's page is; it is made when the fetched outputs hold none.

    One file, without scripts or requests, to read and to send. Example: cid report exp001 --open
    """
    from containerid import runs
    from containerid.runs.report import report as find_page

    found = runs.find(runs.Registry(runs.Home.of_user().registry), run, tell=screen.tell)
    page, made = find_page(found)
    opened = open_page and _open(page)
    screen.document({"run": found.run, "report": str(page), "made": made, "opened": opened})
    screen.say(str(page))
    if open_page and not opened:
        screen.hint("  there is no browser here to open it in")


@command(app, "compare")
def compare(
    screen: "Screen", run: o.ComparedArg, html: o.ComparisonOption = None, open_page: o.OpenOption = False
) -> None:
    """Compare runs: metrics, and the parameters, code and data that differ.

    Example: cid compare exp001 exp002 --html compared.html
    """
    from containerid import runs
    from containerid.report import compare as pages
    from containerid.report.page import write
    from containerid.runs.compare import compare as weigh
    from containerid.views_compare import show_comparison

    if open_page and html is None:
        raise UsageError("--open needs a page to open", hint="--html FILE")
    o.page(html)
    comparison = weigh(run, home=runs.Home.of_user())
    page = write(html.absolute(), pages.compose(comparison)) if html else None
    opened = bool(page and open_page and _open(page))
    screen.document({**comparison.document(), "page": str(page) if page else "", "opened": opened})
    show_comparison(screen, comparison)
    if page:
        screen.say(str(page))


@command(app, "reproduce")
def reproduce(
    screen: "Screen",
    run: o.RunArg = "",
    kaggle: o.KaggleOption = False,
    local: o.LocalOption = False,
    rehearse: o.RehearseOption = False,
    detach: o.DetachOption = False,
    yes: o.YesOption = False,
) -> None:
    """Make a run again, and say how far the metrics differ.

    The same commit in a folder of its own, the same parameters and data; on this machine, or --kaggle or --rehearse.
    Refused when the commit or the data is gone or not the same. Example: cid reproduce exp001
    """
    from containerid import runs
    from containerid.runs.reproduce import reproduce as start

    chosen = [name for name, wanted in (("local", local), ("kaggle", kaggle), ("rehearsal", rehearse)) if wanted]
    if len(chosen) > 1:
        raise UsageError("say where once: --local, --kaggle or --rehearse", hint="cid reproduce --local")
    home = runs.Home.of_user()
    found = runs.find(runs.Registry(home.registry), run, tell=screen.tell)
    asker = (lambda _: True) if yes else screen.ask if screen.asks else None
    again = start(found, home=home, backend=(chosen or ["local"])[0], tell=screen.tell, ask=asker)
    if detach:
        finish(screen, again.run)
        return
    _end(screen, _attend(screen, again))


def _attend(screen: "Screen", again: "Again") -> "Again":
    from containerid import runs
    from containerid.runs.reproduce import follow

    try:
        return follow(again, home=runs.Home.of_user(), tell=screen.tell)
    except KeyboardInterrupt:
        name = again.run.run
        hint = f"cid fetch {name}, then cid compare {again.before.run} {name}"
        raise Detached(f"detached; {name} goes on in {again.folder}", hint=hint) from None
    except CidError as error:
        run = runs.find(runs.Registry(runs.Home.of_user().registry), again.run.run)
        if not run.state.final or runs.error_of(run) is None:
            raise
        screen.complain(error)
        return type(again)(again.before, run, again.folder)


def _end(screen: "Screen", again: "Again") -> None:
    from containerid import runs
    from containerid.views import show_run
    from containerid.views_compare import show_difference

    screen.document(again.document())
    show_run(screen, again.run)
    show_difference(screen, again)
    if error := runs.error_of(again.run):
        screen.complain(error)
        raise typer.Exit(error.code)


def _open(page: Path) -> bool:
    import webbrowser

    return webbrowser.open(page.as_uri())
