"""Commands about data: data check, data push."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from containerid import options as o
from containerid.command import app, command

if TYPE_CHECKING:
    from containerid.console import Screen

data_app = typer.Typer(
    help="Sets of images: check, import, split, count, send.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(data_app, name="data")


@command(data_app, "check")
def check(
    screen: "Screen",
    path: o.CheckPathArg = "",
    deep: o.DeepOption = False,
    fix: o.FixOption = False,
    html: o.HtmlOption = None,
    task: o.ModelTaskOption = "",
) -> None:
    """Find what is wrong with a set, before a GPU is spent on it.

    Exit 7 when there are errors. The set is never changed. Example: cid data check data/doors --deep
    """
    from containerid import runs
    from containerid.errors import RunFailed
    from containerid.report import checked as pages
    from containerid.runs.checkdata import check_data
    from containerid.views import near
    from containerid.views_data import show_mended, show_report

    o.page(html)
    checked = check_data(path, folder=Path.cwd(), home=runs.Home.of_user(), deep=deep, fix=fix, task=task)
    if html:
        pages.write(html, checked.report, checked.folder)
    screen.document(checked.document())
    screen.say(f"set: {near(str(checked.folder))}")
    show_report(screen, checked.report)
    if html:
        screen.say(f"page: {html}")
    if checked.mended:
        show_mended(screen, checked.mended)
    if checked.report.errors:
        raise typer.Exit(RunFailed.code)


@command(data_app, "push")
def push(screen: "Screen", path: o.DataPathArg = "") -> None:
    """Make a private dataset of your images. Nothing is sent when it is there.

    Runs attach it by themselves, also where only its .dvc file is. Example: cid data push data/doors
    """
    from containerid import runs
    from containerid.runs.pushdata import push_data

    placed = push_data(Path.cwd(), path, home=runs.Home.of_user(), tell=screen.tell)
    screen.document({"dataset": placed.dataset, "sent": placed.sent, "dvc": placed.dvc})
    known = f", DVC's {placed.dvc}" if placed.dvc else ""
    screen.say(f"{placed.dataset} {'holds it now' if placed.sent else 'held it already'}{known}")
