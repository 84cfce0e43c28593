"""Platforms that run legs, by name. The table is data: a backend is imported when it is asked for, not before."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from containerid.errors import UsageError
from containerid.home import Home

if TYPE_CHECKING:
    from containerid.platform import Backend


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table.

    Attributes:
        target: `module:factory`; the factory takes the home and the backend's settings.
        git: the git mode when the user names none.
        first, cap: seconds between two looks at a leg: the first wait, which doubles up to the cap.
        billed: hours on its GPUs count against a quota.
        limit: seconds that a session lasts at most; 0 where nothing ends it.
    """

    target: str
    git: str
    first: float
    cap: float
    billed: bool = False
    limit: float = 0


TABLE: dict[str, Entry] = {
    "kaggle": Entry("containerid.kaggle.backend:open_kaggle", "branch", 2, 60, billed=True, limit=12 * 3600),
    "local": Entry("containerid.backends.local:LocalBackend", "snapshot", 0.2, 1),
    "rehearsal": Entry("containerid.kaggle.backend:open_rehearsal", "snapshot", 0.2, 2, limit=12 * 3600),
}


def entry(name: str) -> Entry:
    """The row of this name. Raises UsageError for a name that is not in the table."""
    if name not in TABLE:
        raise UsageError(f"there is no backend called {name}", hint=f"one of: {', '.join(sorted(TABLE))}")
    return TABLE[name]


def open_backend(name: str, home: Home, settings: Any = None) -> "Backend":
    """The backend of this name; nothing is sent yet.

    Args:
        name: a key of `TABLE`.
        home: where the parcels lie.
        settings: the backend's own options, made by whoever submits; None for reading only.
    """
    module, factory = entry(name).target.split(":")
    backend: Backend = getattr(import_module(module), factory)(home, settings)
    return backend
