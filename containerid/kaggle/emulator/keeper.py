"""Keeps one session: starts its kernel, writes its log, ends it at its limits, writes down how it ended.

A process of its own (`python -m containerid.kaggle.emulator.keeper FOLDER`), so that a session outlives the server and
the server can come back to it. It holds the folder's lock for as long as it lives.
"""

import codecs
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from containerid.kaggle.emulator.archives import size
from containerid.kaggle.emulator.sandbox import Order, Sandbox
from containerid.kaggle.emulator.store import locked, read, write
from containerid.process import end_session, started_at

LOCK, ORDER, BEGAN, ENDED, STOP, LOG = "lock", "order.json", "began.json", "ended.json", "stop.json", "log.jsonl"
OVER_TIME = "Your notebook was stopped because it exceeded the max allowed execution duration."
OVER_MEMORY = "Your notebook tried to allocate more memory than is available."
OVER_DISK = "Your notebook tried to use more disk space than is available"
# What Kaggle's own rendering of a script writes after the script has ended: a kernel's last line is not the log's.
_RENDERING = (
    "[NbConvertApp] Converting notebook __script__.ipynb to html\n",
    "[NbConvertApp] Writing 287391 bytes to __results__.html\n",
)
_LOOK, _MEASURE, _PARTIAL, _DRAIN = 0.1, 1.0, 0.25, 2.0


class Log:
    """The session's log: one JSON object a line, in the words of Kaggle's. Lines are whole, but for long silences."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._began = time.monotonic()
        self._rest = {"stdout": "", "stderr": ""}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._rest}

    def feed(self, stream: str, data: bytes) -> None:
        """Take bytes as they come; write what has become whole lines."""
        *lines, rest = (self._rest[stream] + self._decoders[stream].decode(data)).split("\n")
        for line in lines:
            self.write(stream, line + "\n")
        self._rest[stream] = rest

    def flush(self) -> None:
        """Write what has no line end yet."""
        for stream, rest in self._rest.items():
            if rest:
                self.write(stream, rest)
            self._rest[stream] = ""

    def write(self, stream: str, data: str) -> None:
        """Write one entry."""
        entry = {"stream_name": stream, "time": round(time.monotonic() - self._began, 9), "data": data}
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.flush()
        self._file.close()


class Watch:
    """A running kernel: its pipes, its limits, the server's wish to stop it."""

    def __init__(self, folder: Path, order: Order, working: Path, child: subprocess.Popen[bytes], log: Log) -> None:
        self._folder = folder
        self._order = order
        self._working = working
        self._child = child
        self._log = log
        self._began = self._measured = self._heard = time.monotonic()
        self._selector = selectors.DefaultSelector()
        for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, name)

    def until_over(self) -> tuple[str, str]:
        """Kaggle's word for how the session ended, and its message. The kernel's whole session is gone then."""
        while True:
            self._listen(_LOOK)
            if verdict := self._verdict():
                break
        self._drain(0)
        end_session(self._child.pid)
        self._child.wait()
        self._drain(_DRAIN)
        self._selector.close()
        return verdict

    def _listen(self, seconds: float) -> bool:
        ready = self._selector.select(seconds)
        for key, _ in ready:
            data = os.read(key.fd, 65536)
            self._heard = time.monotonic()
            if data:
                self._log.feed(key.data, data)
            else:
                self._selector.unregister(key.fileobj)
                _close(key.fileobj)
        if not ready and time.monotonic() - self._heard > _PARTIAL:
            self._log.flush()
        return bool(ready)

    def _drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._selector.get_map() and self._listen(max(deadline - time.monotonic(), 0)):
            pass

    def _verdict(self) -> tuple[str, str] | None:
        now = time.monotonic()
        if wish := read(self._folder / STOP):
            return wish["state"], wish["message"]
        if now - self._began > self._order.limit:
            return "CANCEL_ACKNOWLEDGED", OVER_TIME
        code = self._child.poll()
        if code is not None or now - self._measured > _MEASURE:
            self._measured = now
            if size(self._working) > self._order.output:
                return "ERROR", OVER_DISK
        return None if code is None else _verdict_of(code)


def _verdict_of(code: int) -> tuple[str, str]:
    if code == -signal.SIGKILL:
        return "ERROR", OVER_MEMORY
    return ("ERROR" if code else "COMPLETE"), ""


def _close(pipe: object) -> None:
    closable: IO[bytes] = pipe  # type: ignore[assignment]
    closable.close()


def keep(folder: Path) -> None:
    """Run the session of this folder to its end."""
    order = Order(**(read(folder / ORDER) or {}))
    sandbox = Sandbox(folder, order)
    log = Log(folder / LOG)
    began = time.monotonic()
    try:
        sandbox.build()
        child = sandbox.launch()
        write(folder / BEGAN, {"pid": child.pid, "started": started_at(child.pid)})
        state, message = Watch(folder, order, sandbox.working, child, log).until_over()
        if child.returncode >= 0:
            log.flush()
            for line in _RENDERING:
                log.write("stderr", line)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        state, message = "ERROR", f"the session could not be started: {error}"
    log.close()
    write(folder / ENDED, {"state": state, "message": message, "seconds": time.monotonic() - began})
    sandbox.sweep()


def main(folder: Path) -> None:
    """Keep the session, unless it is kept already or over."""
    with locked(folder / LOCK):
        if not (folder / ENDED).exists():
            keep(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
