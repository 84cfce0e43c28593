"""The commands of `cid`, one module a subject. Each registers itself when it is imported, in the order of the help."""

from containerid.commands import train, runs, watch, cancel, quota, data, secrets, project, emulator  # isort: skip

__all__ = ["cancel", "data", "emulator", "project", "quota", "runs", "secrets", "train", "watch"]
