"""Make a run's model a version: into DVC, one commit, one tag, sent, or nothing of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from containerid.errors import CidError, GitError, UsageError
from containerid.events import Caution, Planned, Step
from containerid.git import Graft, Remote, Repository, Tag
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.draft import Ask
from containerid.runs.eligibility import checked, content, passed, refuse_unsafe, unproven
from containerid.runs.lock import locked
from containerid.runs.overdue import Overdue
from containerid.runs.registry import Run
from containerid.runs.rollback import Intent, Journal
from containerid.runs.stage import Edit, Stage, Storage, absent, storage
from containerid.runs.verify import Entry
from containerid.runs.versions import Version, facts, following, message
from containerid.versioned import FILES, Dvc, dvc_files, ignored

if TYPE_CHECKING:
    from containerid.config import Project


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promoted model.

    Attributes:
        version: the tag.
        sha: the commit that holds its `.dvc` files.
        path: the folder that holds the model, from the repository's root.
        storage: where DVC has sent it; empty when nothing was sent.
        remote: where git has pushed commit and tag; empty when nothing was pushed.
        created: it was made now; else the run had been promoted before.
        later: the command that pushes what was not pushed; empty where git has no remote, or has it all.
        root: the work tree of its repository.
    """

    version: str
    run: str
    sha: str
    branch: str
    path: str
    storage: str = ""
    remote: str = ""
    created: bool = True
    later: str = ""
    root: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a promotion works from."""

    run: Run
    home: Home
    project: "Project"
    repository: Repository
    journal: Journal
    push: bool
    tell: Tell
    remote: Remote | None = None
    manifest: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def elsewhere(self) -> str:
        """The root of the repository, where the user stands outside of it; else empty."""
        root = self.repository.root.resolve()
        return "" if Path.cwd().resolve().is_relative_to(root) else str(root)

    @property
    def path(self) -> str:
        """The folder of the model, from the repository's root."""
        from containerid.config.architectures import task

        named = str(self.run.spec.get("params", {}).get("model", {}).get("architecture", ""))
        return (PurePosixPath(self.repository.folder) / self.project.versioning.folder(task(named))).as_posix()

    @property
    def paths(self) -> list[str]:
        """The files of the model, from the repository's root."""
        return [f"{self.path}/{name}" for name, output in FILES.items() if output in self.manifest]


def promote(
    run: Run,
    *,
    home: Home,
    push: bool = True,
    major: bool = False,
    force: bool = False,
    tell: Tell | None = None,
    ask: Ask | None = None,
) -> Promotion:
    """Make a version of a run's best model. A run that was promoted before stays what it is, unless `major` is asked.

    Whatever fails, the work tree, git and DVC's files are as they were; objects that nothing leads to may stay in the
    stores of git and DVC.

    Args:
        run: of the registry; fetched, verified, succeeded.
        home: the user's folder.
        push: send the model with DVC, then commit and tag with git, where there is a remote.
        major: count the major number.
        force: take also a run that missed a gate, or that was a quick one.
        tell: gets what happens.
        ask: answers the one question; nobody is asked without it.

    Raises:
        UsageError: the run did not succeed, or is no run of ours.
        RunFailed: it missed a gate.
        NotFound: it was not fetched.
        OutputsUnverified: its outputs are not the manifest's.
        GitError: git or DVC did not do its part; everything is as it was.
    """
    from containerid import config

    tell = tell or (lambda _: None)
    manifest = checked(run, home, force=force)
    project = config.load(Path(run.folder) / config.FILE)
    repository = Repository.open(project.folder)
    journal = Journal(repository, home)
    work = _Work(
        run=run, home=home, project=project, repository=repository, journal=journal, push=push, tell=tell,
        manifest=manifest,
    )  # fmt: skip
    with locked(journal.lock, lambda: tell(Step("waiting", "for another promotion in this repository"))):
        journal.recover(tell)
        work = replace(work, remote=repository.remote(project.git.remote or ""))
        before = _before(repository, run)
        if before and not major:
            return _again(work, before, ask)
        return _promote(work, ask, major=major, before=before.name if before else "")


def recover(folder: Path, home: Home, tell: Tell) -> bool:
    """Finish or undo a promotion that was cut short in a folder's repository; whether there was one.

    Raises:
        GitError: there is no repository, or the remote does not answer.
    """
    journal = Journal(Repository.open(folder), home)
    with locked(journal.lock):
        return journal.recover(tell)


def after_fetch(run: Run, home: Home, tell: Tell) -> Promotion | None:
    """Promote a run that has just been fetched, where `versioning.promote` is `on-pass` and it has met its gates.

    What keeps it from being promoted is told, and is no failure of the fetch.
    """
    if not passed(run):
        return None
    from containerid import config

    try:
        if config.load(Path(run.folder) / config.FILE).versioning.promote != "on-pass":
            return None
        return promote(run, home=home, tell=tell)
    except CidError as error:
        tell(Caution(f"{run.run} was not promoted: {error.message}; cid promote {run.run}"))
        return None


def _before(repository: Repository, run: Run) -> Tag | None:
    found = (tag for tag in repository.tags() if Version.read(tag.name))
    return next((tag for tag in found if facts(tag).get("run") == run.run), None)


