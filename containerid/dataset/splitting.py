"""Which images train, which choose and which judge: every class in its share in each split, groups whole, by a seed.

The order of work is that of iterative stratification (Sechidis, Tsoumakas and Vlahavas, On the Stratification of
Multi-label Data, ECML PKDD 2011): the rarest label is handed out first, each of its images to the split that lacks it
most. Beyond the paper, what is handed out are groups, and a split takes no more than its share as long as another can.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from containerid.dataset.yamlfile import SPLITS

BACKGROUND = -1
"""The label of an image without a box."""


class Unit(NamedTuple):
    """Images that stay together.

    Attributes:
        size: how many they are.
        labels: of how many of them each class is on; `BACKGROUND` counts as one.
    """

    size: int
    labels: Mapping[int, int]


def shares(text: str) -> dict[str, float]:
    """The share of each split, as `0.8/0.1/0.1` or `80/20` (train, val and test, in this order) gives them.

    Raises:
        ValueError: they are not two or three, do not add up to 1 or 100, or leave train or val without any.
    """
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        raise ValueError("the shares must be numbers") from None
    total = math.fsum(parts)
    if len(parts) not in {2, 3} or not all(map(math.isfinite, parts)) or min(parts) < 0 or min(parts[:2]) <= 0:
        raise ValueError("two or three parts are needed, and something for train and val")
    if not any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1, 100)):
        raise ValueError(f"the parts add up to {total:g}, not to 1")
    return {split: part / total for split, part in zip(SPLITS, parts, strict=False) if part}


def sizes(total: int, wanted: Mapping[str, float]) -> dict[str, int]:
    """How many images each split gets: rounded so that they add up, and no split is left without one."""
    exact = {split: total * share for split, share in wanted.items()}
    found = {split: math.floor(value + 1e-9) for split, value in exact.items()}
    rest = sorted(wanted, key=lambda split: found[split] - exact[split])
    for split in rest[: total - sum(found.values())]:
        found[split] += 1
    for split in [split for split, count in found.items() if not count]:
        if max(found.values()) > 1:
            found[max(found, key=lambda each: found[each])] -= 1
            found[split] += 1
    return found


def split(units: Sequence[Unit], wanted: Mapping[str, float], seed: int = 0) -> list[str]:
    """The split of each unit. The same units in the same order and the same seed give the same on any machine.

    Args:
        units: in an order that does not depend on the machine.
        wanted: the share of each split, adding up to 1.
        seed: what is as good one way as the other is drawn by it.

    Raises:
        ValueError: there are fewer units than splits.
    """
    if len(units) < len(wanted):
        raise ValueError(f"{len(units)} cannot be shared among {len(wanted)} splits")
    dealing = _Dealing(units, wanted, random.Random(seed))  # noqa: S311
    dealing.groups()
    dealing.singles()
    return [dealing.given[index] for index in range(len(units))]


@dataclass(slots=True)
class _Dealing:
    """Units that are being handed out."""

    units: Sequence[Unit]
    wanted: Mapping[str, float]
    chance: random.Random
    given: dict[int, str] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    room: dict[str, int] = field(default_factory=dict)
    lacking: dict[int, dict[str, float]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        total: Counter[int] = Counter()
        for unit in self.units:
            total.update(unit.labels)
        self.room = sizes(sum(unit.size for unit in self.units), self.wanted)
        self.lacking = {
            label: {split: count * share for split, share in self.wanted.items()} for label, count in total.items()
        }
        self.order = list(range(len(self.units)))
        self.chance.shuffle(self.order)

    def groups(self) -> None:
        """Hand out what is more than one image, the largest first: the small ones make up for their roughness."""
        total = {label: math.fsum(shares.values()) for label, shares in self.lacking.items()}
        for index in sorted(self.order, key=lambda index: -self.units[index].size):
            if self.units[index].size > 1:
                self._give(index, min(self.units[index].labels, key=lambda label: (total[label], label)))

    def singles(self) -> None:
        """Hand out single images, those with the rarest label first."""
        left = [index for index in self.order if index not in self.given]
        by_label: dict[int, list[int]] = {}
        for index in left:
            for label in self.units[index].labels:
                by_label.setdefault(label, []).append(index)
        remaining = Counter({label: len(found) for label, found in by_label.items()})
        while remaining:
            rarest = min(remaining, key=lambda label: (remaining[label], label))
            for index in by_label[rarest]:
                if index not in self.given:
                    self._give(index, rarest)
                    remaining.subtract(self.units[index].labels.keys())
            remaining = +remaining

    def _give(self, index: int, label: int) -> None:
        unit = self.units[index]
        fitting = [split for split in self.wanted if self.room[split] >= unit.size] or self._roomiest()
        lacking = self.lacking[label]
        split = max(
            self._open(fitting), key=lambda each: (round(lacking[each], 9), self.room[each], self.chance.random())
        )
        self.given[index] = split
        self.filled.add(split)
        self.room[split] -= unit.size
        for each, count in unit.labels.items():
            self.lacking[each][split] -= count

    def _roomiest(self) -> list[str]:
        most = max(self.room.values())
        return [split for split in self.wanted if self.room[split] == most]

    def _open(self, fitting: list[str]) -> list[str]:
        """Where a unit may go: as few as are left go to splits that have none yet."""
        empty = [split for split in self.wanted if split not in self.filled]
        return empty if len(empty) >= len(self.units) - len(self.given) else fitting
