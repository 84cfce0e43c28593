"""CPU time of `cid --help`, `--version` and `ls` beside `kaggle --version`, in turn, as ratios of medians."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 15


def cpu(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of user and system time that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a table: command, median in ms, ratio to kaggle's."""
    scripts = Path(sys.executable).parent
    peer = [shutil.which("kaggle", path=str(scripts)) or "kaggle", "--version"]
    commands = [peer] + [[str(scripts / "cid"), word] for word in ("--version", "--help", "ls")]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "CID_HOME": home, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
        times = [[cpu(command, environment) for command in commands] for _ in range(ROUNDS + 1)][1:]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    for command, median in zip(commands, medians, strict=True):
        name = " ".join([Path(command[0]).name, *command[1:]])
        print(f"{name:<20} {median * 1000:7.1f} ms   {median / medians[0]:5.2f} × kaggle --version")


if __name__ == "__main__":
    main()
