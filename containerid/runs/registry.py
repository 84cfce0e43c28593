"""The registry: every run of this user, from the moment of intent, in one SQLite file that any shell can open.

A run's row is written before anything is sent, so a crash at any instruction leaves a trace to go on from.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from containerid.diagnosis import Diagnosis
from containerid.errors import CidError
from containerid.job import Leg, Result, Spec, State
from containerid.runs import legs, uploads

_MIGRATIONS = (
    """
    CREATE TABLE runs (
        run        TEXT PRIMARY KEY,
        project    TEXT NOT NULL,
        folder     TEXT NOT NULL,
        experiment TEXT NOT NULL,
        backend    TEXT NOT NULL,
        state      TEXT NOT NULL,
        reason     TEXT NOT NULL DEFAULT '',
        handle     TEXT NOT NULL DEFAULT '',
        version    TEXT NOT NULL DEFAULT '',
        url        TEXT NOT NULL DEFAULT '',
        sha        TEXT NOT NULL DEFAULT '',
        spec       TEXT NOT NULL DEFAULT '{}',
        plan       TEXT NOT NULL DEFAULT '[]',
        result     TEXT,
        outputs    TEXT NOT NULL DEFAULT '',
        verified   INTEGER,
        created    TEXT NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (created);
    CREATE INDEX runs_by_handle ON runs (handle);
    CREATE TABLE transitions (
        run    TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        state  TEXT NOT NULL,
        reason TEXT NOT NULL,
        at     TEXT NOT NULL
    ) STRICT;
    CREATE TABLE consents (
        folder TEXT NOT NULL,
        branch TEXT NOT NULL,
        at     TEXT NOT NULL,
        PRIMARY KEY (folder, branch)
    ) STRICT;
    """,
    """
    CREATE TABLE intents (
        run     TEXT PRIMARY KEY REFERENCES runs (run) ON DELETE CASCADE,
        mark    TEXT NOT NULL,
        request TEXT NOT NULL
    ) STRICT;
    CREATE INDEX intents_by_mark ON intents (mark);
    """,
    "ALTER TABLE runs ADD COLUMN diagnosis TEXT",
    legs.SCHEMA,
    uploads.SCHEMA,
)

_RUNS = f"SELECT runs.*, {legs.DOCUMENTS} AS legs, {uploads.URL} AS uploaded FROM runs"  # noqa: S608 - put together from constants


def now() -> str:
    """The time in ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt at an experiment, as the registry knows it.

    Attributes:
        run: the run id.
        project: the project's name; `folder` is where its params.yaml lies on this machine.
        handle, version, url: see `containerid.job.Leg`; empty before the submit.
        sha: the snapshot commit, 40 hex digits; empty outside git.
        spec: what was sent; empty until it was made.
        plan: label and value rows, as they were shown.
        result: what the far side said about itself; None until it was read.
        outputs: the folder that the outputs were fetched into; empty until then.
        verified: every file is the manifest's; None until fetched.
        created: ISO 8601, UTC.
        diagnosis: why it failed; None where it did not, or where nothing is known.
        legs: documents of the sessions that it had, the first one first.
        uploaded: where at W&B what it recorded offline can be seen; None until it was sent there.
    """

    run: str
    project: str = ""
    folder: str = ""
    experiment: str = ""
    backend: str
    state: State = State.CREATED
    reason: str = ""
    handle: str = ""
    version: str = ""
    url: str = ""
    sha: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    plan: tuple[tuple[str, str], ...] = ()
    result: Result | None = None
    outputs: str = ""
    verified: bool | None = None
    created: str = ""
    diagnosis: Diagnosis | None = None
    legs: tuple[dict[str, Any], ...] = ()
    uploaded: str | None = None

    @property
    def hours(self) -> float:
        """Hours of all sessions that have ended."""
        return round(sum(leg["hours"] or 0 for leg in self.legs), 4)

    @property
    def leg(self) -> Leg:
        """The session that the backend knows."""
        return Leg(self.handle, self.version, self.url)

    @property
    def ours(self) -> bool:
        """A run that cid submitted, which must leave a result; a foreign kernel need not."""
        return bool(self.spec)

    def read_spec(self) -> Spec:
        """The spec as it was sent."""
        return Spec.from_dict(self.spec)

    def document(self) -> dict[str, Any]:
        """The JSON document about a run that every command gives."""
        result = self.result
        return {
            "run": self.run,
            "experiment": self.experiment,
            "project": self.project,
            "backend": self.backend,
            "handle": self.handle,
            "version": self.version,
            "url": self.url,
            "state": str(self.state),
            "reason": self.reason,
            "sha": self.sha,
            "metrics": dict(result.metrics) if result else {},
            "proof": result.proof if result else "",
            **uploads.elsewhere(self),
            "outputs": self.outputs,
            "verified": self.verified,
            "created": self.created,
            "diagnosis": self.diagnosis.document() if self.diagnosis else None,
            "hours": self.hours,
            "legs": list(self.legs),
        }


class Registry:
    """Runs, their transitions, and what the user agreed to. Safe for several processes at once (WAL)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except sqlite3.Error as error:
            mend = f"chmod u+w {path}" if "readonly" in str(error) else "move the file away"
            hint = f"{mend}, or point CID_HOME elsewhere"
            raise CidError(f"the registry {path} cannot be opened: {error}", hint=hint) from error

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _migrate(self) -> None:
        with self.writing():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version > len(_MIGRATIONS):
                hint = "install the newer cid, or point CID_HOME elsewhere"
                raise CidError(f"the registry {self._path} was written by a newer cid", hint=hint)
            for number in range(version, len(_MIGRATIONS)):
                for statement in _MIGRATIONS[number].split(";\n"):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, also for a module that keeps a table of its own beside the runs; an exception undoes it."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # SQLite itself undoes one that the disk has no room for
                self._database.execute("ROLLBACK")
            raise

    def add(self, run: Run) -> Run:
        """Record the intent. The run's time of creation is now unless it says otherwise."""
        with self.writing():
            self.write(run)
        return self.get(run.run)

    def write(self, run: Run) -> None:
        """The same inside a transaction that goes on."""
        since = run.created or now()
        values = (run.run, run.project, run.folder, run.experiment, run.backend, run.state, run.sha, since)
        columns = "run, project, folder, experiment, backend, state, sha, created"
        self._database.execute(f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
        self.note(run.run, run.state, "")

    def move(self, run: str, state: State, reason: str = "") -> Run:
        """Put a run into a state. Nothing is written when it is there already for the same reason."""
        with self.writing():
            (before, why) = self._database.execute("SELECT state, reason FROM runs WHERE run = ?", (run,)).fetchone()
            if (before, why) != (state, reason):
                self._database.execute("UPDATE runs SET state = ?, reason = ? WHERE run = ?", (state, reason, run))
                if before != state:
                    self.note(run, state, reason)
        return self.get(run)

    def note(self, run: str, state: State, reason: str) -> None:
        """Add a transition, inside a transaction that goes on."""
        self._database.execute("INSERT INTO transitions VALUES (?, ?, ?, ?)", (run, state, reason, now()))

    def set_spec(self, run: str, spec: Spec) -> Run:
        """Keep what will be sent."""
        return self._set(run, spec=json.dumps(spec.to_dict()), sha=spec.code.sha)

    def set_plan(self, run: str, rows: tuple[tuple[str, str], ...]) -> Run:
        """Keep what the user was shown."""
        return self._set(run, plan=json.dumps(rows))

    def set_leg(self, run: str, leg: Leg) -> Run:
        """Keep the backend's name for the session."""
        return self._set(run, handle=leg.handle, version=leg.version, url=leg.url)

    def set_result(self, run: str, result: Result) -> Run:
        """Keep what the far side said about itself."""
        return self._set(run, result=json.dumps(result.to_dict()))

    def set_diagnosis(self, run: str, diagnosis: Diagnosis) -> Run:
        """Keep why it failed."""
        return self._set(run, diagnosis=json.dumps(diagnosis.document()))

    def set_outputs(self, run: str, folder: Path, *, verified: bool) -> Run:
        """Keep where the outputs are and whether they are the manifest's."""
        return self._set(run, outputs=str(folder), verified=int(verified))

    def _set(self, run: str, **values: str | int) -> Run:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.writing():
            self._database.execute(f"UPDATE runs SET {columns} WHERE run = ?", (*values.values(), run))  # noqa: S608
        return self.get(run)

    def get(self, run: str) -> Run:
        """The run of this very id; KeyError when there is none."""
        row = self._database.execute(f"{_RUNS} WHERE run = ?", (run,)).fetchone()
        if row is None:
            raise KeyError(run)
        return _run(row)

    def runs(self) -> list[Run]:
        """Every run, the newest first."""
        return [_run(row) for row in self._database.execute(f"{_RUNS} ORDER BY created DESC, rowid DESC")]

    def transitions(self, run: str) -> list[tuple[str, str, str]]:
        """State, reason and time of every change, the oldest first."""
        rows = self._database.execute("SELECT state, reason, at FROM transitions WHERE run = ? ORDER BY rowid", (run,))
        return [(row["state"], row["reason"], row["at"]) for row in rows]

    def agreed(self, folder: str, branch: str) -> bool:
        """The user has agreed to automatic pushes of this branch before."""
        rows = self._database.execute("SELECT 1 FROM consents WHERE (folder, branch) = (?, ?)", (folder, branch))
        return rows.fetchone() is not None

    def agree(self, folder: str, branch: str) -> None:
        """The user agrees to automatic pushes of this branch."""
        with self.writing():
            self._database.execute("INSERT OR IGNORE INTO consents VALUES (?, ?, ?)", (folder, branch, now()))


def _run(row: sqlite3.Row) -> Run:
    values = dict(row)
    values["state"], values["spec"] = State(values["state"]), json.loads(values["spec"])
    values["plan"] = tuple((label, value) for label, value in json.loads(values["plan"]))
    values["result"] = Result.from_dict(json.loads(values["result"])) if values["result"] else None
    values["verified"] = None if values["verified"] is None else bool(values["verified"])
    values["diagnosis"] = Diagnosis.from_document(json.loads(values["diagnosis"])) if values["diagnosis"] else None
    values["legs"] = tuple(json.loads(values["legs"]))
    return Run(**values)
