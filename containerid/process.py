"""Processes that outlive a command: a process id alone may be somebody else's by now, with its start time it is not."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ROUNDS, _ROUND = 200, 0.01
"""How often, and after how many seconds, it is looked again whether all that was killed has gone."""


def started_at(pid: int) -> str | None:
    """When the process of this id started, in the system's own words; None when there is none (or only a zombie).

    Two equal answers for one id mean one process. Linux gives clock ticks since boot (proc(5), field 22), other systems
    what `ps -o lstart` prints.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def end_session(leader: int) -> None:
    """Kill every process of the session that `leader` began, those in process groups of their own too."""
    for _ in range(_ROUNDS):
        if not sum(_kill(pid) for pid in _processes() if _session(pid) == leader):
            return
        time.sleep(_ROUND)


def _processes() -> Iterator[int]:
    if Path("/proc/self/stat").exists():
        return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    listing = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=False).stdout
    return (int(word) for word in listing.split())


def _session(pid: int) -> int | None:
    with suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def _kill(pid: int) -> bool:
    """Whether there was anything to kill; a zombie waits for its parent alone."""
    if started_at(pid) is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True
