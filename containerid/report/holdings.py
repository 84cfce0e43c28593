"""A set in numbers and pictures, as one page."""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from containerid.dataset import classes, objects, stats
from containerid.dataset.figures import STEP, Angles, Figures, Joints, Polygons
from containerid.dataset.images import look
from containerid.dataset.sets import Dataset
from containerid.dataset.tasks import CALLED, CLASSIFY, DETECT, OBB, POSE, SEGMENT
from containerid.report import charts, pictures
from containerid.report import page as p

_ONE = {DETECT: "box", SEGMENT: "polygon", POSE: "pose", OBB: "turned box"}
_CORNERS = 10
"""Corners of polygons that are counted together."""
_PICTURES, _LONGEST, _TRIED = 18, 320, 200
"""Pictures that are shown, their longer side in pixels, and how many images are tried for them."""


def write(file: Path, dataset: Dataset, found: stats.Stats) -> Path:
    """Write the page.

    Args:
        file: written anew.
        dataset: that pictures are taken from.
        found: its numbers.
    """
    sorted_ = found.task == CLASSIFY
    sections = [
        p.Section("Classes", list(_classes(found))),
        *([] if sorted_ else [p.Section(CALLED[found.task].capitalize(), list(_boxes(found)))]),
        p.Section("Where they are", [_places(found)] if found.sides else []),
        p.Section("Images", list(_images(found))),
        p.Section("Some of them", _gallery(dataset, found)),
    ]
    page = p.Page(title=dataset.root.name, kind="data stats", opening=list(_opening(found)), sections=sections)
    return p.write(file, page)


def _opening(found: stats.Stats) -> Iterator[p.Block]:
    splits, called = found.splits, CALLED[found.task]
    images = p.Tile("images", f"{sum(split.images for split in splits.values()):,}")
    classes = p.Tile("classes", f"{len(found.names):,}")
    if found.task == CLASSIFY:
        yield p.Tiles([images, classes])
        yield p.Table(
            "Splits", ["split", "images"], [[name, f"{each.images:,}"] for name, each in splits.items()], numeric={1}
        )
    else:
        boxes = p.Tile(called, f"{sum(split.boxes for split in splits.values()):,}")
        empty = p.Tile("without any", f"{sum(split.backgrounds for split in splits.values()):,}", "background images")
        yield p.Tiles([images, boxes, classes, empty])
        head = ["split", "images", called, "background", "for each image"]
        rows = [
            [name, f"{split.images:,}", f"{split.boxes:,}", f"{split.backgrounds:,}", _ratio(split.boxes, split.images)]
            for name, split in splits.items()
        ]
        yield p.Table("Splits", head, rows, numeric={1, 2, 3, 4})
    if found.unusable:
        text = f"{found.unusable:,} rows or images cannot be used and are not counted; cid data check names them"
        yield p.Note(text, p.WARN)


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else "–"


def _classes(found: stats.Stats) -> Iterator[p.Block]:
    totals = [sum(split.classes[index] for split in found.splits.values()) for index in range(len(found.names))]
    called = CALLED[found.task]
    drawn = charts.bar_chart(f"{called.capitalize()} per class", list(zip(found.names, totals, strict=True)), limit=20)
    if drawn:
        yield p.Charts([drawn])
    head = ["class", "name", called, *(f"{name}: {called} (share)" for name in found.splits)]
    rows = [
        [str(index), name, f"{total:,}", *(_share(split, index, total) for split in found.splits.values())]
        for index, (name, total) in enumerate(zip(found.names, totals, strict=True))
    ]
    yield p.Table(f"{called.capitalize()} of each class", head, rows, numeric={*range(2, len(head))})


def _share(split: stats.Split, index: int, total: int) -> str:
    return f"{split.classes[index]:,} ({split.classes[index] / total:.0%})" if total else "0"


def _boxes(found: stats.Stats) -> Iterator[p.Block]:
    sizes = [(size, float(found.sizes[size])) for size in stats.SIZES]
    limits = ", ".join(f"{size} {note}" for size, note in stats.SIZES.items() if size != stats.LARGE)
    least = 1 if found.task == OBB else 0
    shapes = [(name, float(found.shapes[name])) for limit, name in stats.SHAPES if limit > least]
    counts = [(f"{count}", float(number)) for count, number in sorted(found.per_image.items())]
    drawn = [
        charts.bar_chart("Per image", counts, f"images by how many {CALLED[found.task]} they have", limit=12),
        charts.bar_chart("Sizes", sizes, f"as COCO has them: {limits}") if found.sizes else None,
        charts.bar_chart("Longer side to shorter" if found.task == OBB else "Width to height", shapes, "in pixels")
        if found.shapes
        else None,
        charts.bar_chart("Side", _sides(found), "by the root of what the box around takes of the image")
        if found.sides
        else None,
        *_drawn(found.figures),
    ]
    yield p.Charts([chart for chart in drawn if chart])
    if isinstance(found.figures, Joints):
        head = ["keypoint", "name", "seen", "hidden", "not labelled"]
        numbered = enumerate(zip(found.figures.names, found.figures.seen, strict=True))
        rows = [[str(at), name, *(f"{seen[each]:,}" for each in (2, 1, 0))] for at, (name, seen) in numbered]
        yield p.Table("Keypoints", head, rows, numeric={2, 3, 4})


