"""Projects to submit, and a machine that runs a kernel's source as Kaggle does: a process, a folder, nothing else."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerid.job import Code, Result, Spec
from containerid.kaggle import kernel
from containerid.treeid import tree_id

HARDWARE = """
import json, sys
asked = json.load(open(sys.argv[sys.argv.index("--spec") + 1]))["params"].get("hardware", "")
print(asked or "rehearsed on CPU")
sys.exit(7 if asked else 0)
"""

TRAINING = '''
"""A trainer that does what its parameter `behave` says."""
import json, os, pathlib, signal, sys, time

option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
spec = json.loads(pathlib.Path(option["--spec"]).read_text())
out = pathlib.Path(option["--out"])


def say(text):
    print(text, flush=True)


def end(outcome, code, **more):
    result = {"version": 1, "run": spec["run"], "outcome": outcome, "exit_code": code, "metrics": {"test/mAP50": 0.5}}
    (out / "result.json").write_text(json.dumps(result | more))
    (out / "manifest.json").write_text("{}")
    say("CID_RESULT " + json.dumps(result | more))
    sys.exit(code)


def stop(*_):
    end("paused", 9)


before = int(os.environ["CID_PHASES_BEFORE"])
say(f"[{before + 1}/{before + 6}] environment")
say("folder " + ",".join(sorted(os.listdir())))
say("module " + __file__)
say("input " + option["--input"])
say("before " + " ".join(json.loads(os.environ["CID_TIMELINE"])))
say("ahead " + (os.environ.get("CID_AHEAD") or "-"))
say("hello " + (pathlib.Path("hello.txt").read_text() if os.path.exists("hello.txt") else ""))
print("a word on stderr", file=sys.stderr, flush=True)
say(f"[{before + 4}/{before + 6}] train")
behave = spec["params"].get("behave", "succeed")
if behave == "raise":
    raise RuntimeError("the loss is not a number")
if behave == "raise after the result":
    try:
        end("succeeded", 0)
    finally:
        raise RuntimeError("one line too many")
if behave == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if behave == "no result":
    sys.exit(0)
if behave == "fail":
    end("failed", 7, reason="val/mAP50 0.3 < 0.9", phase="evaluate")
if behave == "pause":
    end("paused", 9)
if behave == "wait":
    signal.signal(signal.SIGTERM, stop)
    say("ready")
    while True:
        time.sleep(60)
if behave == "wait in vain":
    say("ready")
    time.sleep(60)
if behave == "chatter":
    (out / "result.json").write_text(json.dumps({"run": spec["run"], "outcome": "succeeded"}))
    (out / "manifest.json").write_text("{}")
    say("[3/9] train is not a phase of ours, and this is not the end")
    sys.exit(0)
(out / "weights").mkdir()
(out / "weights/best.pt").write_bytes(b"model")
end("succeeded", 0)
'''

STUB = {
    "containerid/__init__.py": "",
    "containerid/training/__init__.py": "",
    "containerid/training/__main__.py": TRAINING,
    "containerid/training/hardware.py": HARDWARE,
}
"""A project that holds its own containerid, with a trainer of a few lines."""


def write_tree(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files by name below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def pack(folder: Path) -> bytes:
    """A folder as tar.xz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for path in sorted(folder.iterdir()):
            if path.name != ".git":
                archive.add(path, path.name)
    return packed.getvalue()


def embedded(tree: Path, archive: bytes | None = None, **code: Any) -> tuple[Code, bytes]:
    """The code of a folder, for the transport `embed`, and its archive."""
    archive = pack(tree) if archive is None else archive
    carried = tree_id(tree)
    digest = hashlib.sha256(archive).hexdigest()
    known = {"sha": "5" * 40, "tree": carried, "carried_tree": carried, "digest": digest, "holds_package": True}
    return Code(**known | code), archive


def source_of(folder: Path, params: dict[str, Any] | None = None, **more: Any) -> str:
    """The kernel of a project that holds its own containerid; `more` goes into the spec."""
    code, archive = embedded(folder)
    return kernel.render(Spec(run="exp001-1", params=params or {}, code=code, **more), code=archive)


@dataclass
class Ran:
    """What a kernel left.

    Attributes:
        code: its exit code.
        lines: its stdout.
        stderr: all of it.
    """

    code: int
    lines: list[str]
    stderr: str
    machine: "Machine"

    @property
    def result(self) -> Result:
        """The result in the last line of the log; it is the one on disk, too."""
        assert self.lines[-1].startswith("CID_RESULT ")
        told = json.loads(self.lines[-1].removeprefix("CID_RESULT "))
        assert told == json.loads((self.machine.out / "result.json").read_text())
        return Result.from_dict(told)

    @property
    def phases(self) -> list[str]:
        """The banners, in order."""
        return [line for line in self.lines if line.startswith("[")]


@dataclass
class Machine:
    """A folder shaped like Kaggle's, and a Python.

    Attributes:
        root: holds `working`, `input`, `src` and `tmp`.
        python: the interpreter that runs kernels.
        environment: what a kernel sees beside what every kernel sees.
    """

    root: Path
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("working", "input", "src", "tmp", "home"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

    @property
    def out(self) -> Path:
        """Where outputs are left."""
        return self.root / "working"

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs."""
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())

    def start(self, source: str) -> "subprocess.Popen[bytes]":
        """Start a kernel."""
        script = self.root / "src/script.py"
        script.write_text(source, encoding="utf-8")
        known = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "CID_KAGGLE_ROOT": str(self.root),
            "CID_REHEARSAL": "1",
        }
        return subprocess.Popen(
            [self.python, str(script)],
            cwd=self.out,
            env=known | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, source: str) -> Ran:
        """Run a kernel to its end."""
        return self.end(self.start(source))

    def end(self, process: "subprocess.Popen[bytes]", said: bytes = b"") -> Ran:
        """Wait for a kernel that was started; `said` is what was read of its stdout before."""
        out, err = process.communicate(timeout=60)
        return Ran(process.returncode, (said + out).decode().splitlines(), err.decode(), self)

    def signal(self, source: str, number: signal.Signals, after: bytes = b"ready\n") -> Ran:
        """Run a kernel and send it a signal as soon as it says `after`."""
        process = self.start(source)
        assert process.stdout
        said = b""
        while not said.endswith(after):
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(number)
        return self.end(process, said)


def pythons() -> dict[str, str]:
    """Version to path of each supported interpreter that is found: this one, those on PATH, those in CID_TEST_PYTHONS.

    `CID_TEST_PYTHONS` is a list of paths, separated as in PATH.
    """
    named = os.environ.get("CID_TEST_PYTHONS", "").split(os.pathsep)
    found = [shutil.which(f"python3.{minor}") or "" for minor in (11, 12, 13)]
    known: dict[str, str] = {}
    for path in (sys.executable, *named, *found):
        version, _, itself = _version(path).partition(" ") if path else ("", "", "")
        if version in {"3.11", "3.12", "3.13"}:
            known.setdefault(version, itself)
    return known


def _version(python: str) -> str:
    """Its version and its own path: what was found may be a wrapper script that needs an environment."""
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
