"""How a new set, and what a set holds, look on the screen."""

from typing import TYPE_CHECKING

from containerid.console import Screen
from containerid.dataset.stats import SHAPES, SIZES
from containerid.dataset.tasks import CLASSIFY, DETECT, OBB, POSE, SEGMENT
from containerid.runs.importdata import WORDS, cautions
from containerid.views import near

if TYPE_CHECKING:
    from collections.abc import Iterable

    from containerid.dataset.stats import Stats
    from containerid.runs.importdata import Imported

_CALLED = {
    DETECT: "boxes",
    SEGMENT: "polygons",
    POSE: "poses",
    OBB: "turned boxes",
    CLASSIFY: "sorted",
    "crops": "boxes",
}
"""What the images of a set for each task hold."""
_CLASSES = 30
"""Classes that are shown; -v shows all."""


def show_imported(screen: Screen, made: "Imported") -> None:
    """What became of the source, what was changed on the way, and what comes next."""
    splits = made.arranged.splits
    rows = ((split, f"{len(found):,}", f"{sum(len(each.rows) for each in found):,}") for split, found in splits.items())
    screen.table(("split", "images", _CALLED["crops" if made.cut else made.arranged.task]), rows)
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
    rows = ((name, f"{s.images:,}", f"{s.boxes:,}", f"{s.backgrounds:,}") for name, s in found.splits.items())
    screen.table(("split", "images", "boxes", "background"), rows)
    shown = len(found.names) if screen.manner.verbose else _CLASSES
    screen.table(("class", "name", *(f"{name} boxes (images)" for name in found.splits)), _classes(found, shown))
    if len(found.names) > shown:
        screen.say(f"… and {len(found.names) - shown:,} more classes; -v shows all")
    screen.say(f"boxes per image: {_counted((str(n), count) for n, count in sorted(found.per_image.items())[:12])}")
    screen.say(f"sizes: {_counted((f'{size} ({note})', found.sizes[size]) for size, note in SIZES.items())}")
    screen.say(f"width to height: {_counted((name, found.shapes[name]) for _, name in SHAPES if found.shapes[name])}")
    if sides := found.quartiles:
        told = ", ".join(f"{side:.0%}" for side in sides)
        screen.say(f"side, as a share of the image's (least, quartiles, most): {told}")
    common = found.image_sizes.most_common(5)
    more = f", {len(found.image_sizes) - 5:,} more" if len(found.image_sizes) > 5 else ""
    screen.say(f"images: {_counted((f'{width}x{height}', number) for (width, height), number in common)}{more}")
    if found.unusable:
        screen.say(f"{found.unusable:,} rows or images cannot be used: cid data check", style="yellow")


def _classes(found: "Stats", shown: int) -> "Iterable[tuple[str, ...]]":
    for index, name in enumerate(found.names[:shown]):
        counts = (f"{split.classes[index]:,} ({split.with_class[index]:,})" for split in found.splits.values())
        yield str(index), name, *counts


def _counted(pairs: "Iterable[tuple[str, int]]") -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in pairs) or "none"
