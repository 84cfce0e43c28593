"""A request that has been looked at: settings read, data located, a name found. Nothing is written anywhere."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from containerid import __version__
from containerid.backends import entry, open_backend
from containerid.errors import UsageError
from containerid.events import Caution
from containerid.home import Home
from containerid.job import Code, Data, Publish, Spec, State, Tell
from containerid.platform import Backend
from containerid.runs import foresight, publication
from containerid.runs.data import locate
from containerid.runs.registry import Run, now
from containerid.runs.request import Request

if TYPE_CHECKING:
    from containerid.config import Params, Project
    from containerid.git import Mode

Ask = Callable[[str], bool]
_TRANSPORTS = ("auto", "embed", "fetch", "dataset")
_MODES = ("branch", "snapshot", "clean")
_DEVICES = {"auto": "auto", "cpu": "cpu", "gpu": "cuda", "cuda": "cuda", "mps": "mps"}


@runtime_checkable
class Attaches(Protocol):
    """A backend that keeps data, and finds there what was brought before."""

    def attached(self, data: Data) -> Data:
        """The data as it lies there; unchanged when it does not, or nobody answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a submit works from.

    Attributes:
        run: the run id; `created` is its time, ISO 8601, from which the snapshot commit has its own.
        data: where the images are.
        tell: gets what happens.
        rows: what is to be known before it starts, label and value.
    """

    request: Request
    project: "Project"
    params: "Params"
    backend: Backend
    data: Data
    home: Home
    run: str
    created: str
    tell: Tell
    rows: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> Path:
        """Where params.yaml lies."""
        return self.project.folder

    @property
    def experiment(self) -> str:
        """Its name; empty for the base section."""
        return self.project.chosen(self.request.experiment)

    @property
    def settings(self) -> dict[str, Any]:
        """The backend's section of params.yaml with the options of the command line over it."""
        return {**self.project.section(self.request.backend), **self.request.options}

    @property
    def mode(self) -> "Mode":
        """How the code is pinned; only where it goes to the real platform is the branch the default."""
        configured = self.project.git.mode if entry(self.request.backend).git == "branch" else "snapshot"
        return self.request.git or configured

    @property
    def row(self) -> Run:
        """The run as the registry gets it."""
        return Run(
            run=self.run,
            project=self.project.name,
            folder=str(self.folder),
            experiment=self.experiment,
            backend=self.request.backend,
            created=self.created,
        )

    @property
    def publish(self) -> Publish:
        """A run of this machine pushes nothing by itself: `cid promote` is here. Neither does one that only tries."""
        from containerid.config.architectures import task

        versioning = self.project.versioning
        elsewhere = bool(self.backend.embed_limit) and not self.request.quick
        if not (elsewhere and versioning.pushes(gates=bool(self.params.gates))):
            return Publish()
        return Publish(when=versioning.from_kernel, path=versioning.folder(task(self.params.model.architecture)))

    def spec(self, code: Code) -> Spec:
        """What crosses to the other machine with this code."""
        request, settings = self.request, self.settings
        device = _DEVICES[request.device]
        return Spec(
            run=self.run,
            experiment=self.experiment,
            project=self.project.name,
            backend=request.backend,
            params=self.params.to_dict(),
            code=code,
            data=self.data,
            entry=self.params.training.entry,
            install=tuple(settings.get("install", ())),
            device=device,
            gpu=device == "cuda" or (device == "auto" and bool(settings.get("gpu", False))),
            internet=bool(settings.get("internet", True)),
            quick=request.quick,
            overrides=request.overrides,
            publish=self.publish,
            budget=float(settings.get("session_limit") or entry(request.backend).limit),
            created=self.created,
            cid=__version__,
        )


def look_at(request: Request, home: Home, tell: Tell, known: Run | None = None) -> Draft:
    """Read all that a request names.

    Args:
        request: what is asked for.
        home: the user's folder.
        tell: gets cautions.
        known: the run that it is for, when it was begun before.

    Raises:
        ConfigError, UsageError: it cannot be done as asked.
        RunFailed: the data has errors.
    """
    from containerid import config

    _check(request)
    project = config.load(config.find(request.folder))
    params = project.params(request.experiment, request.overrides)
    for warning in (*project.warnings(), *params.warnings()):
        tell(Caution(warning))
    settings = {**project.section(request.backend), **request.options, "project": project.folder}
    backend = open_backend(request.backend, home, settings)
    data = locate(params.data, request.data, folder=project.folder, backend=request.backend)
    # What is on its way already is not looked at again.
    fresh = known is None or known.state is State.CREATED
    draft = Draft(
        request=request,
        project=project,
        params=params,
        backend=backend,
        data=backend.attached(data) if isinstance(backend, Attaches) else data,
        home=home,
        run=known.run if known else _run_id(project, request),
        created=known.created if known else now(),
        tell=tell,
    )
    rows: Iterable[tuple[str, str]] = ()
    if fresh:
        foresight.check(draft)
        for told in foresight.cautions(draft):
            tell(Caution(told))
        rows = _look_through(data, params, project.folder, home, tell)
        publication.check(draft.publish, project.folder, tell, internet=bool(draft.settings.get("internet", True)))
    return replace(draft, rows=(*rows, *publication.row(draft.publish, draft.run)))


def _look_through(data: Data, params: "Params", folder: Path, home: Home, tell: Tell) -> Iterator[tuple[str, str]]:
    if data.provider != "folder":
        return
    from containerid.runs.checkdata import require

    report = require(data.source, params, folder=folder, home=home, tell=tell)
    if report is None:
        return
    images = sum(counts.get("images", 0) for counts in report.counts.values())
    warnings = sum(each.severity == "warning" for each in report.findings)
    told = f", {warnings:,} warning{'s' * (warnings != 1)}: cid data check" if warnings else ""
    yield "images", f"{images:,}, without errors{told}"


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
