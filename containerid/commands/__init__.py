"""The commands of `cid`, one module a subject. Each registers itself when it is imported, in the order of the help."""

from containerid.commands import train, runs, report, watch, cancel, quota, model, data, dataset  # isort: skip
from containerid.commands import secrets, project, emulator  # isort: skip

__all__ = [
    "cancel",
    "data",
    "dataset",
    "emulator",
    "model",
    "project",
    "quota",
    "report",
    "runs",
    "secrets",
    "train",
    "watch",
]
