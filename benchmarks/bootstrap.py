"""From the beginning of a session to its trainer, on the embedded Kaggle: packages really missing, data really in DVC.

A project asks for three packages and what they share, of 8 MB each, and has its set in DVC (`CID_BENCH_PULL_MB`, 96).
The kernel of cid installs them in one call while `dvc pull` runs beside it. Then goes its second leg, which finds a
newer release of each package in the index. Beside it runs the loop that notebooks are made of: `pip install` for one
package after the other, then `dvc pull`. All find the same index and the same remote, over lines of one speed each
(`CID_BENCH_RATE`, 8 MB a second), and the same Python, in which DVC is. uv takes part where it is found, as on Kaggle.
The kernel of cid proves the code and the hardware and looks the machine over meanwhile; the loop does not.
`CID_BENCH_ROUNDS` (2) rounds, in turn. What it cannot tell: how fast Kaggle's lines are, and how full its disks.
"""

import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from containerid.clock import Clock
from containerid.home import Home
from containerid.job import RESULT_MARK, Code, Data, Leg, Spec
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.plan import KaggleSettings
from containerid.treeid import tree_id

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from fakes.index import Index, serving, wheel
from fakes.remotes import Remote, dvc_project, served

ROUNDS = int(os.environ.get("CID_BENCH_ROUNDS", "2"))
PULLED = int(os.environ.get("CID_BENCH_PULL_MB", "96"))
RATE = float(os.environ.get("CID_BENCH_RATE", "8")) * 1e6
WANTED = ("doorframe", "doorhandle", "doorlock")
MARK = "seconds until the trainer: "

_TRAINER = f"""
import os, time
print("{MARK}" + str(time.monotonic() - float(os.environ["CID_SESSION_BEGAN"])), flush=True)
import {", ".join(WANTED)}
print("with", {", ".join(f"{name}.version" for name in WANTED)})
raise SystemExit(9)
"""
_LOOP = f"""
import pathlib, subprocess, sys, time
begun = time.monotonic()
folder = pathlib.Path("project")
for name, text in {{files!r}}.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
for name in {WANTED!r}:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", name], check=True)
subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "data/doors.dvc"], cwd=folder, check=True)
print("{MARK}" + str(time.monotonic() - begun), flush=True)
"""


@dataclass
class Bench:
    """What a round needs: where cid keeps its things, the platform, the project, and what it takes from elsewhere."""

    home: Home
    backend: KaggleBackend
    project: Path
    index: Index
    remote: Remote


@dataclass
class Ran:
    """A session: seconds until its trainer, its timeline, what it asked the index for, and which versions it had."""

    seconds: float
    leg: Leg
    timeline: dict[str, float]
    asked: int
    versions: str


