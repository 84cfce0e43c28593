"""What every command has in common: how it is registered, how it speaks, and what becomes of an error."""

import errno
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from containerid import options as o
from containerid.errors import CidError, Detached, UsageError
from containerid.retries import RETRIES

if TYPE_CHECKING:
    from containerid.console import Manner, Screen
    from containerid.runs import Run

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ASTRAY = {
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
    *(errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTEMPTY, errno.EROFS),
}

_ELSEWHERE = "or point CID_HOME elsewhere"
_REGISTRY = {
    5: "another cid holds it: wait for that one, then the same command",
    8: f"chmod u+w {{path}}, {_ELSEWHERE}",
    10: f"see what that disk says, {_ELSEWHERE}",
    11: f"move the file away, {_ELSEWHERE}",
    13: f"make room, {_ELSEWHERE}",
    14: f"see who may read and write it, {_ELSEWHERE}",
    26: f"move the file away, {_ELSEWHERE}",
}
"""What mends it, by SQLite's code: BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB; the others are defects."""

_KINDS = {
    **dict.fromkeys(("is not a valid int range", "is not a valid int"), "is not a whole number"),
    **dict.fromkeys(("is not a valid float range", "is not a valid float"), "is not a number"),
}

app = typer.Typer(
    name="cid",
    help="Train on Kaggle's free GPUs from your own shell, follow the run, bring back verified outputs.",
    epilog="First steps: cid init · cid doctor · cid train --rehearse -e smoke · cid train --kaggle -e exp001",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function whose first argument is a `Screen`; every command gets the same five options for it."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        def run(
            as_json: o.JsonOption = False,
            json_events: o.JsonEventsOption = False,
            quiet: o.QuietOption = False,
            verbose: o.VerboseOption = False,
            no_color: o.NoColorOption = False,
            **own: Any,
        ) -> None:
            from containerid.console import Manner

            manner = Manner(as_json, json_events, quiet, verbose, False if no_color else None)
            with speaking(manner) as screen:
                function(screen, **own)

        shared = list(inspect.signature(run).parameters.values())[:-1]
        own = list(inspect.signature(function).parameters.values())[1:]
        parameters = [*own, *shared]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__doc__ = function.__doc__
        group.command(name)(run)
        return function

    return register


@contextmanager
def speaking(manner: "Manner") -> Iterator["Screen"]:
    """A screen to speak through; what goes wrong ends the command with one line and the documented exit code."""
    from containerid.console import Screen

    screen = Screen(manner)
    RETRIES.listen(screen.tell)
    try:
        yield screen
    except CidError as error:
        screen.error(error)
        raise typer.Exit(error.code) from error if manner.verbose else None
    except OSError as error:
        screen.error(_of_system(error))
        raise typer.Exit(CidError.code) from error if manner.verbose else None
    except _of_database() as error:
        screen.error(_of_registry(error))
        raise typer.Exit(CidError.code) from error if manner.verbose else None
    except KeyboardInterrupt:
        screen.error(Detached("interrupted", hint="cid ls shows what was started"))
        raise typer.Exit(Detached.code) from None
    finally:
        screen.rest()


def _of_system(error: OSError) -> CidError:
    """What the system refused, as one of ours. Raises the error where that is no answer to what the user did."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in _FULL:
        hint = "make room; CID_HOME moves what cid keeps to another disk"
        return CidError(f"this machine's disk takes no more{where}: {error.strerror}", hint=hint)
    if error.errno not in _ASTRAY:
        raise error
    if error.filename:
        return CidError(f"{error.filename}: {error.strerror}", hint="see what is there, and who may read and write it")
    try:
        Path.cwd()
    except FileNotFoundError:
        return CidError("the working folder is gone", hint="cd to one that exists")
    raise error


def _of_database() -> type[Exception]:
    """SQLite's errors; looked up when something goes wrong, since most commands need no database."""
    from sqlite3 import DatabaseError

    return DatabaseError


def _of_registry(error: Exception) -> CidError:
    """What SQLite could not do on this machine, as one of ours. Raises the error where that is a defect of ours."""
    from containerid.home import Home

    # The lowest byte is the kind, the others refine it: https://www.sqlite.org/rescode.html
    hint = _REGISTRY.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if hint is None:
        raise error
    path = Home.of_user().registry
    return CidError(f"the registry {path} cannot be used: {error}", hint=hint.format(path=path))


def finish(screen: "Screen", run: "Run") -> None:
    """Show a run and end with the code of its state."""
    from containerid import runs
    from containerid.runs.standing import stand
    from containerid.views import next_steps, show_run, show_standing

    screen.document(run.document())
    show_run(screen, run)
    show_standing(screen, stand(run, runs.Registry(runs.Home.of_user().registry).runs()) if run.result else None)
    next_steps(screen, run)
    if error := runs.error_of(run):
        if not screen.manner.as_json:  # what was shown is not said again
            error = type(error)(f"{run.run} {run.state}", hint="" if run.diagnosis else error.hint)
        screen.complain(error)
        raise typer.Exit(error.code)


def explain(error: Exception) -> int:
    """One line for what the parser refused (TyperException), or for a defect of ours."""
    from containerid.console import Manner, Screen

    screen = Screen(Manner(as_json="--json" in sys.argv, verbose={"-v", "--verbose"} & set(sys.argv) != set()))
    if not isinstance(error, typer.TyperException):
        if screen.manner.verbose:
            raise error
        hint = "the same command with -v shows where"
        screen.error(CidError(f"a defect of cid: {type(error).__name__}: {error}", hint=hint))
        return CidError.code
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        screen.hint(message)
    elif message:
        path = getattr(getattr(error, "ctx", None), "command_path", "cid")
        screen.error(UsageError(_plainly(message), hint=f"{path} --help"))
    return UsageError.code


def _plainly(message: str) -> str:
    """What the parser says, in words of ours: `'abc' is not a valid int range.` names a type of Python's."""
    for theirs, ours in _KINDS.items():
        message = message.replace(theirs, ours)
    return message[:1].lower() + message[1:].rstrip(".")
