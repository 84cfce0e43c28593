"""Commands in processes of their own, forked from one that has the imports behind it, under conditions that are chosen.

`python -m benchmarks.forks cid|kaggle` reads orders from stdin. Pauses between two tries are cut short there, for both
clients: what they decide is measured, not how long they wait. Nothing else of them is changed.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Self

import stamina

from containerid import backends
from containerid.clock import Clock
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.plan import KaggleSettings

_STEPS = {"subprocess.Popen", "http.client.send", "os.rename"}
_REAL_SLEEP, _REAL_TIME = time.sleep, time.time
_SHORT = 0.02
_READY = "ready\n"


@dataclass(frozen=True)
class Order:
    """One command.

    Attributes:
        argv: without the program's name.
        cwd: where.
        environ: the whole environment.
        limit: seconds after which it is ended.
        die: the number of the step at which it is killed, from 1: a program started, bytes sent, a file named.
        disk: bytes that a file may have; 0 is no limit.
        jump: seconds by which its wall clock jumps after the first second call to it.
        humble: without root's right to write what is not to be written.
        patient: leave the pauses between two tries as long as they are.
    """

    argv: Sequence[str]
    cwd: str
    environ: dict[str, str] = field(default_factory=dict)
    limit: float = 30
    die: int = 0
    disk: int = 0
    jump: float = 0
    humble: bool = False
    patient: bool = False


@dataclass(frozen=True)
class Ended:
    """How it ended: exit code (negative: the signal), steps made, what it said."""

    code: int
    steps: int
    out: str
    err: str

    @property
    def hung(self) -> bool:
        """The limit ended it."""
        return self.code == -signal.SIGALRM


class Forks:
    """Runs commands of one client, one at a time."""

    def __init__(self, client: str, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._count = 0

    def __enter__(self) -> Self:
        root = Path(__file__).parents[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "CID_"))}
        own = {"KAGGLE_USERNAME": "alice", "KAGGLE_KEY": "0" * 32, "HOME": str(self._folder), "PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "benchmarks.forks", self._client]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**kept, **own, "KAGGLE_API_ENVIRONMENT": "LOCALHOST"},
        )
        return self

    def await_ready(self) -> None:
        """Return once its imports are done."""
        assert self._pipe(self._process.stdout).readline() == _READY

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, order: Order) -> Ended:
        """Run a command to its end."""
        self.start(order)
        return self.end()

    def start(self, order: Order) -> None:
        """Begin a command; `end` waits for it."""
        self._count += 1
        self._said = [str(self._folder / f"{self._client}-{self._count}.{name}") for name in ("out", "err")]
        stdin = self._pipe(self._process.stdin)
        stdin.write(json.dumps({**asdict(order), "said": self._said}) + "\n")
        stdin.flush()

    def end(self) -> Ended:
        """How it ended."""
        code, steps = json.loads(self._pipe(self._process.stdout).readline())
        return Ended(code, steps, *(Path(path).read_text("utf-8", "replace") for path in self._said))

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


class Hurried:
    """Time that passes by itself: who sleeps is awake again soon, and believes that he slept."""

    skipped = 0.0

    @classmethod
    def sleep(cls, seconds: float) -> None:
        """Sleep a little."""
        _REAL_SLEEP(min(seconds, _SHORT))
        cls.skipped += max(seconds - _SHORT, 0)

    @classmethod
    def now(cls) -> float:
        """Seconds, those that were slept included."""
        return time.monotonic() + cls.skipped


def open_hurried(home: Any, settings: Any) -> Any:
    """The backend `kaggle`, on a clock of its own."""
    return KaggleBackend(home, KaggleSettings.read(settings or {}), clock=Clock(Hurried.now, Hurried.sleep))


def _cid() -> Callable[[], None]:
    loaded = ("kaggle.api", "kaggle.backend", "kaggle.credentials", "kaggle.download", "runs", "runs.fetch", "views")
    for name in loaded:
        importlib.import_module(f"containerid.{name}")
    row = backends.TABLE["kaggle"]
    backends.TABLE["kaggle"] = replace(row, target="benchmarks.forks:open_hurried", first=0.05, cap=0.3)
    stamina.set_testing(True, attempts=5)
    entry: Callable[[], None] = importlib.import_module("containerid.__main__").main
    return entry


def _kaggle() -> Callable[[], None]:
    entry: Callable[[], None] = importlib.import_module("kaggle.cli").main
    return entry


def _serve(client: str) -> None:
    main = {"cid": _cid, "kaggle": _kaggle}[client]()
    sys.stdout.write(_READY)
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            _live(client, main, order, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as counted:
            steps = len(counted.read())
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), steps]) + "\n")
        sys.stdout.flush()


def _live(client: str, main: Callable[[], None], order: dict[str, Any], writing: int) -> None:
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["cwd"])
    for number, path in enumerate(order["said"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
    signal.setitimer(signal.ITIMER_REAL, order["limit"])
    _conditions(client, order)
    _count(order["die"], writing)
    sys.argv = [client, *order["argv"]]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _conditions(client: str, order: dict[str, Any]) -> None:
    if order["patient"]:
        if client == "cid":
            stamina.set_testing(False)
    elif client == "kaggle":
        vars(time)["sleep"] = Hurried.sleep
    if order["disk"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["disk"], resource.RLIM_INFINITY))
    if order["humble"] and os.geteuid() == 0:
        _drop_capabilities()
    if order["jump"]:
        asked = [0]

        def jumped() -> float:
            asked[0] += 1
            return _REAL_TIME() + (order["jump"] if asked[0] > 1 else 0)

        time.time = jumped


def _drop_capabilities() -> None:
    """Linux: capset(2), version 3, with nothing in it."""
    header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)
    assert ctypes.CDLL(None).capset(header, nothing) == 0


def _count(fatal: int, writing: int) -> None:
    made = 0
    os.set_inheritable(writing, False)

    def hook(event: str, _: tuple[Any, ...]) -> None:
        nonlocal made
        if event in _STEPS:
            made += 1
            if made == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(writing, b".")

    sys.addaudithook(hook)


if __name__ == "__main__":
    _serve(sys.argv[1])
