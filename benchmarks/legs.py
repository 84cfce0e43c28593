"""A training in legs on the embedded Kaggle beside the same training in one: epochs, learning rates, final metrics.

Each seed is trained twice: without a session limit, and with one (`CID_BENCH_LIMIT`, 120 s) that about two and a half
sessions are needed for, as `cid train --until-done` does. `CID_BENCH_REPEATS` (3) is how many seeds, and
`CID_BENCH_EPOCHS` how many epochs, which else a first short run tells.
"""

import csv
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from containerid import runs
from containerid.events import Changed, Event

LIMIT = float(os.environ.get("CID_BENCH_LIMIT", "120"))
REPEATS = int(os.environ.get("CID_BENCH_REPEATS", "3"))
EPOCHS = int(os.environ.get("CID_BENCH_EPOCHS", "0"))
METRICS = ("test/mAP50", "test/mAP50-95")
_TRIAL, _LEARNS = 10, 60
PARAMS = """
project: legs
detection:
  model: {architecture: yolo11n, pretrained: false}
  training: {epochs: 3, imgsz: 96, batch_size: 8, nbs: 8, workers: 0, plots: false, optimizer: AdamW,
             learning_rate: 0.002, patience: 0}
  data: {provider: synthetic, images: 32, imgsz: 96}
  wandb: {mode: disabled}
"""


def main() -> None:
    """Print a table: seed, legs, hours, whether the curves are the same, and both metrics each way."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder, home = _project(Path(scratch, "project")), runs.Home(Path(scratch, "home"))
        epochs = EPOCHS or _enough(_train(folder, home, 0, _TRIAL, None))
        print(f"{epochs} epochs, a session limit of {LIMIT:.0f} s, {REPEATS} seeds")
        print("seed  legs  same epochs  same rates  same curve  " + "  ".join(f"{name} one / legs" for name in METRICS))
        pairs = [_pair(folder, home, seed, epochs) for seed in range(REPEATS)]
    for name in METRICS:
        one, legs = ([run.result.metrics[name] for run in column if run.result] for column in zip(*pairs, strict=True))
        apart = max(abs(a - b) for a, b in zip(one, legs, strict=True))
        spread = statistics.stdev(one) if len(one) > 1 else float("nan")
        print(f"{name}: at most {apart:.4f} apart with the same seed; from seed to seed σ = {spread:.4f}")


def _pair(folder: Path, home: runs.Home, seed: int, epochs: int) -> tuple[runs.Run, runs.Run]:
    one, legs = _train(folder, home, seed, epochs, None), _train(folder, home, seed, epochs, LIMIT)
    alike = [_curve(one, names) == _curve(legs, names) for names in ("epoch", "lr/", "")]
    metrics = [f"{run.result.metrics[name]:.4f}" for name in METRICS for run in (one, legs) if run.result]
    print(
        f"{seed:>4}  {len(legs.legs):>4}  {alike[0]!s:>11}  {alike[1]!s:>10}  {alike[2]!s:>10}  ", *metrics, flush=True
    )
    return one, legs


def _curve(run: runs.Run, start: str) -> list[dict[str, str]]:
    """The columns of results.csv whose names start so; never the time."""
    with Path(run.outputs, "results.csv").open() as file:
        return [
            {name: value for name, value in row.items() if name.startswith(start) and name != "time"}
            for row in csv.DictReader(file)
        ]


def _train(folder: Path, home: runs.Home, seed: int, epochs: int, limit: float | None) -> runs.Run:
    request = runs.Request(
        backend="rehearsal",
        folder=folder,
        overrides=(f"training.seed={seed}", f"training.epochs={epochs}"),
        options={"session_limit": limit} if limit else {},
    )
    run = runs.submit(request, home=home, tell=_tell, ask=lambda _: True)
    return runs.fetch(runs.until_done(run, home=home, tell=_tell), home=home)


def _tell(event: Event) -> None:
    if isinstance(event, Changed) and event.reason:
        print(f"      {event.run} {event.state}: {event.reason}", flush=True)


def _enough(run: runs.Run) -> int:
    """Epochs for about two and a half sessions, by a short run; enough to learn something."""
    if not run.outputs:
        raise SystemExit(f"the first run failed: {run.reason}")
    seconds = [json.loads(line)["seconds"] for line in Path(run.outputs, "progress.jsonl").read_text().splitlines()]
    pace = (seconds[-1] - seconds[0]) / (len(seconds) - 1)
    return max(_LEARNS, int(2.5 * (LIMIT * 0.99 - 5 - (run.hours * 3600 - seconds[-1])) / pace))


def _project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (folder / ".gitignore").write_text("/runs/\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=b", "-c", "user.email=b@x", "commit", "-qm", "b"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


if __name__ == "__main__":
    main()
