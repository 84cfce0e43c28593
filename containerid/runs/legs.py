"""The legs of a run: the sessions in which it was, or is, on its platform. The registry keeps them by itself.

A run's row is about its current leg; a trigger copies what it says about that into the leg's own row.
"""

import json
from typing import TYPE_CHECKING

from containerid.job import Past, State

if TYPE_CHECKING:
    from containerid.runs.registry import Registry, Run

_NUMBER = "coalesce(json_extract({0}spec, '$.leg'), 1)"
_ENDED = "CASE WHEN {0}state IN ('succeeded', 'failed', 'cancelled', 'paused', 'lost') THEN strftime('{1}', 'now') END"
_STAMP = "%Y-%m-%dT%H:%M:%fZ"
_COLUMNS = "run, number, handle, version, url, state, reason, spec, result, begun, ended"


def _values(row: str) -> str:
    kept = ", ".join(f"{row}{name}" for name in ("handle", "version", "url", "state", "reason", "spec", "result"))
    return f"{row}run, {_NUMBER.format(row)}, {kept}, strftime('{_STAMP}', 'now'), {_ENDED.format(row, _STAMP)}"


SCHEMA = f"""
    CREATE TABLE legs (
        run     TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        number  INTEGER NOT NULL,
        handle  TEXT NOT NULL,
        version TEXT NOT NULL,
        url     TEXT NOT NULL,
        state   TEXT NOT NULL,
        reason  TEXT NOT NULL,
        spec    TEXT NOT NULL,
        result  TEXT,
        begun   TEXT NOT NULL,
        ended   TEXT,
        PRIMARY KEY (run, number)
    ) STRICT;
    INSERT INTO legs ({_COLUMNS}) SELECT {_values("")} FROM runs WHERE handle <> '';
    CREATE TRIGGER legs_follow AFTER UPDATE OF handle, version, url, state, reason, result ON runs
    WHEN NEW.handle <> '' BEGIN INSERT INTO legs ({_COLUMNS}) VALUES ({_values("NEW.")})
    ON CONFLICT (run, number) DO UPDATE SET handle = excluded.handle, version = excluded.version, url = excluded.url,
    state = excluded.state, reason = excluded.reason, result = excluded.result,
    ended = coalesce(legs.ended, excluded.ended); END
    """  # noqa: S608 - put together from constants
"""A migration of the registry; no line within the trigger ends like a statement."""

_BEGUN, _OVER = (
    f"coalesce(nullif(json_extract(result, '$.{said}'), ''), {seen})"
    for said, seen in (("started", "begun"), ("ended", "ended"))
)
DOCUMENTS = f"""(
    SELECT json_group_array(json_object(
        'number', number, 'handle', handle, 'version', version, 'url', url, 'state', state, 'reason', reason,
        'epoch', json_extract(result, '$.checkpoint.epoch'),
        'hours', round((julianday({_OVER}) - julianday({_BEGUN})) * 24, 4)
    )) FROM (SELECT * FROM legs WHERE legs.run = runs.run ORDER BY number)
)"""  # noqa: S608
"""What a query over runs selects to have their legs; `hours` is null while one goes on,
`epoch` where no checkpoint is known."""


def begin(registry: "Registry", run: "Run", past: Past) -> bool:
    """Record that the next leg is to be submitted. False when another process was quicker."""
    number = run.read_spec().leg + 1
    spec = json.dumps({**run.spec, "leg": number, "past": past.to_dict()})
    with registry.writing() as database:
        done = database.execute(
            "UPDATE runs SET spec = ?, handle = '', version = '', url = '', result = NULL, diagnosis = NULL, "
            "verified = NULL, state = ?, reason = '' WHERE run = ? AND state = ? AND handle = ?",
            (spec, State.SYNCED, run.run, run.state, run.handle),
        )
        if done.rowcount:
            registry.note(run.run, State.SYNCED, f"leg {number}")
    return bool(done.rowcount)


def back_out(registry: "Registry", run: "Run", reason: str) -> None:
    """The next leg was refused: the run stands again where the one before left it, and can be gone on with later."""
    with registry.writing() as database:
        database.execute(
            "UPDATE runs SET (spec, handle, version, url, result, state) = (SELECT spec, handle, version, url, result, "
            "state FROM legs WHERE legs.run = runs.run ORDER BY number DESC LIMIT 1) WHERE run = ?",
            (run.run,),
        )
    registry.move(run.run, run.state, reason)
