"""`cid` and `python -m containerid`."""

import os
import sys


def main() -> None:
    """Answer `--version` at once; everything else goes to the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from containerid import __version__

        sys.stdout.write(f"cid {__version__}\n")
        return
    from containerid.cli import main as run

    try:
        run()
    except BrokenPipeError:
        # `cid logs | head` closes our stdout: that is no error, but Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
