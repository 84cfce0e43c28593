"""What was meant by a run: the request it came from, and a mark by which a second submit of the same is known.

Two submits are the same when the project's folder, the experiment with its merged parameters, the backend with its
settings, the data, and the tree of the code are. Run ids, times, commits and ways of transport are not looked at.
"""

import json
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from containerid.job import Spec, State
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request

UNSENT = (State.CREATED, State.SYNCED, State.WAITING, State.SUBMITTING)
"""States of a run whose push is not known to have arrived."""


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


def claim(registry: Registry, run: Run, meant: str, request: Request) -> Run:
    """The run of this project that is under way with the same mark; else this one, recorded with its request.

    Args:
        registry: the user's.
        run: the row to add when there is none; with `request.new` it is added in any case.
        meant: see `mark`.
        request: what was asked for, for a later `resume`.
    """
    states = ", ".join(f"'{state}'" for state in UNSENT)
    query = (
        f"SELECT runs.run FROM runs JOIN intents USING (run) "  # noqa: S608
        f"WHERE mark = ? AND project = ? AND state IN ({states}) ORDER BY created DESC LIMIT 1"
    )
    with registry.writing() as database:
        found = None if request.new else database.execute(query, (meant, run.project)).fetchone()
        if found is None:
            registry.write(run)
            database.execute("INSERT INTO intents VALUES (?, ?, ?)", (run.run, meant, _pack(request)))
    return registry.get(found["run"] if found else run.run)


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
