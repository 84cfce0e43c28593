"""Sessions that Kaggle bills and nobody here knows of, or waits for."""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from containerid.errors import CidError
from containerid.home import Home, keep
from containerid.kaggle.estate import open_estate
from containerid.runs.registry import Registry, Run

FRESH = 600.0
"""Seconds for which what was found is good enough for a list."""

_FILE = "ghosts.json"
_GLANCES = 8


@dataclass(frozen=True, slots=True)
class Ghost:
    """A session that goes on unseen.

    Attributes:
        handle, version: `owner/slug` and the version's number as text.
        state: `queued` or `running`.
        why: it counts as unseen.
        run: of the registry whose kernel it is; empty for none.
    """

    handle: str
    version: str
    state: str
    why: str
    run: str = ""

    @property
    def mend(self) -> str:
        """The command that stops it."""
        return f"cid cancel {self.run or f'{self.handle}/{self.version}'}"

    def document(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


def find_ghosts(home: Home) -> list[Ghost]:
    """Ask Kaggle which sessions of cid's kernels go on, and leave out those that the registry counts as active.

    Raises:
        CredentialsError, Unreachable: it cannot be asked.
    """
    known = [run for run in Registry(home.registry).runs() if run.backend == "kaggle" and run.handle]
    ended = [run.handle for run in known if run.state.final][:_GLANCES]
    found = [_judge(each.handle, each.version, each.state, known) for each in open_estate(home).recent(ended)]
    ghosts = [each for each in found if each]
    keep(
        home.folder() / _FILE, json.dumps({"at": time.time(), "ghosts": [each.document() for each in ghosts]}).encode()
    )
    return ghosts


def _judge(handle: str, version: str, state: str, known: list[Run]) -> Ghost | None:
    of_it = [run for run in known if handle in {run.handle, *(leg["handle"] for leg in run.legs)}]
    current = next((run for run in of_it if run.handle == handle and run.version in {version, ""}), None)
    if current and not current.state.final:
        return None
    if current:
        return Ghost(handle, version, state, f"the registry calls it {current.state}", current.run)
    if of_it:
        return Ghost(handle, version, state, f"{of_it[0].run} has gone on in another session")
    return Ghost(handle, version, state, "it is no run of this registry")


def glance(home: Home, *, seconds: float, fresh: float = FRESH) -> list[Ghost]:
    """The ghosts as they were found lately; else asked for, but only for so many seconds. Never raises.

    Without credentials there are none.

    Args:
        home: the user's folder.
        seconds: to wait at most. What is found later is found for the next time.
        fresh: seconds for which an earlier answer will do.
    """
    at, ghosts = _remembered(home)
    if time.time() - at >= fresh and _signed_in():
        _remember(home, ghosts)  # so that a Kaggle which does not answer is not waited for again and again
        asking = threading.Thread(target=_ask, args=(home,), daemon=True)
        asking.start()
        asking.join(seconds)
        _, ghosts = _remembered(home)
    return ghosts


def _ask(home: Home) -> None:
    with suppress(Exception):
        find_ghosts(home)


def _signed_in() -> bool:
    from containerid.kaggle.credentials import find

    try:
        find(os.environ, Path.home())
    except CidError:
        return False
    return True


def _remember(home: Home, ghosts: list[Ghost]) -> None:
    document = {"at": time.time(), "ghosts": [each.document() for each in ghosts]}
    keep(home.folder() / _FILE, json.dumps(document).encode())


def _remembered(home: Home) -> tuple[float, list[Ghost]]:
    try:
        document = json.loads((home.folder() / _FILE).read_text(encoding="utf-8"))
        return float(document["at"]), [Ghost(**each) for each in document["ghosts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, []
