"""What Kaggle tells before a push: hours, sessions, and whether what a kernel attaches is there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from containerid.errors import CidError, NotFound, Refused, Unreachable, UsageError
from containerid.job import Spec
from containerid.kaggle.answers import moment
from containerid.kaggle.refusals import without_competitions
from containerid.outlook import Finding, Hours, Outlook, Session

if TYPE_CHECKING:
    from containerid.kaggle.api import Kaggle
    from containerid.kaggle.plan import KaggleSettings

PLACES = {"gpu": 2, "cpu": 5}
"""Batch sessions at a time that Kaggle gives an account; it has been 4 for GPU. A push tells the truth."""

_RECENT = timedelta(hours=24)
"""A session lasts 12 hours at most, and some more in the queue."""

_GLANCES = 12
_LATEST = 20


def outlook(api: "Kaggle", account: str, own: Mapping[str, str]) -> Outlook:
    """How an account stands. Own runs are looked at whatever the listing says, which may be minutes behind.

    Args:
        api: its API.
        account: whose it is, for the eye.
        own: handles of runs that may be active, to their run ids.
    """
    hours = _hours(api)
    since = datetime.now(UTC) - _RECENT
    listed = {each.kernel: each.gpu for each in api.mine(_LATEST) if each.ran is None or each.ran > since}
    names = list(dict.fromkeys([*list(own)[:_GLANCES], *listed]))[:_LATEST]
    found = (_session(api, name, listed.get(name), own.get(name, "")) for name in names)
    return Outlook(account, hours, PLACES, tuple(session for session in found if session))


def _hours(api: "Kaggle") -> Hours | None:
    try:
        quota = api.quota()
    except (Refused, NotFound):
        return None
    return Hours(quota.used_h, quota.reserved_h, quota.total_h, quota.refresh)


def _session(api: "Kaggle", name: str, gpu: bool | None, run: str) -> Session | None:
    """The session of a kernel's newest version; None when it takes no place."""
    with suppress(NotFound, Refused, Unreachable):
        state = api.status(name).state
        if not state.final:
            kind = "gpu" if (api.get(name).gpu if gpu is None else gpu) else "cpu"
            return Session(name, kind, str(state), run)
    return None


def inspect(api: "Kaggle", owner: str, settings: "KaggleSettings", spec: Spec) -> Iterator[Finding]:
    """What the kernel will attach: each is there, ready, and the user's to use. A kernel that is kept is at rest."""
    if spec.gpu:
        yield from machine(settings.accelerator)
    if settings.slug:
        yield _kept(api, f"{owner}/{settings.slug}")
    datasets = [*settings.dataset_sources, *([spec.data.source] if spec.data.provider == "kaggle" else [])]
    for name in dict.fromkeys(datasets):
        yield _dataset(api, owner, name)
    for name in settings.kernel_sources:
        yield _kernel(api, name)
    for name in settings.competition_sources:
        yield _competition(api, name)


def machine(name: str) -> Iterator[Finding]:
    """What speaks against a machine shape: Kaggle may have a new one, or take its usual machine and say nothing."""
    from containerid.config.rules import suggestion
    from containerid.config.shapes import SHAPES

    if name not in SHAPES:
        message = f"Kaggle is not known to have a machine {name}{suggestion(name, SHAPES)}"
        fault = UsageError(message, hint=f"one of {', '.join(SHAPES)}")
        yield Finding("accelerator", f"{name} is NOT known", fault, doubt=True)


def _kept(api: "Kaggle", name: str) -> Finding:
    """Kaggle would start a second session and go on billing the first, unseen (Kaggle/kaggle-cli#388)."""
    if session := _session(api, name, None, ""):
        hint = f"cid cancel {name}, or leave --slug out"
        fault = Refused(f"{name} still has a version that is {session.state}", hint=hint, retryable=True)
        return Finding("kept kernel", f"{name} is {session.state}", fault)
    return Finding("kept kernel", f"{name} gets a new version")


def _dataset(api: "Kaggle", owner: str, name: str) -> Finding:
    named = "/".join(name.split("/")[:2])
    page = f"look at https://www.kaggle.com/datasets/{named}"
    try:
        state = api.dataset_status(named)
    except NotFound:
        return _unseen(api, owner, named, page)
    if state == "ready":
        return Finding("dataset", f"{name} is ready")
    passing = state not in {"failed", "deleted"}
    fault = Refused(f"the dataset {name} is not ready: {state}", hint=page, retryable=passing)
    return Finding("dataset", f"{name} is {state}", fault)


def _unseen(api: "Kaggle", owner: str, name: str, page: str) -> Finding:
    """A dataset without a state for us: another's public one, one that is quite new, or none."""
    by, _, slug = name.partition("/")
    if by != owner:
        with suppress(NotFound, Refused):
            api.wire.call("datasets.DatasetApiService/GetDataset", {"ownerSlug": by, "datasetSlug": slug})
            return Finding("dataset", f"{name} is {by}'s, and public")
    fault = Refused(
        f"there is no dataset {name}, or it is not yours to see, or so new that Kaggle does not show it yet",
        hint=f"{page}; a new one takes up to 15 minutes",
        retryable=True,
    )
    return Finding("dataset", f"{name} is NOT to be seen", fault, doubt=by != owner)


def _kernel(api: "Kaggle", name: str) -> Finding:
    try:
        api.get("/".join(name.split("/")[:2]))
    except NotFound as error:
        hint = f"look at https://www.kaggle.com/code/{name}"
        return Finding("kernel", f"{name} is NOT to be seen", Refused(error.message, hint=hint))
    return Finding("kernel", f"{name} is there")


def _competition(api: "Kaggle", slug: str) -> Finding:
    method = "competitions.CompetitionApiService/GetCompetition"
    try:
        body = api.wire.call(method, {"competitionName": slug}, again=False)
    except (NotFound, Refused):
        return Finding("competition", f"{slug} is NOT to be used", without_competitions([slug]))
    except Unreachable:
        return Finding("competition", f"{slug}: could not be looked at")
    opens = moment(body.get("enabledDate"))
    if not body.get("userHasEntered") or (opens and opens > datetime.now(UTC)):
        return Finding("competition", f"{slug} is NOT to be used", without_competitions([slug]))
    return Finding("competition", f"{slug} is entered")


@contextmanager
def dated(api: "Kaggle") -> Iterator[None]:
    """A push that is refused for the week's quota says when there is a new one."""
    try:
        yield
    except Refused as error:
        if "weekly quota" not in error.message or not (refresh := _refresh(api)):
            raise
        message = f"{error.message}; it is filled again on {refresh.astimezone():%Y-%m-%d at %H:%M}"
        raise Refused(message, hint=error.hint) from error


def _refresh(api: "Kaggle") -> datetime | None:
    with suppress(CidError):
        return api.quota().refresh
    return None
