"""Why a run failed: its log, its result and the platform's word, held against the known classes of failure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from containerid.events import LogLine
from containerid.job import Result, State, Status

if TYPE_CHECKING:
    from containerid.diagnosis.entry import Class

TIME_LIMIT = "time-limit"
"""The kind of a leg that its platform has stopped because its time was up."""

_LAST = 5_000
"""Lines from the log's end that are looked at."""
_SHOWN = 4
_WIDTH = 300
_GOOD = {State.SUCCEEDED, State.PAUSED}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ASIDE = re.compile(r"CID_[A-Z]+ |caution: |WARNING ⚠")
_TRACEBACK = "Traceback (most recent call last)"
_CHAINED = re.compile(r"^(During handling of the above|The above exception was the direct cause)")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The class of a failure.

    Attributes:
        kind: its name, such as `gpu-memory`; see `containerid.diagnosis.classes`.
        summary: what it means, one line.
        lines: what shows it, as it stands in the log; a few, cut at 300 characters.
        next: the step that mends it. `{train}` and `{run}` stand for the command and the id of the run.
    """

    kind: str
    summary: str
    lines: tuple[str, ...]
    next: str

    def addressed(self, run: str, train: str) -> "Diagnosis":
        """The same with `{run}` and `{train}` filled in."""
        return replace(self, next=self.next.replace("{run}", run).replace("{train}", train))

    def document(self) -> dict[str, Any]:
        """As JSON documents show it."""
        return {"kind": self.kind, "summary": self.summary, "lines": list(self.lines), "next": self.next}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Diagnosis":
        """Read back what `document` gave."""
        return cls(**{**document, "lines": tuple(document["lines"])})


def diagnose(lines: Iterable[LogLine], result: Result | None = None, status: Status | None = None) -> Diagnosis | None:
    """Find the class of a failure. Pure: it asks nobody.

    The result's reason counts most, then the platform's word, then the log. Of several classes that a log shows, the
    first in the table is named: it is ordered from causes to their consequences.

    Args:
        lines: of the log, the oldest first.
        result: what the far side said; None when it left nothing.
        status: the platform's last word; None when it is not known.

    Returns:
        None for a run that did not fail, and where nothing is known about it.
    """
    if result.state in _GOOD if result else status is not None and status.state in _GOOD:
        return None
    from containerid.diagnosis.classes import CLASSES

    log = _readable(lines)
    said = [text for text in (result.reason if result else "", status.message if status else "") if text]
    return _first(CLASSES, said, log) or _raised(log, said) or _speechless(log, result, status)


def _readable(lines: Iterable[LogLine]) -> list[LogLine]:
    """Lines as a terminal would show them in the end, without our marks and without what is only a warning."""
    tail = list(lines)[-_LAST:]
    texts = (_ESCAPES.sub("", line.text).rstrip("\r").rpartition("\r")[2] for line in tail)
    return [replace(line, text=text) for line, text in zip(tail, texts, strict=True) if not _ASIDE.match(text)]


def _first(classes: Sequence["Class"], said: Sequence[str], log: Sequence[LogLine]) -> Diagnosis | None:
    """What was said about the end, then the last exception, then the whole log."""
    for texts in (*([text] for text in said), [line.text for line in _last_exception(log)]):
        for each in classes:
            if shown := _matching(each, texts):
                return _cause(each, classes, log) or _named(each, _matching(each, _texts(log)) or shown)
    return next((_named(each, shown) for each in classes if (shown := _matching(each, _texts(log)))), None)


def _cause(found: "Class", classes: Sequence["Class"], log: Sequence[LogLine]) -> Diagnosis | None:
    """The class that stands behind one which is often only a consequence, where the log shows it."""
    before = [each for each in classes if each.kind in found.follows]
    return next((_named(each, shown) for each in before if (shown := _matching(each, _texts(log)))), None)


def _texts(log: Sequence[LogLine]) -> list[str]:
    return [line.text for line in log]


def _last_exception(log: Sequence[LogLine]) -> Sequence[LogLine]:
    """From the last traceback on, and from the first of those that it names as its causes; nothing without one."""
    starts = [index for index, line in enumerate(log) if _TRACEBACK in line.text]
    while len(starts) > 1 and any(_CHAINED.search(line.text) for line in log[starts[-2] : starts[-1]]):
        starts.pop()
    return log[starts[-1] :] if starts else ()


def _named(each: "Class", shown: Sequence[str]) -> Diagnosis:
    return Diagnosis(each.kind, each.summary, tuple(_short(text.strip(), _WIDTH) for text in shown), each.next)


def _short(text: str, width: int) -> str:
    """Cut between words; what is left stands in the log as it is here."""
    return text if len(text) <= width else text[:width].rpartition(" ")[0] or text[:width]


def _matching(each: "Class", texts: Sequence[str]) -> list[str]:
    """The last texts that show a class, each once, in their order."""
    found: dict[str, None] = {}
    for text in reversed(texts):
        if text not in found and each.pattern.search(text):
            found[text] = None
            if len(found) == _SHOWN:
                break
    return list(reversed(found))


_EXCEPTION = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning|Iteration)\b(?::|$)")
_FRAME = re.compile(r'^\s+File "[^"]+", line \d+')


def _raised(log: Sequence[LogLine], said: Sequence[str]) -> Diagnosis | None:
    """An exception that no class knows: the last one, with the place in the code where it came from."""
    for index in range(len(log) - 1, -1, -1):
        if _EXCEPTION.match(log[index].text):
            frames = [line.text.strip() for line in _traceback(log, index)]
            if frames:
                text = log[index].text.strip()
                return _exception(text, (frames[-1], text))
    known = next((text for text in said if _EXCEPTION.match(text)), "")
    return _exception(known, (known,)) if known else None


def _traceback(log: Sequence[LogLine], end: int) -> Iterator[LogLine]:
    """The frames above an exception, back to where its traceback begins."""
    start = next((i for i in range(end - 1, max(end - 200, -1), -1) if _TRACEBACK in log[i].text), end)
    return (line for line in log[start:end] if _FRAME.match(line.text))


def _exception(text: str, shown: tuple[str, ...]) -> Diagnosis:
    summary = f"the code raised {_short(text, 120)}{' …' * (len(text) > 120)}"
    return Diagnosis(
        "exception",
        summary,
        tuple(_short(each, _WIDTH) for each in shown),
        "cid train --rehearse --quick runs the same code here",
    )


_SESSION = 11.9 * 3600
"""Seconds after which a log that just stops was stopped by Kaggle's 12 hours."""


def _speechless(log: Sequence[LogLine], result: Result | None, status: Status | None) -> Diagnosis | None:
    """A run that ended without saying why: cancelled, out of time, or killed."""
    from containerid.diagnosis.classes import CANCELLED, KILLED, TIME_LIMIT

    state = result.state if result else status.state if status else None
    last = [line.text.strip() for line in log if line.text.strip()][-2:]
    if state is State.CANCELLED:
        return _named(CANCELLED, [result.reason] if result and result.reason else [])
    if result is None and max((line.time for line in log), default=0.0) > _SESSION:
        return _named(TIME_LIMIT, last)
    return _named(KILLED, last) if result is None and state is State.FAILED else None
