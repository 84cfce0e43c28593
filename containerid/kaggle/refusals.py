"""What Kaggle says when it says no, each text with our error and the step that mends it.

The texts are Kaggle's, seen in its answers; each error keeps them, since they are what a search engine knows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from containerid.errors import (
    BackendError,
    CidError,
    CredentialsError,
    NotFound,
    Refused,
    SourcesRefused,
    Throttled,
    Unreachable,
    UsageError,
)
from containerid.job import State, Status

_PHONE = "verify your phone at https://www.kaggle.com/settings, which GPU and internet need; then: cid train again"


@dataclass(frozen=True, slots=True)
class _Rule:
    """Attributes: text (searched, any case), the error, our words for it, what mends it, whether waiting mends it."""

    text: str
    error: type[CidError]
    means: str
    hint: str = ""
    retryable: bool = False


_SLOTS = "wait until one ends, or look at https://www.kaggle.com/me/active-events"
_RULES = (
    _Rule(r"Maximum batch (GPU|TPU|CPU) session count", Refused, "all slots are in use", _SLOTS, retryable=True),
    _Rule(
        r"Maximum weekly (GPU|TPU) quota|no accelerator quota|no quota for",
        Refused,
        "the weekly quota is used up",
        "cid quota tells when it is filled again; until then: --device cpu --quick, or --local",
    ),
    _Rule(
        r"^(Notebook|Kernel) not found",
        Refused,
        "Kaggle has no kernel of this name that it lets you change",
        "choose another --slug, or leave it out",
    ),
    _Rule(
        r"cannot change the editor type",
        Refused,
        "a notebook of this name exists, and cid pushes scripts",
        "choose another --slug, or delete that notebook on Kaggle",
    ),
    _Rule(
        r"must be less than 1 megabytes",
        UsageError,
        "the kernel's source is too large for Kaggle",
        "--transport fetch or --transport dataset leaves the code out of the source",
    ),
    _Rule(r"enableInternet' was denied", Refused, "Kaggle does not give this account GPU with internet", _PHONE),
    _Rule(r"phone.{0,20}verif|verif.{0,20}phone", Refused, "Kaggle wants a verified phone number", _PHONE),
    _Rule(
        r"'kernelSessions\.\w+' was denied",
        Refused,
        "Kaggle does not let the API do this to a session",
        "stop it at the kernel's own page on Kaggle",
    ),
    _Rule(
        r"'(kernels|datasets)\.get' was denied",
        NotFound,
        "Kaggle knows no such kernel or dataset, or it is not yours",
        "check owner and name; if they are right, the token may have run out: cid doctor",
    ),
    _Rule(
        r"'(\w+)\.(create|update|delete)' was denied",
        CredentialsError,
        "these credentials may read but not write",
        "a legacy key may be read-only: make an API token at https://www.kaggle.com/settings/api",
    ),
    _Rule(
        r"^Authentication required|^Unauthenticated",
        CredentialsError,
        "Kaggle does not take the credentials",
        "cid doctor; a session of `kaggle auth login` ends after 12 hours, an API token does not",
    ),
    _Rule(
        r"title .*already in use|already exists",
        Refused,
        "the name is taken",
        "choose another --slug",
    ),
    _Rule(
        r"toomanyassignments|precondition failed",
        Refused,
        "Kaggle has no machine free",
        "try again in some minutes",
        retryable=True,
    ),
    _Rule(
        r"rules.{0,40}(accept|agree)|(accept|agree).{0,40}rules",
        Refused,
        "the competition's rules are not accepted",
        "accept them at https://www.kaggle.com/competitions/SLUG/rules",
    ),
)

_BY_STATUS = {
    400: _Rule("", Refused, "Kaggle cannot use the request"),
    401: _Rule(
        "",
        CredentialsError,
        "Kaggle does not take the credentials",
        "make new ones: https://www.kaggle.com/settings/api",
    ),
    403: _Rule("", Refused, "Kaggle does not allow this"),
    404: _Rule("", NotFound, "Kaggle knows no such thing"),
    409: _Rule("", Refused, "the name is taken: another kernel has this title", "choose another --slug"),
    412: _Rule("", Refused, "Kaggle has no machine free", "try again in some minutes", retryable=True),
    413: _Rule("", UsageError, "the request is too large for Kaggle", "--transport fetch, or --transport dataset"),
    429: _Rule("", Throttled, "Kaggle asks for fewer requests", "try again in a minute", retryable=True),
}
_THROTTLED = re.compile(r"too ?many ?requests", re.IGNORECASE)


def explain(status: int, said: str) -> CidError:
    """The error for an answer that says no.

    Args:
        status: HTTP status, or the code in the answer's own envelope; 200 for a refusal inside a good answer.
        said: Kaggle's own message; empty when there was none.
    """
    if status == 429 or _THROTTLED.search(said):
        return _error(_BY_STATUS[429], said)
    if status >= 500 or status == 408:
        return _error(_Rule("", Unreachable, f"Kaggle has trouble (HTTP {status})", "try again", retryable=True), said)
    for rule in _RULES if status != 401 else ():
        if re.search(rule.text, said, re.IGNORECASE):
            return _error(rule, said)
    unknown = _Rule("", Refused, "Kaggle said no" if status == 200 else f"Kaggle said no (HTTP {status})")
    return _error(_BY_STATUS.get(status, unknown), said)


def _error(rule: _Rule, said: str) -> CidError:
    said = " ".join(said.split()).rstrip(".")[:500]
    message = f"{rule.means}: {said}" if said else rule.means
    return rule.error(message, hint=rule.hint, retryable=rule.retryable)


def without_sources(missing: dict[str, Sequence[str]], *, stopped: bool, url: str) -> SourcesRefused:
    """The error for a push that Kaggle started without some of its sources.

    Args:
        missing: kind of source (`dataset`, `kernel`, …) to the names that Kaggle did not take.
        stopped: the run could be stopped.
        url: the kernel's page.
    """
    named = "; ".join(f"{kind} {', '.join(names)}" for kind, names in missing.items())
    ending = "so the run was stopped" if stopped else "and the run could not be stopped"
    others = missing.keys() - {"competition"}
    hints = [] if stopped else [f"stop it at {url}"]
    hints += ["check that each exists, is yours or public, and is ready on Kaggle"] if others else []
    hints += [without_competitions(missing["competition"]).hint] if "competition" in missing else []
    error = SourcesRefused(f"Kaggle started the kernel without {named}, {ending}", hint="; ".join(hints))
    error.missing, error.stopped = frozenset(name for names in missing.values() for name in names), stopped
    return error


def without_competitions(slugs: Sequence[str]) -> BackendError:
    """The error for competitions whose data this user cannot have: not active, or their rules are not accepted."""
    links = ", ".join(f"https://www.kaggle.com/competitions/{slug}/rules" for slug in slugs)
    return Refused(
        f"the competition {', '.join(slugs)} cannot be used: it is not active, or its rules are not accepted",
        hint=f"accept the rules, or see that it is over: {links}",
    )


@dataclass(frozen=True, slots=True)
class _Failure:
    text: str
    means: str
    state: State = State.FAILED


_FAILURES = (
    _Failure(r"allocate more memory", "out of host memory: fewer workers, a smaller batch_size, no cache"),
    _Failure(
        r"exceeded the max allowed execution", "the session's time was up: fewer epochs, or a longer --session-limit"
    ),
    _Failure(r"more disk space than is available", "the disk is full: /kaggle/working holds 20 GB"),
    _Failure(r"enableInternet' was denied", f"the session did not start: {_PHONE}"),
    _Failure(r"killed due to a requested cancel", "cancelled on Kaggle", State.CANCELLED),
)


def read_failure(state: State, said: str) -> Status:
    """What a session's failure message means; the state that Kaggle gave stands when the text tells nothing better.

    A session that ran out of time is `cancelled` to Kaggle, and a failure to us.
    """
    said = " ".join(said.split()).rstrip(".")
    for failure in _FAILURES:
        if re.search(failure.text, said, re.IGNORECASE):
            return Status(failure.state, f"{said} ({failure.means})")
    return Status(state, said)
