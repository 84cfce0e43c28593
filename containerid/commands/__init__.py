"""The commands of `cid`, one module a subject. Each registers itself when it is imported, in the order of the help."""

from containerid.commands import train, runs, project, emulator  # isort: skip

__all__ = ["emulator", "project", "runs", "train"]
