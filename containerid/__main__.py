"""`cid` and `python -m containerid`."""

import os
import sys

_CLOSED = 141
"""How a tool ends whose reader has gone: 128 and the number of SIGPIPE."""


def main() -> None:
    """Answer `--version` at once; everything else goes to the command line."""
    try:
        try:
            _run()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        # `cid logs | head` closes our stdout: that is no error, but Python would complain when it flushes once more.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                os.dup2(nowhere, stream.fileno())
        sys.exit(_CLOSED)


def _run() -> None:
    if sys.argv[1:] in (["--version"], ["-V"]):
        from containerid import __version__

        sys.stdout.write(f"cid {__version__}\n")
        return
    from containerid.cli import main as run

    run()


if __name__ == "__main__":
    main()
