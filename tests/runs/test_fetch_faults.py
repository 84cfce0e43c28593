"""The 25 ways in which a download goes wrong, each on a real server: the file arrives, or what was there stays."""

import itertools
import os
import resource
import signal
import subprocess
import sys
import threading
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stamina
from fakes.storage import KERNEL, RUN, Fault, Storage, Thing, broken, flipped, promising, reset, says, stall, whole

from containerid.errors import OutputsUnverified
from containerid.home import Home
from containerid.job import Leg, Spec, State
from containerid.kaggle.transport import quiet_stamina
from containerid.runs.fetch import fetch
from containerid.runs.registry import Registry, Run

NEW = bytes(range(256)) * 4096
OTHER = bytes(reversed(NEW))
OLD = b"the weights of before"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr("containerid.kaggle.account.STALL", 0.1)
    with Storage() as server, stamina.set_testing(testing=True, attempts=4):
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
        server.files = {"best.pt": Thing(NEW), "results.csv": Thing(b"epoch\n1\n")}
        server.list_files()
        yield server


@pytest.fixture
def run(home: Home, registry: Registry, tmp_path: Path) -> Run:
    registry.add(Run(run=RUN, backend="kaggle", project="doors", folder=str(tmp_path), experiment="exp001"))
    registry.set_spec(RUN, Spec(run=RUN, backend="kaggle"))
    registry.set_leg(RUN, Leg(KERNEL, "1"))
    return registry.move(RUN, State.SUCCEEDED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / RUN


def there(folder: Path) -> set[str]:
    """Every file under a name of its own."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def visible(folder: Path) -> set[str]:
    return {name for name in there(folder) if not name.startswith(".cid-parts/")}


PASSING: dict[str, list[Fault]] = {
    "429 once": [says(429, Retry_After="1")],
    "429 three times": [says(429, Retry_After="1")] * 3,
    "500 once": [says(500)],
    "502 once": [says(502)],
    "503 once": [says(503)],
    "504 once": [says(504)],
    "a reset before the headers": [reset],
    "a reset in the body": [broken("reset")],
    "an early end, length known": [broken("close")],
    "an early end in chunks": [broken("close", length="chunked")],
    "a stall in the body": [broken("hang")],
    "a stall before the headers": [stall],
    "the range is ignored": [broken("close"), whole],
    "one flipped bit": [flipped],
}


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_survived(storage, run, home, folder, name, old):
    if old:
        folder.mkdir(parents=True)
        (folder / "best.pt").write_bytes(OLD)
    storage.plan("best.pt", *PASSING[name])
    assert fetch(run, home=home).verified
    assert (folder / "best.pt").read_bytes() == NEW
    assert not storage.faults["best.pt"]
    assert not (folder / ".cid-parts").exists()


def test_a_server_that_is_away_for_some_seconds_is_waited_for(storage, run, home, folder):
    def leave(line, thing, asked):
        storage.refuse()
        line.reset()

    tries = itertools.count(1)  # of several files at once: each number is somebody's

    def come_back(_):
        if next(tries) == 3:
            storage.listen()

    storage.plan("best.pt", leave)
    quiet_stamina()  # its hooks are set once
    stamina.instrumentation.set_on_retry_hooks([come_back])
    try:
        with stamina.set_testing(testing=True, attempts=50):
            assert fetch(run, home=home).verified
    finally:
        stamina.instrumentation.set_on_retry_hooks(())
    assert next(tries) > 3


def as_foreign(run: Run) -> Run:
    """The same kernel, as one of somebody's that leaves no manifest."""
    return replace(run, spec={}, version="1", state=State.SUCCEEDED)


@pytest.mark.parametrize("fault", [broken("close", length="none"), flipped], ids=["an early end", "one flipped bit"])
def test_without_a_manifest_the_checksum_of_storage_tells(storage, run, home, tmp_path, fault):
    storage.files, storage.sized = {"best.pt": Thing(NEW, hashed=True)}, False
    storage.plan("best.pt", fault)
    fetch(as_foreign(run), home=home, to=tmp_path / "out")
    assert (tmp_path / "out/best.pt").read_bytes() == NEW


def test_a_body_of_which_nothing_tells_whether_it_is_whole_is_refused(storage, run, home, tmp_path):
    storage.files, storage.sized = {"best.pt": Thing(NEW)}, False
    storage.always["best.pt"] = broken("close", length="none")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/best.pt").write_bytes(OLD)
    with pytest.raises(OutputsUnverified, match=r"best\.pt"):
        fetch(as_foreign(run), home=home, to=tmp_path / "out")
    assert (tmp_path / "out/best.pt").read_bytes() == OLD


def test_an_object_that_changes_while_it_is_resumed_is_fetched_anew(storage, run, home, folder):
    storage.files["best.pt"] = Thing(OTHER)

    def then_changes(line, thing, asked):
        storage.files["best.pt"] = Thing(NEW)
        broken("close")(line, thing, asked)

    storage.plan("best.pt", then_changes)
    assert fetch(run, home=home).verified
    assert (folder / "best.pt").read_bytes() == NEW
    assert "if-range" in storage.requests("best.pt")[1].headers


STAYING: dict[str, Fault] = {
    "a length that is too long": promising(1000),
    "403": says(403),
    "404": says(404),
    "500": says(500),
    "a reset": reset,
}


@pytest.mark.parametrize("name", STAYING)
def test_a_fault_that_stays_leaves_the_old_copy_as_it_was(storage, run, home, folder, name):
    folder.mkdir(parents=True)
    (folder / "best.pt").write_bytes(OLD)
    storage.always["best.pt"] = STAYING[name]
    with pytest.raises(OutputsUnverified, match=r"best\.pt"):
        fetch(run, home=home)
    assert (folder / "best.pt").read_bytes() == OLD
    assert visible(folder) >= {"best.pt", "results.csv", "manifest.json"}
    assert len(storage.requests("best.pt")) <= 8


def test_a_full_disk_leaves_the_old_copy_as_it_was(storage, run, home, folder):
    folder.mkdir(parents=True)
    (folder / "best.pt").write_bytes(OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, before[1]))
    try:
        with pytest.raises(OutputsUnverified, match=r"best\.pt"):
            fetch(run, home=home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (folder / "best.pt").read_bytes() == OLD
    assert not any(name.startswith(".cid-parts/") for name in there(folder))


@pytest.mark.kills
@pytest.mark.parametrize("old", [False, True])
def test_a_kill_in_the_middle_loses_nothing_and_the_next_fetch_goes_on(storage, run, home, folder, old):
    if old:
        folder.mkdir(parents=True)
        (folder / "best.pt").write_bytes(OLD)
    halfway = threading.Event()

    def pause(line, thing, asked):
        line.send(200, thing.headers() | {"Content-Length": str(len(thing.data))}, thing.data[: len(NEW) // 2])
        halfway.set()
        line.hang()

    storage.plan("best.pt", pause)
    child = subprocess.Popen(
        [sys.executable, "-m", "containerid", "fetch", RUN], env=dict(os.environ), cwd=folder.parents[1]
    )
    assert halfway.wait(20)
    _wait_until_written(folder, len(NEW) // 2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert ((folder / "best.pt").read_bytes() == OLD) if old else not (folder / "best.pt").exists()
    assert fetch(run, home=home).verified
    assert (folder / "best.pt").read_bytes() == NEW
    assert storage.requests("best.pt")[-1].headers["range"] == f"bytes={len(NEW) // 2}-"


def _wait_until_written(folder: Path, length: int) -> None:
    for _ in range(2000):
        if any(path.stat().st_size == length for path in (folder / ".cid-parts").glob("*")):
            return
        threading.Event().wait(0.005)
    raise AssertionError("the bytes never came")


def test_a_fetch_loads_no_model_and_nothing_that_takes_long_to_import(storage, run, folder):
    code = (
        "import sys; from containerid.__main__ import main\n"
        f"sys.argv = ['cid', 'fetch', '{RUN}']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted(name for name in sys.modules if '.' not in name))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(literal_eval(said.splitlines()[-1]))
    heavy = {"kagglesdk", "kaggle", "torch", "ultralytics", "stamina", "pydantic", "git", "yaml", "jinja2"}
    assert loaded & heavy == set()
    assert (folder / "best.pt").read_bytes() == NEW
