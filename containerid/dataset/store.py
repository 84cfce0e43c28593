"""A bounded file of results, each under a hash of what it came from. Any number of processes may use it at once."""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

BOUND = 256 << 20
"""Bytes from which the quarter that was not used for longest is dropped."""
_DAY = 86_400
_MANY = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID
"""
_OLDEST = """
DELETE FROM kept WHERE key IN (SELECT key FROM kept ORDER BY used LIMIT (SELECT count(*) / 4 + 1 FROM kept))
"""


class Store:
    """Values by their keys, in one SQLite file. What cannot be read or written counts as not kept: it is found again.

    Args:
        file: made when first written to, readable by its owner alone.
        bound: bytes that it may hold.
    """

    def __init__(self, file: Path, bound: int = BOUND) -> None:
        self._file, self._bound = file, bound

    def get(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """The values that are there."""
        found: dict[bytes, bytes] = {}

        def look(database: sqlite3.Connection) -> None:
            for some in _chunks(list(keys)):
                asked = ",".join("?" * len(some))
                found.update(database.execute(f"SELECT key, value FROM kept WHERE key IN ({asked})", some))  # noqa: S608 - question marks

        if keys and self._file.is_file():
            self._transact(look)
        return found

    @contextmanager
    def finding(self) -> Iterator[Callable[[bytes], bytes | None]]:
        """The same one by one, for as long as the file is held open."""
        database = self._opened()

        def find(key: bytes) -> bytes | None:
            with suppress(sqlite3.Error):
                row = database and database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
                return row[0] if row else None
            return None

        with closing(database) if database else nullcontext():
            yield find

    def _opened(self) -> sqlite3.Connection | None:
        with suppress(sqlite3.Error):
            return sqlite3.connect(self._file, timeout=10) if self._file.is_file() else None
        return None

    def put(self, values: Mapping[bytes, bytes], used: Collection[bytes] = ()) -> None:
        """Keep values, and note which others were of use; then drop the oldest where it has grown beyond its bound."""
        if not values and not used:
            return
        today = int(time.time()) // _DAY

        def write(database: sqlite3.Connection) -> None:
            database.execute(_TABLE)
            rows = ((key, value, today) for key, value in values.items())
            database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", rows)
            touched = ((today, key, today) for key in used)
            database.executemany("UPDATE kept SET used = ? WHERE key = ? AND used < ?", touched)
            while _size(database) > self._bound:
                database.execute(_OLDEST)

        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._transact(write)

    def _transact(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """All of it or nothing. A file that is none of SQLite's, or damaged, is begun anew."""
        try:
            with closing(sqlite3.connect(self._file, timeout=10)) as database, database:
                # Nothing here is worth waiting for the disk: what a power cut tears is begun anew.
                database.execute("PRAGMA synchronous = OFF")
                work(database)
        except sqlite3.OperationalError:  # Locked for long, or a disk that is full or cannot be written to.
            return
        except sqlite3.DatabaseError:
            for each in (self._file, self._file.with_name(f"{self._file.name}-journal")):
                each.unlink(missing_ok=True)


def _chunks(keys: list[bytes]) -> Iterator[list[bytes]]:
    return (keys[start : start + _MANY] for start in range(0, len(keys), _MANY))


def _size(database: sqlite3.Connection) -> int:
    pages, free, size = (
        database.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
