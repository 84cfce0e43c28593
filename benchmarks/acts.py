"""The four commands that faults befall, of cid and of Kaggle's own client, and what must be there afterwards."""

import hashlib
import json
import random
import struct
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.forks import Ended
from benchmarks.scenes import LINES, NEW, OLD, PARAMS, RUN, SLUG, Scene, Verdict, repository
from containerid.home import Home
from containerid.job import State
from containerid.runs.registry import Registry

_A_WHILE = 0.4


class Submit(Scene):
    """`cid train --detach`, and `kaggle kernels push`."""

    runs = False

    @staticmethod
    def begin(folder: Path) -> None:
        """Make the repository that all of these start from a copy of."""
        repository(folder)

    def prepare(self) -> None:
        made = repository(self.work / "repository")
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
                (data / "images" / split / f"{number}.bmp").write_bytes(_picture(f"{split}{number}"))
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
        wanted = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.work / "data").rglob("*.bmp")}
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
    """A BMP of 104 × 102 pixels, 32 kB, unlike every other."""
    pixels = random.Random(name).randbytes(104 * 102 * 3)  # nothing makes them smaller
    head = struct.pack(
        "<2sIIIIiiHHIIiiII", b"BM", 54 + len(pixels), 0, 54, 40, 104, 102, 1, 24, 0, len(pixels), 0, 0, 0, 0
    )
    return head + pixels
