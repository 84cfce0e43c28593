"""What a platform does for runs: the one interface that stands between the use cases and whoever runs their legs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from containerid.events import LogLine
from containerid.job import Leg, Output, Past, Plan, Spec, Status, Tell


class Backend(Protocol):
    """A platform that runs legs. A pure translation out, a total state map in, foreign errors made ours in one place.

    Every method may raise CredentialsError or Unreachable.

    Attributes:
        embed_limit: bytes of a code archive that travel with the submit itself; 0 when the work tree is used in place.
    """

    embed_limit: int

    def prepare(self, spec: Spec, tell: Tell) -> Spec:
        """Bring there what must be there before the submit (data, a code dataset); the spec that names it."""

    def plan(self, spec: Spec) -> Plan:
        """What would be sent. No side effect."""

    def submit(self, spec: Spec) -> Leg:
        """Start a leg. Raises Refused when the platform says no; then nothing was started."""

    def find(self, spec: Spec) -> Leg | None:
        """The leg that an earlier submit of this run started, if it did."""

    def status(self, leg: Leg) -> Status:
        """What the platform says now. Raises NotFound when it knows no such leg."""

    def logs(self, leg: Leg, *, follow: bool) -> Iterator[LogLine]:
        """The log from its start; with `follow`, until the leg ends."""

    def outputs(self, leg: Leg) -> Sequence[Output]:
        """The files it left, once it has ended."""

    def download(self, output: Output, to: Path) -> str:
        """Write one output to the path `to`, where a broken attempt may have left a part. May be called by threads.

        Returns:
            The SHA-256 of what lies there now, hex, where it was computed on the way; else empty: nothing was checked.
        """

    def cancel(self, leg: Leg) -> None:
        """Stop it. Raises Refused when the platform cannot."""

    def hand_over(self, spec: Spec, leg: Leg, tell: Tell, *, carried: bool = False) -> Past:
        """Make what a leg left, whose spec this is, reachable for the next one. Raises NoCheckpoint.

        `carried`: as a copy, since to attach it where it lies has failed.
        """
