"""The only printer: events and errors become text, or JSON. Answers go to stdout, everything else to stderr."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from containerid.errors import CidError
from containerid.events import Caution, Changed, Doubt, Event, Fetched, LogLine, Planned, Progress, Step, Waited
from containerid.redaction import HIDDEN
from containerid.text import duration, harmless, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

_UNSEEN = 400
"""Columns where stdout is no terminal: nothing is cut."""
_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "lost": "red",
    "refused": "red",
    "cancelled": "yellow",
    "paused": "yellow",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How the user wants to be spoken to.

    Attributes:
        as_json: one document on stdout.
        json_events: every event as a line of JSON on stderr, instead of text.
        quiet: nothing on stderr but warnings and errors.
        verbose: more on stderr, tracebacks included.
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

    def say(self, text: str, style: str = "") -> None:
        """A line of the answer, on stdout; nothing when a document was asked for."""
        if not self.manner.as_json:
            self._print(text, style, stderr=False)

    def hint(self, text: str, style: str = "") -> None:
        """A line beside the answer, on stderr."""
        if not self.manner.json_events:
            self._print(text, style, stderr=True)

    def _print(self, text: str, style: str, *, stderr: bool) -> None:
        """One line. rich takes tens of milliseconds to import, so it comes only where its colours are seen."""
        stream = sys.stderr if stderr else sys.stdout
        if stream is None:
            return  # the shell has closed it: `>&-`
        if stream.isatty() or os.environ.get("FORCE_COLOR") or stderr in self._consoles:
            self._console(stderr=stderr).print(self._plain(text), style=style or None)
        else:
            print(self._plain(text), file=stream, flush=True)

    @property
    def width(self) -> int:
        """Columns of stdout; many where nobody looks."""
        return self._console(stderr=False).width

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Rows of the answer, on stdout; nothing when a document was asked for."""
        if self.manner.as_json:
            return
        self._console(stderr=False).print(self._grid(columns, ((row, "") for row in rows)), soft_wrap=False)

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
        self.hint(f"error: {error.message}", style="red")
        if error.hint:
            self.hint(f"  try: {error.hint}")

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
        more = f": {change.reason}" if change.reason else f"  {change.url}" if change.state == "queued" else ""
        self.hint(f"● {change.run} {change.state}{more}", style=_COLOURS.get(change.state, ""))

    def _show_log(self, line: LogLine) -> None:
        self.hint(line.text)

    def _show_file(self, file: Fetched) -> None:
        if self.manner.verbose:
            self.hint(f"  {file.name}  {size(file.size)}" + ("  verified" if file.verified else ""))

    def _show_progress(self, progress: Progress) -> None:
        if not self._console(stderr=True).is_terminal:
            self.hint((f"{progress.run}  " if len(self._waits) > 1 else "") + _progress(progress))

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

        named = (words.format(cell) for words, cell in zip(_WORDS[3:], _cells(wait)[3:], strict=True) if cell)
        parts = [f"● {_state(wait)} {duration(wait.elapsed)}", *named]
        return Text(self._plain("  ".join(parts)), style=_live_style(wait), no_wrap=True, overflow="ellipsis")

    def _board(self) -> "Table":
        rows = [(_cells(wait), _live_style(wait)) for wait in self._waits.values()]
        return self._grid(_BOARD, rows)

    def _grid(self, columns: Iterable[str], rows: Iterable[tuple[Iterable[str], str]]) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim")
        names = list(columns)
        alone = len(names) == 1
        for column in names:
            table.add_column(column, overflow="fold" if alone else "ellipsis", no_wrap=not alone)
        for cells, style in rows:
            table.add_row(*(Text(self._plain(cell), style=style or _COLOURS.get(cell, "")) for cell in cells))
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


_BOARD = ("run", "state", "elapsed", "epoch", "score", "to go", "GPU", "memory", "billed")
_WORDS = ("{}", "{}", "{}", "epoch {}", "{}", "{} to go", "GPU {}", "GPU memory {}", "{} billed")
_SCORES = {"val/mAP50": "mAP50", "val/accuracy_top1": "top1"}


def _cells(wait: Waited) -> list[str]:
    """What the live line and the live table show of a run, in the order of `_BOARD`."""
    progress = wait.progress
    metrics = progress.metrics if progress else {}
    score = next((f"{label} {metrics[name]:.3f}" for name, label in _SCORES.items() if name in metrics), "")
    return [
        wait.run,
        _state(wait),
        duration(wait.elapsed),
        f"{progress.epoch}/{progress.epochs}" if progress else "",
        score,
        duration(progress.eta) if progress and progress.eta else "",
        f"{wait.gpu:.0%}" if wait.gpu is not None else "",
        f"{wait.memory:.0%}" if wait.memory is not None else "",
        f"{wait.billed:.2f} h" if wait.billed else "",
    ]


def _state(wait: Waited) -> str:
    return "stalled" if wait.stalled else wait.state


def _live_style(wait: Waited) -> str:
    return "yellow" if wait.stalled else _COLOURS.get(wait.state, "cyan")


def _progress(progress: Progress) -> str:
    metrics = "  ".join(
        f"{name.removeprefix('val/')} {value:.3f}" for name, value in list(progress.metrics.items())[:2]
    )
    eta = f"  {duration(progress.eta)} to go" if progress.eta else ""
    return f"epoch {progress.epoch}/{progress.epochs}  {metrics}{eta}"
