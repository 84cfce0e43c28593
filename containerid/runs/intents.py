"""What was meant by a run: the request it came from, and a mark by which a second submit of the same is known.

Two submits are the same when the project's folder, the experiment with its merged parameters, the backend with its
settings, the data, and the tree of the code are. Run ids, times, commits and ways of transport are not looked at.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from containerid.events import Step
from containerid.home import Home
from containerid.job import Spec, State, Tell
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request
from containerid.runs.watch import look

UNSENT = (State.CREATED, State.SYNCED, State.WAITING, State.SUBMITTING)
"""States of a run whose push is not known to have arrived."""

UNDER_WAY = (*UNSENT, State.QUEUED, State.RUNNING)
"""States of a run that has not ended, as far as the registry knows."""


def mark(spec: Spec, tree: str, folder: Path, settings: dict[str, Any]) -> str:
    """SHA-256, hex, over what makes two submits the same."""
    document = spec.to_dict()
    for passing in ("run", "created", "cid", "code", "secrets"):
        del document[passing]
    known = spec.data.digest or spec.data.options.get("hash") or spec.data.options.get("dvc")
    if known:
        document["data"] = known  # the same images, whether they lie here or were brought there meanwhile
    meant = {"spec": document, "tree": tree, "folder": str(folder), "settings": settings}
    return sha256(json.dumps(meant, sort_keys=True, default=str).encode()).hexdigest()


def claim(registry: Registry, run: Run, meant: str, request: Request, states: Sequence[State] = UNDER_WAY) -> Run:
    """The run of this project that is under way with the same mark; else this one, recorded with its request.

    Args:
        registry: the user's.
        run: the row to add when there is none; with `request.new` it is added in any case.
        meant: see `mark`.
        request: what was asked for, for a later `resume`.
        states: in which a run is taken for one under way.
    """
    listed = ", ".join(f"'{state}'" for state in states)
    query = (
        f"SELECT runs.run FROM runs JOIN intents USING (run) "  # noqa: S608
        f"WHERE mark = ? AND project = ? AND state IN ({listed}) ORDER BY created DESC LIMIT 1"
    )
    with registry.writing() as database:
        found = None if request.new else database.execute(query, (meant, run.project)).fetchone()
        if found is None:
            registry.write(run)
            database.execute("INSERT INTO intents VALUES (?, ?, ?)", (run.run, meant, _pack(request)))
    return registry.get(found["run"] if found else run.run)


def take_up(registry: Registry, run: Run, meant: str, request: Request, *, home: Home, tell: Tell, pinned: bool) -> Run:
    """The run to go on with: the one that is under way with the same mark, which is asked for; else this one.

    Args:
        registry: the user's.
        run: the row to add when there is none.
        meant: see `mark`.
        request: what was asked for.
        home: the user's folder.
        tell: is told when it is another.
        pinned: the code is in git. Of other code nobody knows whether it is still the same, so only a run that is not
            known to have arrived is gone on with.

    Raises:
        Unreachable: nobody says whether such a run goes on.
    """
    while True:
        found = claim(registry, run, meant, request, UNDER_WAY if pinned else UNSENT)
        if found.run == run.run:
            return found
        if found.state in UNSENT:
            tell(Step("goes on", f"{found.run} was begun before and has not arrived yet (--new starts another)"))
            return found
        found = look(found, home=home, tell=tell)
        if not found.state.final:
            what = f"{found.run} is {found.state}, with the same code, data and parameters"
            tell(Step("goes on", f"{what}: no second one is started (--new starts one)"))
            return found


def request_of(registry: Registry, run: Run) -> Request | None:
    """The request that a run came from; None for a run that was begun without one."""
    with registry.writing() as database:
        row = database.execute("SELECT request FROM intents WHERE run = ?", (run.run,)).fetchone()
    return _unpack(row["request"]) if row else None


def forget(registry: Registry, run: str) -> None:
    """Take back a run of which nothing was pushed anywhere."""
    with registry.writing() as database:
        database.execute("DELETE FROM runs WHERE run = ? AND state = ?", (run, State.CREATED))


def _pack(request: Request) -> str:
    lasting = replace(request, wait=False, new=False)
    return json.dumps(asdict(lasting) | {"folder": str(request.folder.absolute())})


def _unpack(text: str) -> Request:
    document = json.loads(text)
    document["folder"], document["overrides"] = Path(document["folder"]), tuple(document["overrides"])
    lists = {name: tuple(value) if isinstance(value, list) else value for name, value in document["options"].items()}
    return Request(**document | {"options": lists})
