"""What happens, as it happens: use cases tell events, the console shows them. Core code never prints."""

from dataclasses import dataclass, field


class Doubt(str):
    """A question about what is not safe: who only presses Enter has not said yes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Event:
    """The parent of all events; `kind` is the class name in lower case, as `--json-events` writes it."""

    @property
    def kind(self) -> str:
        """The event's name in JSON."""
        return type(self).__name__.lower()


@dataclass(frozen=True, slots=True)
class Step(Event):
    """Something was done, or is about to be: a short name and what there is to say about it."""

    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Caution(Event):
    """Something the user should know; the command goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """What will be sent, before it is sent."""

    rows: tuple[tuple[str, str], ...]
    title: str = "plan"


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """A run went into another state."""

    run: str
    state: str
    reason: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class LogLine(Event):
    """One line of a run's log.

    Attributes:
        time: seconds since the leg started, as the platform says; may run backwards.
        stream: `stdout` or `stderr`.
        text: without its line end.
    """

    time: float
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far the training is.

    Attributes:
        epoch: 1-based; `epochs` is how many there will be.
        metrics: of this epoch, such as `val/mAP50`.
        eta: seconds still to go, by the pace so far; None when unknown.
        run: whose; empty on the far side, which knows of one alone.
    """

    epoch: int
    epochs: int
    metrics: dict[str, float] = field(default_factory=dict)
    eta: float | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class Heartbeat(Event):
    """The far side lives, whether or not it has something to say.

    Attributes:
        phase: that it is in, such as `train`.
        gpu: share of the GPU that computes, in [0, 1]; None where nobody can tell.
        memory: share of the GPU's memory that is in use, in [0, 1]; None where nobody can tell.
    """

    phase: str = ""
    gpu: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Waited(Event):
    """How a watched run stands, once a second.

    Attributes:
        elapsed: seconds since it was submitted.
        billed: hours that count against the quota so far; 0 where nothing is billed.
        progress: how far the training is, its `eta` as of now; None before the first epoch.
        gpu: share of the GPU that computes, in [0, 1]; None where nobody can tell.
        memory: share of the GPU's memory that is in use, in [0, 1]; None where nobody can tell.
        stalled: nothing was heard for minutes.
    """

    run: str
    state: str
    elapsed: float
    billed: float = 0
    progress: Progress | None = None
    gpu: float | None = None
    memory: float | None = None
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """A file arrived under its final name. `verified`: its size and SHA-256 are the manifest's."""

    name: str
    size: int
    verified: bool
