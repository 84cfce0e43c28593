"""How runs look on the screen."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.console import Screen
from containerid.job import State
from containerid.live import COLOURS
from containerid.runs.registry import Registry, Run
from containerid.runs.uploads import seen_at
from containerid.text import duration
from containerid.versioned import told

if TYPE_CHECKING:
    from containerid.diagnosis import Diagnosis
    from containerid.runs.ghosts import Ghost
    from containerid.runs.leftovers import Item
    from containerid.runs.standing import Standing
    from containerid.runs.verify import Findings

_MARKS = {State.SUCCEEDED: "✓", State.FAILED: "✗", State.LOST: "✗", State.REFUSED: "✗"}
_PLACES = {"wandb": "W&B", "wandb_offline": "W&B, offline"}
_SURE = ("test/accuracy_top1", "test/accuracy_top5", "val/accuracy_top1", "val/accuracy_top5")
_TOP = ("test/mAP50", "test/mAP50-95", "test/precision", "test/recall", "val/mAP50", "val/mAP50-95", *_SURE)


def show_run(screen: Screen, run: Run, versions: Sequence[str] = ()) -> None:
    """One run: its state first, then what it reached, where things are, and what its model was promoted to."""
    took = "in" if run.state is State.SUCCEEDED else "after"
    took = f" {took} {duration(run.hours * 3600)}" if run.hours and run.state.final else ""
    reason = f": {run.reason}" if run.reason else ""
    screen.say(f"{_MARKS.get(run.state, '●')} {run.run}  {run.state}{took}{reason}", style=COLOURS.get(run.state, ""))
    rows = [
        ("experiment", run.experiment),
        ("backend", run.backend),
        ("kernel", run.url),
        ("code", run.sha[:12]),
        ("ran on", run.result.proof if run.result else ""),
        *_metrics(run),
        *((_PLACES.get(name, name), where) for name, where in seen_at(run).items()),
        ("published", told(run.result.published, run.run) if run.result else ""),
        ("legs", f"{len(run.legs)}, {run.hours:.2f} h together" if len(run.legs) > 1 else ""),
        ("outputs", _outputs(run)),
        ("report", _report(run)),
        ("promoted to", ", ".join(versions)),
    ]
    shown = [(label, value) for label, value in rows if value]
    wide = max(15, *(len(label) for label, _ in shown))
    for label, value in shown:
        screen.say(f"  {label:<{wide}} {value}")
    show_diagnosis(screen.say, run.diagnosis, said=run.reason)


def show_standing(screen: Screen, standing: "Standing | None") -> None:
    """How a run compares with the best of its experiment before it."""
    if standing is not None:
        colour = "green" if standing.value >= standing.best else "yellow"
        screen.say(f"  {standing.metric:<15} {standing.value:.3f}, {standing}", style=colour)


def show_diagnosis(say: Callable[[str], None], diagnosis: "Diagnosis | None", said: str = "") -> None:
    """Why a run failed, what shows it but was not said, and what to do next."""
    if diagnosis is not None:
        say(f"  why: {diagnosis.summary} [{diagnosis.kind}]")
        for line in (line for line in diagnosis.lines if not _repeats(line, said)):
            say(f"  | {line}")
        say(f"  next: {diagnosis.next}")


def _repeats(line: str, said: str) -> bool:
    """A line of the log that is the reason itself; long ones are cut."""
    return bool(said) and said[:200] in line and len(line) < len(said) + 40


def _metrics(run: Run) -> list[tuple[str, str]]:
    metrics, sure = run.result.metrics if run.result else {}, _intervals(run)
    return [(name, f"{metrics[name]:.4f}{sure.get(name, '')}") for name in _TOP if name in metrics]


def _intervals(run: Run) -> dict[str, str]:
    """How far metrics would swing with other images of the same kind, where the outputs are here and say it."""
    from containerid.report import outputs

    if not run.outputs:
        return {}
    found = outputs.read(Path(run.outputs)).evaluation
    split, told = found.text("split") or "test", {}
    for name in ("mAP50", "mAP50-95", "accuracy_top1", "accuracy_top5"):
        low, high = (found["intervals"][name].number(end) for end in ("low", "high"))
        if low is not None and high is not None:
            told[f"{split}/{name}"] = f"  ({low:.2f} to {high:.2f}, 95 times in 100)"
    return told


def _report(run: Run) -> str:
    from containerid.report.run import REPORT_FILE

    page = Path(run.outputs, REPORT_FILE)
    return near(str(page)) if run.outputs and page.is_file() else ""


def _outputs(run: Run) -> str:
    return f"{near(run.outputs)} ({'verified' if run.verified else 'not verified'})" if run.outputs else ""


def near(path: str) -> str:
    """The path relative to where the user stands, when that is shorter."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def show_findings(screen: Screen, findings: "Findings") -> None:
    """What became of a run's outputs: what is not as it was, by name, and how many are."""
    mark = "✓" if findings.verified else "✗"
    where = near(str(findings.folder))
    screen.say(f"{mark} {findings.run}  {len(findings.good)} outputs are the manifest's, in {where}")
    for word, names in (("changed", findings.changed), ("missing", findings.missing)):
        for name in names:
            screen.say(f"  {word:<15} {name}")
    if findings.unknown:
        screen.say(f"  {'not of the run':<15} {', '.join(findings.unknown)}")


