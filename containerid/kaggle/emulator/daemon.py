"""One server a user for rehearsals: started when first needed, outliving the command, stopping by itself when idle."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from containerid.errors import Unreachable
from containerid.home import Home
from containerid.kaggle.emulator.children import detached, leave
from containerid.kaggle.emulator.server import LOCK, RECORD, STARTING
from containerid.kaggle.emulator.store import held, locked, read
from containerid.process import started_at

IDLE_STOP = 600
_LOG = "server.log"
_PATIENCE = 20.0
_GLANCE = 0.03


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers now.

    Attributes:
        url: its origin; the value for CID_KAGGLE_URL.
        pid: its process.
    """

    url: str
    pid: int


def ensure(home: Home) -> Server:
    """This user's server, started if there is none. Two that ask at once get the same one.

    Raises:
        Unreachable: it does not start; the message holds the last line of its log.
    """
    state = home.emulator
    with locked(state / STARTING):
        return find(home) or _start(state)


def find(home: Home) -> Server | None:
    """This user's server, if one answers. A record of one that is gone is none, though its process id lives again."""
    record = read(home.emulator / RECORD)
    if not record or not held(home.emulator / LOCK) or started_at(record["pid"]) != record["started"]:
        return None
    return Server(record["url"], record["pid"]) if _answers(record["url"]) else None


def stop(home: Home) -> bool:
    """Stop this user's server, if there is one; what it runs goes on, and the next server finds it."""
    server = find(home)
    if server is None:
        return False
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE
    while held(home.emulator / LOCK) and time.monotonic() < deadline:
        threading.Event().wait(_GLANCE)
    return True


def _answers(url: str) -> bool:
    """Ask something cheap; that also keeps the server from stopping for idleness right now."""
    request = urllib.request.Request(  # noqa: S310
        f"{url}/api/v1/security.OAuthService/IntrospectToken", data=b"{}", headers={"Content-Type": "application/json"}
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=5) as answer:
            return "active" in json.load(answer)
    except (OSError, ValueError):
        return False


def _start(state: Path) -> Server:
    (state / RECORD).unlink(missing_ok=True)
    arguments = ("--state", str(state), "--idle-stop", str(IDLE_STOP))
    process = detached("containerid.kaggle.emulator", *arguments, folder=state, log=_LOG)
    return _await(state, process)


def _await(state: Path, process: subprocess.Popen[bytes]) -> Server:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        record = read(state / RECORD)
        if record and record["pid"] == process.pid:
            leave(process)
            return Server(record["url"], record["pid"])
        threading.Event().wait(_GLANCE)
    said = (state / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise Unreachable(f"the embedded Kaggle does not start: {said[-1] if said else 'it says nothing'}")
