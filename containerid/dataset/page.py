"""The report as one HTML file: counts, pictures of the worst with their boxes, and every finding."""

import base64
import html
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from containerid.dataset.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Report, relative
from containerid.dataset.rows import decode, parse
from containerid.dataset.sets import label_of

_PICTURES, _ALIKE, _SIDE, _LISTED = 24, 4, 240, 2000
"""Pictures that are shown, of one kind before all others, their longer side in pixels, and findings that are listed."""
_LINE = 'fill="none" stroke="#ff1744" stroke-width="1.5"'
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; } code { overflow-wrap: anywhere; }
table.numbers { width: auto; min-width: min(22rem, 100%); }
.everything td:first-child { width: 38%; } .everything td:last-child { width: 24%; }
.error { color: #c62828; } .warning { color: #a86500; } .info { color: #5a7184; }
@media (prefers-color-scheme: dark) {
  .error { color: #ff8a80; } .warning { color: #ffb74d; } .info { color: #a7bccb; }
}
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .6rem; border: 1px solid var(--line); border-radius: .5rem; }
.frame { position: relative; display: grid; place-items: center; min-height: 6rem; background: var(--soft); }
.frame svg, .frame img { display: block; max-width: 100%; } figcaption { font-size: .85rem; margin-top: .4rem; }
@media (max-width: 40rem) {
  th, td { padding: .25rem .4rem; } .everything th { display: none; }
  .everything td, .everything tr { display: block; border: 0; width: auto !important; padding: 0; }
  .everything tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .everything td:last-child { font-size: .9em; opacity: .85; }
}
"""


def write_page(file: Path, report: Report, root: Path) -> None:
    """Write the page; it needs no other file and no network.

    Args:
        file: written anew.
        report: of a check.
        root: the set's folder, from which pictures are taken.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(_page(report, root)), encoding="utf-8")


def _page(report: Report, root: Path) -> Iterator[str]:
    counts = Counter(each.severity for each in report.findings)
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{_safe(root.name)}: data check</title>"
    yield f'<meta name=viewport content="width=device-width,initial-scale=1"><style>{_STYLE}</style>'
    yield f"<h1>{_safe(root.name)}</h1>"
    told = ", ".join(f"<b class={word}>{_counted(counts[word], word)}</b>" for word in SEVERITIES if counts[word])
    depth = f"{report.decoded:,} images decoded" if report.decoded else "structure only"
    yield f"<p>{told or 'Nothing is wrong.'} · {depth}</p>"
    yield from _numbers("Splits", {split: list(each.items()) for split, each in report.counts.items()})
    yield from _numbers("Boxes", {"all": list(report.classes.items())} if report.classes else {})
    yield from _kinds(report)
    yield from _pictures(report, root)
    yield from _findings(report)
    yield "</html>"


def _numbers(title: str, rows: Mapping[str, list[tuple[str, int]]]) -> Iterator[str]:
    if not any(rows.values()):
        return
    yield f"<h2>{title}</h2><div class=wide><table class=numbers>"
    if len(rows) == 1 and "all" in rows:
        for name, number in rows["all"]:
            yield f"<tr><td>{_safe(name)}<td class=number>{number:,}"
    else:
        names = [name for name, _ in next(iter(rows.values()))]
        yield "<tr><th>" + "".join(f"<th class=number>{_safe(name)}" for name in names)
        for row, numbers in rows.items():
            yield f"<tr><th>{_safe(row)}" + "".join(f"<td class=number>{number:,}" for _, number in numbers)
    yield "</table></div>"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1 and word != INFO)}"


def _kinds(report: Report) -> Iterator[str]:
    counts = Counter((SEVERITIES.index(each.severity), each.kind) for each in report.findings)
    if not counts:
        return
    yield "<h2>Findings</h2><div class=wide><table class=numbers>"
    for (rank, kind), number in sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        yield f"<tr><td class={SEVERITIES[rank]}>{_safe(kind)}<td class=number>{number:,}"
    yield "</table></div>"


def _pictures(report: Report, root: Path) -> Iterator[str]:
    worst = _worst(report, root)
    if not worst:
        return
    yield "<h2>The worst</h2><div class=grid>"
    for image in worst:
        yield from _figure(image, root, report)
    yield "</div>"


