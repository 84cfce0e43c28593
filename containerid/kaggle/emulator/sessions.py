"""Sessions: what was started, how it stands, its log, its end. All of it is read from the session's folder."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from containerid.kaggle.emulator import keeper
from containerid.kaggle.emulator.children import detached, leave
from containerid.kaggle.emulator.quota import Quota
from containerid.kaggle.emulator.sandbox import Order, remove
from containerid.kaggle.emulator.store import Document, Store, held, read, write
from containerid.process import end_session, started_at

_FINAL = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
_LOST = "The session was lost: the machine that ran it went away."
_PATIENCE = 10.0
_GLANCE = 0.05


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one version of a kernel.

    Attributes:
        folder: holds its order, log, outputs and end.
        kind: `CPU`, `GPU` or `TPU`.
        limit: seconds it may take.
        created: seconds since 1970, by the server's clock.
        runs: False where the server only records what is pushed: it stays queued.
    """

    folder: Path
    id: int
    owner: str
    slug: str
    version: int
    kind: str
    limit: float
    created: float
    runs: bool

    @property
    def began(self) -> float | None:
        """When it left the queue; None while it has not."""
        return self.created if (self.folder / keeper.BEGAN).exists() else None

    @property
    def outputs(self) -> Path:
        """What was /kaggle/working."""
        return self.folder / "root/working"


@dataclass(frozen=True, slots=True)
class Standing:
    """Kaggle's word for a session's state, and why it failed."""

    state: str
    message: str = ""

    @property
    def final(self) -> bool:
        """Nothing more will happen."""
        return self.state in _FINAL


class Sessions:
    """All sessions of a server, of earlier servers on the same folder too.

    Args:
        store: the server's folder.
        quota: where ended sessions are billed.
        clock: seconds since 1970.
        runs: start what is pushed; False only records it.
        complete_whatever: call a session complete that went wrong, as Kaggle was seen to do.
    """

    def __init__(
        self, store: Store, quota: Quota, *, clock: Callable[[], float], runs: bool, complete_whatever: bool
    ) -> None:
        self._store = store
        self._quota = quota
        self._clock = clock
        self._runs = runs
        self._complete_whatever = complete_whatever
        self._root = store.root / "sessions"
        self._keepers: dict[int, subprocess.Popen[bytes]] = {}
        self._open: dict[int, Session] = {}
        self.closing = threading.Event()
        for path in self._root.glob("*/session.json"):
            session = Session(path.parent, **(read(path) or {}))
            self._open[session.id] = session

    def start(self, *, owner: str, slug: str, version: int, kind: str, order: Callable[[int], Order]) -> Session:
        """Begin a session; `order` is told its id."""
        number = self._store.next("session")
        folder = self._root / str(number)
        wanted = order(number)
        session = Session(folder, number, owner, slug, version, kind, wanted.limit, self._clock(), self._runs)
        write(folder / keeper.ORDER, asdict(wanted))
        if self._runs:
            # Before anybody can ask for the session: without its keeper it would be taken for lost.
            self._keepers[number] = detached(keeper.__name__, str(folder), folder=folder, log="keeper.log")
        write(folder / "session.json", {k: v for k, v in asdict(session).items() if k != "folder"})
        self._open[number] = session
        return session

    def get(self, number: int) -> Session | None:
        """The session with this id."""
        folder = self._root / str(number)
        document = read(folder / "session.json")
        return Session(folder, **document) if document else None

    def live(self) -> list[Session]:
        """Sessions that take a slot now. Those that have ended since the last look are billed."""
        return [session for session in list(self._open.values()) if not self.standing(session).final]

    def standing(self, session: Session) -> Standing:
        """How a session stands, as Kaggle would say it."""
        alive = self._alive(session)  # asked first: what ends between the two questions has written its end by then
        ended = read(session.folder / keeper.ENDED) or (None if alive or not session.runs else self._lost(session))
        if ended:
            self._settle(session, ended["seconds"])
            return self._ended(ended)
        if (session.folder / keeper.STOP).exists():
            return Standing("CANCEL_REQUESTED")
        return Standing("QUEUED" if session.began is None else "RUNNING")

    def _ended(self, ended: Document) -> Standing:
        if self._complete_whatever and ended["state"] == "ERROR":
            return Standing("COMPLETE")
        return Standing(ended["state"], ended["message"])

    def _alive(self, session: Session) -> bool:
        process = self._keepers.get(session.id)
        if process and process.poll() is None:
            return True
        self._keepers.pop(session.id, None)
        return held(session.folder / keeper.LOCK)

    def _settle(self, session: Session, seconds: float) -> None:
        if self._open.pop(session.id, None) and session.began is not None:
            self._quota.bill(session, seconds)

    def _lost(self, session: Session) -> Document:
        """Write down the end of a session whose keeper is gone without a word, and end what it may have left."""
        began = read(session.folder / keeper.BEGAN) or {}
        if began and started_at(began["pid"]) == began["started"]:
            end_session(began["pid"])
        wish = read(session.folder / keeper.STOP) or {"state": "ERROR", "message": _LOST}
        ended = {**wish, "seconds": max(self._clock() - session.created, 0.0) if began else 0.0}
        write(session.folder / keeper.ENDED, ended)
        return ended

    def stop(self, session: Session, state: str, message: str = "") -> None:
        """Ask a session to end, and how its end is to be called."""
        write(session.folder / keeper.STOP, {"state": state, "message": message})
        if not session.runs:
            write(session.folder / keeper.ENDED, {"state": state, "message": message, "seconds": 0.0})

    def remove(self, session: Session) -> None:
        """End a session and forget it, its outputs too. Its hours stay billed."""
        self.stop(session, "CANCEL_ACKNOWLEDGED")
        self.wait(session)
        self.standing(session)
        remove(session.folder)

    def wait(self, session: Session) -> None:
        """Return when the session's processes are gone; after ten seconds they are killed."""
        deadline = time.monotonic() + _PATIENCE
        while self._alive(session) and time.monotonic() < deadline:
            threading.Event().wait(_GLANCE)
        if (process := self._keepers.pop(session.id, None)) and process.poll() is None:
            process.kill()
            process.wait()

    def close(self, *, end: bool) -> None:
        """Let go of all sessions; with `end`, end them first."""
        self.closing.set()
        going = self.live() if end else []
        for session in going:
            self.stop(session, "ERROR", "The session ended with the embedded Kaggle that ran it.")
        for session in going:
            self.wait(session)
        for process in self._keepers.values():
            leave(process)

    def log(self, session: Session) -> list[Document]:
        """What the session has logged so far."""
        return [json.loads(line) for line in _lines(session.folder / keeper.LOG, 0)[0]]

    def follow(self, session: Session) -> Iterator[str]:
        """The log from its start, entry by entry as JSON, until the session ends or the server does."""
        position, over = 0, False
        while not over and not self.closing.is_set():
            over = self.standing(session).final
            lines, position = _lines(session.folder / keeper.LOG, position)
            yield from lines
            if not lines and not over:
                self.closing.wait(_GLANCE)


def _lines(path: Path, position: int) -> tuple[list[str], int]:
    """The whole lines from a position on, and the position after them."""
    try:
        with path.open("rb") as log:
            log.seek(position)
            data = log.read()
    except FileNotFoundError:
        return [], position
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode().splitlines(), position + len(whole)
