"""How a new set, and what a set holds, look on the screen."""

from typing import TYPE_CHECKING

from containerid.console import Screen
from containerid.dataset.figures import STEP, Angles, Joints, Polygons, quartiles
from containerid.dataset.stats import SHAPES, SIZES
from containerid.dataset.tasks import CALLED, CLASSIFY, DETECT, OBB
from containerid.runs.importdata import WORDS, cautions
from containerid.views import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from containerid.dataset.figures import Figures
    from containerid.dataset.stats import Stats
    from containerid.runs.importdata import Imported

_CLASSES = 30
"""Classes that are shown; -v shows all."""


def show_imported(screen: Screen, made: "Imported") -> None:
    """What became of the source, what was changed on the way, and what comes next."""
    splits = made.arranged.splits
    rows = ((split, f"{len(found):,}", f"{sum(len(each.rows) for each in found):,}") for split, found in splits.items())
    screen.table(("split", "images", CALLED[DETECT if made.cut else made.arranged.task]), rows)
    screen.say(f"classes: {', '.join(made.arranged.names)}")
    for word, number in made.counts.items():
        screen.say(f"{number:,} {WORDS[word]}")
    screen.say(f"split: {_how(made)}")
    for told in cautions(made.arranged):
        screen.hint(f"caution: {told}", style="yellow")
    if made.cut:
        screen.say(f"{made.written:,} images were cut out of them")
    where, task = near(str(made.folder)), made.arranged.task
    screen.say(f"✓ {where} (from {made.form}; origin.json says how)", style="green")
    asked = "" if task == CLASSIFY else f"{f' --task {task}' if task != DETECT else ''} --deep"
    screen.hint(f"next: cid data check {where}{asked}")


def _how(made: "Imported") -> str:
    found = made.arranged.groups
    if found is None:
        return "the source's own; --split makes another"
    kept = [f"{len(found.same):,} copies"] if found.same else []
    kept += [f"{found.alike:,} pairs that look alike"] if found.alike else []
    kept += [f"{found.named:,} groups by name"] if found.named else []
    together = f"; kept together: {', '.join(kept)}" if kept else ""
    return f"by class, {len(found.groups):,} groups, the largest of {found.largest:,}{together}"


def show_stats(screen: Screen, found: "Stats") -> None:
    """The numbers as tables."""
    sorted_, called = found.task == CLASSIFY, CALLED[found.task]
    if sorted_:
        screen.table(("split", called), ((name, f"{split.images:,}") for name, split in found.splits.items()))
    else:
        rows = ((name, f"{s.images:,}", f"{s.boxes:,}", f"{s.backgrounds:,}") for name, s in found.splits.items())
        screen.table(("split", "images", called, "background"), rows)
    shown = len(found.names) if screen.manner.verbose else _CLASSES
    heads = (name if sorted_ else f"{name} {called} (images)" for name in found.splits)
    screen.table(("class", "name", *heads), _classes(found, shown))
    if len(found.names) > shown:
        screen.say(f"… and {len(found.names) - shown:,} more classes; -v shows all")
    if not sorted_:
        _show_shapes(screen, found)
    common = found.image_sizes.most_common(5)
    more = f", {len(found.image_sizes) - 5:,} more" if len(found.image_sizes) > 5 else ""
    screen.say(f"images: {_counted((f'{width}x{height}', number) for (width, height), number in common)}{more}")
    if found.unusable:
        screen.say(f"{found.unusable:,} rows or images cannot be used: cid data check", style="yellow")


def _show_shapes(screen: Screen, found: "Stats") -> None:
    per_image = sorted(found.per_image.items())[:12]
    screen.say(f"{CALLED[found.task]} per image: {_counted((str(count), number) for count, number in per_image)}")
    screen.say(f"sizes: {_counted((f'{size} ({note})', found.sizes[size]) for size, note in SIZES.items())}")
    ratio = "longer side to shorter" if found.task == OBB else "width to height"
    screen.say(f"{ratio}: {_counted((name, found.shapes[name]) for _, name in SHAPES if found.shapes[name])}")
    if sides := found.quartiles:
        told = ", ".join(f"{side:.0%}" for side in sides)
        screen.say(f"side, as a share of the image's (least, quartiles, most): {told}")
    for told in _figures(found.figures):
        screen.say(told)


def _figures(found: "Figures | None") -> "Iterator[str]":
    if isinstance(found, Polygons) and found.corners:
        yield f"corners (least, quartiles, most): {', '.join(f'{each:g}' for each in quartiles(found.corners))}"
        told = ", ".join(f"{share:.0%}" for share in quartiles(found.filled))
        yield f"share of the box around (least, quartiles, most): {told}"
    if isinstance(found, Angles):
        steps = ((f"{at * STEP} to {(at + 1) * STEP}°", number) for at, number in sorted(found.steps.items()))
        yield f"angle of the longer side, clockwise from the right: {_counted(steps)}; {found.upright:,} upright"
    if isinstance(found, Joints) and found.labelled:
        told = ", ".join(f"{each:g}" for each in quartiles(found.labelled))
        yield f"labelled keypoints of an object (least, quartiles, most): {told}"
        numbers = (f"{name} {seen[2]:,}+{seen[1]:,}" for name, seen in zip(found.names, found.seen, strict=True))
        yield f"keypoints (seen + hidden): {', '.join(numbers)}"


def _classes(found: "Stats", shown: int) -> "Iterable[tuple[str, ...]]":
    for index, name in enumerate(found.names[:shown]):
        alone = found.task == CLASSIFY
        counts = (
            f"{split.classes[index]:,}{'' if alone else f' ({split.with_class[index]:,})'}"
            for split in found.splits.values()
        )
        yield str(index), name, *counts


def _counted(pairs: "Iterable[tuple[str, int]]") -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in pairs) or "none"
