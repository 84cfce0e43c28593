"""The fault table: every fault of `benchmarks.faults` befalls cid, and beside it Kaggle's own client, on a real server.

`python -m benchmarks.reliability [PART OF A NAME]` prints the cells; without a name it writes docs/reliability.md too.
The exit code is 1 when cid loses or doubles anything, hangs, or gives up where it should go on.
"""

import itertools
import os
import platform
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue

from benchmarks.acts import Fetch, Submit, Upload, Watch
from benchmarks.faults import FETCH, SCENES, SUBMIT, UPLOAD, WATCH, Row, rows
from benchmarks.forks import Forks
from benchmarks.scenes import Scene, Verdict, clean

PAGE = Path(__file__).parents[1] / "docs/reliability.md"
CLIENTS = ("cid", "kaggle")
_SCENES: dict[str, type[Scene]] = {SUBMIT: Submit, WATCH: Watch, FETCH: Fetch, UPLOAD: Upload}
_WORKERS = 4
_STEPS: dict[tuple[str, str], int] = {}


@dataclass(frozen=True)
class Cell:
    """One fault, one command, one client."""

    row: Row
    scene: str
    client: str
    verdict: Verdict
    seconds: float

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled: it was survived, or refused where nothing else was left to do."""
        return self.verdict.kind in {"survived", "refused"}


class Stage:
    """Plays cells, each in a folder of its own."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder / f"stage{number}"
        self._folder.mkdir()
        self._count = 0
        self._forks: dict[str, list[Forks]] = {client: [] for client in CLIENTS}

    @contextmanager
    def open(self) -> Iterator["Stage"]:
        """With its processes running."""
        with ExitStack() as stack:
            for client, number in itertools.product(CLIENTS, range(2)):
                own = self._folder / f"{client}{number}"
                own.mkdir()
                self._forks[client].append(stack.enter_context(Forks(client, own)))
            for fork in itertools.chain(*self._forks.values()):
                fork.await_ready()
            yield self

    def play(self, row: Row, scene: str, client: str) -> Cell:
        """One cell."""
        made, begun = self._scene(row, scene, client), time.monotonic()
        try:
            verdict = made.play(row.plans[scene])
        finally:
            clean(made.folder)
        return Cell(row, scene, client, _strict(row, verdict, made), time.monotonic() - begun)

    def _scene(self, row: Row, scene: str, client: str) -> Scene:
        self._count += 1
        more = {"status": _in_status(row)} if scene == WATCH else {}
        steps = _STEPS.get((scene, client), 0)
        folder = self._folder / str(self._count)
        return _SCENES[scene](folder, self._forks[client], client, row.conditions_of(scene), steps=steps, **more)

    def measure(self) -> None:
        """How many steps each command makes when nothing goes wrong; it must then do what it should."""
        for client in CLIENTS:
            for scene in SCENES:
                made = self._scene(Row("nothing", {scene: ()}), scene, client)
                verdict = made.play(())
                assert verdict.kind == "survived", (client, scene, verdict, made.ended)
                _STEPS[scene, client] = made.ended.steps
                clean(made.folder)


def _in_status(row: Row) -> bool:
    return any(plan["rpc"] == "GetKernelSessionStatus" for plan in row.plans.get(WATCH, ()))


def _strict(row: Row, verdict: Verdict, made: Scene) -> Verdict:
    """A refusal counts where the fault stays, and where it says what it should."""
    if verdict.kind != "refused":
        return verdict
    if not row.stays:
        return Verdict("defect", f"gives up: {verdict.said}")
    if row.words and not re.search(row.words, made.ended.out + made.ended.err, re.IGNORECASE):
        return Verdict("defect", f"says something else: {verdict.said}")
    return verdict


def play(chosen: Iterable[Row], clients: Iterable[str] = CLIENTS, *, workers: int = _WORKERS) -> list[Cell]:
    """All cells of these rows, in their order."""
    wanted = [(row, scene, client) for row in chosen for scene in SCENES if scene in row.plans for client in clients]
    with tempfile.TemporaryDirectory(prefix="cid-faults-") as scratch, ExitStack() as stack:
        Path(scratch).chmod(0o755)
        _configure_git(Path(scratch))
        free: SimpleQueue[Stage] = SimpleQueue()
        stages = [stack.enter_context(Stage(Path(scratch), number).open()) for number in range(workers)]
        if any(row.conditions.share for row, _, _ in wanted):
            stages[0].measure()
        for stage in stages:
            free.put(stage)

        def one(each: tuple[Row, str, str]) -> Cell:
            stage = free.get()
            try:
                return stage.play(*each)
            finally:
                free.put(stage)

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, wanted))


def _configure_git(folder: Path) -> None:
    """A person, and a branch; then the repository that all cells start from, before threads need it."""
    path = folder / "gitconfig"
    path.write_text("[user]\n name = Ada\n email = ada@example.com\n[init]\n defaultBranch = main\n", encoding="utf-8")
    os.environ["GIT_CONFIG_GLOBAL"] = str(path)
    Submit.begin(folder / "first")


