"""What a fault befalls: one command of one client on a Kaggle, a home and a disk that nobody else uses.

Each scene says what the command is, and looks at server and disk afterwards: is everything there, once, and whole?
"""

import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.forks import Ended, Forks, Order

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fakes.repositories import project
from fakes.wire import Wire

from containerid.home import Home
from containerid.job import RESULT_MARK, Leg, Spec, State
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.runs.registry import Registry, Run

NEW = bytes(range(256)) * 4096
OLD = b"the weights of before"
LINES = 30
RUN, SLUG = "exp001-1", "cid-exp001-1"
PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 4}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
"""
KERNEL = f"""
import hashlib, json, os, time
def write(name, data):
    open(name, "wb").write(data)
    files.append({{"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}})
files = []
for number in range({LINES}):
    print(f"line-{{number:03}}", flush=True)
    while number == 15 and GO and not os.path.exists(GO):
        time.sleep(0.02)
write("best.pt", bytes(range(256)) * 4096)
write("results.csv", b"epoch,loss\\n1,0.5\\n")
result = json.dumps({{"version": 1, "run": "{RUN}", "outcome": "succeeded", "exit_code": 0}})
write("result.json", result.encode())
MANIFEST
print("{RESULT_MARK}" + result, flush=True)
"""
MANIFEST = f'json.dump({{"version": 1, "run": "{RUN}", "files": files}}, open("manifest.json", "w"))'
_A_WHILE = 0.4
_HAIR = re.compile(r"Traceback \(most recent call last\)")


@dataclass(frozen=True)
class Conditions:
    """What is special about a cell besides the server's faults.

    Attributes:
        old: an older best.pt lies where the new one is to be.
        manifest: the run has one; without it the kernel is a foreign one, of which nobody knows the sizes.
        address: whom the client asks instead; `{port}` is the server's.
        limit: seconds for Kaggle's client, which knows no time limits of its own.
        order: fields of `forks.Order`.
        twice: two commands at once.
        readonly: where results should be written nothing can be.
        again: what a killed command is followed by: the same one, once more.
        ahead: seconds by which the server's clock is ahead of this machine's.
        link: seconds for which a link to a file is good.
        processing: seconds until a dataset is ready.
        away: seconds for which the server does not listen at first.
        share: of its steps that the command makes before it is killed.
    """

    old: bool = False
    manifest: bool = True
    address: str = ""
    limit: float = 6
    order: tuple[tuple[str, Any], ...] = ()
    twice: bool = False
    readonly: bool = False
    again: bool = False
    ahead: float = 0
    link: float = 3600
    processing: float = 0
    away: float = 0
    share: float = 0


@dataclass(frozen=True)
class Verdict:
    """`survived`, `refused` with its line, or `defect` with what happened."""

    kind: str
    said: str = ""


class Scene(ABC):
    """One cell.

    Args:
        folder: of its own.
        client: `cid` or `kaggle`.
        forks: runs that client's commands.
        conditions: see there.
        steps: that the command makes when nothing goes wrong; for a kill after a share of them.

    Attributes:
        ended: how the command ended.
    """

    runs = True

    def __init__(
        self, folder: Path, forks: Sequence[Forks], client: str, conditions: Conditions, *, steps: int = 0
    ) -> None:
        self.steps = steps
        self.folder, self.client, self.conditions, self._forks = folder, client, conditions, forks
        self.out = folder / "out"
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.work = folder / "work"
        self.work.mkdir()
        self.server = self._served(0)
        self.ended = Ended(0, 0, "", "")

    def _served(self, port: int) -> EmbeddedKaggle:
        made = self.conditions
        return EmbeddedKaggle(
            self.folder / "kaggle",
            port=port,
            run=self.runs,
            isolate=False,
            clock=lambda: time.time() + made.ahead,
            link_seconds=made.link,
            dataset_seconds=made.processing,
        )

    def play(self, faults: Sequence[dict[str, Any]]) -> Verdict:
        """The command under the faults, and what became of it."""
        self.server.start()
        try:
            self.user = Wire(self.server.url)
            self.prepare()
            for fault in faults:
                names = {name: odd.format(folder=self.folder) for name, odd in fault.get("names", {}).items()}
                self.server.plan(**{**fault, "names": names})
            if self.conditions.readonly:
                self.shut.chmod(0o555)
            planned = self.server.faults.left
            self._leave()
            self.ended = self.command()
            met = not planned or self.server.faults.left != planned
            self.server.faults.clear()
            verdict = self._judge(self.ended)
        finally:
            if self._returning:
                self._returning.join()
            self.server.stop()
        return verdict if met or verdict.kind != "survived" else Verdict("not met", "the fault was never met")

    def _leave(self) -> None:
        """Be away for a while, and come back at the same place."""
        if self.conditions.away:
            port = self.server.port
            self.server.stop(end_sessions=False)
            self.server = self._served(port)
            self._returning = threading.Timer(self.conditions.away, self.server.start)
            self._returning.start()

    _returning: threading.Timer | None = None

    def command(self) -> Ended:
        """Run it; of two at once, the one that did worse; after a kill, a second one."""
        order = self.order()
        if self.conditions.twice:
            for fork in self._forks:
                fork.start(order)
            return max((fork.end() for fork in self._forks), key=lambda ended: (ended.code != 0, ended.code))
        ended = self._forks[0].run(order)
        if self.conditions.again:
            assert ended.code, "it was not killed"
            self.killed()
            ended = self._forks[0].run(replace(order, die=0, limit=30))
        return ended

    def order(self) -> Order:
        """The command, in its surroundings."""
        address = self.conditions.address.format(port=self.server.port) or self.server.url
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.folder), "NO_COLOR": "1"}
        environ |= {"KAGGLE_USERNAME": "alice", "KAGGLE_KEY": "0" * 32, "GIT_CONFIG_NOSYSTEM": "1"}
        environ["GIT_CONFIG_GLOBAL"] = os.environ["GIT_CONFIG_GLOBAL"]
        if self.client == "cid":
            own = {"CID_HOME": str(self.home / "cid"), "CID_KAGGLE_URL": address, "CID_TIMEOUT": "0.7"}
            environ |= own | {"CID_SUBMIT_GRACE": "0.3"}
        else:
            environ |= {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": address}
        limit = 30 if self.client == "cid" else self.conditions.limit
        more = dict(self.conditions.order)
        if self.conditions.share:
            more["die"] = max(round(self.conditions.share * self.steps), 1)
        more |= {"patient": bool(self.conditions.away), "humble": self.conditions.readonly}
        return Order(self.argv(), str(self.work), environ, **{"limit": limit, **more})

    def _judge(self, ended: Ended) -> Verdict:
        if ended.hung:
            return Verdict("defect", "hangs")
        if harm := self.harm(ended):
            return Verdict("defect", harm)
        if ended.code == 0:
            missing = self.missing()
            return Verdict("defect", f"exit 0, and {missing}") if missing else Verdict("survived")
        if _HAIR.search(ended.err + ended.out):
            return Verdict("defect", f"traceback: {_last(ended.err)}")
        if self.client == "cid" and "a defect of cid" in ended.err + ended.out:
            return Verdict("defect", self.line(ended))
        return self.mended(Verdict("refused", self.line(ended)))

    def mended(self, refused: Verdict) -> Verdict:
        """The same command once more, now that nothing goes wrong: it must do what it should, once."""
        again = self.server.url
        calm = replace(self.order(), die=0, jump=0, disk=0, humble=False, cwd=str(self.work))
        name = "CID_KAGGLE_URL" if self.client == "cid" else "http_proxy"
        self.shut.chmod(0o755)
        if self._returning:
            self._returning.join()
        ended = self._forks[0].run(replace(calm, environ={**calm.environ, name: again}))
        harm = self.harm(ended) or (f"exit {ended.code}: {self.line(ended)}" if ended.code else self.missing())
        return Verdict("defect", f"{refused.said}; and the same command again: {harm}") if harm else refused

    def line(self, ended: Ended) -> str:
        """What a person reads first."""
        if self.client == "cid":
            try:
                return str(json.loads(ended.out)["error"]["message"])
            except (ValueError, KeyError, TypeError):
                return _last(ended.err)
        return _last(ended.err) or _last(ended.out)

    @property
    def shut(self) -> Path:
        """The folder that cannot be written where one cannot be."""
        return self.home

    def killed(self) -> None:
        """Look at what a killed command left."""
        return

    @abstractmethod
    def prepare(self) -> None: ...
    @abstractmethod
    def argv(self) -> list[str]: ...
    @abstractmethod
    def missing(self) -> str:
        """What is not as it should be after a success; empty when all is."""

    @abstractmethod
    def harm(self, ended: Ended) -> str:
        """What must never be, after a failure either."""

    def record(self, state: State) -> None:
        """The run in the registry of this scene's cid."""
        registry = Registry(Home(self.home / "cid").registry)
        registry.add(Run(run=RUN, backend="kaggle", project="doors", folder=str(self.work)))
        registry.set_spec(RUN, Spec(run=RUN, backend="kaggle"))
        registry.set_leg(RUN, Leg(f"alice/{SLUG}", "1"))
        registry.move(RUN, state)
        registry.close()

    def push(self, go: str = "") -> None:
        """The kernel whose session is watched, or fetched from; in the middle it waits for a file."""
        manifest = MANIFEST if self.conditions.manifest else ""
        self.user.push(SLUG, KERNEL.replace("GO", repr(go)).replace("MANIFEST", manifest))


class Submit(Scene):
    """`cid train --detach`, and `kaggle kernels push`."""

    runs = False

    @staticmethod
    def begin(folder: Path) -> None:
        """Make the repository that all of these start from a copy of."""
        project(folder)

    def prepare(self) -> None:
        made = project(self.work / "repository")
        made.write("params.yaml", PARAMS)
        made.write("trainer.py", "print('trained')\n")
        self.work = made.root
        metadata = {"id": "alice/my-kernel", "title": "my-kernel", "code_file": "trainer.py", "language": "python"}
        metadata |= {"kernel_type": "script", "is_private": "true"}
        made.write(".git/push/kernel-metadata.json", json.dumps(metadata))
        made.write(".git/push/trainer.py", "print('trained')\n")

    def argv(self) -> list[str]:
        if self.client == "kaggle":
            return ["kernels", "push", "-p", ".git/push"]
        return ["train", "--kaggle", "-e", "exp001", "--detach", "--json"]

    def sessions(self) -> int:
        return len(list((self.folder / "kaggle/sessions").glob("*/session.json")))

    def missing(self) -> str:
        if self.sessions() != 1:
            return f"{self.sessions()} sessions run"
        if self.client == "cid":
            states = [str(run.state) for run in Registry(Home(self.home / "cid").registry).runs()]
            live = [state for state in states if state != "refused"]
            return "" if live == ["queued"] else f"the registry holds {states}"
        return ""

    def harm(self, ended: Ended) -> str:  # noqa: ARG002
        return f"pushed twice: {self.sessions()} sessions" if self.sessions() > 1 else ""


class Watch(Scene):
    """`cid watch`, and `kaggle kernels logs -f` (`kernels status` where the fault is in the status)."""

    def __init__(self, *given: Any, status: bool = False, **more: Any) -> None:
        super().__init__(*given, **more)
        self._status = status

    def prepare(self) -> None:
        self.record(State.QUEUED)
        self.push(str(self.folder / "go"))
        self.user.begun(SLUG)
        self._out = ""

    def command(self) -> Ended:
        """The session ends some time after it was first looked at."""
        before = len(self.server.calls)

        def release() -> None:
            end = time.monotonic() + 5
            while len(self.server.calls) == before and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(_A_WHILE)
            (self.folder / "go").touch()

        releasing = threading.Thread(target=release)
        releasing.start()
        ended = super().command()
        releasing.join()
        return ended

    def argv(self) -> list[str]:
        if self.client == "cid":
            return ["watch", RUN, "--json"]
        return ["kernels", *(["status"] if self._status else ["logs", "-f"]), f"alice/{SLUG}"]

    def harm(self, ended: Ended) -> str:
        self._out = ended.out + ended.err
        doubled = sum(count > 1 for count in self._counts())
        return f"{doubled} lines came twice" if doubled else ""

    def _counts(self) -> list[int]:
        return [self._out.count(f"line-{number:03}") for number in range(LINES)]

    def missing(self) -> str:
        if self.client == "kaggle" and self._status:
            return "" if "has status" in self._out else "no status"
        if self.client == "cid":
            state = Registry(Home(self.home / "cid").registry).get(RUN).state
            if state is not State.SUCCEEDED:
                return f"the run is {state}"
        lost = sum(not count for count in self._counts())
        return f"{lost} lines are lost" if lost else ""

    def mended(self, refused: Verdict) -> Verdict:
        self._out = ""
        return super().mended(refused)


class Fetch(Scene):
    """`cid fetch`, and `kaggle kernels output`."""

    def prepare(self) -> None:
        self.push()
        self.user.follow(SLUG)
        if self.conditions.manifest:
            self.record(State.SUCCEEDED)
        if self.conditions.old:
            self.out.mkdir()
            (self.out / "best.pt").write_bytes(OLD)
        self.out.mkdir(exist_ok=True)

    @property
    def shut(self) -> Path:
        return self.out

    def argv(self) -> list[str]:
        if self.client == "cid":
            name = RUN if self.conditions.manifest else f"alice/{SLUG}"
            return ["fetch", name, "--to", str(self.out), "--json"]
        return ["kernels", "output", f"alice/{SLUG}", "-p", str(self.out)]

    def missing(self) -> str:
        kept = {path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()}
        wanted = {"best.pt", "results.csv", "result.json"}
        wanted |= {"manifest.json"} if self.conditions.manifest else set()
        if lost := wanted - kept:
            return f"{', '.join(sorted(lost))} is missing"
        return "" if self._best() == NEW else "best.pt is wrong"

    def _best(self) -> bytes | None:
        path = self.out / "best.pt"
        return path.read_bytes() if path.is_file() else None

    def harm(self, ended: Ended) -> str:
        if stray := [path for path in self._elsewhere() if path.exists()]:
            return f"wrote {stray[0].name} outside the folder"
        best = self._best()
        allowed = {NEW, OLD} if self.conditions.old else {NEW, None}
        if best not in allowed:
            return f"exit {ended.code}, and best.pt holds {_amount(best)}"
        csv = self.out / "results.csv"
        if csv.is_file() and not csv.read_bytes().startswith(b"epoch"):
            return f"exit {ended.code}, and results.csv holds something else"
        return ""

    def _elsewhere(self) -> list[Path]:
        near = [folder / "escape.txt" for folder in (self.folder, self.work)]
        return [*near, self.out / ".git/hooks/x"]

    def killed(self) -> None:
        """A name of its own holds the whole file, the old one, or nothing."""
        self._left = self.harm(Ended(-9, 0, "", ""))

    _left = ""

    def _judge(self, ended: Ended) -> Verdict:
        return Verdict("defect", f"after the kill: {self._left}") if self._left else super()._judge(ended)


class Upload(Scene):
    """`cid data push`, and `kaggle datasets create`."""

    runs = False

    def prepare(self) -> None:
        data = self.work / "data"
        for split in ("train", "val"):
            (data / "images" / split).mkdir(parents=True)
            (data / "labels" / split).mkdir(parents=True)
            for number in range(3):
                (data / "images" / split / f"{number}.jpg").write_bytes(_picture(f"{split}{number}"))
                (data / "labels" / split / f"{number}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
        (data / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: [door]\n")
        (self.work / "params.yaml").write_text("project: doors\ndetection:\n  data: {provider: auto, path: data}\n")
        metadata = {"id": "alice/my-data-set", "title": "my-data-set", "licenses": [{"name": "CC0-1.0"}]}
        if self.client == "kaggle":
            (data / "dataset-metadata.json").write_text(json.dumps(metadata))

    def argv(self) -> list[str]:
        if self.client == "kaggle":
            return ["datasets", "create", "-p", "data", "-r", "zip"]
        return ["data", "push", "data", "--json"]

    def missing(self) -> str:
        made = list((self.folder / "kaggle/datasets").glob("*/*.json"))
        if len(made) != 1:
            return f"{len(made)} datasets are there"
        folder = made[0].with_suffix("") / "1"
        held = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
        wanted = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.work / "data").rglob("*.jpg")}
        return f"{len(wanted - held)} of {len(wanted)} images are missing in the dataset" if wanted - held else ""

    def harm(self, ended: Ended) -> str:  # noqa: ARG002
        made = list((self.folder / "kaggle/datasets").glob("*/*.json"))
        versions = [json.loads(path.read_text())["versions"] for path in made]
        return "made twice" if len(made) > 1 or any(len(each) > 1 for each in versions) else ""


def _amount(data: bytes | None) -> str:
    if data is None:
        return "nothing"
    return "other bytes" if len(data) == len(NEW) else f"{len(data):,} of {len(NEW):,} bytes"


def _picture(name: str) -> bytes:
    return hashlib.sha512(name.encode()).digest() * 500


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def clean(folder: Path) -> None:
    """Remove a cell's folder."""
    shutil.rmtree(folder, ignore_errors=True)
