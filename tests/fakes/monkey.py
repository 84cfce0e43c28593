"""`cid` in processes of its own that are killed: at the n-th thing they do to the world, or after some time.

Python's audit events tell what a process is about to do, so the code under test is the real one, unpatched: a step is a
git command that writes, bytes that go to a server, a file that gets a name, a transaction that ends.
The processes are forked from one that has the imports behind it.
"""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

_GIT = {"commit-tree", "push", "update-ref", "write-tree"}
_BEHIND = (
    "containerid.__main__",
    "containerid.commands",
    "containerid.config",
    "containerid.git",
    "containerid.kaggle.api",
    "containerid.kaggle.backend",
    "containerid.runs",
    "containerid.secretscan",
    "containerid.views",
    "git",
    "jinja2",
    "rich.console",
    "slugify",
)
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), how many steps it made, what it said."""

    code: int
    steps: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        """It did not come to its own end."""
        return self.code < 0

    @property
    def document(self) -> dict[str, Any]:
        """Stdout, which must be one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


class Monkey:
    """Runs `cid` and kills it. One at a time; take several for several at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fakes.monkey"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def cid(self, *arguments: str, cwd: Path, step: int = 0, after: float = 0, **environment: str) -> Ended:
        """Run a command to its end, or kill it at a step (from 1) or after so many seconds."""
        self.start(*arguments, cwd=cwd, step=step, after=after, **environment)
        return self.end()

    def start(self, *arguments: str, cwd: Path, step: int = 0, after: float = 0, **environment: str) -> None:
        """Run a command; `end` waits for it."""
        assert self._process.stdin
        self._runs += 1
        self._said = [str(self._folder / f"{os.getpid()}-{id(self)}-{self._runs}.{name}") for name in ("out", "err")]
        order = {"argv": arguments, "cwd": str(cwd), "step": step, "after": after, "environ": {**os.environ}}
        order["environ"] |= environment
        self._process.stdin.write(json.dumps({**order, "said": self._said}) + "\n")
        self._process.stdin.flush()

    def end(self) -> Ended:
        """How the command that was started ended."""
        assert self._process.stdout
        code, steps = json.loads(self._process.stdout.readline())
        return Ended(code, steps, *(Path(path).read_text(encoding="utf-8") for path in self._said))


def _serve() -> None:
    for name in _BEHIND:
        import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _live(order, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as counted:
            steps = len(counted.read())
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{json.dumps([os.waitstatus_to_exitcode(status), steps])}\n")
        sys.stdout.flush()


def _live(order: dict[str, Any], writing: int) -> None:
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["cwd"])
    for number, path in enumerate(order["said"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    _count(order["step"], writing)
    if order["after"]:
        signal.setitimer(signal.ITIMER_REAL, order["after"])
    from containerid.__main__ import main

    sys.argv = ["cid", *order["argv"]]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _count(fatal: int, writing: int) -> None:
    made = 0
    opened: list[Any] = []

    def step() -> None:
        nonlocal made
        made += 1
        if made == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(writing, b".")

    def statement(text: str) -> None:
        if text == "COMMIT":
            step()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        while opened:
            opened.pop().set_trace_callback(statement)
        if _changes(event, arguments):
            step()
        elif event == "sqlite3.connect/handle":
            opened.append(arguments[0])  # not ready at this event, but at the next

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    """What is about to happen will change something that outlives the process."""
    if event == "subprocess.Popen":
        return bool(_GIT & set(map(str, arguments[1])))
    if event == "http.client.send":
        return not re.match(rb"POST \S+/(Get|List)\w+ ", bytes(arguments[1]))
    return event in {"os.link", "os.rename"}


if __name__ == "__main__":
    _serve()
