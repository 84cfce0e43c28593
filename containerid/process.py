"""Processes that outlive a command: a process id alone may be somebody else's by now, with its start time it is not."""

import subprocess
from pathlib import Path


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
