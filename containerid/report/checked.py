"""The page about a check of a set: what it holds, what was found of each kind, and pictures of the worst."""

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from containerid import __version__
from containerid.dataset.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Report, relative
from containerid.dataset.rows import decode, parse
from containerid.dataset.sets import label_of
from containerid.report import charts, kinds, pictures, wording
from containerid.report import page as p

_PICTURES, _ALIKE, _SIDE, _LISTED, _SAID, _BOXES = 12, 2, 320, 200, 3, 200
"""Pictures in all and of one kind, their longer side in pixels, findings of a kind that are listed, findings that are
said under a picture, and boxes that are drawn over it."""
_TONES = {ERROR: p.BAD, WARNING: p.WARN, INFO: ""}
_ENDINGS = ("jpg", "jpeg", "png", "webp", "JPG")


def write(file: Path, report: Report, root: Path, *, now: datetime | None = None) -> None:
    """Write the page.

    Args:
        file: written anew.
        report: of a check.
        root: the set's folder, from which pictures are taken.
        now: the moment that it tells; this one when None.
    """
    p.write(file, compose(report, root, now or datetime.now(UTC)))


def compose(report: Report, root: Path, now: datetime) -> p.Page:
    """The page about a check of the set in `root`, made at `now`."""
    counts = Counter(each.severity for each in report.findings)
    told = ", ".join(_counted(counts[word], word) for word in SEVERITIES if counts[word])
    tone = p.BAD if counts[ERROR] else p.WARN if counts[WARNING] else p.GOOD
    looked = f"{report.decoded:,} images decoded" if report.decoded else "structure alone, no pixel decoded"
    return p.Page(
        title=root.resolve().name or str(root),
        kind="data check",
        status=p.Cell(told or "nothing to say", tone),
        subtitle=f"{root.resolve()} · {wording.day(now.isoformat())} · {looked}",
        opening=list(_opening(report, root)),
        sections=[
            p.Section("What was found", list(_kinds(report))),
            p.Section("The worst", list(_worst(report, root))),
            p.Section("What it holds", list(_holdings(report))),
            p.Section("Every finding", list(_findings(report))),
        ],
        foot=f"Made by containerid {__version__}. The set itself was only read.",
    )


def _counted(number: int, word: str) -> str:
    return f"{number:,} {'to know' if word == INFO else word + 's' * (number != 1)}"


def _opening(report: Report, root: Path) -> Iterator[p.Block]:
    images = sum(each.get("images", 0) for each in report.counts.values())
    tiles = [p.Tile("images", f"{images:,}"), p.Tile("classes", f"{len(report.classes):,}")]
    if not report.sorted:
        tiles.insert(1, p.Tile("boxes", f"{sum(each.get('boxes', 0) for each in report.counts.values()):,}"))
    for word in (ERROR, WARNING):
        number = sum(each.severity == word for each in report.findings)
        tiles.append(p.Tile(f"{word}s", f"{number:,}", tone=p.BAD if number and word == ERROR else ""))
    yield p.Tiles(tiles)
    if report.errors:
        yield p.Note("A run of this set does not begin before its errors are mended.", p.BAD)
    place = shlex.quote(str(root.resolve()))
    commands = []
    if not report.sorted and any(each.severity != INFO for each in report.findings):
        commands += ["# writes a mended copy beside it; the set stays as it is", f"cid data check {place} --fix"]
    if not report.sorted and not report.decoded:
        commands += ["# looks at every pixel too", f"cid data check {place} --deep"]
    if commands:
        yield p.Commands("\n".join(commands))


def _kinds(report: Report) -> Iterator[p.Block]:
    rows: list[list[p.Text]] = []
    for (rank, kind), found in _by_kind(report).items():
        severity, number = SEVERITIES[rank], len(found)
        advice = Counter(each.fix for each in found if each.fix).most_common(1)
        name = p.Cell(kinds.title(kind), note=kind)
        rows.append(
            [
                name,
                p.Cell("to know" if severity == INFO else severity, _TONES[severity]),
                f"{number:,}",
                advice[0][0] if advice else "–",
            ]
        )
    if rows:
        yield p.Table("The worst first", ["what", "severity", "how often", "what to do"], rows, {2})
    else:
        yield p.Note("The check found nothing.", p.GOOD)


