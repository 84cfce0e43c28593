"""A set that lies in DVC, pulled by a process of its own while packages are installed; the data phase goes on with it.

`python -m containerid.training.ahead --spec S --input MOUNTS [--apart]` pulls into the folder that it is started in.
Nobody reads what it says, nor what DVC says to it: a pull that fails is made again by the data phase, which tells why.
Whoever starts it holds the lock in the folder that CID_AHEAD names, and lets it inherit the lock.
"""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from containerid.job import Spec
from containerid.redaction import Redactor
from containerid.training import asked, dvc, secrets
from containerid.training.apart import AHEAD
from containerid.training.dvc import TooLong

TIMEOUT = 3600.0
"""Seconds that a pull may take."""

_LOCK, _NOTE = "pull.lock", "pull.json"


@dataclass(frozen=True, slots=True)
class Pull:
    """How a pull ended that was begun ahead.

    Attributes:
        done: all is here.
        seconds: that it took.
        late: what is said of one that was given up because it took too long; empty for any other.
    """

    done: bool = False
    seconds: float = 0.0
    late: str = ""


def folder(environ: Mapping[str, str]) -> Path | None:
    """Where a pull was begun ahead; None when none was."""
    return Path(environ[AHEAD]) if environ.get(AHEAD) else None


def wait(place: Path, waiting: Callable[[], None]) -> Pull:
    """How the pull ended, for which this waits; `waiting` is called before, where it still runs."""
    with (place / _LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_SH)
    return read(place)


def read(place: Path) -> Pull:
    """How it ended, as it left it; one that left nothing was killed."""
    with suppress(OSError, ValueError, TypeError):
        return Pull(**json.loads((place / _NOTE).read_text(encoding="utf-8")))
    return Pull()


def pull(spec: Spec, mounts: Path, place: Path, *, here: bool) -> None:
    """Pull into the working folder, and leave a note of how that ended.

    Raises:
        CidError: as `containerid.training.dvc.pull`.
    """
    project, begun, done, late = Path.cwd(), time.monotonic(), False, ""
    try:
        _sign_in(spec, project, mounts)
        dvc.pull(spec.data.source, project, place, TIMEOUT, here=here)
        done = True
    except TooLong as error:
        late = error.message
        raise
    finally:
        note = Pull(done, round(time.monotonic() - begun, 3), late)
        part = place / f"{_NOTE}.part"
        part.write_text(json.dumps(asdict(note)), encoding="utf-8")
        part.replace(place / _NOTE)


def _sign_in(spec: Spec, project: Path, mounts: Path) -> None:
    """Open the secret that the pull needs, and no other, into the environment of this process."""
    needed = secrets.needed(online=False, drive=dvc.on_drive(project))
    sent = {name: text for name, text in spec.secrets.items() if name in needed}
    secrets.collect(needed, Redactor(), parcel=secrets.Parcel(spec.run, sent, mounts))


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m containerid.training.ahead", description="Pull the set of a spec, ahead of its data phase."
    )
    parser.add_argument("--spec", required=True, type=Path, metavar="FILE", help="the spec, a JSON document")
    parser.add_argument("--input", required=True, type=Path, metavar="DIR", help="attached datasets")
    parser.add_argument("--apart", action="store_true", help="use no DVC that is here: it may just be being installed")
    options = parser.parse_args(arguments)
    pull(asked.read(options.spec), options.input, Path(os.environ[AHEAD]), here=not options.apart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