def show_history(screen: Screen, run: Run, registry: Registry) -> None:
    """The plan as it was shown, where the session's time went, and every state with its time."""
    took = run.result.timeline.items() if run.result else ()
    spent = ", ".join(f"{name.replace('_', ' ')} {duration(seconds)}" for name, seconds in took)
    for label, value in (*run.plan, *([("time", spent)] if spent else [])):
        screen.say(f"  {label:<15} {value}")
    for state, reason, at in registry.transitions(run.run):
        screen.say(f"  {at}  {state}" + (f": {reason}" if reason else ""))


_COLUMNS = ("run", "state", "project", "test mAP50/50-95", "test top 1", "age", "backend", "experiment")


def show_runs(screen: Screen, runs: Sequence[Run]) -> None:
    """All runs, the newest first; a column in which nothing is to be told is left out."""
    if not runs:
        screen.say("no run yet: cid train --rehearse -e smoke makes the first, on this machine")
        return
    several = len({run.folder for run in runs}) > 1
    rows = [_cells(run, several=several) for run in runs]
    columns = [at for at, _ in enumerate(_COLUMNS) if any(row[at] for row in rows)]
    screen.table([_COLUMNS[at] for at in columns], ([row[at] for at in columns] for row in rows))


def show_ghosts(screen: Screen, ghosts: "Sequence[Ghost]") -> None:
    """Sessions that are billed and that nobody waits for."""
    for each in ghosts:
        screen.say(f"! {each.handle} version {each.version} is {each.state} and billed: {each.why}", style="yellow")
        screen.say(f"  try: {each.mend}")


def show_items(screen: Screen, items: "Sequence[Item]") -> None:
    """What cid has made, what of it goes, and why the rest stays."""
    if not items:
        screen.say("nothing of cid's is left anywhere")
        return
    rows = ((each.kind, each.name, "goes" if each.goes else "stays", each.why) for each in items)
    screen.table(("what", "name", "it", "why"), rows)


def _cells(run: Run, *, several: bool) -> list[str]:
    """`several` projects are shown, so that each is named."""
    metrics = run.result.metrics if run.result else {}
    scores = [f"{metrics[name]:.3f}" for name in _TOP[:2] if name in metrics]
    right = f"{metrics[_SURE[0]]:.3f}" if _SURE[0] in metrics else ""
    named = run.run.startswith(f"{run.experiment}-")
    experiment = "" if named else run.experiment
    project = run.project if several else ""
    return [run.run, str(run.state), project, " / ".join(scores), right, age(run), run.backend, experiment]


def age(run: Run) -> str:
    """How long ago the run was asked for."""
    return duration((datetime.now(UTC) - datetime.fromisoformat(run.created)).total_seconds()) if run.created else ""


def next_steps(screen: Screen, run: Run) -> None:
    """The commands that come next, on stderr."""
    promotable = run.verified and run.ours and not run.spec.get("quick")
    steps = {
        State.SUCCEEDED: (
            f"cid report {run.run} --open" if run.outputs else f"cid fetch {run.run}",
            *([f"cid promote {run.run}"] if promotable else []),
        ),
        # A diagnosis has said what comes next.
        State.FAILED: () if run.diagnosis else (f"cid logs {run.run} --tail 50",),
    }
    running = (f"cid status {run.run}", f"cid logs {run.run} -f", f"cid fetch {run.run}")
    if not screen.manner.quiet:
        for step in steps.get(run.state, ()) if run.state.final else running:
            screen.hint(f"  next: {step}")


def show_plan(screen: Screen, folder: Path) -> None:
    """Where a dry run wrote what would have been sent."""
    screen.document({"folder": str(folder), "files": sorted(path.name for path in folder.iterdir())})
    screen.say(f"nothing was sent; what would be is in {near(str(folder))}")


def show_server(screen: Screen, url: str) -> None:
    """How to use the embedded Kaggle that has just started."""
    screen.document({"url": url})
    screen.say(f"the embedded Kaggle listens on {url}; it runs what is pushed to it, as you: for your own code only")
    screen.say(f"  cid:    CID_KAGGLE_URL={url} KAGGLE_USERNAME=me KAGGLE_KEY=any cid train --kaggle")
    screen.say(
        f"  kaggle: KAGGLE_API_ENVIRONMENT=LOCALHOST http_proxy={url} KAGGLE_USERNAME=me KAGGLE_KEY=any kaggle …"
    )
