"""Every option and argument of the command line, declared once."""

import re
from pathlib import Path
from typing import Annotated

import typer

from containerid.errors import UsageError
from containerid.home import require_writable

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 366 * 86400


def seconds(text: str) -> float:
    """A length of time such as `90m`, `2h30m`, `11h` or `45` (seconds). Raises UsageError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a length of time", hint="write it as 90m, 2h or 1h30m")
    length = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if length > _LONGEST:
        raise UsageError(
            f"{text!r} is not a length of time that is meant: more than a year", hint="write it as 90m or 11h"
        )
    return length


def page(file: Path | None) -> None:
    """Looks at `--html` before there is anything to write. Raises UsageError, CidError where nothing can be written."""
    if file is None:
        return
    if file.is_dir():
        raise UsageError(f"--html {file} is a folder", hint=f"--html {file / 'page.html'}")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"--html {file}: there is no folder {file.parent}", hint=f"mkdir -p {file.parent}")
    require_writable(file.absolute().parent)


RunArg = Annotated[
    str,
    typer.Argument(metavar="[SLUG]", help="Run id or its start, experiment, slug, owner/slug, URL; the latest here."),
]
RunsArg = Annotated[list[str] | None, typer.Argument(metavar="[SLUG]…", help="Runs as elsewhere; all that are active.")]
ExperimentOption = Annotated[
    str | None, typer.Option("--experiment", "-e", help="Its name in params.yaml.", metavar="NAME")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a parameter: training.epochs=12.")
]
KaggleOption = Annotated[bool, typer.Option("--kaggle", help="Train on Kaggle's GPUs.")]
LocalOption = Annotated[bool, typer.Option("--local", help="Train on this machine.")]
RehearseOption = Annotated[bool, typer.Option("--rehearse", help="The same submit, served by the embedded Kaggle.")]
EmbeddedOption = Annotated[bool, typer.Option("--rehearse", help="Of the embedded Kaggle, where rehearsals run.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A few steps on a handful of images, the whole path.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, gpu (= cuda), cuda or mps.", metavar="NAME")]
AcceleratorOption = Annotated[str, typer.Option("--accelerator", metavar="SHAPE", help="Kaggle's machine shape.")]
GpuOption = Annotated[bool | None, typer.Option("--gpu/--no-gpu", help="Ask for a GPU.", show_default=False)]
InternetOption = Annotated[
    bool | None, typer.Option("--internet/--no-internet", help="Network in the kernel.", show_default=False)
]
DetachOption = Annotated[bool, typer.Option("--detach", "-d", help="Submit and return.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Write what would be sent to a folder; send nothing.")]
SessionLimitOption = Annotated[
    str, typer.Option("--session-limit", metavar="TIME", help="What Kaggle gets, such as 11h.")
]
TimeoutOption = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="Watch at most this long; the run goes on.")
]
GitOption = Annotated[str, typer.Option("--git", metavar="MODE", help="branch, snapshot or clean.")]
TransportOption = Annotated[str, typer.Option("--transport", metavar="HOW", help="auto, embed, fetch or dataset.")]
MessageOption = Annotated[str, typer.Option("--message", "-m", help="Of the snapshot commit.", metavar="TEXT")]
SlugOption = Annotated[str, typer.Option("--slug", help="Keep one kernel and push new versions of it.", metavar="SLUG")]
DataOption = Annotated[
    str, typer.Option("--data", help="A folder, owner/slug on Kaggle, or a DVC target.", metavar="DATA")
]
DatasetSourceOption = Annotated[
    list[str] | None, typer.Option("--dataset-source", metavar="OWNER/SLUG", help="Attach a dataset.")
]
KernelSourceOption = Annotated[
    list[str] | None, typer.Option("--kernel-source", metavar="OWNER/SLUG", help="Attach a kernel's output.")
]
CompetitionSourceOption = Annotated[
    list[str] | None, typer.Option("--competition-source", metavar="SLUG", help="Attach a competition.")
]
ModelSourceOption = Annotated[list[str] | None, typer.Option("--model-source", metavar="MODEL", help="Attach a model.")]
PublicOption = Annotated[bool, typer.Option("--public", help="Make the kernel public; refuses what must stay private.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="When every slot is taken, wait until one is free.")]
UntilDoneOption = Annotated[
    bool, typer.Option("--until-done", help="When a session ends before the training does, start the next leg.")
]
NewOption = Annotated[bool, typer.Option("--new", help="A second run, although the same one is on its way.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
PatienceOption = Annotated[
    str, typer.Option("--patience", metavar="TIME", help="To end by itself once it was asked to; 0 does not ask.")
]
DeleteOption = Annotated[
    bool,
    typer.Option("--delete", help="Delete its kernel, log and outputs: that stops it and its billing for certain."),
]
GhostsOption = Annotated[bool, typer.Option("--ghosts", help="Ask Kaggle now, for as long as it takes.")]
SweepOption = Annotated[bool, typer.Option("--yes", "-y", help="Delete what may go; without it nothing is deleted.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Ask for each kernel that stays, which goes when you type its slug.")
]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Until the run ends.")]
TailOption = Annotated[int | None, typer.Option("--tail", "-n", min=0, metavar="N", help="Only the last N lines.")]
GrepOption = Annotated[
    str, typer.Option("--grep", metavar="PATTERN", help="Only lines in which this regular expression is found.")
]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Only the last so long before its last line, such as 10m.")
]
StderrOption = Annotated[bool, typer.Option("--stderr", help="Only what went to stderr.")]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Write into this folder, and nothing besides it.")
]
IncludeOption = Annotated[
    list[str] | None, typer.Option("--include", metavar="GLOB", help="Only these: *.pt, weights/*, a folder.")
]
NoUploadOption = Annotated[bool, typer.Option("--no-upload", help="Send nothing to W&B.")]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Not these.")]
ExitCodeOption = Annotated[bool, typer.Option("--exit-code", help="End with the run's own exit code.")]
ComparedArg = Annotated[list[str], typer.Argument(metavar="RUN RUN…", help="Two or more runs, as elsewhere.")]
ComparisonOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page, with the curves overlaid.")
]
OpenOption = Annotated[bool, typer.Option("--open", help="Show the page in the browser.")]
SecretArg = Annotated[
    str, typer.Argument(metavar="NAME", help="GDRIVE_CREDENTIALS_DATA, WANDB_API_KEY or GITHUB_TOKEN.")
]
FromFileOption = Annotated[
    Path | None, typer.Option("--from-file", metavar="FILE", help="The value is all that this file holds.")
]
FromEnvFileOption = Annotated[
    Path | None, typer.Option("--from-env-file", metavar="FILE", help="A .env; without NAME all that cid knows in it.")
]
FromDvcOption = Annotated[
    bool, typer.Option("--from-dvc", help="What `dvc pull` keeps after you signed in; it opens your whole Drive.")
]
DataPathArg = Annotated[
    str, typer.Argument(metavar="[PATH]", help="A folder with data.yaml, or its .dvc file; detection.data.path.")
]
MajorOption = Annotated[bool, typer.Option("--major", help="Count the major number, and begin at .0.")]
PushOption = Annotated[bool, typer.Option("--push/--no-push", help="Send model, commit and tag.")]
ForcePromoteOption = Annotated[bool, typer.Option("--force", help="Although it missed a gate, or was a quick run.")]
ModelArg = Annotated[
    str, typer.Argument(metavar="[MODEL]", help="A version, its start, v1.2, a .pt file; without it, all are listed.")
]
CheckPathArg = Annotated[
    str, typer.Argument(metavar="[PATH]", help="A folder with data.yaml, or a data.yaml; detection.data.path.")
]
DeepOption = Annotated[
    bool, typer.Option("--deep", help="Decode every image, look for images that look the same across splits.")
]
FixOption = Annotated[bool, typer.Option("--fix", help="Write a mended copy beside it, and a list of what was done.")]
HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the report as a page with pictures of the worst."),
]
SourceArg = Annotated[
    Path, typer.Argument(metavar="SOURCE", help="A folder with images and annotations, or a file of annotations.")
]
SplitArg = Annotated[Path, typer.Argument(metavar="FOLDER", help="A set, or images with labels and no splits.")]
NewSetOption = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="The new set; nothing may be there yet.")]
FormatOption = Annotated[str, typer.Option("--format", metavar="NAME", help="voc, coco, cvat, yolo, folders or auto.")]
_TASKS = "detect, segment, pose, obb or classify"
ModelTaskOption = Annotated[
    str, typer.Option("--task", metavar="TASK", help=f"One of {_TASKS}; else what params.yaml trains.")
]
ImportTaskOption = Annotated[str, typer.Option("--task", metavar="TASK", help=f"What it is for: {_TASKS}.")]
TaskOption = Annotated[str, typer.Option("--task", metavar="TASK", help=f"One of {_TASKS}; else its labels tell.")]
NamesOption = Annotated[
    str, typer.Option("--names", metavar="A,B,…", help="Only these classes, in this order; else all.")
]
SharesOption = Annotated[
    str, typer.Option("--split", metavar="SHARES", help="train/val/test, such as 0.8/0.1/0.1; else its own splits.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Another one draws another split.")]
GroupOption = Annotated[
    str,
    typer.Option(
        "--group", metavar="PATTERN", help="What this regular expression finds in a name stays in one split; or folder."
    ),
]
LinkOption = Annotated[
    bool, typer.Option("--link/--copy", help="Give images a second name where the disk can, or copy them.")
]
StatsPageOption = Annotated[
    Path | None, typer.Option("--html", dir_okay=False, metavar="FILE", help="Write a page with charts and pictures.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
StateOption = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="Where it keeps what is pushed to it.")
]
FaultsOption = Annotated[
    Path | None, typer.Option("--faults", metavar="FILE", help="A YAML list of what is to go wrong; docs/guide.md.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
JsonEventsOption = Annotated[bool, typer.Option("--json-events", help="Events as JSON lines on stderr.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors on stderr.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="More on stderr: every line of the log, tracebacks.")
]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="Plain text; NO_COLOR does the same.")]
