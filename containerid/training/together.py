"""One training on several GPUs: a process for each, and this one, which starts them, listens, and hears how it ended.

The processes are Ultralytics' own (its trainer joins a group wherever PyTorch's launcher has set one up), but started
by us: where Ultralytics starts them, it first removes the output folder, pickles every callback, installs a package,
and brings back neither metrics nor the reason of an end.
"""

import io
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from containerid.errors import RunPaused
from containerid.job import Metrics
from containerid.training import budget
from containerid.training.log import PROGRESS_MARK, relay
from containerid.training.session import Session
from containerid.training.stop import STOP_FILE

PATIENCE = 1200.0
"""Seconds of silence after which the processes are taken for hung: they have been known to wait for each other."""
_FAREWELL = 20.0


class Apart(Exception):
    """They could not train together; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every process is told.

    Attributes:
        spec, out, view, mounts, project: the session's, as paths.
        scratch: an own folder, in which each process makes one of its own.
        kind, proof: of the hardware, and `indices` of its GPUs.
        past: the output folder holds a checkpoint to go on from.
        halved: see `metadata.json`.
        counts: of the data, as in its report.
    """

    spec: str
    out: str
    view: str
    mounts: str
    project: str
    scratch: str
    kind: str
    proof: str
    indices: list[int]
    past: bool
    halved: list[dict[str, int]]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended. All but the first know nothing but what went wrong.

    Attributes:
        metrics, epochs, checkpoint, usage: as the session has them.
        paused: why, when it paused.
        error: what went wrong otherwise.
        batch: as the session has it; 0 after an error that another size would not mend.
        first_batch: see `Budget`.
        at: when, in seconds of the system's monotonic clock: it is the same for all.
    """

    metrics: Metrics = field(default_factory=dict)
    epochs: int = 0
    checkpoint: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    paused: str = ""
    error: str = ""
    batch: int = 0
    first_batch: float = 0.0
    at: float = 0.0


def ending_file(scratch: str | Path, rank: int) -> Path:
    """In which a process says how it ended; `scratch` is that of the plan."""
    return Path(scratch, str(rank), "ending.json")


def train(session: Session, patience: float = PATIENCE) -> Ending:
    """Train on all GPUs of the session's hardware.

    Raises:
        Apart: they cannot, or not together; whatever they kept can be gone on from.
        RunPaused: the budget ended, or somebody asked for it.
    """
    folder = session.place.scratch / "together"
    folder.mkdir(exist_ok=True)
    plan, pause = folder / "plan.json", folder / "pause"
    endings = [ending_file(folder, rank) for rank in range(len(session.hardware.indices))]
    for file in endings:
        file.unlink(missing_ok=True)
    plan.write_text(json.dumps(asdict(_plan(session, folder))), encoding="utf-8")
    environ = {**os.environ, budget.BEGAN: str(session.budget.since), STOP_FILE: str(pause), **_path()}
    last = ""
    with _started(command(plan, len(endings)), environ) as process:
        for line in _lines(process, patience):
            _tell(session, line)
            last = line.strip() or last
            if session.stop.pauses:
                pause.touch()
    return _judge(session, [_read(file) for file in endings], last)


def command(plan: Path, processes: int) -> list[str]:
    """What starts so many processes; each runs `containerid.training.worker` on the plan.

    The launcher takes a port that is free and keeps it; `--local-addr` spares it the question what this machine is
    called, to which a container need not have an answer.
    """
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    worker = ["--nproc-per-node", str(processes), "--module", "containerid.training.worker", str(plan)]
    return [sys.executable, *launcher, *worker]


def share(batch: float, processes: int) -> int:
    """The batch over all GPUs, divisible; 16 a GPU where it was to be found out, which only one GPU can."""
    if batch < 1:
        return 16 * processes
    return max(1, int(batch) // processes) * processes


def _plan(session: Session, folder: Path) -> Plan:
    return Plan(
        spec=str(session.spec_file),
        out=str(session.out),
        view=str(session.view),
        mounts=str(session.place.mounts),
        project=str(session.place.project),
        scratch=str(folder),
        kind=session.hardware.kind,
        proof=session.hardware.proof,
        indices=list(session.hardware.indices),
        past=session.past is not None,
        halved=session.extras.get("halved", []),
        counts=session.report.counts,
    )


def _path() -> dict[str, str]:
    package = str(Path(__file__).parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))}


class _started:  # noqa: N801
    """Within, the processes run; after it, none does."""

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        self._command, self._environ = command, environ

    def __enter__(self) -> "subprocess.Popen[bytes]":
        self._process = subprocess.Popen(
            self._command,
            env=dict(self._environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        return self._process

    def __exit__(self, *_: object) -> None:
        for signal in (15, 9):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL)


def _lines(process: "subprocess.Popen[bytes]", patience: float) -> Iterator[str]:
    """What they say, until they are silent for too long or have ended. Raises Apart when they are silent.

    Each state of a progress bar is one, ends with a carriage return, and is a sign of life.
    """
    said: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        for line in io.TextIOWrapper(process.stdout, "utf-8", "replace", newline="") if process.stdout else ():
            said.put(line)
        said.put(None)

    threading.Thread(target=listen, name="together", daemon=True).start()
    while True:
        try:
            line = said.get(timeout=patience)
        except queue.Empty:
            raise Apart(f"they said nothing for {patience:.0f} s") from None
        if line is None:
            return
        yield line


def _tell(session: Session, line: str) -> None:
    relay(line)
    if line.startswith(PROGRESS_MARK):
        with suppress(ValueError, KeyError, TypeError):
            told = json.loads(line.removeprefix(PROGRESS_MARK))
            session.epochs = told["epoch"]
            session.tracking.tell(told["metrics"], told["epoch"])


def _read(file: Path) -> Ending | None:
    with suppress(OSError, ValueError, TypeError):
        return Ending(**json.loads(file.read_text(encoding="utf-8")))
    return None


def _judge(session: Session, endings: Sequence[Ending | None], last: str) -> Ending:
    """How they ended, all together: as the first of them did, or by the fault that came first, whoever had it.

    A process that fails takes the others along, which then tell of nothing but a closed connection.
    """
    ending = endings[0]
    if ending is None or ending.error:
        faults = sorted((each for each in endings if each and each.error), key=lambda each: each.at)
        if not faults:
            raise Apart(f"they ended without a word; the last was: {last[:200]}")
        ending = replace(ending or Ending(epochs=session.epochs), error=faults[0].error, batch=faults[0].batch)
    session.epochs, session.checkpoint, session.metrics = ending.epochs, ending.checkpoint, ending.metrics
    session.batch = ending.batch
    session.extras["usage"] = ending.usage
    session.budget.first_batch = session.budget.first_batch or ending.first_batch
    if ending.paused:
        raise RunPaused(ending.paused)
    return ending
