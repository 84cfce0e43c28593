"""The user's own folder: the registry, the parcels of runs, the embedded Kaggle's state. `CID_HOME` moves it."""

import os
from dataclasses import dataclass
from pathlib import Path

from containerid.errors import CidError


@dataclass(frozen=True, slots=True)
class Home:
    """Where cid keeps what outlives a command.

    Attributes:
        root: the folder; made when first written to, readable by its owner alone.
    """

    root: Path

    @classmethod
    def of_user(cls) -> "Home":
        """`CID_HOME`, else the platform's folder for user data."""
        if named := os.environ.get("CID_HOME"):
            return cls(Path(named).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("containerid")))

    def folder(self, *parts: str) -> Path:
        """A folder below the root, made if missing, mode 0700. Raises CidError when it cannot be made."""
        path = self.root.joinpath(*parts)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            hint = "CID_HOME=FOLDER names another place"
            raise CidError(f"{path} cannot be made: {error.strerror}", hint=hint) from error
        return path

    @property
    def registry(self) -> Path:
        """The registry's SQLite file."""
        return self.folder() / "registry.db"

    def parcel(self, run: str) -> Path:
        """What is sent for a run and what the submit needs again after a crash: spec, archive, kernel, plan."""
        return self.folder("parcels", run)

    @property
    def emulator(self) -> Path:
        """The embedded Kaggle's state, for rehearsals."""
        return self.folder("emulator")


def keep(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: who is killed in between leaves what was there before."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def require_writable(folder: Path) -> None:
    """Raises CidError when nothing can be written into a folder, or, where it is still to be made, above it."""
    place = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not place.is_dir():
        raise CidError(f"{place} is no folder, so that nothing can be written into it", hint=f"move {place} away")
    if not os.access(place, os.W_OK | os.X_OK):
        hint = f"chmod u+w {place}, or work in a folder that is yours"
        raise CidError(f"nothing can be written into {place}", hint=hint)
