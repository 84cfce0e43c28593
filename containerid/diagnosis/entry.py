"""What one class of failure is."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Class:
    """One class of failure.

    Attributes:
        kind: its name.
        summary: what it means, one line.
        next: the step that mends it; `{train}` is the command that submits such a run, `{run}` the run's id.
        patterns: regular expressions, any of which shows it; those of the programs' own words first, then of ours.
        follows: kinds of which this one is often only a consequence; they are named instead where the log shows them.
        pattern: all of them as one.
    """

    kind: str
    summary: str
    next: str
    patterns: tuple[str, ...]
    follows: tuple[str, ...] = ()
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile("|".join(f"(?:{each})" for each in self.patterns) or r"(?!)"))
