"""From the beginning of a session to the training, on the embedded Kaggle, with packages really missing.

The kernel of cid installs them in one call while it pulls a file; beside it runs the loop that notebooks are made of:
`pip install` for one package after the other, then the pull. Both find the same packages in the same index, pull the
same file from the same server at the same speed (`CID_BENCH_PULL_MB`, 24; `CID_BENCH_PULL_RATE`, 8 MB a second), and
run in the same Python, into which three packages and what they share are to be installed. uv takes part where it is
found, as on Kaggle; without it ours is a single call of pip. `CID_BENCH_ROUNDS` (3) rounds, in turn.
"""

import hashlib
import http.server
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.clock import Clock
from containerid.home import Home
from containerid.job import Code, Data, Spec
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.plan import KaggleSettings
from containerid.treeid import tree_id

ROUNDS = int(os.environ.get("CID_BENCH_ROUNDS", "3"))
PULLED = int(os.environ.get("CID_BENCH_PULL_MB", "24"))
RATE = int(os.environ.get("CID_BENCH_PULL_RATE", "8"))
PACKAGES = {"doorframe": ("hinges>=1",), "doorhandle": ("hinges>=1",), "doorlock": ("hinges>=1",), "hinges": ()}
WANTED = [name for name in PACKAGES if name != "hinges"]
MARK = "seconds until the training: "

_PULL = "import urllib.request; print('brought meanwhile:', len(urllib.request.urlopen({url!r}).read()), 'bytes')\n"
_TRAIN = f"""
import json, os, pathlib, sys, time
print("{MARK}" + str(time.monotonic() - float(os.environ["CID_SESSION_BEGAN"])), os.environ["CID_TIMELINE"], flush=True)
import {", ".join(WANTED)}
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
run = json.loads(pathlib.Path(option["--spec"]).read_text())["run"]
result = {{"version": 1, "run": run, "outcome": "succeeded"}}
(pathlib.Path(option["--out"]) / "result.json").write_text(json.dumps(result))
(pathlib.Path(option["--out"]) / "manifest.json").write_text("{{}}")
print("CID_RESULT " + json.dumps(result), flush=True)
"""
_LOOP = f"""
import subprocess, sys, time
begun = time.monotonic()
for name in {WANTED!r}:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", name], check=True)
subprocess.run([sys.executable, "-c", {{pull!r}}], check=True)
print("{MARK}" + str(time.monotonic() - begun), flush=True)
"""


@dataclass
class Bench:
    """What a round needs: where cid keeps its things, the platform, and the project."""

    home: Home
    backend: KaggleBackend
    project: Path
    pull: str


class Shop(http.server.BaseHTTPRequestHandler):
    """A package index, and a file at a limited speed."""

    wheels: dict[str, bytes]

    def do_HEAD(self) -> None:
        """As GET, without the content."""
        self._head(len(self._content() or b""))

    def do_GET(self) -> None:
        """`/simple/NAME/`, `/files/WHEEL` or `/pull`."""
        content = self._content()
        if content is not None:
            self._head(len(content))
            self.wfile.write(content)
            return
        self._head(PULLED * 1_000_000)
        for _ in range(PULLED * 10):
            self.wfile.write(b"\0" * 100_000)
            time.sleep(0.1 / RATE)

    def _head(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def _content(self) -> bytes | None:
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "simple":
            links = [each for each in self.wheels if each.startswith(f"{name}-")]
            return "".join(f'<a href="/files/{each}">{each}</a>' for each in links).encode()
        return self.wheels[name] if kind == "files" else None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Print the seconds of each round, both medians, and their ratio."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, _bench(Path(scratch)) as bench:
        times = [(_ours(bench, number), _theirs(bench, number)) for number in range(ROUNDS)]
    for ours, theirs in times:
        print(f"cid {ours:5.1f} s   one by one, then the pull {theirs:5.1f} s")
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"from the session's beginning to the training: {ours:.1f} s beside {theirs:.1f} s, {theirs / ours:.2f} ×")


