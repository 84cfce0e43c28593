"""What the training will need from elsewhere, brought by a process of its own while packages are installed."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from containerid.kaggle.bootstrap.journal import one_line, say


class Ahead(threading.Thread):
    """Runs a command to its end, beside everything else. That it fails stops nothing: the training does it again.

    Attributes:
        seconds: that it took.
        brought: it said that it brought something.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.brought = False
        self._said = b""
        self._begun = time.monotonic()
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.start()

    def run(self) -> None:
        """Until it ends."""
        self._said, _ = self._process.communicate()
        self.seconds = round(time.monotonic() - self._begun, 3)

    def wait(self, patience: float) -> None:
        """Give it so many seconds more, tell what it said, and end it."""
        self.join(patience)
        self.end()
        for line in self._said.decode("utf-8", "replace").splitlines():
            say(one_line(line))
        self.brought = bool(self._said)

    def end(self) -> None:
        """Kill it if it still runs."""
        self._process.kill()
        self.join()
