"""`python -m containerid.backends.supervisor PARCEL`: run a local training, keep its log with times, note its exit.

The parcel holds `spec.json`; `log.jsonl`, `exit.json` and the outputs in `out/` are written into it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, TextIO


def main(parcel: Path) -> int:
    """Run the training to its end. Returns the training's exit code, negative for a signal."""
    begun = time.monotonic()
    command = [
        sys.executable,
        "-u",
        "-m",
        "containerid.training",
        "--spec",
        str(parcel / "spec.json"),
        "--out",
        str(parcel / "out"),
    ]
    with (parcel / "log.jsonl").open("a", encoding="utf-8", buffering=1) as log:
        training = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: training.terminate())
        lock = threading.Lock()
        streams = [("stdout", training.stdout), ("stderr", training.stderr)]
        readers = [threading.Thread(target=_copy, args=(name, pipe, log, begun, lock)) for name, pipe in streams]
        for reader in readers:
            reader.start()
        code = training.wait()
        for reader in readers:
            reader.join()
    note = parcel / "exit.json.part"
    note.write_text(json.dumps({"code": code}), encoding="utf-8")
    note.replace(parcel / "exit.json")
    return code


def _environment() -> dict[str, str]:
    paths = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def _copy(name: str, pipe: IO[bytes] | None, log: TextIO, begun: float, lock: threading.Lock) -> None:
    for line in pipe or ():
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        entry: dict[str, Any] = {"time": round(time.monotonic() - begun, 3), "stream": name, "data": text}
        with lock:
            log.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
