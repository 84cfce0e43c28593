"""Send a version that was made with --no-push, or before git had a remote."""

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from containerid.errors import GitError, UsageError
from containerid.events import Caution, Step
from containerid.git import Graft, Remote, Repository, Tag
from containerid.job import Tell
from containerid.runs.draft import Ask
from containerid.runs.versions import facts
from containerid.versioned import Dvc, dvc_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A version that a remote lacks.

    Attributes:
        tag: of the version.
        paths: the files of its model, from the repository's root.
        project: the project's folder, whose settings of DVC count.
        allow: of params.yaml, for the look for secrets.
    """

    tag: Tag
    paths: tuple[str, ...]
    repository: Repository
    remote: Remote
    project: Path
    allow: tuple[str, ...] = ()

    def send(self, tell: Tell, ask: Ask | None) -> bool:
        """Push the model with DVC, then the commit and its tag with git; whether the remote lacked the tag.

        Raises:
            UsageError: nobody agrees.
            GitError: the remote has another tag of this name or takes none, or the work tree holds another model.
            SecretFound: the push would bring secrets there.
        """
        there = self.repository.tags_of(self.remote).get(self.tag.name)
        if there == self.tag.mark:
            return False
        if there:
            hint = f"git fetch {self.remote.name} tag {self.tag.name} shows it"
            raise GitError(f"{self.remote.label} has another tag {self.tag.name}", hint=hint)
        tell(Caution(f"{self.tag.name} was made here, and {self.remote.label} does not have it"))
        if ask and not ask(f"push {self.tag.name} to {self.remote.label}?"):
            raise UsageError("nothing was pushed", hint="-y answers yes")
        self._send_model(tell)
        made = self._graft()
        tell(Step("push", f"{made.branch} and {made.tag} to {self.remote.label}".removeprefix(" and ")))
        self.repository.publish(made, self.remote, self.allow)
        return True

    def _send_model(self, tell: Tell) -> None:
        for path in dvc_files(self.paths):
            file = self.repository.root / path
            held = file.read_bytes() if file.is_file() else None
            if held != self.repository.read(self.tag.name, path):
                by_hand = f"dvc push --all-tags, then git push {self.remote.name} {self.tag.name}"
                raise GitError(f"{path} is another model by now than that of {self.tag.name}", hint=by_hand)
        folder = self.repository.root / facts(self.tag)["path"]
        names = [PurePosixPath(path).name for path in self.paths]
        with tempfile.TemporaryDirectory(prefix="cid-dvc-") as scratch:
            tell(Step("dvc push", ", ".join(self.paths)))
            Dvc(folder, names, self.project, Path(scratch), ()).push()

    def _graft(self) -> Graft:
        """To the branch too, as long as that is where the commit belongs and the remote has it nowhere."""
        sha = self.tag.commit
        belongs = self.repository.is_past(sha) and not self.repository.branch_of(self.remote, sha)
        branch = self.repository.ready() if belongs else ""
        return Graft(sha=sha, parent="", branch=branch, staged={}, tag=self.tag.name, mark=self.tag.mark)
