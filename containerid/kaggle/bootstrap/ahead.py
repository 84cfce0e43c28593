"""What the training will need from elsewhere, brought by processes of their own while packages are installed."""

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from containerid.kaggle.bootstrap.journal import one_line, say


class Ahead(threading.Thread):
    """Runs a command to its end, beside everything else. That it fails stops nothing: the training does it again.

    Args:
        lock: a file that stays locked for as long as the command runs, from before it begins.

    Attributes:
        seconds: that it took.
        brought: it said that it brought something.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, lock: Path | None = None
    ) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self.brought = False
        self._said = b""
        self._begun = time.monotonic()
        with _locked(lock) as held:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,
                pass_fds=held,
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
        """Kill it, and what it has started, if it still runs."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self.join()


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[tuple[int, ...]]:
    """Lock a file; whoever inherits its descriptor goes on holding the lock. Nothing without a file."""
    if path is None:
        yield ()
        return
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield (file.fileno(),)