def _by_kind(report: Report) -> dict[tuple[int, str], list[Finding]]:
    """Findings by severity and kind: the worst first, then the most frequent."""
    found: dict[tuple[int, str], list[Finding]] = {}
    for each in report.findings:
        found.setdefault((SEVERITIES.index(each.severity), each.kind), []).append(each)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1])))


def _worst(report: Report, root: Path) -> Iterator[p.Block]:
    """A few pictures of each kind, and how many more there are."""
    shown: dict[Path, str] = {}
    left: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for each in report.findings:
        for image in _image_of(each, root):
            if image in shown:
                continue
            if numbers[each.kind] < _ALIKE and len(shown) < _PICTURES:
                numbers[each.kind] += 1
                shown[image] = each.kind
            else:
                left[each.kind] += 1
    drawn = [_picture(image, root, report) for image in shown]
    if found := [each for each in drawn if each]:
        yield p.Gallery(found)
    hidden = [relative(os.fspath(root), os.fspath(i)) for i, each in zip(shown, drawn, strict=True) if each is None]
    if hidden:
        yield p.Words(f"Cannot be shown: {', '.join(hidden)}.")
    if left:
        more = "; ".join(f"{kinds.title(kind)}: {number:,} more" for kind, number in left.most_common())
        yield p.Words(f"{more}.")


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
        yield from (each for ending in _ENDINGS if (each := base.with_suffix(f".{ending}")).is_file())


def _picture(path: Path, root: Path, report: Report) -> pictures.Picture | None:
    """The image with the boxes of its label over it; None where it cannot be shown."""
    image = pictures.load(path, _SIDE, broken=True)
    if image is None:
        return None
    name, label = (relative(os.fspath(root), os.fspath(each)) for each in (path, label_of(path)))
    said = [each for each in report.findings if each.path in {name, label}]
    told = "; ".join(f"line {each.line}: {each.message}" if each.line else each.message for each in said[:_SAID])
    more = f"; and {len(said) - _SAID:,} more" if len(said) > _SAID else ""
    title = kinds.title(said[0].kind) if said else ""
    return pictures.draw(image, f"{name}: {told}{more}", f"{name}: {told}{more}", title, list(_boxes(path)))


def _boxes(image: Path) -> Iterator[pictures.Box]:
    try:
        rows = parse(decode(label_of(image).read_bytes())[0])
    except OSError:
        return
    for row in rows[:_BOXES]:
        if len(row.numbers) == 5:
            _, x, y, wide, high = row.numbers
            yield pictures.Box(x, y, max(0, wide), max(0, high), pictures.FAULT)
        elif len(row.numbers) >= 7 and len(row.numbers) % 2:
            points = list(zip(row.numbers[1::2], row.numbers[2::2], strict=True))
            yield pictures.Box(0, 0, 0, 0, pictures.FAULT, points=points)


def _holdings(report: Report) -> Iterator[p.Block]:
    names = list(next(iter(report.counts.values()), {}))
    if names:
        rows = [[split, *(f"{each.get(name, 0):,}" for name in names)] for split, each in report.counts.items()]
        head = ["split", *("without a box" if name == "backgrounds" else name for name in names)]
        yield p.Table("Splits", head, rows, range(1, len(head)))
    if report.sizes:
        told = [(name, f"{width} × {height} pixels") for name, (width, height) in report.sizes.items()]
        yield p.Facts([(f"{name} image", size) for name, size in told])
    title = f"{'Images' if report.sorted else 'Boxes'} of each class"
    if drawn := charts.bar_chart(title, [(name, float(number)) for name, number in report.classes.items()]):
        yield p.Charts([drawn])


def _findings(report: Report) -> Iterator[p.Block]:
    for (rank, kind), found in _by_kind(report).items():
        listed = found[:_LISTED]
        note = f"And {len(found) - _LISTED:,} more; --json has them all." if len(found) > _LISTED else ""
        table = p.Table(kinds.title(kind), ["where", "what", "what to do"], _rows(listed), note=note)
        yield p.More(f"{kinds.title(kind)}: {_counted(len(found), SEVERITIES[rank])}", [table])


def _rows(found: Sequence[Finding]) -> list[list[p.Text]]:
    return [[f"{each.path}{f':{each.line}' if each.line else ''}", each.message, each.fix or "–"] for each in found]
