"""The command line: the commands, brought together. They parse, wire and delegate."""

import sys

import typer

from containerid import commands
from containerid.command import app, explain
from containerid.errors import Detached

__all__ = ["app", "commands", "main"]


def main() -> None:
    """Run the command line. A wrong option is one line, or a document in JSON mode, and exit 2; a defect is exit 1."""
    try:
        code = app(prog_name="cid", standalone_mode=False)
    except SystemExit as end:
        # So typer ends when a pipe is closed, and nowhere else.
        raise BrokenPipeError from end
    except (typer.Abort, KeyboardInterrupt):
        code = Detached.code
    except Exception as error:
        code = explain(error)
    sys.exit(code if isinstance(code, int) else 0)
