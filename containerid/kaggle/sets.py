"""Sets of images as private datasets: named by what they hold, so that each is sent once and never changes.

Kaggle mounts the newest version of a dataset, whatever version was asked for. So another content is another dataset,
not another version: a run that waits in the queue gets what it was submitted with.
"""

import json
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from containerid import tracked
from containerid.errors import CidError
from containerid.home import Home
from containerid.job import Data, Tell
from containerid.kaggle import packing
from containerid.kaggle.account import Account
from containerid.kaggle.datasets import READY
from containerid.kaggle.scratch import scratch
from containerid.training.data import NOTE_FILE


class Set:
    """A folder of data, as it lies or would lie on Kaggle.

    Args:
        folder: of the data.
        project: whose dvc.lock is looked at.
    """

    def __init__(self, folder: Path, project: Path) -> None:
        self.folder = folder
        self._project = project

    @cached_property
    def names(self) -> list[str]:
        """What of it is sent."""
        return packing.content(self.folder)

    @cached_property
    def recorded(self) -> str:
        """The hash that DVC has recorded for the folder; empty when it is not tracked."""
        return tracked.hash_of(self.folder, self._project)

    @cached_property
    def dvc(self) -> str:
        """The same, as long as the folder is what was recorded."""
        return self.recorded if self.recorded and self._is_as_recorded() else ""

    def _is_as_recorded(self) -> bool:
        # DVC also counts hidden files, which are not sent.
        every = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]
        listings = (self.names, every) if len(every) != len(self.names) else (self.names,)
        return any(tracked.is_as_recorded(self.folder, names, self.recorded) for names in listings)

    @cached_property
    def slug(self) -> str:
        """The dataset's name: by DVC's hash where it has one, so that it is found where the images are not."""
        return slug(self.dvc or packing.digest(self.folder, self.names))

    def pack(self, digest: str, scratch: Path) -> list[Path]:
        """The files to be uploaded, and among them the note that a run checks them against."""
        note = scratch / NOTE_FILE
        note.write_text(json.dumps({"version": 1, "sha256": digest, "dvc": self.dvc}), encoding="ascii")
        return [*packing.pack(self.folder, self.names, scratch), note]


@dataclass(frozen=True, slots=True)
class Placed:
    """A set that is on Kaggle.

    Attributes:
        dataset: `owner/slug`.
        sent: it was not there before.
        dvc: DVC's hash of it; empty when DVC does not know this content.
        stale: DVC tracks the folder, and has recorded another content.
    """

    dataset: str
    sent: bool
    dvc: str
    stale: bool


def slug(content: str) -> str:
    """The name of the dataset for a hash."""
    return f"cid-data-{content[:12]}"


def place(found: Set, digest: str, account: Account, home: Home, tell: Tell) -> Placed:
    """See to it that a set is on Kaggle, ready to be attached.

    Args:
        found: the set.
        digest: SHA-256 of its content, as `containerid.training.data.digest` gives it.
        account: whose dataset it becomes.
        home: for the archives, while they are sent.
        tell: gets the steps.

    Raises:
        UsageError: the folder is not there or empty.
        Refused, Unreachable: Kaggle does not take it.
    """
    dataset = f"{account.owner}/{found.slug}"
    notes = f"{found.folder.name}, sha256 {digest}" + (f", dvc {found.dvc}" if found.dvc else "")
    with scratch(home) as folder:
        sent = account.datasets.ensure(dataset, partial(found.pack, digest, folder), tell, notes)
    return Placed(dataset, sent, found.dvc, stale=bool(found.recorded and not found.dvc))


def attached(data: Data, account: Account) -> Data:
    """Data in DVC as the dataset that was pushed for the same hash; unchanged when there is none to be seen."""
    recorded = str(data.options.get("hash") or "")
    if data.provider != "dvc" or not recorded:
        return data
    try:
        dataset = f"{account.owner}/{slug(recorded)}"
        ready = account.datasets.state(dataset) == READY
    except CidError:
        return data
    return Data(provider="kaggle", source=dataset, options={"dvc": recorded}) if ready else data
