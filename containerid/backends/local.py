"""Training in a subprocess of this machine, from the work tree as it lies: the way to debug.

The process outlives `cid`: a supervisor leads a session of its own, writes the log with times, and notes the exit.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from containerid.errors import NoCheckpoint, NotFound, Refused, UsageError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import CHECKPOINT_FILE, Leg, Output, Past, Plan, Spec, State, Status, Tell
from containerid.process import started_at

_POLL = 0.1
"""Seconds between two looks at a log that is followed."""

_CLONE = 0x40049409
"""FICLONE: two files share their blocks until one is written to (Btrfs, XFS); see ioctl_ficlone(2)."""

_CHUNK = 1 << 20


class LocalBackend:
    """`containerid.training` on this machine; a handle is the process id of its supervisor."""

    embed_limit = 0

    def __init__(self, home: Home, settings: Any = None) -> None:
        del settings
        self._home = home

    def prepare(self, spec: Spec, tell: Tell) -> Spec:
        """Nothing has to be brought anywhere. Raises UsageError for data that only Kaggle can mount."""
        del tell
        if spec.data.provider == "kaggle":
            raise UsageError(
                f"the data is the Kaggle dataset {spec.data.source}, which is mounted on Kaggle alone",
                hint="--data FOLDER, or a DVC target",
            )
        return spec

    def plan(self, spec: Spec) -> Plan:
        """The command and the folder it runs in."""
        return Plan((("command", f"python -m containerid.training, in {spec.code.folder or '.'}"),))

    def submit(self, spec: Spec) -> Leg:
        """Start the supervisor in a session of its own."""
        parcel = self._home.parcel(spec.run)
        _set_aside(parcel, spec.leg - 1)
        (parcel / "spec.json").write_text(json.dumps(spec.to_dict(), indent=1), encoding="utf-8")
        command = [sys.executable, "-m", "containerid.backends.supervisor", str(parcel)]
        with (parcel / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=spec.code.folder or None,
                env={**os.environ, **_values(self._home, spec.secrets)},
                start_new_session=True,
            )
        record = {"pid": process.pid, "started": started_at(process.pid), "leg": spec.leg}
        (parcel / "process.json").write_text(json.dumps(record), encoding="utf-8")
        return Leg(handle=f"{process.pid}", version=spec.run)

    def find(self, spec: Spec) -> Leg | None:
        """The leg whose process was recorded."""
        record = _read(self._home.parcel(spec.run) / "process.json")
        if record is None or record.get("leg", 1) != spec.leg:
            return None
        return Leg(handle=str(record["pid"]), version=spec.run)

    def status(self, leg: Leg) -> Status:
        """Running while the supervisor lives; then how it ended."""
        parcel = self._home.parcel(leg.version)
        record = _read(parcel / "process.json")
        if record is None:
            raise NotFound(f"no local run {leg.version} is known", hint="cid ls")
        if ending := _read(parcel / "exit.json"):
            code = int(ending["code"])
            return Status(State.SUCCEEDED if code == 0 else State.FAILED, _ending(code))
        if started_at(record["pid"]) == record["started"]:
            return Status(State.RUNNING)
        return Status(State.FAILED, "the process is gone and left no word: it was killed, or the machine restarted")

    def logs(self, leg: Leg, *, follow: bool) -> Iterator[LogLine]:
        """The supervisor's log, line by line. Raises NotFound as `outputs` does."""
        self._must_be_here(leg)
        path = self._home.parcel(leg.version) / "log.jsonl"
        rest = ""
        with path.open(encoding="utf-8") if path.exists() else _wait_for(path, self, leg, follow=follow) as file:
            while True:
                over = not follow or self.status(leg).state.final
                rest += file.read()
                *lines, rest = rest.split("\n")
                yield from (_line(line) for line in lines if line)
                if over:
                    return
                time.sleep(_POLL)

    def outputs(self, leg: Leg) -> Sequence[Output]:
        """Every file of the run's output folder. Raises NotFound when all of the run was removed."""
        self._must_be_here(leg)
        folder = self._home.parcel(leg.version) / "out"
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [Output(path.relative_to(folder).as_posix(), path.stat().st_size, str(path)) for path in files]

    def _must_be_here(self, leg: Leg) -> None:
        parcel = self._home.root / "parcels" / leg.version
        if not (parcel / "process.json").is_file():
            raise NotFound(f"what {leg.version} left in {parcel} is gone", hint="cid ls")

    def download(self, output: Output, to: Path) -> str:
        """A copy, so that whoever edits one of the two leaves the other as it was; no bytes where both can share."""
        with open(output.source, "rb") as source, to.open("wb") as target:  # noqa: PTH123
            with suppress(OSError):
                fcntl.ioctl(target.fileno(), _CLONE, source.fileno())
                return ""
            shutil.copyfileobj(source, target, _CHUNK)
        return ""

    def hand_over(self, spec: Spec, leg: Leg, tell: Tell, *, carried: bool = False) -> Past:
        """The output folder: the next leg goes on in it. Raises NoCheckpoint."""
        from containerid.config import ENTRY

        del leg, tell, carried
        folder = self._home.parcel(spec.run) / "out"
        if spec.entry == ENTRY and not (folder / CHECKPOINT_FILE).is_file():
            raise NoCheckpoint(f"leg {spec.leg} of {spec.run} left no checkpoint to go on from", hint="cid train")
        return Past(kind="folder", source=str(folder))

    def cancel(self, leg: Leg) -> None:
        """Ask the training to stop; it writes its result."""
        record = _read(self._home.parcel(leg.version) / "process.json")
        if record is None or started_at(record["pid"]) != record["started"]:
            raise Refused(f"the local run {leg.version} is not running")
        with suppress(ProcessLookupError):
            os.kill(record["pid"], signal.SIGTERM)


def _values(home: Home, names: Iterable[str]) -> dict[str, str]:
    """Secrets go to the training through its environment, and lie in no file of the run."""
    from containerid.keychain import Keychain

    keychain = Keychain(home) if (wanted := tuple(names)) else None
    return {name: value for name in wanted if keychain and (value := keychain.get(name))}


def _set_aside(parcel: Path, leg: int) -> None:
    """What tells of the leg before must not be taken for the next one's."""
    (parcel / "exit.json").unlink(missing_ok=True)
    if leg and (parcel / "log.jsonl").exists():
        (parcel / "log.jsonl").replace(parcel / f"log-{leg}.jsonl")


def _wait_for(path: Path, backend: LocalBackend, leg: Leg, *, follow: bool) -> Any:
    while follow and not path.exists() and not backend.status(leg).state.final:
        time.sleep(_POLL)
    path.touch()
    return path.open(encoding="utf-8")


def _line(text: str) -> LogLine:
    entry = json.loads(text)
    return LogLine(float(entry["time"]), str(entry["stream"]), str(entry["data"]))


def _read(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document
    return None


def _ending(code: int) -> str:
    if code == 0:
        return ""
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (" (often host memory)" if name == "SIGKILL" else "")
    return f"the training ended with exit code {code}"
