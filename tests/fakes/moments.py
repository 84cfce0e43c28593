"""Time that the test moves: an inbox in which waiting is instant, and a platform that lives by the same clock."""

from collections.abc import Callable

from containerid.runs.inbox import Heard, Inbox


class Moments(Inbox):
    """What is planned happens when its second comes; `slept` seconds pass on the calendar and not on the clock.

    Attributes:
        seconds: since the start.
        plan: second to what happens then.
    """

    def __init__(self, start: float = 1_800_000_000) -> None:
        super().__init__()
        self.seconds = 0.0
        self.plan: list[tuple[float, Callable[[], object], bool]] = []
        self._calendar = start

    def now(self) -> float:
        return self.seconds

    def today(self) -> float:
        return self._calendar + self.seconds

    def at(self, second: float, happen: Callable[[], object], *, heard: bool = False) -> None:
        """Let something happen when its second has come; `heard`: a log's thread puts something here because of it."""
        self.plan.append((second, happen, heard))
        self.plan.sort(key=lambda each: each[0])

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: its clock stands still."""
        self._calendar += seconds

    def take(self, seconds: float) -> Heard | None:
        if self.waiting():
            return super().take(0)
        end = self.seconds + max(seconds, 0.0)
        if self.plan and self.plan[0][0] <= end:
            self.seconds = max(self.seconds, self.plan[0][0])
            _, happen, heard = self.plan.pop(0)
            happen()
            return super().take(10 if heard else 0)
        self.seconds = end
        return None
