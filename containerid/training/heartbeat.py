"""A sign of life once a minute, and how busy the GPU is: a long epoch is silent, a session that hangs is too."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from containerid.events import Heartbeat
from containerid.training.session import Session

EVERY = 60.0
"""Seconds between two heartbeats."""

_QUESTION = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")
_PATIENCE = 10.0


@contextmanager
def beating(session: Session, every: float = EVERY) -> Iterator[None]:
    """Within, a thread says every so many seconds that the session lives. It stops with the block, or when it fails."""
    over = threading.Event()

    def beat() -> None:
        with suppress(Exception):
            while not over.wait(every):
                session.log.heartbeat(look(session))

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_PATIENCE + 1)


def look(session: Session, ask: Callable[[str], str] | None = None) -> Heartbeat:
    """Where the session is, and what its GPU does just now as nvidia-smi sees it.

    Args:
        session: the GPU of its hardware is asked about; none where it computes on something else.
        ask: gives nvidia-smi's answer about the GPU of an index: `93, 9120, 15360`, percent and MiB.
    """
    if session.hardware.kind != "cuda":
        return Heartbeat(session.phase)
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        busy, used, total = map(float, (ask or _ask)(str(session.hardware.index)).split(","))
        return Heartbeat(session.phase, round(busy / 100, 2), round(used / total, 2))
    return Heartbeat(session.phase)


def _ask(index: str) -> str:
    done = subprocess.run((*_QUESTION, "-i", index), capture_output=True, text=True, timeout=_PATIENCE, check=True)
    return done.stdout.strip()
