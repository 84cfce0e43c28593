"""`cid fetch`, verified, beside `kaggle kernels output`: whole processes, the same server, in turn."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.storage import KERNEL, RUN, Line
from containerid.home import Home
from containerid.job import Leg, Spec, State
from containerid.runs.registry import Registry, Run

ROUNDS = 3
SETTINGS = {
    "200 files of 256 KB at 80 ms": Line(files=200, size=256 << 10),
    "512 MB, 20 MB/s a connection, 100 MB/s in all": Line(files=1, size=512 << 20, connection=20e6, link=100e6),
}


@contextmanager
def serving(line: Line) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.storage", json.dumps(asdict(line))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def environment(url: str, home: Path) -> dict[str, str]:
    """A home of its own, in which a run that has ended is recorded."""
    registry = Registry(Home(home / "cid").registry)
    registry.add(Run(run=RUN, backend="kaggle", project="bench", folder=str(home)))
    registry.set_spec(RUN, Spec(run=RUN, backend="kaggle"))
    registry.set_leg(RUN, Leg(KERNEL, "1"))
    registry.move(RUN, State.SUCCEEDED)
    registry.close()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "CID_"))}
    own = {"HOME": str(home), "CID_HOME": str(home / "cid"), "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
    return {**plain, **own, "CID_KAGGLE_URL": url}


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds that a command takes, and its peak memory in MB."""
    begun = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    assert status == 0, said.decode()
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def compare(line: Line, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Every round of both commands."""
    scripts = Path(sys.executable).parent
    found: dict[str, list[tuple[float, float]]] = {"kaggle kernels output": [], "cid fetch": []}
    with tempfile.TemporaryDirectory() as scratch, serving(line) as url:
        ours = environment(url, Path(scratch))
        theirs = {**ours, "KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": url}
        for _ in range(rounds):
            there, here = Path(scratch) / "theirs", Path(scratch) / "ours"
            peer = [str(scripts / "kaggle"), "kernels", "output", KERNEL, "-p", str(there)]
            own = [str(scripts / "cid"), "fetch", RUN, "--to", str(here)]
            found["kaggle kernels output"].append(measure(peer, theirs))
            found["cid fetch"].append(measure(own, ours))
            for folder in (there, here):
                brought = sum(path.stat().st_size for path in folder.rglob("*.bin"))
                assert brought == line.files * line.size, f"{folder} holds {brought:,} bytes"
                shutil.rmtree(folder)
    return found


def main() -> None:
    """Print a table: medians of seconds and of peak memory, and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    for name, line in SETTINGS.items():
        print(f"{name} ({rounds} rounds)")
        peer = 0.0
        for command, times in compare(line, rounds).items():
            seconds = statistics.median(each for each, _ in times)
            memory = statistics.median(each for _, each in times)
            peer = peer or seconds
            print(f"  {command:<22} {seconds:7.2f} s  {memory:5.0f} MB   {peer / seconds:5.1f} ×")


if __name__ == "__main__":
    main()