def counts(cells: Iterable[Cell], client: str) -> tuple[int, int]:
    """Good cells, and all, of one client."""
    own = [cell for cell in cells if cell.client == client and cell.verdict.kind != "not met"]
    return sum(cell.good for cell in own), len(own)


def league(cells: Iterable[Cell], name: str) -> list[Cell]:
    """The cells of a named list: the 25 downloads, or the nine faults of three calls."""
    scenes = {"download": (FETCH,), "api": (SUBMIT, WATCH, FETCH)}[name]
    return [cell for cell in cells if cell.row.league == name and cell.scene in scenes]


_PAGE = """\
# What happens when things go wrong

**cid: {cid}. kaggle {version}: {kaggle}.**

| of these | cid | kaggle |
|---|---|---|
{leagues}

Written by `python -m benchmarks.reliability`; do not edit. Last run: {day}, Python {python}, {seconds:.0f} s.

Each cell is one command, in a process and on a disk of its own, against an embedded Kaggle that does what the row says:
`cid train --detach`, `cid watch`, `cid fetch` and `cid data push`. Beside them stand `kaggle kernels push`,
`kernels logs -f` (`kernels status` where the fault is in the status), `kernels output` and `datasets create`. Then
server and disk are looked at: sessions, lines of the log, bytes of each file, versions of the dataset.

- **survived**: all that was asked for is there, once, and whole.
- *refused*: one line and an exit code; nothing lost, nothing doubled; and the same command, given again when all is
  well, does it. Where a fault passes by itself a refusal does not count.
- Anything else is a defect, and what happened is said.

Pauses between two tries are cut short for both clients. `CID_TIMEOUT` shortens cid's time limits; Kaggle's client has
none, so it is ended after 6 s. A kill is SIGKILL when a program is started, a request sent or a file named.

| fault | {scenes} |
|---|{rules}
{table}

## The lines of cid's refusals

| fault | command | line |
|---|---|---|
{lines}
"""


def page(cells: list[Cell], seconds: float) -> str:
    """docs/reliability.md."""
    refused = (cell for cell in cells if cell.client == "cid" and cell.verdict.kind == "refused")
    return _PAGE.format(
        **{client: "{} of {}".format(*counts(cells, client)) for client in CLIENTS},
        version=version("kaggle"),
        leagues="\n".join(_leagues(cells)),
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        python=platform.python_version(),
        seconds=seconds,
        scenes=" | ".join(f"{scene}: cid | kaggle" for scene in SCENES),
        rules="---|" * len(SCENES) * len(CLIENTS),
        table="\n".join(_table(cells)),
        lines="\n".join(
            f"| {_plain(each.row.name)} | {each.scene} | {_plain(each.verdict.said)} |" for each in refused
        ),
    )


def _leagues(cells: list[Cell]) -> Iterator[str]:
    for name, title in (("download", "25 faults of a download"), ("api", "27 faults of the API")):
        both = ("{} of {}".format(*counts(league(cells, name), client)) for client in CLIENTS)
        yield f"| {title} | {' | '.join(both)} |"


def _table(cells: list[Cell]) -> Iterator[str]:
    found = {(cell.row.name, cell.scene, cell.client): cell.verdict for cell in cells}
    for name in dict.fromkeys(cell.row.name for cell in cells):
        row = (_shown(found.get((name, scene, client))) for scene in SCENES for client in CLIENTS)
        yield f"| {_plain(name)} | {' | '.join(row)} |"


def _shown(verdict: Verdict | None) -> str:
    if verdict is None or verdict.kind == "not met":
        return ""
    if verdict.kind == "defect":
        _, again, what = verdict.said.rpartition("the same command again: ")
        return _plain(f"given again: {what}" if again else what)[:90]
    return {"survived": "**survived**", "refused": "*refused*"}[verdict.kind]


def _plain(text: str) -> str:
    """Without what a run's folder is called, and what a table cannot hold."""
    text = re.sub(r"\S*cid-faults-\w+\S*/|, port=\d+", "", text)
    text = re.sub(r"127\.0\.0\.1:\d+|exp001-\d{8}\S*", lambda match: match[0].split(":")[0].split("-2")[0], text)
    return "".join(letter if letter.isprintable() else "?" for letter in text).replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Play all, or what is named; 1 when cid has a defect."""
    begun = time.monotonic()
    clients = [word for word in sys.argv[1:] if word in CLIENTS] or CLIENTS
    words = [word for word in sys.argv[1:] if word not in CLIENTS]
    chosen = [row for row in rows() if not words or any(word in row.name for word in words)]
    cells = play(chosen, clients)
    for cell in cells:
        what = f"{cell.row.name}: {cell.verdict.kind} {cell.verdict.said}"
        print(f"{cell.client:6} {cell.scene:6} {what} {cell.seconds:.1f} s")
    for client in clients:
        print("{}: {} of {}".format(client, *counts(cells, client)))
    print(f"{time.monotonic() - begun:.0f} s, {threading.active_count()} threads")
    if not words and clients == CLIENTS:
        PAGE.write_text(page(cells, time.monotonic() - begun), encoding="utf-8")
    return int(any(cell.client == "cid" and not cell.good for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