def _worst(report: Report, root: Path) -> list[Path]:
    """The pictures to show: the worst first, a few of each kind before more of one."""
    numbers: Counter[str] = Counter()
    first: dict[Path, None] = {}
    more: dict[Path, None] = {}
    for each in report.findings:
        for image in _image_of(each, root):
            numbers[each.kind] += 1
            (first if numbers[each.kind] <= _ALIKE else more)[image] = None
    return list({**first, **more})[:_PICTURES]


def _image_of(finding: Finding, root: Path) -> Iterator[Path]:
    """The image that a finding is about."""
    if finding.severity not in {ERROR, WARNING}:
        return
    path = root / finding.path
    if finding.kind.startswith(("image-", "split-", "label-missing")) and path.is_file():
        yield path
    elif finding.kind.startswith("label-") and path.suffix.lower() == ".txt":
        before, found, after = os.fspath(path).rpartition(f"{os.sep}labels{os.sep}")
        base = Path(f"{before}{os.sep}images{os.sep}{after}" if found else path)
        yield from (
            each
            for ending in ("jpg", "jpeg", "png", "webp", "JPG")
            if (each := base.with_suffix(f".{ending}")).is_file()
        )


def _figure(image: Path, root: Path, report: Report) -> Iterator[str]:
    name, label = (relative(os.fspath(root), os.fspath(each)) for each in (image, label_of(image)))
    yield "<figure><div class=frame>"
    yield _drawn(image)
    yield f"</div><figcaption><code>{_safe(name)}</code>"
    for each in [each for each in report.findings if each.path in {name, label}][:4]:
        line = f"line {each.line}: " if each.line else ""
        yield f"<br><span class={each.severity}>{_safe(line + each.message)}</span>"
    yield "</figcaption></figure>"


def _drawn(image: Path) -> str:
    """The picture with the boxes of its label over it; words where it cannot be shown."""
    made = _thumbnail(image)
    if made is None:
        return "<i>cannot be shown</i>"
    data, kind, width, height = made
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    boxes = "".join(_boxes(image, width, height))
    return (
        f'<svg viewBox="0 0 {width} {height}" width={width} role=img aria-label="{_safe(image.name)}">'
        f'<image href="{source}" width={width} height={height} />{boxes}</svg>'
    )


def _thumbnail(image: Path) -> tuple[bytes, str, int, int] | None:
    try:
        from PIL import Image, ImageFile
    except ImportError:
        return None
    strict, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        # As far as it goes: of a truncated image, the part that is there is what is worth seeing.
        with Image.open(image) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((_SIDE, _SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=80)
    except Exception:  # A damaged file can raise anything.
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = strict
    return buffer.getvalue(), "jpeg", *picture.size


def _boxes(image: Path, width: int, height: int) -> Iterator[str]:
    try:
        rows = parse(decode(label_of(image).read_bytes())[0])
    except OSError:
        return
    for row in rows[:200]:
        if len(row.numbers) == 5:
            _, x, y, wide, high = row.numbers
            place = f'x="{(x - wide / 2) * width:.1f}" y="{(y - high / 2) * height:.1f}"'
            size = f'width="{max(0, wide) * width:.1f}" height="{max(0, high) * height:.1f}"'
            yield f"<rect {place} {size} {_LINE} />"
        elif len(row.numbers) >= 7 and len(row.numbers) % 2:
            points = zip(row.numbers[1::2], row.numbers[2::2], strict=True)
            yield f'<polygon points="{" ".join(f"{x * width:.1f},{y * height:.1f}" for x, y in points)}" {_LINE} />'


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "<h2>Everything</h2><div class=wide><table class=everything><tr><th>where<th>what<th>what to do"
    for each in report.findings[:_LISTED]:
        where = f"{each.path}{f':{each.line}' if each.line else ''}"
        what = f"<span class={each.severity}>{each.severity}</span> {_safe(each.message)}"
        yield f"<tr><td><code>{_safe(where)}</code><td>{what}<td>{_safe(each.fix)}"
    yield "</table></div>"
    if len(report.findings) > _LISTED:
        yield f"<p>… and {len(report.findings) - _LISTED:,} more; --json has them all.</p>"


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
