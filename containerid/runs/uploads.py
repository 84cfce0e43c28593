"""What was sent to W&B after a fetch, as the registry remembers it, and where a run can be looked at."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from containerid.runs.registry import Registry, Run

SCHEMA = """
    CREATE TABLE uploads (
        run  TEXT NOT NULL REFERENCES runs (run) ON DELETE CASCADE,
        name TEXT NOT NULL,
        url  TEXT NOT NULL,
        PRIMARY KEY (run, name)
    ) STRICT
    """
"""A migration of the registry: which folder of an offline run was sent, and where it can be seen since."""

URL = "(SELECT url FROM uploads WHERE uploads.run = runs.run ORDER BY name DESC LIMIT 1)"
"""What a query over runs selects to have the address of what was sent last; null when nothing was."""


def places(run: "Run") -> dict[str, str]:
    """Where a run can be looked at: its own words, and the address at W&B once what it recorded offline is there."""
    told = dict(run.result.tracking) if run.result else {}
    return {"wandb": run.uploaded} if run.uploaded else told


def seen_at(run: "Run") -> dict[str, str]:
    """The same for the eye: of what lies in a folder although it was to be live at once, that is said."""
    wanted = (run.spec.get("params", {}).get("wandb") or {}).get("mode") == "online"
    found = places(run)
    if wanted and "wandb_offline" in found:
        found["wandb_offline"] += ", although wandb.mode is online: see its log"
    return found


def elsewhere(run: "Run") -> dict[str, dict[str, str]]:
    """Of a run's document: where it can be looked at, and where its far side has pushed its model to."""
    return {"tracking": places(run), "published": dict(run.result.published) if run.result else {}}


def sent(registry: "Registry", run: str, name: str) -> bool:
    """Whether this folder of the run was sent."""
    with registry.writing() as database:
        rows = database.execute("SELECT 1 FROM uploads WHERE (run, name) = (?, ?)", (run, name))
        return rows.fetchone() is not None


def remember(registry: "Registry", run: str, name: str, url: str) -> None:
    """Keep where a folder of the run can be seen since it was sent."""
    with registry.writing() as database:
        database.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?)", (run, name, url))
