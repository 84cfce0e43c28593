"""Commands that make and describe sets: data import, data split, data stats."""

from pathlib import Path
from typing import TYPE_CHECKING

from containerid import options as o
from containerid.command import command
from containerid.commands.data import data_app

if TYPE_CHECKING:
    from containerid.console import Screen
    from containerid.runs.importdata import Wanted


@command(data_app, "import")
def import_(  # noqa: PLR0913, PLR0917
    screen: "Screen",
    source: o.SourceArg,
    to: o.NewSetOption,
    task: o.ImportTaskOption = "detect",
    form: o.FormatOption = "auto",
    names: o.NamesOption = "",
    split: o.SharesOption = "",
    seed: o.SeedOption = 0,
    group: o.GroupOption = "",
    link: o.LinkOption = True,
) -> None:
    """Make a set of Pascal VOC, COCO, CVAT or YOLO annotations, or of folders of classes; they are only read.

    Images that look alike stay in one split. Example: cid data import coco --to data/doors --task segment
    """
    from containerid.errors import UsageError
    from containerid.runs.importdata import Wanted

    listed = [name.strip() for name in names.split(",") if name.strip()]
    if names and not listed:
        raise UsageError(f"--names {names} names no class", hint="--names door,hinge")
    _make(screen, source, to, Wanted(form, listed, split, seed, group, not link, task))


@command(data_app, "split")
def split(
    screen: "Screen",
    folder: o.SplitArg,
    to: o.NewSetOption,
    shares: o.SharesOption = "",
    seed: o.SeedOption = 0,
    group: o.GroupOption = "",
    link: o.LinkOption = True,
    task: o.TaskOption = "",
) -> None:
    """Split a set anew, into another folder: every class in its share in each split, groups whole.

    Example: cid data split data/doors --to data/doors2 --split 0.7/0.2/0.1 --group folder
    """
    from containerid.runs.importdata import Wanted

    _make(screen, folder, to, Wanted("yolo", (), shares, seed, group, not link, task), anew=True)


def _make(screen: "Screen", source: Path, to: Path, wanted: "Wanted", *, anew: bool = False) -> None:
    from containerid.runs.importdata import import_data
    from containerid.views_dataset import show_imported

    made = import_data(source, to, wanted, anew=anew)
    screen.document(made.document())
    show_imported(screen, made)


@command(data_app, "stats")
def stats(screen: "Screen", path: o.CheckPathArg = "", html: o.StatsPageOption = None, task: o.TaskOption = "") -> None:
    """Count what a set holds: images, objects, classes, sizes, shapes, places; corners, angles or keypoints.

    Example: cid data stats data/doors --html doors.html
    """
    from containerid.report import holdings
    from containerid.runs.importdata import stats_of
    from containerid.views_dataset import show_stats

    o.page(html)
    dataset, found = stats_of(path, Path.cwd(), task)
    screen.document({"set": str(dataset.root), **found.document()})
    show_stats(screen, found)
    if html:
        holdings.write(html, dataset, found)
        screen.say(f"page: {html}")
