"""The only printer: events and errors become text, or JSON. Answers go to stdout, everything else to stderr."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from containerid.errors import CidError, Detached
from containerid.events import Caution, Changed, Doubt, Event, Fetched, LogLine, Planned, Progress, Step, Waited
from containerid.gist import Gist
from containerid.live import BOARD, COLOURS, WORDS, best, cells, epoch, look, word
from containerid.redaction import HIDDEN
from containerid.text import duration, harmless, size, wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

_LAST_COLUMN = 24
"""Columns that the last one of a table, which may be broken between words, needs."""
_UNSEEN = 400
"""Columns where stdout is no terminal: nothing is cut."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the user wants to be spoken to.

    Attributes:
        as_json: one document on stdout.
        json_events: every event as a line of JSON on stderr, instead of text.
        quiet: nothing on stderr but warnings and errors.
        verbose: more on stderr: every line of a log that is followed, and tracebacks.
        color: False for none; None leaves it to the terminal and NO_COLOR.
    """

    as_json: bool = False
    json_events: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None


class Screen:
    """What a command speaks through."""

    def __init__(self, manner: Manner | None = None) -> None:
        self.manner = manner or Manner()
        self._live: Live | None = None
        self._waits: dict[str, Waited] = {}
        self._gist = Gist()
        self._best: dict[str, float] = {}
        self._begun = time.monotonic()
        self._consoles: dict[bool, Console] = {}
        # Now: what rich puts in the place of stdout under a live line has no encoding.
        self._unicode = (getattr(sys.stdout, "encoding", None) or "ascii").lower().startswith("utf")

    def _console(self, *, stderr: bool) -> "Console":
        if stderr not in self._consoles:
            from rich.console import Console

            plain = self.manner.color is False or bool(os.environ.get("NO_COLOR"))
            console = Console(
                stderr=stderr, markup=False, highlight=False, emoji=False, no_color=plain or None, soft_wrap=True
            )
            if not console.is_terminal:
                console.width = _UNSEEN
            self._consoles[stderr] = console
        return self._consoles[stderr]

    def tell(self, event: Event) -> None:
        """Show an event on stderr; it is what use cases get as `tell`."""
        if self.manner.json_events:
            record = {"event": event.kind, **asdict(event)}
            print(json.dumps(HIDDEN.clean_all(record)), file=sys.stderr, flush=True)
        elif isinstance(event, Caution):
            self.hint(f"! {event.text}", style="yellow")
        elif not self.manner.quiet:
            _SHOWS[type(event)](self, event)

    def say(self, text: str, style: str = "", *, wrap: bool = True) -> None:
        """A line of the answer, on stdout; nothing when a document was asked for.

        Args:
            text: without its line end.
            style: rich's.
            wrap: a terminal gets it broken between words; False leaves what somebody else has set as it is.
        """
        if not self.manner.as_json:
            self._print(text, style, stderr=False, wrap=wrap)

    def hint(self, text: str, style: str = "") -> None:
        """A line beside the answer, on stderr."""
        if not self.manner.json_events:
            self._print(text, style, stderr=True)

    def _print(self, text: str, style: str, *, stderr: bool, wrap: bool = True) -> None:
        """One line. rich takes tens of milliseconds to import, so it comes only where its colours are seen."""
        stream = sys.stderr if stderr else sys.stdout
        if stream is None:
            return  # the shell has closed it: `>&-`
        if stream.isatty() or os.environ.get("FORCE_COLOR") or stderr in self._consoles:
            console, plain = self._console(stderr=stderr), self._plain(text)
            console.print(wrapped(plain, console.width) if wrap else plain, style=style or None)
        else:
            print(self._plain(text), file=stream, flush=True)

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Rows of the answer, on stdout; nothing when a document was asked for.

        A terminal that is too narrow for them gets each row as lines of a label and a value: no cell is ever cut.
        """
        if self.manner.as_json:
            return
        console, names, cells = self._console(stderr=False), list(columns), [list(row) for row in rows]
        lengths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
        room = console.width - sum(lengths[:-1]) - 2 * (len(lengths) - 1)
        if console.is_terminal and room < min(lengths[-1], _LAST_COLUMN):
            self._stack(names, cells)
        else:
            console.print(self._grid(names, ((row, "") for row in cells)), soft_wrap=False)

    def _stack(self, names: list[str], rows: list[list[str]]) -> None:
        wide = max(map(len, names[1:]), default=0)
        for first, *others in rows:
            self.say(first, style=COLOURS.get(first, "bold"))
            for name, value in zip(names[1:], others, strict=True):
                if value:
                    self.say(f"  {name:<{wide}}  {value}", style=COLOURS.get(value, ""))

    def document(self, document: dict[str, Any]) -> None:
        """The answer as JSON, when that was asked for."""
        if self.manner.as_json:
            print(json.dumps(HIDDEN.clean_all(document), indent=2, ensure_ascii=False, default=str))

    def error(self, error: CidError) -> None:
        """What went wrong and the command that mends it; a document on stdout in JSON mode."""
        self.rest()
        self.document({"error": _as_json(error)})
        self.complain(error)

    def complain(self, error: CidError) -> None:
        """The same on stderr alone; a line of JSON where events are."""
        if self.manner.json_events:
            print(json.dumps({"event": "error", **_as_json(error)}), file=sys.stderr, flush=True)
        left = isinstance(error, Detached)  # on purpose: that is no error
        self.hint(error.message if left else f"error: {error.message}", style="yellow" if left else "red")
        if error.hint:
            self.hint(f"  {'next' if left else 'try'}: {error.hint}")

    @property
    def asks(self) -> bool:
        """There is somebody to ask."""
        return not (self.manner.as_json or self.manner.quiet) and sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> bool:
        """Ask on the terminal; yes where there is none, since the command asked for it.

        Enter is a yes, but to a `Doubt`; Ctrl-D is a no.
        """
        if not self.asks:
            return True
        doubtful = isinstance(question, Doubt)
        print(f"{question} {'[y/N]' if doubtful else '[Y/n]'} ", end="", file=sys.stderr, flush=True)
        typed = sys.stdin.readline()
        return bool(typed) and typed.strip().lower() in ({"y", "yes"} if doubtful else {"", "y", "yes"})

    def rest(self) -> None:
        """Take the live line off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _plain(self, text: str) -> str:
        clean = "\n".join(harmless(line) for line in HIDDEN.clean(text).split("\n"))
        return clean if self._unicode else clean.translate(_ASCII).encode("ascii", "replace").decode()

    def _show_step(self, step: Step) -> None:
        self.hint(f"· {step.name}" + (f": {step.detail}" if step.detail else ""))

    def _show_plan(self, plan: Planned) -> None:
        width = max((len(label) for label, _ in plan.rows), default=0)
        self.hint(plan.title, style="bold")
        for label, value in plan.rows:
            self.hint(f"  {label:<{width}}  {value}")

    def _show_change(self, change: Changed) -> None:
        more = f": {change.reason}" if change.reason else ""
        more = f"  {change.url}" if not more and change.url and change.state == "queued" else more
        self.hint(f"● {change.run} {change.state}{more}", style=COLOURS.get(change.state, ""))

    def _show_log(self, line: LogLine) -> None:
        if self.manner.verbose:
            self._print(line.text.rstrip(), "", stderr=True, wrap=False)
        elif text := self._gist.of(line):
            self.hint(text)

    def _show_file(self, file: Fetched) -> None:
        if self.manner.verbose:
            self.hint(f"  {file.name}  {size(file.size)}" + ("  verified" if file.verified else ""))

    def _show_progress(self, progress: Progress) -> None:
        """Every epoch in a file; on a terminal, whose live line tells how it goes, those that were the best so far."""
        score, several = best(progress), len(self._waits) > 1
        better = score > self._best.get(progress.run, -1.0)
        self._best[progress.run] = max(score, self._best.get(progress.run, score))
        if not self._console(stderr=True).is_terminal:
            self.hint((f"{progress.run}  " if several else "      ") + epoch(progress))
        elif better and not several:
            self.hint(f"      {epoch(progress)}")

    def _show_wait(self, wait: Waited) -> None:
        """One line for a run that is watched alone, a table of all for several."""
        self._waits[wait.run] = wait
        console = self._console(stderr=True)
        if not console.is_terminal or console.is_dumb_terminal:
            return
        from rich.live import Live

        view = self._line(wait) if len(self._waits) == 1 else self._board()
        if self._live is None:
            self._live = Live(view, console=console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(view, refresh=True)

    def _line(self, wait: Waited) -> "Text":
        from rich.text import Text

        named = (words.format(cell) for words, cell in zip(WORDS[3:], cells(wait)[3:], strict=True) if cell)
        parts = [f"● {word(wait)} {duration(wait.elapsed)}", *named]
        return Text(self._plain("  ".join(parts)), style=look(wait), no_wrap=True, overflow="ellipsis")

    def _board(self) -> "Table":
        rows = [(cells(wait), look(wait)) for wait in self._waits.values()]
        return self._grid(BOARD, rows)

    def _grid(self, columns: Iterable[str], rows: Iterable[tuple[Iterable[str], str]]) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim")
        names = list(columns)
        rows = list(rows)
        named = max((len(next(iter(row), "")) for row, _ in rows), default=0)
        for column in names:
            last, first = column == names[-1], column == names[0]
            table.add_column(
                column, overflow="fold" if last else "ellipsis", no_wrap=not last, min_width=named if first else None
            )
        for row, style in rows:
            table.add_row(*(Text(self._plain(cell), style=style or COLOURS.get(cell, "")) for cell in row))
        return table


def _as_json(error: CidError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.retryable}


_ASCII = str.maketrans({"✓": "+", "✗": "x", "·": "-", "●": "*", "…": "...", "×": "x", "–": "-"})

_SHOWS: dict[type[Event], Callable[[Screen, Any], None]] = {
    Step: Screen._show_step,
    Planned: Screen._show_plan,
    Changed: Screen._show_change,
    LogLine: Screen._show_log,
    Fetched: Screen._show_file,
    Progress: Screen._show_progress,
    Waited: Screen._show_wait,
}
