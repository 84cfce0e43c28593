"""Processes that are born with the large packages imported: a training of their own takes them four seconds less."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Self

# None of them computes anything at its import, so that no thread is lost by a fork, nor do they read what a test sets.
LARGE = ("torch", "torchvision", "matplotlib.pyplot", "cv2")


class Nursery:
    """Runs modules as `python -m` does, each in a process of its own that is forked off one with the packages."""

    def __enter__(self) -> Self:
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-m", "fakes.nursery"]
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def run(
        self, arguments: Sequence[str | Path], environ: Mapping[str, str], first: Path, said: Path
    ) -> "subprocess.CompletedProcess[str]":
        """Run a module to its end.

        Args:
            arguments: its name, then those of its command line.
            environ: the whole of it.
            first: a Python file that is run before, as `sitecustomize` would be.
            said: a file for all that it says.
        """
        assert self._process.stdin
        assert self._process.stdout
        asked = {"arguments": [*map(str, arguments)], "environ": dict(environ), "folder": str(Path.cwd())}
        self._process.stdin.write(json.dumps(asked | {"first": str(first), "said": str(said)}) + "\n")
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess([*map(str, arguments)], code, said.read_text(encoding="utf-8"), "")


def serve() -> None:
    """Fork off a process for each line of stdin, and tell its exit code on stdout."""
    for name in LARGE:
        import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        if not (child := os.fork()):
            _live(asked)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


def _live(asked: dict[str, str]) -> None:
    module, *arguments = asked["arguments"]
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["folder"])
    said = os.open(asked["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    sys.argv = [module, *arguments]
    code = 1
    try:
        runpy.run_path(asked["first"])
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
