"""The embedded Kaggle as a whole: in a test, in a command's process, or as a server of its own."""

import functools
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from containerid.errors import UsageError
from containerid.kaggle.emulator.accounts import Accounts
from containerid.kaggle.emulator.blobs import Blobs
from containerid.kaggle.emulator.datasets import Datasets
from containerid.kaggle.emulator.faults import Fault, FaultPlan
from containerid.kaggle.emulator.kernels import Kernels, Platform
from containerid.kaggle.emulator.layer import Interpreter
from containerid.kaggle.emulator.links import Links
from containerid.kaggle.emulator.outputs import Outputs
from containerid.kaggle.emulator.quota import Quota
from containerid.kaggle.emulator.sessions import Sessions
from containerid.kaggle.emulator.shelf import Shelf
from containerid.kaggle.emulator.site import Site
from containerid.kaggle.emulator.store import Store, locked, write
from containerid.kaggle.emulator.wire import Call, Listener
from containerid.process import started_at

LOCK, STARTING, RECORD = "server.lock", "starting.lock", "server.json"
_GLANCE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be chosen about an embedded Kaggle.

    Attributes:
        gpu_slots, cpu_slots: sessions at a time.
        weekly_hours: of GPU.
        complete_whatever: call a failed session complete, as Kaggle was seen to do.
        python: whose packages kernels find installed.
        run: False only records what is pushed; it stays queued.
        clock: seconds since 1970, for quota and links.
        isolate: give kernels a root folder of their own where the machine allows.
        output_bytes: what /kaggle/working may hold.
        link_seconds: how long a file's link is good.
        envelope: `google`, as api.kaggle.com answers errors, or `flat`, which kagglesdk understands.
        user: who is behind an access token; a name made from the token when empty.
        dataset_seconds: until a new version of a dataset is ready.
    """

    gpu_slots: int = 2
    cpu_slots: int = 5
    weekly_hours: float = 30
    complete_whatever: bool = False
    python: str = sys.executable
    run: bool = True
    clock: Callable[[], float] = time.time
    isolate: bool = True
    output_bytes: int = 20 * 10**9
    link_seconds: float = 3600
    envelope: str = "google"
    user: str = ""
    dataset_seconds: float = 0


class EmbeddedKaggle:
    """A Kaggle on this machine: the wire protocol over HTTP on the loopback address, kernels that really run.

    Not a security boundary: it runs what is pushed to it.

    Args:
        state: its folder; a later server on the same folder goes on with the same kernels and datasets.
        port: 0 takes any that is free.
        settings: the fields of `Settings`.
    """

    def __init__(self, state: Path, *, port: int = 0, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.faults = FaultPlan()
        self._state = state
        self._wanted_port = port
        self._listener: Listener | None = None
        self._calls: list[Call] = []
        self._held = ExitStack()
        self._alive = time.monotonic()
        self._stopping = threading.Lock()

    def start(self) -> Self:
        """Listen. Answers as soon as it returns.

        Raises:
            UsageError: another server uses the folder, or something else the port.
        """
        if self._wanted_port:
            _must_be_free(self._wanted_port)
        if not self._held.enter_context(locked(self._state / LOCK, wait=False)):
            self._held.close()
            raise UsageError(
                f"another embedded Kaggle uses {self._state}",
                hint="stop it (that of a rehearsal ends by itself, minutes after the last one), or --state FOLDER",
            )
        site, self._sessions, links = _build(self._state, self.settings, lambda: self.url)
        envelope, closing = self.settings.envelope, self._sessions.closing
        try:
            self._listener = Listener(self._wanted_port, site.answer, self.faults, envelope, closing)
        except OSError as error:
            self._held.close()
            raise UsageError(f"port {self._wanted_port} cannot be had: {error.strerror}", hint="--port 0") from error
        links.origin = self.url
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def stop(self, *, end_sessions: bool = True) -> None:
        """Stop listening; by default what still runs ends with it. Twice is once."""
        with self._stopping:
            if self._listener is None:
                return
            self._sessions.close(end=end_sessions)
            self._listener.shutdown()
            self._listener.hang_up()
            self._listener.server_close()
            self._thread.join()
            self._calls = self.calls
            self._listener = None
            self._held.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.server_port if self._listener else self._wanted_port

    @property
    def url(self) -> str:
        """Its origin, without a slash at the end; the value for CID_KAGGLE_URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[Call]:
        """Every request so far, the oldest first."""
        return list(self._listener.calls) if self._listener else self._calls

    def idle(self) -> float:
        """Seconds since the last request, or since a session last was alive."""
        if self._listener is None or self._sessions.live():
            self._alive = time.monotonic()
            return 0.0
        return time.monotonic() - max(self._alive, self._listener.heard)

    def plan(self, rpc: str, effect: str, **details: Any) -> None:
        """Plan a fault; see `faults.Fault`."""
        self.faults.add(Fault(rpc=rpc, effect=effect, **details))

    def drop_answer(self, rpc: str, *, times: int = 1) -> None:
        """The next call of this method takes effect, and its answer is lost."""
        self.plan(rpc, "drop", times=times)


