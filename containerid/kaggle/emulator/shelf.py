"""Where kernels and their versions are kept, and who may see them."""

import re
from collections.abc import Iterator
from pathlib import Path

from containerid.kaggle.emulator.answers import Problem, denied
from containerid.kaggle.emulator.sandbox import remove
from containerid.kaggle.emulator.sessions import Session, Sessions
from containerid.kaggle.emulator.store import Document, Store, read, write


class Shelf:
    """All kernels of a server: a document for each, one for each of its versions."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    def read(self, owner: str, slug: str) -> Document | None:
        """The kernel of this name; None when there is none."""
        return read(self._path(owner, slug)) if slug else None

    def all(self) -> Iterator[Document]:
        """Every kernel."""
        for path in sorted((self._store.root / "kernels").glob("*/*.json")):
            if kernel := read(path):
                yield kernel

    def by_id(self, user: str, number: int) -> Document | None:
        """A user's kernel by its number."""
        mine = (kernel for kernel in self.all() if kernel["owner"] == user)
        return next((kernel for kernel in mine if kernel["id"] == number), None)

    def _path(self, owner: str, slug: str) -> Path:
        place = self._store.place("kernels", owner.lower(), slug.lower())
        return place.with_name(place.name + ".json")

    def _version_path(self, kernel: Document, number: int) -> Path:
        return self._store.place("kernels", kernel["owner"], kernel["slug"]) / f"v{number}.json"

    def find(self, user: str, owner: str, slug: str, permission: str = "kernels.get") -> Document:
        """The kernel of this name. Raises Problem 403 when there is none, or it is another's and private."""
        kernel = self.read(owner, slug)
        if not kernel or not (may_see(user, kernel) if permission == "kernels.get" else kernel["owner"] == user):
            raise denied(permission)
        return kernel

    def version(self, kernel: Document, label: str = "") -> Document:
        """A version by its label `vN`, the newest without one. Raises Problem 404; a bare number is none either."""
        number = int(label[1:]) if re.fullmatch(r"v\d+", label) else 0 if label else kernel["versions"]
        found = read(self._version_path(kernel, number))
        if not found:
            raise Problem(404, "Not Found")
        return found

    def session(self, kernel: Document, label: str = "") -> Session:
        """The session that ran a version. Raises Problem 404 when none did."""
        number = self.version(kernel, label)["session"]
        session = self._sessions.get(number) if number else None
        if session is None:
            raise Problem(404, "Not Found")
        return session

    def sessions_of(self, kernel: Document) -> list[Session]:
        """All sessions of a kernel, oldest first."""
        versions = (self.version(kernel, f"v{number}") for number in range(1, kernel["versions"] + 1))
        found = (self._sessions.get(version["session"]) for version in versions if version["session"])
        return [session for session in found if session]

    def keep(self, kernel: Document, version: Document) -> None:
        """Write down a kernel and its newest version."""
        write(self._version_path(kernel, version["number"]), version)
        write(self._path(kernel["owner"], kernel["slug"]), kernel)

    def drop(self, kernel: Document) -> None:
        """Forget a kernel and all its versions."""
        self._path(kernel["owner"], kernel["slug"]).unlink()
        remove(self._version_path(kernel, 1).parent)


def may_see(user: str, kernel: Document) -> bool:
    """A kernel is seen by its owner, and by everybody unless it is private."""
    return kernel["owner"] == user or bool(not kernel["private"])