def _drawn(found: Figures | None) -> Iterator[charts.Chart | None]:
    if isinstance(found, Polygons) and found.corners:
        corners = Counter(min(each // _CORNERS, 9) for each in found.corners)
        steps = [(_step(at, _CORNERS, 9), float(corners[at])) for at in range(max(corners) + 1)]
        yield charts.bar_chart("Corners", steps, "polygons by how many corners they have")
        shares = Counter(min(int(each * 10), 9) for each in found.filled)
        steps = [(f"{at * 10} to {at * 10 + 10} %", float(shares[at])) for at in range(10)]
        yield charts.bar_chart("Share of the box", steps, "polygons by how much they fill of the box around")
    if isinstance(found, Angles) and found.steps:
        steps = [(f"{at * STEP} to {(at + 1) * STEP}°", float(found.steps[at])) for at in range(180 // STEP)]
        yield charts.bar_chart(
            "Angle of the longer side", steps, f"clockwise from the right; {found.upright:,} are upright"
        )
    if isinstance(found, Joints) and found.labelled:
        numbers = sorted(Counter(found.labelled).items())
        steps = [(f"{count}", float(number)) for count, number in numbers]
        yield charts.bar_chart("Labelled keypoints", steps, "objects by how many of theirs are labelled", limit=20)


def _step(at: int, step: int, last: int) -> str:
    return f"{at * step} and more" if at == last else f"{at * step} to {at * step + step - 1}"


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
            told = f"<title>{number:,} here</title>"
            cells.append(f'<rect class="bar s0" fill-opacity="{shade:.2f}" {place}>{told}</rect>')
    size = f'viewBox="0 0 {charts.WIDTH} {charts.HEIGHT}"'
    named = f"Where their middles lie; the fullest cell has {most:,}"
    svg = f'<svg {size} role="img" aria-label="{named}">{"".join(cells)}</svg>'
    return p.Charts([charts.Chart("Middles", svg, f"over the image; the fullest cell has {most:,}")])


def _images(found: stats.Stats) -> Iterator[p.Block]:
    if found.image_sizes:
        common = [
            (f"{width} x {height}", float(number)) for (width, height), number in found.image_sizes.most_common(12)
        ]
        drawn = charts.bar_chart("Image sizes in pixels", common, f"{len(found.image_sizes)} different")
        yield p.Charts([drawn] if drawn else [])


def _gallery(dataset: Dataset, found: stats.Stats) -> list[p.Block]:
    everything = [(split, image) for split, images in dataset.splits.items() for image in images]
    random.Random(0).shuffle(everything)  # noqa: S311
    if found.task == CLASSIFY:
        everything = list(_in_turn(dataset, everything))
    shown = list(_pictures(everything[:_TRIED], dataset, found))
    return [p.Gallery(shown)] if shown else []


def _in_turn(dataset: Dataset, everything: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """One image of each class, then another of each."""
    by_class: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    for split, image in everything:
        by_class[classes.label_of(dataset, split, image)].append((split, image))
    for row in zip_longest(*(by_class[label] for label in sorted(by_class))):
        yield from (each for each in row if each)


def _pictures(chosen: Sequence[tuple[str, Path]], dataset: Dataset, found: stats.Stats) -> Iterator[pictures.Picture]:
    made = 0
    for split, path in chosen:
        if made == _PICTURES:
            return
        image = pictures.load(path, longest=_LONGEST)
        if image is None:
            continue
        made += 1
        if found.task == CLASSIFY:
            name = dataset.names[classes.label_of(dataset, split, path)]
            yield pictures.draw(image, f"{path.name}: {name}", f"{split}, {path.name}", name)
            continue
        size = look(os.fspath(path))
        shown = [each for each in objects.read(os.fspath(path), dataset, found.task, size.width, size.height) if each]
        shapes = [shape for each in shown for shape in _shapes(each, found)]
        told = f"{len(shown)} {CALLED[found.task] if len(shown) != 1 else _ONE[found.task]}"
        yield pictures.draw(image, f"{path.name}: {told}", f"{split}, {told}", path.name, shapes)


def _shapes(each: objects.Object, found: stats.Stats) -> Iterator[pictures.Box | pictures.Outline | pictures.Dot]:
    name = found.names[each.label]
    yield pictures.Outline(each.outline, name) if each.outline else pictures.Box(*each.box, label=name)
    if isinstance(found.figures, Joints):
        for called, (x, y, seen) in zip(found.figures.names, each.keypoints, strict=False):
            if seen:
                yield pictures.Dot(x, y, hidden=seen == 1, label=called)