def _must_be_free(port: int) -> None:
    """Raises UsageError for a port that somebody listens on, which is said before anything about the folder."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(f"port {port} cannot be had: {error.strerror}", hint="--port 0") from error


def _build(state: Path, settings: Settings, origin: Callable[[], str]) -> tuple[Site, Sessions, Links]:
    slots = {"GPU": settings.gpu_slots, "CPU": settings.cpu_slots, "TPU": 1}
    platform = Platform(
        interpreter=functools.cache(lambda: Interpreter.of(settings.python)),
        isolate=settings.isolate,
        output=settings.output_bytes,
        origin=origin,
    )
    clock = settings.clock
    store = Store(state)
    accounts = Accounts(store, settings.user)
    quota = Quota(store, slots=slots, weekly_hours=settings.weekly_hours, clock=clock)
    sessions = Sessions(store, quota, clock=clock, runs=settings.run, complete_whatever=settings.complete_whatever)
    links = Links(store.root, store.secret(), seconds=settings.link_seconds, clock=clock)
    blobs = Blobs(store, origin)
    datasets = Datasets(store, blobs, links, clock, origin, processing=settings.dataset_seconds)
    shelf = Shelf(store, sessions)
    kernels = Kernels(store, shelf, sessions, quota, datasets, accounts, platform)
    site = Site(
        accounts=accounts,
        kernels=kernels,
        outputs=Outputs(shelf, sessions, links),
        datasets=datasets,
        uploads=blobs,
        files=links,
        quota=quota,
        sessions=sessions,
    )
    return site, sessions, links


def serve(
    state: Path,
    port: int,
    ready: Callable[[EmbeddedKaggle], None],
    *,
    idle_stop: float | None = None,
    detached: bool = False,
    faults: FaultPlan | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; call it in the main thread. Rehearsals on the same folder use this server too.

    Args:
        state: the server's folder.
        port: 0 takes any that is free.
        ready: called once, when the server answers.
        idle_stop: also stop when no session lives and no request came for so many seconds.
        detached: sessions go on when the server stops; the next server on the folder finds them.
        faults: what is planned to go wrong.
    """
    kaggle = EmbeddedKaggle(state, port=port)
    kaggle.faults = faults or kaggle.faults
    over = threading.Event()
    with _signals(over), ExitStack() as stack:
        kaggle.start()
        stack.callback(kaggle.stop, end_sessions=not detached)
        pid = os.getpid()
        write(state / RECORD, {"url": kaggle.url, "pid": pid, "started": started_at(pid)})
        ready(kaggle)
        while not over.wait(_GLANCE):
            if idle_stop is not None and kaggle.idle() > idle_stop and _stopped_alone(kaggle, state, idle_stop):
                return


def _stopped_alone(kaggle: EmbeddedKaggle, state: Path, idle_stop: float) -> bool:
    """Stop, unless somebody is being told of this server right now: he holds the lock, or has just asked something."""
    with locked(state / STARTING, wait=False) as alone:
        if not alone or kaggle.idle() <= idle_stop:
            return False
        kaggle.stop(end_sessions=False)
        return True


@contextmanager
def _signals(over: threading.Event) -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
