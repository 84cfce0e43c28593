"""Kaggle as a backend, and the embedded Kaggle as another one that differs in its address alone."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.clock import Clock
from containerid.errors import CidError, NotFound
from containerid.events import Caution, LogLine
from containerid.home import Home, keep
from containerid.job import Data, Leg, Output, Past, Plan, Spec, State, Status, Tell
from containerid.kaggle import kernel, plan, preflight
from containerid.kaggle.account import REHEARSAL, Account
from containerid.kaggle.control import Control, address
from containerid.kaggle.links import Links
from containerid.kaggle.package import gather
from containerid.kaggle.plan import KaggleSettings
from containerid.outlook import Finding, Outlook

if TYPE_CHECKING:
    from containerid.kaggle import sets
    from containerid.kaggle.answers import Quota
    from containerid.kaggle.vault import Vault

_ARCHIVE = "code.tar.xz"
_SESSION = "session.json"
_VERSIONS = 5
"""How many versions of a kept kernel are looked through for a run's own."""

_FRESH = 60.0
"""Seconds for which an answer about a session is as good as a new one to who follows its log."""


def open_kaggle(home: Home, settings: Mapping[str, Any] | None = None) -> "KaggleBackend":
    """The real Kaggle, or the one that CID_KAGGLE_URL names. For `settings` see `KaggleSettings.read`."""
    return KaggleBackend(home, KaggleSettings.read(settings or {}))


def open_rehearsal(home: Home, settings: Mapping[str, Any] | None = None) -> "KaggleBackend":
    """The embedded Kaggle of this user; it is started when it is first needed."""
    return KaggleBackend(home, KaggleSettings.read(settings or {}), name=REHEARSAL)