def _again(work: _Work, tag: Tag, ask: Ask | None) -> Promotion:
    """A run that was promoted before; what was not pushed then is pushed now."""
    path, root = facts(tag).get("path", ""), str(work.repository.root)
    made = Promotion(tag.name, work.run.run, tag.commit, "", path, created=False, root=root)
    if not work.remote:
        return made
    if not work.push:
        return replace(made, later=f"cid promote {work.run.run}")
    paths = tuple(f"{path}/{PurePosixPath(each).name}" for each in work.paths)
    overdue = Overdue(
        tag=tag, paths=paths, repository=work.repository, remote=work.remote, project=work.project.folder,
        allow=tuple(work.project.git.allow),
    )  # fmt: skip
    return replace(made, remote=work.remote.label) if overdue.send(work.tell, ask) else made


def _promote(work: _Work, ask: Ask | None, *, major: bool, before: str) -> Promotion:
    work.repository.ready()
    refuse_unsafe(work.repository, work.project.folder, work.paths)
    version = str(_version(work, major=major))
    store = storage(work.repository, work.project.folder, work.home.folder("storage", work.project.name))
    _show(work, version, store, before)
    if ask and not ask(f"make {version}{work.elsewhere and f' in {work.elsewhere}'}?"):
        raise UsageError("not promoted", hint="-y answers yes")
    stage = Stage.beside(work.project.folder, work.repository.root)
    intent = Intent(stage=str(stage.folder))
    work.journal.write(intent)
    try:
        intent, made = _make(work, stage, version, store)
        if intent.pushed and work.remote:
            work.tell(Step("push", f"{made.branch} and {made.tag} to {work.remote.label}"))
            work.repository.publish(made, work.remote, work.project.git.allow)
    except BaseException:
        work.journal.recover(lambda _: None)
        raise
    if not work.journal.finish(intent, work.tell) and not intent.pushed:
        raise GitError(f"{made.branch} moved meanwhile; nothing was promoted", hint=f"cid promote {work.run.run}")
    work.tell(Step("promoted", version))
    where = work.remote.label if intent.pushed and work.remote else ""
    remote = work.remote
    later = f"git push {remote.name or remote.label} {made.branch} {version}" if remote and not where else ""
    sent = store.url if work.push else ""
    root = str(work.repository.root)
    return Promotion(version, work.run.run, made.sha, made.branch, work.path, sent, where, later=later, root=root)


def _make(work: _Work, stage: Stage, version: str, store: Storage) -> tuple[Intent, Graft]:
    """The files in the stage, the model sent, a commit and a tag that nobody sees yet."""
    stage.make()
    _fill(work, stage, store)
    names = [PurePosixPath(path).name for path in work.paths]
    dvc = Dvc(stage.new / work.path, names, work.project.folder, stage.folder, store.lines)
    work.tell(Step("dvc add", ", ".join(work.paths)))
    dvc.add()
    if work.push:
        work.tell(Step("dvc push", f"to {store.url}"))
        dvc.push()
    repository = work.repository
    made = repository.graft(_written(work, stage, store), f"Promote {work.run.run} to {version}")
    made = repository.annotate(made, version, message(work.run, version, work.path))
    fresh, folders = absent(stage.root, stage.files())
    intent = Intent(
        stage=str(stage.folder), graft=made.to_dict(), remote=work.project.git.remote or "",
        pushed=work.push and work.remote is not None, fresh=tuple(fresh), folders=tuple(folders),
    )  # fmt: skip
    work.journal.write(intent)
    return intent, made


def _fill(work: _Work, stage: Stage, store: Storage) -> None:
    for path in work.paths:
        output = FILES[PurePosixPath(path).name]
        stage.copy(Path(work.run.outputs) / output, path, work.manifest[output].sha256)
    for path, edit in _edits(work, store).items():
        stage.write(path, edit(content(work.repository.root / path)))


def _edits(work: _Work, store: Storage) -> dict[str, Edit]:
    """Files that may hold something of the user's, and what each must get."""
    return {f"{work.path}/.gitignore": lambda old: ignored(old, work.paths), **store.edits}


def _written(work: _Work, stage: Stage, store: Storage) -> dict[str, tuple[bytes, bytes]]:
    """What is committed, and what the user's index is to list: an edit is made to what each of them holds."""
    pointers = {path: (stage.new / path).read_bytes() for path in dvc_files(work.paths)}
    edited = {}
    for path, edit in _edits(work, store).items():
        head, index = work.repository.versions(path)
        edited[path] = (edit(head), edit(index))
    return {path: (content, content) for path, content in pointers.items()} | edited


def _version(work: _Work, *, major: bool) -> Version:
    names = {tag.name for tag in work.repository.tags()}
    if work.push and work.remote:
        names |= set(work.repository.tags_of(work.remote))
    kind = PurePosixPath(work.path).name
    return following(names, kind, work.run.experiment, datetime.now(UTC).strftime("%Y%m%d"), major=major)


def _show(work: _Work, version: str, store: Storage, before: str) -> None:
    where = "nowhere: --no-push" if not work.push else "nowhere: git has no remote"
    rows = (
        ("version", version),
        ("run", work.run.run),
        *([("repository", work.elsewhere)] if work.elsewhere else []),
        ("files", ", ".join(work.paths)),
        ("dvc", store.url if work.push else "the cache here: --no-push"),
        ("git", f"{work.remote.branch}, {version} to {work.remote.label}" if work.push and work.remote else where),
    )
    work.tell(Planned(rows, title="promotion"))
    if before:
        work.tell(Caution(f"{work.run.run} is {before} already: {version} will be the very same weights"))
    if told := unproven(work.run):
        work.tell(Caution(told))
    if store.edits:
        begun = "DVC is set up, and " if store.begins else ""
        told = f"{begun}models are kept in {store.url}, on this machine alone: no DVC remote was named"
        work.tell(Caution(f"{told}; dvc remote add -d NAME URL names one that others reach"))
