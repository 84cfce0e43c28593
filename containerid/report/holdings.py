"""A detection set in numbers and pictures, as one page."""

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from containerid.dataset import stats
from containerid.dataset.images import look
from containerid.dataset.sets import Dataset
from containerid.report import charts, pictures
from containerid.report import page as p

_PICTURES, _LONGEST, _TRIED = 18, 320, 200
"""Pictures that are shown, their longer side in pixels, and how many images are tried for them."""


def write(file: Path, dataset: Dataset, found: stats.Stats) -> Path:
    """Write the page.

    Args:
        file: written anew.
        dataset: that pictures are taken from.
        found: its numbers.
    """
    sections = [
        p.Section("Classes", list(_classes(found))),
        p.Section("Boxes", list(_boxes(found))),
        p.Section("Where boxes are", [_places(found)] if found.sides else []),
        p.Section("Images", list(_images(found))),
        p.Section("Some of them", _gallery(dataset, found)),
    ]
    page = p.Page(title=dataset.root.name, kind="data stats", opening=list(_opening(found)), sections=sections)
    return p.write(file, page)


def _opening(found: stats.Stats) -> Iterator[p.Block]:
    splits = found.splits.values()
    yield p.Tiles(
        [
            p.Tile("images", f"{sum(split.images for split in splits):,}"),
            p.Tile("boxes", f"{sum(split.boxes for split in splits):,}"),
            p.Tile("classes", f"{len(found.names):,}"),
            p.Tile("without a box", f"{sum(split.backgrounds for split in splits):,}", "background images"),
        ]
    )
    head = ["split", "images", "boxes", "background", "boxes per image"]
    rows = [
        [name, f"{split.images:,}", f"{split.boxes:,}", f"{split.backgrounds:,}", _ratio(split.boxes, split.images)]
        for name, split in found.splits.items()
    ]
    yield p.Table("Splits", head, rows, numeric={1, 2, 3, 4})
    if found.unusable:
        text = f"{found.unusable:,} rows or images cannot be used and are not counted; cid data check names them"
        yield p.Note(text, p.WARN)


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else "–"


def _classes(found: stats.Stats) -> Iterator[p.Block]:
    totals = [sum(split.classes[index] for split in found.splits.values()) for index in range(len(found.names))]
    drawn = charts.bar_chart("Boxes per class", list(zip(found.names, totals, strict=True)), limit=20)
    if drawn:
        yield p.Charts([drawn])
    head = ["class", "name", "boxes", *(f"{name}: boxes (share)" for name in found.splits)]
    rows = [
        [str(index), name, f"{total:,}", *(_share(split, index, total) for split in found.splits.values())]
        for index, (name, total) in enumerate(zip(found.names, totals, strict=True))
    ]
    yield p.Table("Boxes of each class", head, rows, numeric={0, *range(2, len(head))})


def _share(split: stats.Split, index: int, total: int) -> str:
    return f"{split.classes[index]:,} ({split.classes[index] / total:.0%})" if total else "0"


def _boxes(found: stats.Stats) -> Iterator[p.Block]:
    sizes = [(size, float(found.sizes[size])) for size in stats.SIZES]
    limits = ", ".join(f"{size} {note}" for size, note in stats.SIZES.items() if size != stats.LARGE)
    shapes = [(name, float(found.shapes[name])) for _, name in stats.SHAPES]
    counts = [(f"{count}", float(number)) for count, number in sorted(found.per_image.items())]
    drawn = [
        charts.bar_chart("Boxes per image", counts, "images by how many boxes they have", limit=12),
        charts.bar_chart("Sizes", sizes, f"as COCO has them: {limits}") if found.sizes else None,
        charts.bar_chart("Width to height", shapes, "in pixels") if found.shapes else None,
        charts.bar_chart("Side", _sides(found), "boxes by the root of their share of the image")
        if found.sides
        else None,
    ]
    yield p.Charts([chart for chart in drawn if chart])


def _sides(found: stats.Stats) -> list[tuple[str, float]]:
    steps = [0] * 10
    for side in found.sides:
        steps[min(int(side * 10), 9)] += 1
    return [(f"{step * 10} to {step * 10 + 10} %", float(number)) for step, number in enumerate(steps)]


def _places(found: stats.Stats) -> p.Block:
    """A map of the image: the more boxes have their middle in a cell, the stronger its colour."""
    grid = found.grid()
    most = max(map(max, grid)) or 1
    across, down = charts.WIDTH / stats.GRID, charts.HEIGHT / stats.GRID
    cells = []
    for row, numbers in enumerate(grid):
        for column, number in enumerate(numbers):
            place = f'x="{column * across:.1f}" y="{row * down:.1f}" width="{across:.1f}" height="{down:.1f}"'
            shade = 0.04 + 0.96 * number / most
            told = f"<title>{number:,} box{'es' * (number != 1)}</title>"
            cells.append(f'<rect class="bar s0" fill-opacity="{shade:.2f}" {place}>{told}</rect>')
    size = f'viewBox="0 0 {charts.WIDTH} {charts.HEIGHT}"'
    named = f"Where the middles of boxes lie; the fullest cell has {most:,}"
    svg = f'<svg {size} role="img" aria-label="{named}">{"".join(cells)}</svg>'
    return p.Charts([charts.Chart("Middles of boxes", svg, f"over the image; the fullest cell has {most:,}")])


def _images(found: stats.Stats) -> Iterator[p.Block]:
    if found.image_sizes:
        common = [
            (f"{width} x {height}", float(number)) for (width, height), number in found.image_sizes.most_common(12)
        ]
        drawn = charts.bar_chart("Image sizes in pixels", common, f"{len(found.image_sizes)} different")
        yield p.Charts([drawn] if drawn else [])


def _gallery(dataset: Dataset, found: stats.Stats) -> list[p.Block]:
    everything = [(split, image) for split, images in dataset.splits.items() for image in images]
    chosen = random.Random(0).sample(everything, min(_TRIED, len(everything)))  # noqa: S311
    shown = list(_pictures(chosen, found.names))
    return [p.Gallery(shown)] if shown else []


def _pictures(chosen: Sequence[tuple[str, Path]], names: Sequence[str]) -> Iterator[pictures.Picture]:
    made = 0
    for split, path in chosen:
        if made == _PICTURES:
            return
        image = pictures.load(path, longest=_LONGEST)
        if image is None:
            continue
        made += 1
        size = look(os.fspath(path))
        rows = [row for row in stats.boxes(os.fspath(path), len(names), size.width, size.height) if row]
        boxes = [pictures.Box(x, y, wide, high, label=names[int(index)]) for index, x, y, wide, high in rows]
        told = f"{len(boxes)} box{'es' * (len(boxes) != 1)}"
        yield pictures.draw(image, f"{path.name}: {told}", f"{split}, {told}", path.name, boxes)
