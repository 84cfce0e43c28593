"""What of a run's log is shown while it is followed: its phases, what they found, what the user should know.

A trainer of two epochs says some hundred lines. They stand in the log, which `cid logs` shows whole.
"""

import re

from containerid.events import LogLine
from containerid.text import duration

_PHASE = re.compile(r"\[\d+/\d+\] (\w+)")
_TOLD = ("caution: ", "warning: ", "advice: ")
_TELLING = frozenset({"hardware", "validate"})
"""Phases that say little, and all of it by ourselves."""
_OURS = "cid-bootstrap "
"""How the log of a kernel begins that is ours."""
_OWN = "$ python -m "
"""What the phase says in which a module of the project's own speaks, whose words are shown."""
_TRAINS = "train"
_WHERE = "its own words: cid logs -f, or -v here"
_INDENT = " " * 6


class Gist:
    """Reads the log of one run, line by line; of what is no run of cid's every line is shown."""

    def __init__(self) -> None:
        self._phase = ""
        self._open = True

    def of(self, line: LogLine) -> str:
        """The line as it is shown; empty when it is not."""
        text = line.text.rstrip()
        if found := _PHASE.fullmatch(text):
            self._phase, self._open = found[1], found[1] in _TELLING
            return self._heading(text, line.time)
        if text.startswith(_OURS):
            self._open = False
            return ""
        if self._phase == _TRAINS and text.startswith(_OWN):
            self._open = True
        if not self._phase:
            return text if self._open else ""
        return f"{_INDENT}{text.strip()}" if text and (self._open or text.startswith(_TOLD)) else ""

    def _heading(self, text: str, time: float) -> str:
        more = _WHERE if self._phase == _TRAINS else ""
        return f"{text:<18}{duration(time) if time >= 1 else '':>6}   {more}".rstrip()
