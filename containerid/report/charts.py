"""Small line and bar charts as SVG: an axis, a hairline grid, a title at every place one can point to, no script.

Colours are classes of the page's style, so that a chart follows the page from light to dark and to paper.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 360, 210
_RIGHT, _TOP, _BOTTOM = 12, 20, 34
_LETTER = 6.6
"""Units that a letter of an axis takes, generously: what is written has to lie inside the picture."""
_SERIES = 8
_BANDS = 150
"""Places to point to in one chart; a longer line shows every second, third, … of its points there."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `points` from left to right; one that is not finite is a gap."""

    name: str
    points: Sequence[Point]

    @property
    def finite(self) -> list[Point]:
        """The points that can be drawn."""
        return [(x, y) for x, y in self.points if math.isfinite(x) and math.isfinite(y)]

    def at(self, x: float | None) -> float:
        """Its value at a place; the last one where there is none there."""
        return dict(self.finite).get(self.finite[-1][0] if x is None else x, self.finite[-1][1])

    @property
    def runs(self) -> list[list[Point]]:
        """The stretches between the gaps."""
        stretches: list[list[Point]] = [[]]
        for x, y in self.points:
            if math.isfinite(x) and math.isfinite(y):
                stretches[-1].append((x, y))
            elif stretches[-1]:
                stretches.append([])
        return [each for each in stretches if each]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is ready to stand in a page.

    Attributes:
        legend: each line's name and a value of it, in the order of the colours.
    """

    title: str
    svg: str
    note: str = ""
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What a chart's axes say.

    Attributes:
        x, y: their names; `y` is only read aloud.
        low, high: what the vertical axis shows at least; None leaves it to the lines.
        span: what the horizontal axis shows; None leaves it to the lines.
        whole: the horizontal axis counts, so its marks are whole numbers.
        mark: a place on the horizontal axis that is pointed out, with its name.
    """

    x: str
    y: str = ""
    low: float | None = None
    high: float | None = None
    span: tuple[float, float] | None = None
    whole: bool = False
    mark: tuple[float, str] | None = None


def number(value: float) -> str:
    """A number as short as it can be read: 0.0123, 1.235, 12.3, 4560, 1.2e-05."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size and (size < 0.001 or size >= 100_000):
        return f"{value:.1e}"
    places = 4 if size < 0.1 else 3 if size < 10 else 1 if size < 1000 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def line_chart(title: str, lines: Sequence[Line], axes: Axes, note: str = "", *, told: bool = True) -> Chart | None:
    """Lines over one horizontal axis.

    Args:
        title: says what is shown.
        lines: those without a finite point are left out.
        axes: of the chart.
        note: behind the title.
        told: the legend gives every line's value at the place that is pointed out, else its last one.

    Returns:
        None when there is nothing to draw.
    """
    lines = [line for line in lines if line.finite]
    if not lines:
        return None
    frame = _frame(lines, axes)
    at = axes.mark[0] if axes.mark and told else None
    named = [(line.name, number(line.at(at)) if told else "") for line in lines]
    ends = "; ".join(f"{line.name} ends at {number(line.finite[-1][1])}" for line in lines)
    parts = [
        *_grid(frame),
        *(part for index, line in enumerate(lines) for part in _draw(frame, line, index)),
        *_mark(frame, axes),
        *_bands(frame, lines, axes),
    ]
    return Chart(title, _svg(f"{title}: {ends}", parts, HEIGHT), note, named)


def bar_chart(
    title: str,
    bars: Sequence[tuple[str, float]],
    note: str = "",
    limit: int = 12,
    say: Callable[[float], str] = number,
) -> Chart | None:
    """Horizontal bars with their names and values, as `say` writes them; the longest `limit`, in the order given."""
    if not bars:
        return None
    longest = sorted(bars, key=lambda bar: -bar[1])[:limit]
    shown = [bar for bar in bars if bar in longest][:limit]
    left_out = len(bars) - len(shown)
    most = max((value for _, value in shown), default=0) or 1
    start = 12 + 7.2 * max(min(len(name), 17) for name, _ in shown)
    room = WIDTH - start - 12 - 7.2 * max(len(say(value)) for _, value in shown)
    parts = []
    for row, (name, value) in enumerate(shown):
        top, wide = 24 * row, room * max(value, 0) / most
        short = name if len(name) <= 17 else f"{name[:16]}…"
        parts += [
            f"<g><title>{escape(name)}: {say(value)}</title>",
            f'<text x="0" y="{top + 14}">{escape(short)}</text>',
            f'<rect class="bar s0" x="{start:.1f}" y="{top + 4}" width="{wide:.1f}" height="12" rx="2"/>',
            f'<text class="marked" x="{start + wide + 6:.1f}" y="{top + 14}">{say(value)}</text></g>',
        ]
    told = ", ".join(f"{name} {say(value)}" for name, value in shown)
    more = f"the largest {len(shown)} of {len(bars)}" if left_out else ""
    return Chart(title, _svg(f"{title}: {told}", parts, 24 * len(shown) + 2), note or more)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things are drawn: spans of both axes, their marks, and the room that the words on the left take."""

    x: tuple[float, float]
    y: tuple[float, float]
    across: list[float]
    up: list[float] = field(default_factory=list)
    name: str = ""
    left: float = 42

    def at(self, point: Point) -> Point:
        return self.right(point[0]), self.down(point[1])

    def right(self, x: float) -> float:
        return self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - self.left - _RIGHT)

    def down(self, y: float) -> float:
        return HEIGHT - _BOTTOM - (y - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - _TOP - _BOTTOM)


