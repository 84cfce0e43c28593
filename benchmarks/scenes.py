"""What a fault befalls: one command of one client on a Kaggle, a home and a disk that nobody else uses.

Each scene says what the command is, and looks at server and disk afterwards: is everything there, once, and whole?
"""

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
repository = project
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


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def clean(folder: Path) -> None:
    """Remove a cell's folder."""
    shutil.rmtree(folder, ignore_errors=True)