class KaggleBackend:
    """Runs legs as Kaggle kernels; a handle is `owner/slug`, a version the kernel version's number.

    Args:
        home: where the parcels of runs lie.
        settings: of this submit; None for looking at what was submitted before.
        name: `kaggle`, or `rehearsal` for the embedded one.
        clock: for waits and pauses.

    Attributes:
        embed_limit: as base85 it leaves 200 kB of the source to the bootstrap, the spec and a carried containerid.
    """

    embed_limit = 580_000

    def __init__(
        self, home: Home, settings: KaggleSettings | None = None, *, name: str = "kaggle", clock: Clock | None = None
    ) -> None:
        self._home = home
        self._settings = settings or KaggleSettings()
        self._rehearses = name == REHEARSAL
        self._clock = clock or Clock()
        self._account = Account(home, self._settings.username, rehearses=self._rehearses, clock=self._clock)
        self._said: dict[Leg, tuple[float, State]] = {}
        self._sets: dict[Path, sets.Set] = {}

    @cached_property
    def _links(self) -> Links:
        return Links(self._account.listing)

    def account(self) -> str:
        """Whose credentials these are and where they were found, for the eye."""
        found = self._account.credentials
        return f"{self._account.api.whoami()} ({found.kind} from {found.source})"

    def quota(self) -> "Quota":
        """This week's GPU hours."""
        return self._account.api.quota()

    def outlook(self, own: Mapping[str, str]) -> Outlook:
        """The account, its hours and its sessions; see `containerid.outlook.Metered`."""
        return preflight.outlook(self._account.api, self.account(), own)

    def inspect(self, spec: Spec) -> Iterator[Finding]:
        """What the kernel will attach, looked at."""
        return preflight.inspect(self._account.api, self._account.owner, self._settings, spec)

    def prepare(self, spec: Spec, tell: Tell) -> Spec:
        """Send the data folder, and the code for the transport `dataset`, as private datasets that lie there for good.

        Raises:
            UsageError: the data folder is not there or empty.
            Refused: Kaggle does not take one.
        """
        for caution in self._account.credentials.cautions:
            tell(Caution(caution))
        named = self._named(spec)
        if spec.data.provider == "folder":
            self.place(self._folder(spec), spec.data.digest, tell)
        if named.code.transport == "dataset":
            archive = self._home.parcel(spec.run) / _ARCHIVE
            self._account.datasets.ensure(named.code.dataset, lambda: [archive], tell)
        return named

    def place(self, folder: Path, digest: str, tell: Tell) -> "sets.Placed":
        """See to it that a folder of data is on Kaggle; `digest` is what `training.data.digest` gives for it."""
        from containerid.kaggle import sets

        return sets.place(self._set(folder), digest, self._account, self._home, tell)

    def attached(self, data: Data) -> Data:
        """Where data in DVC lies on Kaggle already, if it does."""
        from containerid.kaggle import sets

        return sets.attached(data, self._account)

    def seal(self, spec: Spec, values: Mapping[str, str], tell: Tell) -> Spec:
        """The spec with these secrets closed for its run; see `containerid.kaggle.vault`."""
        return self.vault.seal(spec, values, tell)

    @cached_property
    def vault(self) -> "Vault":
        """Where the key lies that opens a run's secrets."""
        from containerid.kaggle.vault import Vault

        return Vault(self._account, self._home, self._clock)

    def plan(self, spec: Spec) -> Plan:
        """The kernel and its metadata as they would be pushed.

        Raises:
            UsageError: it could not work, or would show what is not meant to be seen.
        """
        spec = self._named(spec)
        plan.check(spec, self._settings)
        code = (self._home.parcel(spec.run) / _ARCHIVE).read_bytes() if spec.code.transport == "embed" else b""
        package = b"" if spec.code.holds_package else gather()
        source = kernel.render(spec, code=code, package=package, control=address(self._account.owner, spec))
        metadata = kernel.metadata(spec, self._options(spec))
        files = {kernel.CODE_FILE: source.encode(), kernel.METADATA_FILE: json.dumps(metadata, indent=2).encode()}
        if self._settings.session_limit:
            files[_SESSION] = json.dumps({"limit": self._settings.session_limit}).encode()
        rows = plan.rows(spec, self._settings, metadata, len(files[kernel.CODE_FILE]))
        warnings = () if self._rehearses else plan.warnings(self._settings, self._account.owner)
        return Plan(rows, files, warnings)

    def submit(self, spec: Spec) -> Leg:
        """Push the kernel from the files in the run's parcel, which are written first where they are not this spec's.

        Raises:
            Refused: Kaggle said no, or started the kernel without a source, and it was stopped where that can be done.
            Unreachable: the answer was lost; `find` tells whether the push arrived.
        """
        parcel = self._home.parcel(spec.run)
        if not _holds(parcel, spec):
            for name, content in self.plan(spec).files.items():
                keep(parcel / name, content)
        metadata = json.loads((parcel / kernel.METADATA_FILE).read_bytes())
        source = (parcel / kernel.CODE_FILE).read_text(encoding="utf-8")
        limit = json.loads((parcel / _SESSION).read_bytes())["limit"] if (parcel / _SESSION).exists() else None
        with preflight.dated(self._account.api):
            pushed = self._account.api.push(metadata, source, session_limit=limit)
        if pushed.missing:
            own = pushed.version == 1 and pushed.kernel.endswith(f"/{kernel.slug(spec.run, spec.leg)}")
            self._stop_without(pushed.kernel, pushed.missing, pushed.url, own=own)
        return Leg(pushed.kernel, str(pushed.version), pushed.url)

    def _stop_without(self, name: str, missing: dict[str, tuple[str, ...]], url: str, *, own: bool) -> None:
        """Kaggle has started a run that lacks its data. Deleting the kernel is the one stop that works for certain."""
        from containerid.kaggle.refusals import without_sources

        stopped = False
        with suppress(CidError):
            if own:
                self._account.api.delete(name)
                stopped = True
        raise without_sources(dict(missing), stopped=stopped, url=url)

    def find(self, spec: Spec) -> Leg | None:
        """The kernel version of this run: its source holds the run's id. A kept kernel may have newer versions."""
        path = self._home.parcel(spec.run) / kernel.METADATA_FILE
        usual = f"{self._account.owner}/{kernel.slug(spec.run, spec.leg)}"
        name = json.loads(path.read_bytes())["id"] if path.exists() else usual
        with suppress(NotFound):
            newest = self._account.api.get(name)
            older = range(newest.version - 1, max(newest.version - _VERSIONS, 0), -1)
            for number in (newest.version, *older):
                found = newest if number == newest.version else self._account.api.get(name, str(number))
                if re.search(rf"(?<![\w-]){re.escape(spec.run)}(?![\w-])", found.source):
                    return Leg(name, str(number or ""), f"{self._account.origin.pages}/code/{name}")
        return None

    def status(self, leg: Leg) -> Status:
        """What Kaggle says. Right after a push it may know the kernel and not yet its session: that is queued."""
        try:
            said = self._account.api.status(leg.handle, leg.version)
        except NotFound:
            self._account.api.get(leg.handle)
            said = Status(State.QUEUED, "Kaggle shows no session yet")
        self._said[leg] = (self._clock.now(), said.state)
        return said

    def _is_over(self, leg: Leg) -> bool:
        """Whether the session has ended. Who follows a log asks Kaggle nothing that a watcher has just asked."""
        when, state = self._said.get(leg, (-_FRESH, State.CREATED))
        if not state.final and self._clock.now() - when >= _FRESH:
            state = self.status(leg).state
        return state.final

    def logs(self, leg: Leg, *, follow: bool) -> Iterator[LogLine]:
        """The log from its head, with `follow` until the session has ended, over lost connections."""
        from containerid.kaggle import stream

        if not follow:
            return stream.kept(self._account.listing, leg.handle, leg.version)
        return stream.follow(
            self._account.api, leg.handle, leg.version, is_over=lambda: self._is_over(leg), clock=self._clock
        )

    def outputs(self, leg: Leg) -> Sequence[Output]:
        """The files that the session left; none while it runs."""
        return self._links.outputs(leg)

    def download(self, output: Output, to: Path) -> str:
        """Stream one output to a path, over a fresh link when the one at hand has expired. May be called by threads.

        Raises:
            NotFound: Kaggle has no such output any more.
            Unreachable: it did not come whole and as promised.
        """
        return self._account.storage.fetch(self._links.of(output), output, to)

    def cancel(self, leg: Leg) -> None:
        """Stop a session by the id that it told. Raises Refused: it told none."""
        self.control.end(leg, lambda _: None)

    @cached_property
    def control(self) -> Control:
        """All the ways to stop a session of this account."""
        return Control(self._account, self._home)

    def hand_over(self, spec: Spec, leg: Leg, tell: Tell, *, carried: bool = False) -> Past:
        """See `containerid.kaggle.handover`."""
        from containerid.kaggle.handover import hand_over

        attach = not carried and self.status(leg).state is State.SUCCEEDED
        return hand_over(self._account, spec, leg, attach, self.outputs(leg), self.download, self._home, tell)

    def _options(self, spec: Spec) -> kernel.KernelOptions:
        settings = self._settings
        return kernel.KernelOptions(
            owner=self._account.owner,
            accelerator=settings.accelerator,
            gpu=spec.gpu,
            internet=spec.internet,
            private=not settings.public,
            dataset_sources=settings.dataset_sources,
            competition_sources=settings.competition_sources,
            kernel_sources=settings.kernel_sources,
            model_sources=settings.model_sources,
            slug=settings.slug,
        )

    def _named(self, spec: Spec) -> Spec:
        """The spec with the names that its data and code have on Kaggle, sent or not."""
        if spec.data.provider == "folder":
            folder = self._folder(spec)
            source = f"{self._account.owner}/{self._set(folder).slug}"
            spec = replace(spec, data=Data(provider="kaggle", source=source, digest=spec.data.digest))
        if spec.code.transport == "dataset" and not spec.code.dataset:
            dataset = f"{self._account.owner}/cid-code-{spec.code.digest[:12]}"
            spec = replace(spec, code=replace(spec.code, dataset=dataset))
        return spec

    def _folder(self, spec: Spec) -> Path:
        path = Path(spec.data.source).expanduser()
        return path.parent if path.is_file() else path

    def _set(self, folder: Path) -> "sets.Set":
        from containerid.kaggle import sets

        if folder not in self._sets:
            self._sets[folder] = sets.Set(folder, self._settings.project or folder)
        return self._sets[folder]


def _holds(parcel: Path, spec: Spec) -> bool:
    """The parcel holds the kernel of this very spec: it was planned before, perhaps by a process that is gone."""
    if not (parcel / kernel.CODE_FILE).exists() or not (parcel / kernel.METADATA_FILE).exists():
        return False
    cargo = kernel.read_cargo((parcel / kernel.CODE_FILE).read_text(encoding="utf-8"))
    return bool(cargo["spec"] == spec.to_dict())