def main() -> None:
    """Print the seconds of each round, the medians, and their ratios."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, _bench(Path(scratch)) as bench:
        rounds = [(*_ours(bench, number), _theirs(bench, number)) for number in range(ROUNDS)]
    first, second, loop = (statistics.median(ran.seconds for ran in column) for column in zip(*rounds, strict=True))
    print(f"from the session's beginning to the trainer: {first:.1f} s beside {loop:.1f} s, {loop / first:.2f} ×")
    asked = [ran.asked for ran in rounds[-1]]
    print(
        f"the second leg: {second:.1f} s, {asked[1]} requests to the index (the first {asked[0]}, the loop {asked[2]})"
    )
    print(f"versions of the first leg {rounds[-1][0].versions}, of the second {rounds[-1][1].versions}")


def _ours(bench: Bench, number: int) -> tuple[Ran, Ran]:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for path in sorted(bench.project.iterdir()):
            archive.add(path, path.name)
    tree, digest = tree_id(bench.project), hashlib.sha256(packed.getvalue()).hexdigest()
    spec = Spec(run=f"ours-{number}", entry="mine", code=Code(tree=tree, carried_tree=tree, digest=digest), **_COMMON)
    _release(bench.index, f"{number}.1")
    first = _run(bench, spec, packed.getvalue(), "")
    _release(bench.index, f"{number}.2")
    past = bench.backend.hand_over(spec, first.leg, lambda _: None)
    return first, _run(bench, replace(spec, leg=2, past=past), packed.getvalue(), "")


def _theirs(bench: Bench, number: int) -> Ran:
    names = (".dvc/config", "data/doors.dvc")
    files = {name: (bench.project / name).read_text(encoding="utf-8") for name in names}
    files[".dvc/config"] = files[".dvc/config"].replace("[core]\n", "[core]\n    no_scm = true\n")
    spec = Spec(
        run=f"theirs-{number}", code=Code(digest=hashlib.sha256(b"").hexdigest(), holds_package=True), **_COMMON
    )
    return _run(bench, spec, b"", _LOOP.replace("{files!r}", repr(files)))


_COMMON: dict[str, Any] = {
    "backend": "kaggle",
    "data": Data(provider="dvc", source="data/doors.dvc"),
    "gpu": False,
    "internet": True,
}


def _run(bench: Bench, spec: Spec, archive: bytes, script: str) -> Ran:
    """Submit a kernel, that of cid or a script in its place, and read its own clock from its log."""
    parcel = bench.home.parcel(spec.run)
    (parcel / "code.tar.xz").write_bytes(archive)
    for name, content in bench.backend.plan(spec).files.items():
        (parcel / name).write_bytes(content)
    if script:
        cargo = json.dumps({"spec": spec.to_dict()})
        (parcel / "kernel.py").write_text(f"import json\nCARGO = json.loads({cargo!r})\n{script}", encoding="utf-8")
    bench.index.asked.clear()
    leg = bench.backend.submit(spec)
    lines = [line.text for line in bench.backend.logs(leg, follow=True)]
    seconds = next((float(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)), None)
    if seconds is None:
        sys.exit("\n".join(lines))
    versions = next((line.removeprefix("with ") for line in lines if line.startswith("with ")), "")
    results = [json.loads(line.removeprefix(RESULT_MARK)) for line in lines if line.startswith(RESULT_MARK)]
    timeline = results[-1]["timeline"] if results else {}
    told = ", ".join(f"{name} {spent:.1f} s" for name, spent in timeline.items())
    print(f"{spec.run} leg {spec.leg}: {seconds:.1f} s" + (f" ({told})" if told else ""), flush=True)
    return Ran(seconds, leg, timeline, len(bench.index.asked), versions)


def _release(index: Index, version: str) -> None:
    """Publish all packages, in a version above all others; half of their text is left when it is packed."""
    text = f"# {random.Random(version).randbytes(4_000_000).hex()}\n"
    index.add(wheel("hinges", version, text=text))
    index.add(*(wheel(name, version, "hinges", text=text) for name in WANTED))


@contextmanager
def _bench(scratch: Path) -> Iterator[Bench]:
    python = _python(scratch / "python")
    project = scratch / "project"
    (scratch / "storage").mkdir()
    with serving() as index, served(scratch / "storage") as remote:
        index.line.rate = remote.line.rate = RATE
        _write_project(project, scratch / "storage", remote.url)
        os.environ |= {"PIP_INDEX_URL": index.url, "UV_DEFAULT_INDEX": index.url}
        os.environ |= {"PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
        with EmbeddedKaggle(scratch / "kaggle", python=python, isolate=False) as kaggle:
            os.environ |= {"CID_KAGGLE_URL": kaggle.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
            os.environ["CID_HOME"] = str(scratch / "home")
            home = Home.of_user()
            yield Bench(home, KaggleBackend(home, KaggleSettings(), clock=Clock()), project, index, remote)


def _python(folder: Path) -> str:
    """A Python that has what this one has, and `python -m uv` where this machine has uv."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (own,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for each in own.iterdir():
        if each.suffix != ".pth" and not (site / each.name).exists():
            (site / each.name).symlink_to(each)
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(__file__).parents[1] / ".tools/bin")):
        (site / "uv").mkdir(exist_ok=True)
        (site / "uv/__init__.py").write_text("")
        (site / "uv/__main__.py").write_text(f"import os, sys\nos.execv({uv!r}, [{uv!r}, *sys.argv[1:]])\n")
    return str(folder / "bin/python")


def _write_project(folder: Path, storage: Path, url: str) -> None:
    """A project that lists the packages, has a trainer of its own, and its set in DVC."""
    numbers = random.Random(0)
    for number in range(48):
        path = folder / f"data/doors/images/train/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbers.randbytes(PULLED * 1_000_000 // 48))
    dvc_project(folder, "data/doors", storage, url)
    asked = f'[project]\nname = "doors"\ndependencies = {json.dumps(WANTED)}\n'
    (folder / "pyproject.toml").write_text(asked, encoding="utf-8")
    (folder / "mine.py").write_text(_TRAINER, encoding="utf-8")


if __name__ == "__main__":
    main()
