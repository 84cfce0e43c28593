"""A project's own trainer: a module that runs in our place, with the same result contract.

It runs as `python -m MODULE` in the project's folder. In its environment stand CID_SPEC (the spec, a file), CID_DATA
(the folder of the data), CID_DATA_YAML (a data.yaml whose images are links to it; empty when the data has none),
CID_OUT (where outputs go), CID_BUDGET (seconds that are left of the session, 0 is no limit), CID_PAST (the folder that
the leg before left its outputs in; empty for a first leg) and CID_DEVICE (`cpu`, `mps` or a GPU's number). What it
leaves in `$CID_OUT/metrics.json`, flat names to numbers, becomes the run's metrics. Exit code 9 says that it paused, as
it should when the budget ends, or when the file that CID_STOP_FILE names appears.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from signal import Signals

from containerid.dataset import sets
from containerid.dataset.view import view
from containerid.errors import RunFailed, RunPaused
from containerid.training import checkpoint
from containerid.training.log import say
from containerid.training.session import Session

METRICS_FILE = "metrics.json"
_LAST = 200
"""Characters of its last line that a reason quotes."""
_GRACE = 30.0
"""Seconds that it gets to end after it was asked to."""


def validate(session: Session) -> None:
    """Make the view of the data that it may use; whether the data is good is its own business."""
    file = session.folder and sets.find_yaml(session.folder, depth=0)
    if not file:
        say(f"left to {session.spec.entry}")
        return
    try:
        session.dataset = sets.read(file)
        session.view = view(session.dataset, session.place.scratch / "view")
    except sets.DatasetError as error:
        session.log.caution(f"{file.name}: {error.message}; CID_DATA_YAML stays empty")


def train(session: Session) -> None:
    """Run the module to its end.

    Raises:
        RunFailed: it ended badly.
        RunPaused: it says that it paused.
    """
    command = [sys.executable, "-u", "-m", session.spec.entry]
    say(f"$ python -m {session.spec.entry}")
    begun = time.monotonic()
    with session.stop.hold():
        process = subprocess.Popen(
            command,
            cwd=session.place.project,
            env={**os.environ, **_environ(session)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    last = ""
    try:
        session.stop.check()
        for line in process.stdout or ():
            say(line.rstrip("\n"))
            last = line.strip() or last
        code = process.wait()
    finally:
        _end(process)
        session.seconds = time.monotonic() - begun
        session.metrics |= _metrics(session)
    _judge(session.spec.entry, code, last)


def evaluate(session: Session) -> None:
    """Its own business; the metrics it left are told."""
    say(f"metrics of {session.spec.entry}: {json.dumps(session.metrics)}")


def _environ(session: Session) -> Mapping[str, str]:
    past = session.spec.past
    return {
        "CID_SPEC": str(session.spec_file),
        "CID_DATA": str(session.folder or ""),
        "CID_DATA_YAML": str(session.view or ""),
        "CID_OUT": str(session.out),
        "CID_BUDGET": f"{max(session.budget.left, 1):.0f}" if session.spec.budget else "0",
        "CID_PAST": str(checkpoint.locate(past, session.place.mounts)) if past.kind else "",
        "CID_DEVICE": session.hardware.device,
    }


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
        process.kill()
        process.wait()


def _metrics(session: Session) -> dict[str, float]:
    try:
        document = json.loads((session.out / METRICS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        session.log.caution(f"{METRICS_FILE} cannot be read ({error})")
        return {}
    pairs = document.items() if isinstance(document, dict) else ()
    return {str(key): float(value) for key, value in pairs if type(value) in {int, float}}


def _judge(module: str, code: int, last: str) -> None:
    if code == RunPaused.code:
        raise RunPaused(f"{module} paused")
    if code < 0:
        name = Signals(-code).name
        raise RunFailed(f"{module} was killed by {name}" + (" (often host memory)" if name == "SIGKILL" else ""))
    if code:
        raise RunFailed(f"{module} ended with exit code {code}" + (f": {last[:_LAST]}" if last else ""))
