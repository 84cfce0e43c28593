"""The check of a detection set beside Ultralytics' own scan and beside the bare decoder, and how it grows.

Every measurement is a process of its own, in turn; the set is made in scratch. `CID_BENCH_IMAGES` (5000) is the size of
the set of 640 pixels, `CID_BENCH_FILES` (50000) the largest of the set of small ones, `CID_BENCH_ROUNDS` (5) how often.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

IMAGES = int(os.environ.get("CID_BENCH_IMAGES", "5000"))
FILES = int(os.environ.get("CID_BENCH_FILES", "50000"))
ROUNDS = int(os.environ.get("CID_BENCH_ROUNDS", "5"))


def structure(folder: Path) -> Callable[[], None]:
    """Our check without a pixel decoded."""
    from containerid.dataset import check, sets

    def run() -> None:
        report = check.check(sets.read(folder / "data.yaml"))
        assert not report.errors, report.verdict

    return run


def deep(folder: Path, processes: int | None = None) -> Callable[[], None]:
    """Our check with every pixel decoded, near-duplicates included."""
    import simplejpeg  # noqa: F401
    from PIL import Image  # noqa: F401

    from containerid.dataset import check, likeness, sets  # noqa: F401

    def run() -> None:
        report = check.check(sets.read(folder / "data.yaml"), deep=True, processes=processes)
        assert not report.errors, report.verdict

    return run


def alone(folder: Path) -> Callable[[], None]:
    """The same in one process."""
    return deep(folder, 1)


def kept(folder: Path) -> Callable[[], None]:
    """The same, of a set that has not changed since."""
    from containerid.dataset import check, sets

    keep = folder.with_name("kept")

    def run() -> None:
        check.check(sets.read(folder / "data.yaml"), deep=True, keep=keep)

    time.sleep(2)  # A file that changed just now is not known by its times.
    run()
    return run


def fresh(folder: Path) -> Callable[[], None]:
    """The same, of a set that nothing is known of, with what is found written down."""
    return _keeping(folder, folder)


def copied(folder: Path) -> Callable[[], None]:
    """The same, of another copy of the set."""
    from containerid.dataset import check, sets

    other = folder.with_name(f"{folder.name}-copy")
    if not other.is_dir():
        shutil.copytree(folder, other)
    run = _keeping(folder, other)
    check.check(sets.read(folder / "data.yaml"), deep=True, keep=folder.with_name("kept"))
    return run


def _keeping(folder: Path, looked_at: Path) -> Callable[[], None]:
    import simplejpeg  # noqa: F401
    from PIL import Image  # noqa: F401

    from containerid.dataset import check, likeness, sets  # noqa: F401

    keep = folder.with_name("kept")
    shutil.rmtree(keep, ignore_errors=True)

    def run() -> None:
        report = check.check(sets.read(looked_at / "data.yaml"), deep=True, keep=keep)
        assert not report.errors, report.verdict

    return run


def bare(folder: Path) -> Callable[[], None]:
    """The decoder alone, strict, grey, at an eighth of the size, in one process."""
    import simplejpeg

    def run() -> None:
        for path in sorted(folder.glob("images/*/*.jpg")):
            with path.open("rb") as file:
                simplejpeg.decode_jpeg(file.read(), "GRAY", min_height=34, min_width=34)

    return run


def theirs(folder: Path) -> Callable[[], None]:
    """Ultralytics' scan of the same splits, without the cache that it leaves."""
    os.environ["YOLO_VERBOSE"] = "false"
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    for cache in folder.rglob("*.cache"):
        cache.unlink()

    def run() -> None:
        data = check_det_dataset(str(folder / "data.yaml"))
        for split in ("train", "val", "test"):
            YOLODataset(img_path=data[split], data=data, augment=False)

    return run


WAYS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "Ultralytics' scan": theirs,
    "check": structure,
    "the decoder alone": bare,
    "check --deep, one process": alone,
    "check --deep": deep,
    "check --deep, kept": fresh,
    "check --deep, a copy": copied,
    "check --deep, unchanged": kept,
}


def measure(way: str, folder: Path) -> dict[str, float]:
    """Seconds by the clock, seconds of CPU (children included) and peak MB, without what is loaded before."""
    command = [sys.executable, "-m", "benchmarks.check", way, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _once(way: str, folder: Path) -> None:
    run = WAYS[way](folder)
    before, begun = _cpu(), time.perf_counter()
    run()
    wall, cpu = time.perf_counter() - begun, _cpu() - before
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak / (1024 if sys.platform == "linux" else 1 << 20)}))


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(folder: Path) -> None:
    """Every way in turn, on the set of large pictures."""
    size = sum(path.stat().st_size for path in folder.rglob("*.jpg"))
    print(f"{IMAGES:,} JPEGs of 640 pixels, {size / IMAGES / 1000:.0f} kB each, {ROUNDS} rounds, medians")
    times: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, found in times.items():
            found.append(measure(way, folder))
    for way, peer in (
        *((way, "Ultralytics' scan") for way in WAYS),
        ("check --deep, one process", "the decoder alone"),
    ):
        wall, cpu, peak = (statistics.median(each[what] for each in times[way]) for what in ("wall", "cpu", "peak"))
        ratio = statistics.median(a["wall"] / b["wall"] for a, b in zip(times[peer], times[way], strict=True))
        used = statistics.median(a["cpu"] / b["cpu"] for a, b in zip(times[peer], times[way], strict=True))
        rate = f"{IMAGES / wall:9,.0f} img/s  {wall:7.3f} s  {cpu:7.3f} s CPU  {peak:5.0f} MB"
        print(f"  {way:<26} {rate}  {ratio:6.2f} × as fast, {used:6.2f} × by CPU, as {peer}")


def grow(scratch: Path) -> None:
    """The check of ever more small pictures."""
    from benchmarks.pictures import make_set

    print("small pictures of 96 pixels")
    for count in (FILES // 25, FILES // 5, FILES):
        folder = make_set(scratch / str(count), count, side=96)
        for way in ("check", "check --deep", "check --deep, unchanged"):
            found = measure(way, folder)
            rate = f"{count / found['wall']:9,.0f} img/s  {found['wall']:7.3f} s  {found['cpu']:7.3f} s CPU"
            print(f"  {count:7,} {way:<26} {rate}  {found['peak']:5.0f} MB")


def main() -> None:
    """Print both tables."""
    from benchmarks.pictures import make_set

    with tempfile.TemporaryDirectory() as scratch:
        compare(make_set(Path(scratch) / "large", IMAGES))
        grow(Path(scratch))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _once(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
