"""How promoted models look on the screen."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from containerid.console import Screen
from containerid.runs.model import Examined, Listed
from containerid.runs.promotion import Promotion
from containerid.text import size
from containerid.views import near

_METRICS = ("val/mAP50", "test/mAP50", "val/accuracy_top1", "test/accuracy_top1")


def show_promotion(screen: Screen, made: Promotion) -> None:
    """A version, and what others do to get it."""
    if not made.created:
        sent = f", and is pushed to {made.remote} now" if made.remote else ""
        later = f"; {made.later} pushes it where that lacks it" if made.later else ""
        screen.say(f"✓ {made.run} is {made.version} already{sent}{later}")
        return
    screen.say(f"✓ {made.version}  {made.sha[:7]} on {made.branch}")
    screen.say(f"  {'model':<15} {made.path}/best.pt")
    screen.say(f"  {'dvc':<15} {made.storage or 'not pushed: dvc push'}")
    kept = f"not pushed: cid promote {made.run} does it, or {made.later}" if made.later else "git has no remote"
    screen.say(f"  {'git':<15} {made.remote or kept}")
    there = "" if Path.cwd().resolve().is_relative_to(Path(made.root).resolve()) else f"cd {quote(made.root)} && "
    others = f"; elsewhere: git pull && dvc pull {made.path}/best.pt" if made.remote else ""
    screen.hint(f"  next: {there}cid model {made.version}{others}")


def show_models(screen: Screen, models: Sequence[Listed]) -> None:
    """All promoted models, the newest first."""
    if not models:
        screen.say("no model was promoted yet: cid promote RUN")
        return
    known = [name for name in _METRICS if any(name in each.facts for each in models)]
    rows = (
        (each.version, *(each.facts.get(name, "") for name in known), each.facts.get("run", ""), each.commit[:7])
        for each in models
    )
    screen.table(("version", *known, "run", "commit"), rows)


def show_model(screen: Screen, model: Examined) -> None:
    """What a model is, and whether DVC knows it so."""
    found = model.found
    known = "what DVC has" if model.recorded else "DVC knows nothing about it"
    screen.say(f"✓ {model.version or near(model.file)}")
    rows = (
        ("file", f"{near(model.file)}, {size(model.size)}"),
        ("md5", f"{model.md5}: {known}"),
        ("loaded", "as weights and known classes, in a process of its own"),
        ("task", f"{found['task']}, {found['parameters'] / 1e6:.1f} M parameters"),
        ("classes", ", ".join(found["classes"])),
        ("speed", f"{found['milliseconds']} ms an image of {found['imgsz']} px, on this machine's CPU"),
        (
            "predicts",
            f"a drawn scene is {found['seen']}" if "seen" in found else f"{found['boxes']} boxes in a drawn scene",
        ),
    )
    for label, value in rows:
        screen.say(f"  {label:<15} {value}")