def _frame(lines: Sequence[Line], axes: Axes) -> _Frame:
    xs = [x for line in lines for x, _ in line.finite]
    ys = [y for line in lines for _, y in line.finite]
    low = min(ys) if axes.low is None else min(axes.low, *ys)
    high = max(ys) if axes.high is None else max(axes.high, *ys)
    up = _ticks(low, high, 4)
    left, right = axes.span or (min(xs), max(xs))
    if left == right:
        left, right = left - 0.5, right + 0.5
    across = [tick for tick in _ticks(left, right, 5, whole=axes.whole) if left <= tick <= right]
    room = 10 + _LETTER * max(len(name) for name in _names(up))
    return _Frame((left, right), (min(up[0], low), max(up[-1], high)), across, up, axes.x, room)


def _names(ticks: Sequence[float]) -> list[str]:
    """What stands at the marks of an axis, each with as many places as its step has: 0, 0.0005, 0.001."""
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else abs(ticks[0])
    most = max(map(abs, ticks))
    if not 1e-5 <= step <= 1e5 or most >= 1e6:
        return [f"{tick:.1e}" if tick else "0" for tick in ticks]
    places = max(0, math.ceil(-math.log10(step) - 1e-9))
    places += round(step * 10**places, 6) % 1 > 1e-6  # a step of 0.25 has one place more than its size
    return [f"{tick:.{places}f}" if tick else "0" for tick in ticks]


def _ticks(low: float, high: float, wanted: int, *, whole: bool = False) -> list[float]:
    """Round numbers that reach from below `low` to above `high`, about as many as wanted."""
    if not high > low:
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    rough = (high - low) / wanted
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * each for each in (1, 2, 2.5, 5, 10) if base * each >= rough * 0.999)
    step = max(1.0, float(round(step))) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def _grid(frame: _Frame) -> list[str]:
    bottom, edge, parts = HEIGHT - _BOTTOM, WIDTH - _RIGHT, []
    for tick, name in zip(frame.up, _names(frame.up), strict=True):
        y = frame.down(tick)
        parts.append(f'<line class="grid" x1="{frame.left:.1f}" x2="{edge}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_word(name, frame.left - 6, y + 4, "end"))
    for tick in frame.across:
        x = frame.right(tick)
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(_word(number(tick), x, bottom + 16, "middle"))
    parts.append(f'<line class="axis" x1="{frame.left:.1f}" x2="{edge}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(_word(_cut(frame.name), (frame.left + edge) / 2, HEIGHT - 4, "middle"))
    return parts


def _mark(frame: _Frame, axes: Axes) -> list[str]:
    """The place that is pointed out; its name stands above the lines, where none runs through it."""
    if axes.mark is None or not frame.x[0] <= axes.mark[0] <= frame.x[1]:
        return []
    x, name = frame.right(axes.mark[0]), _cut(axes.mark[1])
    return [
        f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{HEIGHT - _BOTTOM}"/>',
        _word(name, x, _TOP - 8, "middle", "marked"),
    ]


def _word(text: str, x: float, y: float, anchor: str, kind: str = "") -> str:
    """A word inside the picture, moved in where it would reach over its sides."""
    wide = _wide(text)
    if anchor == "middle":
        x = min(max(x, wide / 2), WIDTH - wide / 2)
    styled = f'class="{kind}" ' if kind else ""
    return f'<text {styled}x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _wide(text: str) -> float:
    return _LETTER * len(text)


def _cut(text: str) -> str:
    most = int(WIDTH / _LETTER) - 2
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _draw(frame: _Frame, line: Line, index: int) -> list[str]:
    colour, parts = f"s{index % _SERIES}", []
    for stretch in line.runs:
        places = [frame.at(point) for point in stretch]
        if len(places) == 1:
            parts.append(f'<circle class="dot {colour}" cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="3"/>')
        else:
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            parts.append(f'<path class="line {colour}" d="M{path}"/>')
    return parts


def _bands(frame: _Frame, lines: Sequence[Line], axes: Axes) -> list[str]:
    """A stripe over every place of the axis that shows, pointed to, what each line is there."""
    values: dict[float, list[str]] = {}
    for line in lines:
        for x, y in line.finite:
            values.setdefault(x, []).append(f"{line.name} {number(y)}")
    places = sorted(values)[:: max(1, math.ceil(len(values) / _BANDS))]
    edges = [(a + b) / 2 for a, b in pairwise(places)]
    parts = []
    for x, left, right in zip(places, [frame.x[0], *edges], [*edges, frame.x[1]], strict=True):
        start, end = max(frame.right(left), frame.left), min(frame.right(right), WIDTH - _RIGHT)
        told = escape("\n".join([f"{axes.x} {number(x)}", *values[x]]))
        size = f'x="{start:.1f}" y="{_TOP}" width="{max(end - start, 1):.1f}" height="{HEIGHT - _TOP - _BOTTOM}"'
        parts.append(f'<rect class="band" {size}><title>{told}</title></rect>')
    return parts


def _svg(told: str, parts: Sequence[str], height: int) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(told)}" '
        f'preserveAspectRatio="xMidYMid meet">{"".join(parts)}</svg>'
    )
