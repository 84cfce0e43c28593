"""Submit a training: record the intent, pin the code, gate it, push it, and start the leg, in that order."""

import io
import json
import secrets
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid import __version__
from containerid.backends import entry, open_backend
from containerid.errors import CidError, GitError, Refused, Unreachable, UsageError
from containerid.events import Caution, Changed, Planned, Step
from containerid.home import Home
from containerid.job import Backend, Code, Spec, State, Tell
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request

if TYPE_CHECKING:
    from containerid.config import Params, Project
    from containerid.git import Mode, Repository, Snapshot

_TRANSPORTS = ("auto", "embed", "fetch", "dataset")
_MODES = ("branch", "snapshot", "clean")
_DEVICES = {"auto": "auto", "cpu": "cpu", "gpu": "cuda", "cuda": "cuda", "mps": "mps"}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A request that has been looked at: everything is known, nothing was written yet."""

    request: Request
    project: "Project"
    params: "Params"
    backend: Backend
    home: Home
    run: str
    tell: Tell

    @property
    def folder(self) -> Path:
        return self.project.folder

    @property
    def experiment(self) -> str:
        return self.project.chosen(self.request.experiment)

    @property
    def section(self) -> dict[str, Any]:
        return {**self.project.section(self.request.backend), **self.request.options}


def submit(
    request: Request, *, home: Home, tell: Tell | None = None, ask: Callable[[str], bool] = lambda _: True
) -> Run:
    """Start a run.

    Args:
        request: what is asked for.
        home: the user's folder.
        tell: gets what happens as it happens.
        ask: answers a question with yes or no; asked once a branch, before the first automatic push.

    Returns:
        The run, in state `queued`.

    Raises:
        ConfigError, UsageError: nothing was written.
        GitError: nothing was pushed; index, stash, HEAD and hooks are as they were.
        Refused: the platform said no; the run is `refused`.
        Unreachable: no answer came; the run stays `submitting` when it may have arrived.
    """
    draft = _draft(request, home, tell or (lambda _: None))
    registry = Registry(home.registry)
    _agree(draft, registry, ask)
    run = registry.add(
        Run(
            run=draft.run,
            project=draft.project.name,
            folder=str(draft.folder),
            experiment=draft.experiment,
            backend=request.backend,
        )
    )
    try:
        return _send(draft, registry)
    except CidError as error:
        if registry.get(run.run).state is not State.SUBMITTING:
            registry.move(run.run, State.REFUSED, error.message)
        raise


def plan(request: Request, *, home: Home, tell: Tell | None = None) -> Path:
    """Make everything that a submit would send, and send nothing.

    Returns:
        The folder that holds it: `spec.json`, the code archive, and what the backend would push.
    """
    draft = _draft(request, home, tell or (lambda _: None))
    spec = _spec(draft, _pin(draft, push=False))
    made = draft.backend.plan(spec)
    folder = home.parcel(draft.run)
    document = json.dumps(spec.to_dict(), indent=1).encode()
    for name, content in {**made.files, "spec.json": document}.items():
        (folder / name).write_bytes(content)
    draft.tell(Planned(made.rows))
    for warning in made.warnings:
        draft.tell(Caution(warning))
    return folder


def _draft(request: Request, home: Home, tell: Tell) -> _Draft:
    from containerid import config

    _check(request)
    project = config.load(config.find(request.folder))
    params = project.params(request.experiment, request.overrides)
    for warning in params.warnings():
        tell(Caution(warning))
    settings = {**project.section(request.backend), **request.options, "project": project.folder}
    backend = open_backend(request.backend, home, settings)
    return _Draft(request, project, params, backend, home, _run_id(project, request), tell)


def _check(request: Request) -> None:
    for option, value, known in (
        ("--transport", request.transport, _TRANSPORTS),
        ("--git", request.git or _MODES[0], _MODES),
        ("--device", request.device, tuple(_DEVICES)),
    ):
        if value not in known:
            raise UsageError(f"{option} {value} is unknown", hint=f"one of: {', '.join(known)}")


def _run_id(project: "Project", request: Request) -> str:
    """Such as `exp001-20261121-045528-3fa9c1`: what, when, and six random digits, so that two at once differ."""
    from slugify import slugify

    name = slugify(project.chosen(request.experiment) or project.name)[:20].strip("-") or "run"
    return f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _agree(draft: _Draft, registry: Registry, ask: Callable[[str], bool]) -> None:
    """Ask once a branch before cid pushes to it by itself."""
    if _mode(draft) != "branch" or not draft.backend.embed_limit:
        return
    from containerid.git import Repository

    branch = Repository.open(draft.folder).changes().branch
    if not branch or registry.agreed(str(draft.folder), branch):
        return
    if not ask(f"cid commits your changes and pushes them to {branch}; go on, now and from now on?"):
        raise UsageError("nothing was sent", hint="--git snapshot leaves the branch alone")
    registry.agree(str(draft.folder), branch)


def _mode(draft: _Draft) -> "Mode":
    configured = draft.project.git.mode if entry(draft.request.backend).git == "branch" else "snapshot"
    return draft.request.git or configured


def _send(draft: _Draft, registry: Registry) -> Run:
    spec = _spec(draft, _pin(draft, push=True))
    registry.set_spec(draft.run, spec)
    registry.move(draft.run, State.SYNCED)
    spec = draft.backend.prepare(spec, draft.tell)
    registry.set_spec(draft.run, spec)
    made = draft.backend.plan(spec)
    registry.set_plan(draft.run, made.rows)
    draft.tell(Planned(made.rows))
    for warning in made.warnings:
        draft.tell(Caution(warning))
    registry.move(draft.run, State.SUBMITTING)
    return _start(draft, registry, spec)


def _start(draft: _Draft, registry: Registry, spec: Spec) -> Run:
    """The one push. After a lost answer the platform is asked whether it arrived; it is never pushed twice."""
    try:
        leg = draft.backend.submit(spec)
    except Refused as error:
        registry.move(draft.run, State.REFUSED, error.message)
        raise
    except Unreachable as error:
        found = draft.backend.find(spec)
        if found is None:
            error.hint = f"cid status {draft.run} tells whether it arrived"
            raise
        leg = found
    registry.set_leg(draft.run, leg)
    run = registry.move(draft.run, State.QUEUED)
    draft.tell(Changed(run.run, str(run.state), url=run.url))
    return run


def _spec(draft: _Draft, code: Code) -> Spec:
    from containerid.runs.data import locate

    request, section = draft.request, draft.section
    device = _DEVICES[request.device]
    return Spec(
        run=draft.run,
        experiment=draft.experiment,
        project=draft.project.name,
        backend=request.backend,
        params=draft.params.to_dict(),
        code=code,
        data=locate(draft.params.data, request.data, folder=draft.folder, backend=request.backend),
        entry=draft.params.training.entry,
        install=tuple(section.get("install", ())),
        device=device,
        gpu=device == "cuda" or (device == "auto" and bool(section.get("gpu", False))),
        internet=bool(section.get("internet", True)),
        quick=request.quick,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        cid=__version__,
    )


def _pin(draft: _Draft, *, push: bool) -> Code:
    """The snapshot, gated and (with `push`) on the remote, and its archive in the parcel."""
    from containerid.git import Repository

    if not draft.backend.embed_limit:
        return _pin_here(draft)
    repository = Repository.open(draft.folder)
    mode = _mode(draft)
    snapshot = _snapshot(draft, repository, mode)
    remote = repository.remote(draft.project.git.remote or "")
    kept = _kept_out(draft)
    repository.gate(snapshot, remote, allow=draft.project.git.allow, exclude=kept)
    address = remote.public if remote and not remote.local else ""
    code = Code(sha=snapshot.sha, tree=snapshot.tree, branch=snapshot.branch, remote=address)
    if push:
        pushed = repository.push(snapshot, run=draft.run, mode=mode, remote=remote)
        for caution in pushed.cautions:
            draft.tell(Caution(caution))
        code = replace(code, ref=pushed.ref)
        draft.tell(
            Step("code", f"{snapshot.sha[:12]}, {f'held by {pushed.ref}' if pushed.ref else 'in the archive alone'}")
        )
    return _pack(draft, repository, code, kept)


def _snapshot(draft: _Draft, repository: "Repository", mode: "Mode") -> "Snapshot":
    changes = repository.changes()
    if not changes.clean:
        counts = f"{changes.staged} staged, {changes.unstaged} unstaged, {len(changes.untracked)} untracked"
        draft.tell(Step("work tree", counts))
    message = draft.request.message or f"cid: {draft.run}"
    snapshot = repository.snapshot(message, mode=mode, allow=draft.project.git.allow)
    for caution in snapshot.cautions:
        draft.tell(Caution(caution))
    return snapshot


def _pack(draft: _Draft, repository: "Repository", code: Code, kept: Sequence[str]) -> Code:
    """The archive into the parcel, and how it travels: in the submit where it fits, else by git, else as a dataset."""
    from containerid.git import anonymously_readable

    archive = repository.archive(code.tree, exclude=kept)
    for caution in archive.cautions:
        draft.tell(Caution(caution))
    (draft.home.parcel(draft.run) / "code.tar.xz").write_bytes(archive.data)
    transport = draft.request.transport
    if transport == "auto":
        fits = len(archive.data) <= draft.backend.embed_limit
        transport = "embed" if fits else "fetch" if code.ref and anonymously_readable(code.remote) else "dataset"
    if transport == "fetch" and not (code.ref and code.remote):
        raise GitError(
            "--transport fetch needs the code on a remote that others reach, and none holds it",
            hint="git remote add origin URL, or --transport embed",
        )
    fetched = transport == "fetch"
    return replace(
        code,
        transport=transport,
        carried_tree=code.tree if fetched else archive.tree,
        digest="" if fetched else sha256(archive.data).hexdigest(),
        folder=repository.folder,
        holds_package=_holds_package(archive.data),
    )


def _holds_package(archive: bytes) -> bool:
    """The project is containerid itself, as this repository is: then its own code runs on the far side."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return "containerid/training/__main__.py" in tar.getnames()


def _kept_out(draft: _Draft) -> tuple[str, ...]:
    """What the archive leaves out: folders of images, which travel as data, and what `git.exclude` names."""
    places = (draft.params.data.path, draft.request.data)
    folders = [place for place in places if place and not Path(place).is_absolute() and (draft.folder / place).is_dir()]
    return (*folders, *draft.project.git.exclude)


def _pin_here(draft: _Draft) -> Code:
    """A local run uses the work tree as it lies; the snapshot only names what that was."""
    from containerid.git import Repository

    folder = str(draft.folder.absolute())
    try:
        repository = Repository.open(draft.folder)
    except GitError:
        draft.tell(Caution("this folder is in no git repository, so the run cannot say which code made it"))
        return Code(transport="worktree", folder=folder)
    snapshot = repository.snapshot(f"cid: {draft.run}", mode="snapshot", allow=("**",))
    return Code(sha=snapshot.sha, tree=snapshot.tree, branch=snapshot.branch, transport="worktree", folder=folder)
