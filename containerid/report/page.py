"""A page made of sections made of blocks, as one HTML file that reads by itself, on paper too.

Whatever is text stays text: every value is escaped where it is written, and the page's own policy forbids scripts,
requests and styles other than its own.
"""

import base64
import hashlib
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from jinja2 import Environment

    from containerid.report.charts import Chart
    from containerid.report.pictures import Picture

GOOD, BAD, WARN, QUIET = "good", "bad", "warn", "quiet"
"""Tones: each has a colour and a mark, so that neither has to be seen for the other to be understood."""

MARKS = {GOOD: "✓", BAD: "✗", WARN: "!", QUIET: ""}
_PAGE = "page.html.j2"
_STYLE = "page.css"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text in a table or a list of facts.

    Attributes:
        text: what is shown.
        tone: one of the tones; empty for none.
        code: set in the font of code.
        url: where it leads; only http, https and places of this page do.
        note: smaller text after it.
        whole: the same in full, for who points at it; empty where `text` is all of it.
    """

    text: str
    tone: str = ""
    code: bool = False
    url: str = ""
    note: str = ""
    whole: str = ""

    @property
    def link(self) -> str:
        """The URL when it is one to follow; a page must not run what somebody called a URL."""
        return self.url if re.match(r"(https?://|#)", self.url) else ""

    @property
    def mark(self) -> str:
        """The sign of its tone."""
        return MARKS.get(self.tone, "")


Text = str | Cell


@dataclass(frozen=True, slots=True)
class Tile:
    """One number that matters: `label` above, `value` large, `note` below."""

    label: str
    value: str
    note: str = ""
    tone: str = ""

    @property
    def mark(self) -> str:
        """The sign of its tone."""
        return MARKS.get(self.tone, "")


@dataclass(frozen=True, slots=True)
class Tiles:
    """Numbers that matter, side by side."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph."""

    kind: ClassVar[str] = "words"
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph that is meant to be noticed, in one of the tones; `lines` are a list under it."""

    kind: ClassVar[str] = "note"
    text: str
    tone: str = QUIET
    title: str = ""
    lines: Sequence[str] = ()

    @property
    def mark(self) -> str:
        """The sign of its tone."""
        return MARKS.get(self.tone, "")


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels with what is known under each; a fact without a value is left out."""

    kind: ClassVar[str] = "facts"
    rows: Sequence[tuple[str, Text]]

    @property
    def shown(self) -> list[tuple[str, Cell]]:
        """The rows that say something."""
        cells = [(label, _cell(value)) for label, value in self.rows]
        return [(label, cell) for label, cell in cells if cell.text]

    @property
    def narrow(self) -> bool:
        """It may stand beside another block."""
        return all(len(cell.text + cell.note) <= _SHORT for _, cell in self.shown)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with one head row.

    Attributes:
        caption: says what it shows; read aloud, and shown above it.
        head: the names of the columns.
        rows: as many cells each.
        numeric: columns, from 0, whose cells are numbers and stand flush right.
        shaded: cells from 0 to 9 in the heat of their share, for a matrix; as many as there are cells, or none.
        note: a sentence under it.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Text]]
    numeric: Collection[int] = ()
    shaded: Sequence[Sequence[int | None]] = ()
    note: str = ""

    @property
    def cells(self) -> list[list[Cell]]:
        """All rows as cells."""
        return [[_cell(value) for value in row] for row in self.rows]

    @property
    def narrow(self) -> bool:
        """It may stand beside another block."""
        rows = [[len(cell.text) + len(cell.note) for cell in row] for row in self.cells]
        rows.append([len(name) for name in self.head])
        return len(self.rows) <= _FEW and sum(max(column) for column in zip(*rows, strict=False)) <= _BROAD


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, as many as fit."""

    kind: ClassVar[str] = "charts"
    charts: "Sequence[Chart]"

    @property
    def narrow(self) -> bool:
        """It may stand beside another block."""
        return len(self.charts) == 1


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side, as many as fit; `wide` for pictures with much in them."""

    kind: ClassVar[str] = "gallery"
    pictures: "Sequence[Picture]"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines to be typed into a shell, or, where `label` says so, that a program has said."""

    kind: ClassVar[str] = "commands"
    text: str
    label: str = "commands"


@dataclass(frozen=True, slots=True)
class More:
    """What not everybody wants to see: closed until somebody opens it."""

    kind: ClassVar[str] = "more"
    title: str
    blocks: "Sequence[Block]"


_SHORT, _BROAD, _FEW = 52, 72, 12
"""Characters of a fact and of a table's row, and rows, beside which there is room for another block."""

Block = Tiles | Words | Note | Facts | Table | Charts | Gallery | Commands | More


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks under it; one without blocks is not shown."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The section's name in a link."""
        return re.sub(r"\W+", "-", self.title.casefold()).strip("-") or "section"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole page.

    Attributes:
        title: the one heading of the first rank, and the name of the browser's tab.
        kind: what sort of page it is, in two or three words.
        status: how it stands, with a tone; an empty text shows nothing.
        subtitle: one sentence.
        opening: blocks before the first section.
        foot: the last line.
    """

    title: str
    kind: str
    status: Cell = Cell("")
    subtitle: str = ""
    opening: Sequence[Block] = ()
    sections: Sequence[Section] = ()
    foot: str = ""

    @property
    def shown(self) -> list[Section]:
        """The sections that hold something."""
        return [each for each in self.sections if each.blocks]


def rows(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks in their order, narrow ones that follow each other together."""
    grouped = groupby(blocks, key=lambda block: getattr(block, "narrow", False))
    found = [[list(group)] if narrow else [[block] for block in group] for narrow, group in grouped]
    return [row for part in found for row in part]


def parts(text: str) -> list[str]:
    """A path or a name in pieces between which a line may end, so that no word is cut elsewhere."""
    return re.split(r"(?<=[/_])(?=[^/_])|(?<=[a-z]\.)(?=[a-z])", text)


def render(page: Page) -> str:
    """The page as one HTML document."""
    style = _read(_STYLE)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template(_PAGE).render(page=page, style=style, digest=digest)


def write(path: Path, page: Page) -> Path:
    """Write the page whole or not at all; gives back where it lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # A name that came from elsewhere may hold half a character, which no encoding has.
        part.write_text(render(page), encoding="utf-8", errors="replace")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _cell(value: Text) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(_read), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"parts": parts, "rows": rows}
    return made


def _read(name: str) -> str:
    return resources.files("containerid").joinpath("templates", name).read_text(encoding="utf-8")