def _ours(bench: Bench, number: int) -> float:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for path in sorted(bench.project.iterdir()):
            archive.add(path, path.name)
    tree, digest = tree_id(bench.project), hashlib.sha256(packed.getvalue()).hexdigest()
    code = Code(tree=tree, carried_tree=tree, digest=digest, holds_package=True)
    return _run(bench, Spec(run=f"ours-{number}", code=code, **_COMMON), packed.getvalue(), "")


def _theirs(bench: Bench, number: int) -> float:
    spec = Spec(
        run=f"theirs-{number}", code=Code(digest=hashlib.sha256(b"").hexdigest(), holds_package=True), **_COMMON
    )
    return _run(bench, spec, b"", _LOOP.replace("{pull!r}", repr(bench.pull)))


_COMMON: dict[str, Any] = {"backend": "kaggle", "data": Data(provider="synthetic"), "gpu": False, "internet": True}


def _run(bench: Bench, spec: Spec, archive: bytes, script: str) -> float:
    """Submit a kernel, that of cid or a script in its place, and read its own clock from its log."""
    parcel = bench.home.parcel(spec.run)
    (parcel / "code.tar.xz").write_bytes(archive)
    for name, content in bench.backend.plan(spec).files.items():
        (parcel / name).write_bytes(content)
    if script:
        cargo = json.dumps({"spec": spec.to_dict()})
        (parcel / "kernel.py").write_text(f"import json\nCARGO = json.loads({cargo!r})\n{script}", encoding="utf-8")
    lines = [line.text for line in bench.backend.logs(bench.backend.submit(spec), follow=True)]
    told = next((line for line in lines if line.startswith(MARK)), None)
    if told is None:
        sys.exit("\n".join(lines))
    seconds, _, timeline = told.removeprefix(MARK).partition(" ")
    print(f"{spec.run}: {float(seconds):.1f} s {timeline}")
    return float(seconds)


@contextmanager
def _bench(scratch: Path) -> Iterator[Bench]:
    wheels = {f"{name}-1.0-py3-none-any.whl": _wheel(name, needs) for name, needs in PACKAGES.items()}
    handler = type("Handler", (Shop,), {"wheels": wheels})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{shop.server_port}"
        os.environ |= {"PIP_INDEX_URL": f"{url}/simple", "UV_DEFAULT_INDEX": f"{url}/simple", "PIP_FIND_LINKS": ""}
        pull = _PULL.format(url=f"{url}/pull")
        with EmbeddedKaggle(scratch / "kaggle", python=_python(scratch / "python"), isolate=False) as kaggle:
            os.environ |= {"CID_KAGGLE_URL": kaggle.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}
            os.environ["CID_HOME"] = str(scratch / "home")
            home = Home.of_user()
            backend = KaggleBackend(home, KaggleSettings(), clock=Clock())
            yield Bench(home, backend, _project(scratch / "project", pull), pull)
        shop.shutdown()


def _wheel(name: str, needs: tuple[str, ...]) -> bytes:
    info, packed = f"{name}-1.0.dist-info", io.BytesIO()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {each}" for each in needs)]
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return packed.getvalue()


def _python(folder: Path) -> str:
    """A Python with pip, which has `packaging`, and `python -m uv` where this machine has uv."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    if uv := shutil.which("uv") or shutil.which("uv", path=str(Path(__file__).parents[1] / ".tools/bin")):
        (site / "uv").mkdir()
        (site / "uv/__init__.py").write_text("")
        (site / "uv/__main__.py").write_text(f"import os, sys\nos.execv({uv!r}, [{uv!r}, *sys.argv[1:]])\n")
    return str(folder / "bin/python")


def _project(folder: Path, pull: str) -> Path:
    """A project that lists the packages, with a containerid whose training ends as soon as it begins."""
    training = folder / "containerid/training"
    training.mkdir(parents=True)
    for path, text in {
        folder / "pyproject.toml": f'[project]\nname = "doors"\ndependencies = {json.dumps(WANTED)}\n',
        folder / "containerid/__init__.py": "",
        training / "__init__.py": "",
        training / "__main__.py": _TRAIN,
        training / "hardware.py": "",
        training / "prefetch.py": pull,
    }.items():
        path.write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
