"""A promotion's intent, written before it begins: whoever comes after a kill finishes it or undoes it as a whole.

It is final once the remote has taken the tag, or, where nothing is pushed, once the tag is here. Before that point it
is undone, after it the rest is done.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from containerid.document import Document
from containerid.errors import CidError, UsageError
from containerid.events import Caution, Step
from containerid.git import Graft, Repository
from containerid.home import Home, keep
from containerid.job import Tell
from containerid.runs.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(Document):
    """What is being done.

    Attributes:
        stage: its folder, absolute.
        graft: document of the commit and its tag; empty until they were made.
        remote: the one that params.yaml names; mostly empty.
        pushed: a remote gets it.
        fresh: paths that did not exist before; `folders` likewise, the deepest first.
    """

    stage: str
    graft: dict[str, object] = field(default_factory=dict)
    remote: str = ""
    pushed: bool = False
    fresh: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Journal:
    """The one promotion of a repository that is under way."""

    def __init__(self, repository: Repository, home: Home) -> None:
        from hashlib import sha256

        name = sha256(str(repository.store).encode()).hexdigest()[:16]
        folder = home.folder("promotions")
        self.lock = folder / f"{name}.lock"
        self._path = folder / f"{name}.json"
        self._repository = repository

    def write(self, intent: Intent) -> None:
        """Keep it, whole or not at all."""
        keep(self._path, json.dumps(asdict(intent)).encode())

    def read(self) -> Intent | None:
        """What was under way; None when nothing is."""
        with suppress(FileNotFoundError, ValueError, UsageError):
            return Intent.from_dict(json.loads(self._path.read_text(encoding="utf-8")))
        return None

    def recover(self, tell: Tell) -> bool:
        """Finish or undo what was cut short; whether there was anything."""
        intent = self.read()
        if intent is None:
            return False
        if self._is_final(intent, tell):
            self.finish(intent, tell)
            tell(Step("finished", f"the promotion of {intent.graft['tag']} that was cut short"))
        else:
            self.undo(intent)
            tell(Step("undone", "a promotion that was cut short"))
        return True

    def finish(self, intent: Intent, tell: Tell) -> bool:
        """Let what was made take its place; whether the branch has it."""
        made, stage = Graft.from_dict(intent.graft), self._stage(intent)
        if stage.folder.is_dir():
            stage.place()
        if not self._repository.adopt(made):
            stage.restore(intent.fresh, intent.folders)
            self._drop(stage)
            tell(Caution(f"{made.branch} moved meanwhile and stays where it is: git pull brings {made.tag}"))
            return False
        if not self._repository.enlist(made):
            told = f"{made.branch} moved to {made.sha[:7]}, but your index was locked: git reset -q brings it along"
            tell(Caution(told))
        self._drop(stage)
        return True

    def undo(self, intent: Intent) -> None:
        """Put everything back as it was."""
        stage = self._stage(intent)
        stage.restore(intent.fresh, intent.folders)
        self._repository.unlock()
        self._drop(stage)

    def _is_final(self, intent: Intent, tell: Tell) -> bool:
        if not intent.graft:
            return False
        made = Graft.from_dict(intent.graft)
        if self._repository.adopted(made):
            return True
        return intent.pushed and self._was_taken(made, intent.remote, tell)

    def _was_taken(self, made: Graft, remote: str, tell: Tell) -> bool:
        # Undoing it here although the remote has it is as if somebody else had promoted it.
        try:
            place = self._repository.remote(remote)
            return place is not None and self._repository.tags_of(place).get(made.tag) == made.mark
        except CidError as error:
            tell(Caution(f"{error.message}: if it took {made.tag}, git pull brings it"))
            return False

    def _stage(self, intent: Intent) -> Stage:
        return Stage(Path(intent.stage), self._repository.root)

    def _drop(self, stage: Stage) -> None:
        stage.remove()
        self._path.unlink(missing_ok=True)
