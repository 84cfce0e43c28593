"""The user's own folder: the registry, the parcels of runs, the embedded Kaggle's state. `CID_HOME` moves it."""

import os
from dataclasses import dataclass
from pathlib import Path


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
        """A folder below the root, made if missing, mode 0700."""
        path = self.root.joinpath(*parts)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
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
