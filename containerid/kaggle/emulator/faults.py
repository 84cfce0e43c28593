"""Planned misfortune: what goes wrong, on which call, how often. One hook in the server plays it."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from containerid.errors import UsageError
from containerid.kaggle.emulator.answers import Answer, of_json

EFFECTS = ("answer", "drop", "reset", "truncate", "stall", "delay")
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        rpc: the method, such as `SaveKernel`; `file` (a signed link), `upload` (a PUT of bytes), or `*` for any call.
        effect: `answer` (a fixed one in place of the real one), `drop` (the connection is closed without an answer),
            `reset` (the same, by RST), `truncate` (the answer breaks off after `keep` bytes of its body), `stall` (it
            breaks off, and the connection stays open for `seconds`), `delay` (the real answer comes `seconds` later).
        commit: the request still takes effect; for `answer` and `reset` it does not unless asked for.
        skip: so many calls of this method pass unharmed first.
        times: how often it happens; 0 is for ever, and need not be used up.
        match: only requests whose JSON body holds these values count.
        status, headers, body: of a fixed answer; a body that is not text is sent as JSON.
    """

    rpc: str
    effect: str
    commit: bool | None = None
    skip: int = 0
    times: int = 1
    match: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0
    keep: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = ""

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise UsageError(f"no such fault: {self.effect}", hint=f"one of {', '.join(EFFECTS)}")

    @property
    def commits(self) -> bool:
        """The request is carried out before its answer is spoilt."""
        return self.effect not in ("answer", "reset") if self.commit is None else self.commit

    @property
    def answer(self) -> Answer:
        """The fixed answer."""
        if not isinstance(self.body, str):
            plain = of_json(self.body, self.status)
            return replace(plain, headers={**plain.headers, **self.headers})
        return Answer(self.status, {"Content-Type": "text/html; charset=utf-8", **self.headers}, self.body.encode())


class Exchange(Protocol):
    """One request and its answer, as the server offers them to a fault."""

    def produce(self) -> Answer:
        """Carry the request out."""

    def send(self, answer: Answer, *, keep: int | None = None) -> None:
        """Send an answer; with `keep`, its headers and so many bytes of its body."""

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection, by RST if asked."""

    def pause(self, seconds: float) -> None:
        """Let time pass, until the server stops at the latest."""


def play(fault: Fault, exchange: Exchange) -> None:
    """Let one fault happen to one exchange."""
    if fault.effect == "delay":
        exchange.pause(fault.seconds)
    answer = exchange.produce() if fault.commits else fault.answer
    if fault.effect == "answer":
        exchange.send(fault.answer)
    elif fault.effect == "delay":
        exchange.send(answer)
    else:
        _break_off(fault, exchange, answer)


def _break_off(fault: Fault, exchange: Exchange, answer: Answer) -> None:
    if fault.effect in ("truncate", "stall"):
        exchange.send(answer, keep=fault.keep)
    if fault.effect == "stall":
        exchange.pause(fault.seconds)
    exchange.hang_up(reset=fault.effect == "reset")


class FaultPlan:
    """The faults still to come, in the order in which they were planned; used from many threads."""

    def __init__(self, planned: Iterable[Fault] = ()) -> None:
        self._planned = list(planned)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        with self._lock:
            self._planned.append(fault)

    def take(self, rpc: str, body: Mapping[str, Any]) -> Fault | None:
        """The fault that befalls this call, used up by one; None for a call that goes well."""
        with self._lock:
            for index, fault in enumerate(self._planned):
                if not _concerns(fault, rpc, body):
                    continue
                if fault.skip:
                    self._planned[index] = replace(fault, skip=fault.skip - 1)
                    continue
                self._use_up(index, fault)
                return fault
        return None

    def _use_up(self, index: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._planned[index]
        elif fault.times:
            self._planned[index] = replace(fault, times=fault.times - 1)

    @property
    def left(self) -> tuple[Fault, ...]:
        """What was planned and did not happen: in a test, a fault that was never met."""
        with self._lock:
            return tuple(fault for fault in self._planned if fault.times)


def _concerns(fault: Fault, rpc: str, body: Mapping[str, Any]) -> bool:
    return fault.rpc in (ANY, rpc) and all(body.get(key) == value for key, value in fault.match.items())
