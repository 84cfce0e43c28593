"""Planned misfortune: what goes wrong, on which call, how often. One hook in the server plays it."""

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from containerid.errors import UsageError
from containerid.kaggle.emulator.answers import Answer, of_json
from containerid.kaggle.emulator.spoiling import spoil

EFFECTS = ("answer", "drop", "reset", "truncate", "stall", "delay", "alter")
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        rpc: the method, such as `SaveKernel`; `file` (a signed link), `upload` (a PUT of bytes), or `*` for any call.
        effect: `answer` (a fixed one in place of the real one), `drop` (the connection is closed without an answer),
            `reset` (the same, by RST; with `keep`, after so many bytes), `truncate` (the answer breaks off after `keep`
            bytes of its body), `stall` (it breaks off, and the connection stays open for `seconds`), `delay` (the real
            answer comes `seconds` later, and at `rate` bytes a second), `alter` (the real answer comes, changed by the
            fields below).
        commit: the request still takes effect; for `answer` and `reset` it does not unless asked for.
        skip: so many calls of this method pass unharmed first.
        times: how often it happens; 0 is for ever, and need not be used up.
        match: only requests whose JSON body holds these values count; a signed link has the `name` of its file.
        status, headers, body: of a fixed answer; a body that is not text is sent as JSON. Of a real answer `headers`
            are changed (an empty one is left out, and a `Content-Length` is sent as it stands), and with `alter` a body
            is laid over the fields of its JSON document.
        names: of files in a real answer to what they are called instead, as no kernel could write them.
        flip: one bit in the middle of a real answer's body is another one.
        ignore: headers of the request that the server does not see, such as `Range` or `Authorization`.
        rate: bytes a second at which a delayed answer comes; 0 is no limit.
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
    names: Mapping[str, str] = field(default_factory=dict)
    flip: bool = False
    ignore: Collection[str] = ()
    rate: float = 0

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise UsageError(f"no such fault: {self.effect}", hint=f"one of {', '.join(EFFECTS)}")

    @property
    def commits(self) -> bool:
        """The request is carried out before its answer is spoilt."""
        return self.effect not in ("answer", "reset") or bool(self.keep) if self.commit is None else self.commit

    @property
    def answer(self) -> Answer:
        """The fixed answer."""
        if not isinstance(self.body, str):
            plain = of_json(self.body, self.status)
            return replace(plain, headers={**plain.headers, **self.headers})
        return Answer(self.status, {"Content-Type": "text/html; charset=utf-8", **self.headers}, self.body.encode())

    def __str__(self) -> str:
        """For the eye: `SaveKernel: answer 503`."""
        what = f"answer {self.status}" if self.effect == "answer" else self.effect
        return f"{self.rpc}: {what}" + (f", {self.times} times" if self.times > 1 else "")


class Exchange(Protocol):
    """One request and its answer, as the server offers them to a fault."""

    def produce(self, ignore: Collection[str] = ()) -> Answer:
        """Carry the request out, without these of its headers."""

    def send(self, answer: Answer, *, keep: int | None = None, rate: float = 0) -> None:
        """Send an answer; with `keep`, its headers and so many bytes of its body; with `rate`, so many a second."""

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection, by RST if asked."""

    def pause(self, seconds: float) -> None:
        """Let time pass, until the server stops at the latest."""


def play(fault: Fault, exchange: Exchange) -> None:
    """Let one fault happen to one exchange."""
    if fault.effect == "delay":
        exchange.pause(fault.seconds)
    answer = _produced(fault, exchange) if fault.commits else fault.answer
    if fault.effect == "answer":
        exchange.send(fault.answer)
    elif fault.effect in ("delay", "alter"):
        exchange.send(answer, rate=fault.rate)
    else:
        _break_off(fault, exchange, answer)


def _produced(fault: Fault, exchange: Exchange) -> Answer:
    fields = fault.body if fault.effect == "alter" and isinstance(fault.body, Mapping) else {}
    headers = {} if fault.effect == "answer" else fault.headers
    return spoil(exchange.produce(fault.ignore), headers=headers, fields=fields, names=fault.names, flip=fault.flip)


def _break_off(fault: Fault, exchange: Exchange, answer: Answer) -> None:
    silent = fault.effect == "stall" and not fault.commits
    speaks = fault.effect in ("truncate", "stall") or bool(fault.keep)
    if speaks and not silent and fault.effect != "drop":
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

    def clear(self) -> None:
        """From now on all goes well."""
        with self._lock:
            self._planned.clear()

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
