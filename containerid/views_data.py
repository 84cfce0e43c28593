"""How a detection set and what is wrong with it look on the screen."""

from collections import Counter
from typing import TYPE_CHECKING

from containerid.console import Screen
from containerid.dataset.findings import ERROR, INFO, SEVERITIES, WARNING, Finding, Report
from containerid.views import near

if TYPE_CHECKING:
    from containerid.dataset.mend import Mended

_STYLES = {ERROR: "red", WARNING: "yellow", INFO: ""}
_EACH = 8
"""Findings of one kind that are shown, of remarks one; -v shows all."""


def show_report(screen: Screen, report: Report) -> None:
    """What the set holds, then what was found: the worst first, a few of each kind."""
    rows = ((split, *(f"{number:,}" for number in counts.values())) for split, counts in report.counts.items())
    if report.counts:
        screen.table(("split", *next(iter(report.counts.values()))), rows)
    if report.sorted:
        names = next(iter(report.sorted.values()))
        screen.table(
            ("class", *report.sorted),
            ((name, *(f"{split[name]:,}" for split in report.sorted.values())) for name in names),
        )
    elif report.classes:
        screen.say(f"classes: {', '.join(f'{name} {boxes:,}' for name, boxes in report.classes.items())}")
    if report.sizes:
        screen.say(f"images: {' to '.join('x'.join(map(str, size)) for size in report.sizes.values())} pixels")
    shown: Counter[str] = Counter()
    tried: set[tuple[str, str]] = set()
    numbers = Counter(each.kind for each in report.findings)
    for finding in report.findings:
        shown[finding.kind] += 1
        most = 1 if finding.severity == INFO else _EACH
        if screen.manner.verbose or shown[finding.kind] <= most:
            _show_finding(screen, finding, advise=(finding.kind, finding.fix) not in tried)
            tried.add((finding.kind, finding.fix))
        elif shown[finding.kind] == numbers[finding.kind]:
            more = numbers[finding.kind] - most
            screen.say(f"  … and {more:,} more {finding.kind}; -v shows all", style=_STYLES[finding.severity])
    _show_verdict(screen, report)


def _show_finding(screen: Screen, finding: Finding, *, advise: bool) -> None:
    screen.say(f"{finding} [{finding.kind}]", style=_STYLES[finding.severity])
    if advise and finding.fix and finding.severity != INFO:
        screen.say(f"  try: {finding.fix}")


def _show_verdict(screen: Screen, report: Report) -> None:
    counts = Counter(each.severity for each in report.findings)
    told = ", ".join(
        f"{counts[word]:,} {word}{'s' * (counts[word] != 1 and word != INFO)}" for word in SEVERITIES if counts[word]
    )
    looked = f"{report.decoded:,} images decoded" if report.decoded else "nothing decoded; --deep looks at every pixel"
    mark = "✗" if counts[ERROR] else "✓"
    screen.say(f"{mark} {told or 'nothing to say'} ({looked})", style="red" if counts[ERROR] else "green")


def show_mended(screen: Screen, mended: "Mended") -> None:
    """Where the new set is, what is other in it, and what is still wrong with it."""
    actions = Counter(fix.action for fix in mended.fixes)
    told = ", ".join(f"{number:,} {action}" for action, number in actions.most_common()) or "nothing had to be done"
    screen.say(f"mended: {near(str(mended.folder))} ({told}; the list is in fixes.json)")
    emptied = [each.name for each in sorted((mended.folder / "images").iterdir()) if not any(each.iterdir())]
    if emptied:
        screen.say(f"  nothing is left in {', '.join(emptied)}: fixes.json says why", style="yellow")
    for finding in mended.errors[:_EACH]:
        screen.say(f"  still: {finding}", style="red")
