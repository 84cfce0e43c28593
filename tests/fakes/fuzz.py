"""Submits under fire: kills at random moments, lost answers, gateways that lie, two at once. Counts what came of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Event
from typing import Any

from fakes.monkey import Monkey
from fakes.places import TRAIN, Place

from containerid.kaggle.emulator import EmbeddedKaggle, Fault, FaultPlan

GRACE = "1"
LATE = 0.3
_TRIES = 12
_PAGE = "<html><title>Bad Gateway</title></html>"


@dataclass(frozen=True)
class Row:
    """One kind of fire, and what came of it.

    Attributes:
        kills: how often at most a submit is killed before it may go on.
        lost, lies, down, late: chances that a push's answer is lost, is a 502 after all, is a 503 without effect, or
            that the push takes effect late.
        together: how many processes submit the same at once.
        submits, killed, spoilt: what happened.
        extra: sessions beyond one for each submit.
        missing: submits without a session, or whose run does not know it.
        doubled: submits with more than one run.
    """

    name: str
    kills: int = 0
    lost: float = 0
    lies: float = 0
    down: float = 0
    late: float = 0
    together: int = 1
    submits: int = 0
    killed: int = 0
    spoilt: int = 0
    extra: int = 0
    missing: int = 0
    doubled: int = 0

    @property
    def good(self) -> bool:
        """Nothing was lost and nothing done twice."""
        return not (self.extra or self.missing or self.doubled)


ROWS = (
    Row("kill -9 at random moments", kills=3),
    Row("answer lost after the push, 30 %", lost=0.3),
    Row("502 after the push 30 %, 503 20 %", lies=0.3, down=0.2),
    Row("all of these, pushes up to 0.3 s late", kills=2, lost=0.2, lies=0.2, down=0.2, late=0.3),
    Row("two cid at once", together=2),
    Row("two at once, killed, answers lost", together=2, kills=1, lost=0.3, lies=0.2),
)


class Misfortune(FaultPlan):
    """Faults by chance."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance
        self.row = Row("")
        self.spoilt = 0

    def take(self, rpc: str, body: Mapping[str, Any]) -> Fault | None:
        """What befalls a push; nothing befalls other calls."""
        dice, row = self._chance.random(), self.row
        for chance, fault in (
            (row.lost, Fault(rpc=rpc, effect="drop")),
            (row.lies, Fault(rpc=rpc, effect="answer", commit=True, status=502, body=_PAGE)),
            (row.down, Fault(rpc=rpc, effect="answer", status=503, body=_PAGE)),
            (row.late, Fault(rpc=rpc, effect="delay", seconds=self._chance.uniform(0, LATE))),
        ):
            if rpc == "SaveKernel" and dice < chance:
                self.spoilt += 1
                return fault
            dice -= chance
        return None


def fuzz(folder: Path, submits: int, seed: int, rows: tuple[Row, ...] = ROWS) -> list[Row]:
    """Submit so many times under each kind of fire.

    Args:
        folder: for repositories, homes and the embedded Kaggle, which records pushes and runs none.
        submits: of each row.
        seed: of chance; moments of kills are moments of real time all the same.
        rows: the kinds of fire.
    """
    chance = random.Random(seed)
    fate = Misfortune(chance)
    kaggle = EmbeddedKaggle(folder / "kaggle", run=False)
    kaggle.faults = fate
    with kaggle, Monkey(folder) as first, Monkey(folder) as second:
        fire = _Fire(kaggle, fate, chance, (first, second))
        return [fire.burn(row, folder / f"row{number}", submits) for number, row in enumerate(rows)]


class _Fire:
    def __init__(
        self, kaggle: EmbeddedKaggle, fate: Misfortune, chance: random.Random, monkeys: tuple[Monkey, ...]
    ) -> None:
        self._kaggle = kaggle
        self._fate = fate
        self._chance = chance
        self._monkeys = monkeys

    def burn(self, row: Row, folder: Path, submits: int) -> Row:
        self._fate.row, self._fate.spoilt = row, 0
        for number in range(submits):
            place = Place(folder / str(number), self._kaggle, f"{folder.name}-{number}")
            killed = self._submit(place, row)
            Event().wait(LATE if row.late else 0)
            sessions, runs = place.sessions(), place.runs()
            row = replace(
                row,
                submits=row.submits + 1,
                killed=row.killed + killed,
                extra=row.extra + max(sessions - 1, 0),
                missing=row.missing + (sessions < 1 or not any(run.handle for run in runs)),
                doubled=row.doubled + max(len(runs) - 1, 0),
            )
        return replace(row, spoilt=self._fate.spoilt)

    def _submit(self, place: Place, row: Row) -> int:
        """Submit the same from several processes, killed and begun again until one arrives; how often they were."""
        monkeys, killed = self._monkeys[: row.together], 0
        for number in range(_TRIES):
            for monkey in monkeys:
                after = self._chance.uniform(0.02, 0.8) if number < self._chance.randint(0, row.kills) else 0.0
                monkey.start(*TRAIN, cwd=place.root, after=after, CID_SUBMIT_GRACE=GRACE, **place.environment)
            killed += sum([monkey.end().killed for monkey in monkeys])
            if any(run.state == "queued" for run in place.runs()):
                break
        return killed


def table(rows: list[Row]) -> str:
    """The rows for the eye."""
    names = [each.name for each in fields(Row)][-6:]
    lines = [f"{'':<40}" + "".join(f"{name:>9}" for name in names)]
    lines += [f"{row.name:<40}" + "".join(f"{getattr(row, name):>9}" for name in names) for row in rows]
    return "\n".join(lines)
