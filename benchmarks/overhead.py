"""CPU time of a training through `containerid.training` beside `yolo detect train` with the same arguments.

Interleaved pairs on the same drawn set, one thread. Each side trains, validates every epoch and draws its plots; ours
looks at the machine, checks the data and keeps a checkpoint each epoch besides, and all of that counts. What it does
once the training is over, and plain YOLO does not do at all (evaluation, records, the report), is told by itself.
`CID_BENCH_PAIRS` (5), `CID_BENCH_EPOCHS` (10) and `CID_BENCH_IMAGES` (64) change the size. Linux.
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from containerid.job import Data, Spec
from containerid.training import synthetic

PAIRS = int(os.environ.get("CID_BENCH_PAIRS", "5"))
EPOCHS = int(os.environ.get("CID_BENCH_EPOCHS", "10"))
IMAGES = int(os.environ.get("CID_BENCH_IMAGES", "64"))
SIDE, CHECKED = 160, 16
LIMIT = 1.05
OVER = b"[5/6] evaluate"
"""The first line of ours after the training."""
_PARAMS = {
    "model": {"architecture": "yolo11n", "pretrained": False},
    "training": {"epochs": EPOCHS, "imgsz": SIDE, "batch_size": 16, "workers": 0, "seed": 3},
    "wandb": {"mode": "disabled"},
}
_PLAIN = ("model=yolo11n.yaml", "pretrained=False", f"epochs={EPOCHS}", f"imgsz={SIDE}", "batch=16", "workers=0")


def main() -> None:
    """Print a line for each pair, the median of the ratios, and whether the curves are the same. Exit 1 above 5 %."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        data = _draw(folder / "doors")
        environ = _environ(folder)
        print(f"{EPOCHS} epochs, {IMAGES} images of {SIDE} px, {PAIRS} pairs: CPU seconds")
        pairs = [_pair(folder / str(number), data, environ) for number in range(PAIRS)]
    ratio = statistics.median(ours / plain for plain, ours, _ in pairs)
    same = "the same" if all(alike for *_, alike in pairs) else "OTHERS"
    print(f"median of the ratios: {ratio:.3f} (at most {LIMIT}); the rows of results.csv, but for `time`: {same}")
    if ratio > LIMIT or same == "OTHERS":
        sys.exit(1)


def _draw(folder: Path) -> Path:
    """A set that has no test split: of all that is drawn, some is for validation, the rest for training."""
    synthetic.draw(folder, IMAGES + CHECKED, SIDE, 1)
    for kind in ("images", "labels"):
        files = sorted(path for path in (folder / kind).glob("*/*"))
        for number, path in enumerate(files):
            path.rename(folder / kind / ("train" if number < IMAGES else "val") / path.name)
        (folder / kind / "test").rmdir()
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door]\n", encoding="utf-8")
    return folder


def _environ(folder: Path) -> dict[str, str]:
    """One thread, no network, and a settings folder in which every logger and report of Ultralytics is off."""
    settings = folder / "config" / "Ultralytics"
    settings.mkdir(parents=True)
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
        "YOLO_CONFIG_DIR": str(folder / "config"),
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "false",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def _pair(folder: Path, data: Path, environ: dict[str, str]) -> tuple[float, float, bool]:
    folder.mkdir()
    yolo = str(Path(sys.executable).with_name("yolo"))
    plain = [
        yolo,
        "detect",
        "train",
        f"data={data / 'data.yaml'}",
        *_PLAIN,
        "seed=3",
        f"project={folder}",
        "name=plain",
    ]
    spec = Spec(run="r1", device="cpu", params=_PARAMS, data=Data(provider="folder", source=str(data)))
    (folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    ours = [sys.executable, "-m", "containerid.training", "--spec", str(folder / "spec.json"), "--out"]
    first, _ = _measure(plain, folder, environ)
    second, whole = _measure([*ours, str(folder / "ours")], folder, environ)
    alike = _curve(folder / "plain") == _curve(folder / "ours")
    print(f"yolo {first:6.1f}   cid {second:6.1f}, ratio {second / first:.3f}, then {whole - second:.1f}", flush=True)
    return first, second, alike


def _measure(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """CPU seconds of a command and all that it started and waited for: until its training is over, and in all."""
    said, trained = [], 0.0
    process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in process.stdout or ():
        said.append(line)
        if line.startswith(OVER):
            trained = _used(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}: {b''.join(said[-20:]).decode()}")
    whole = used.ru_utime + used.ru_stime
    return trained or whole, whole


def _used(process: int) -> float:
    """CPU seconds of a process that runs, and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


if __name__ == "__main__":
    main()
