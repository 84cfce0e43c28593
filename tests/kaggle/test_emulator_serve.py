import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.errors import Unreachable
from containerid.home import Home
from containerid.kaggle.emulator import EmbeddedKaggle, daemon, serve, server
from containerid.kaggle.emulator.store import held, read, write
from containerid.process import started_at

pytestmark = pytest.mark.kills
_SERVE = """
import sys
from pathlib import Path
from containerid.kaggle.emulator import serve
serve(Path(sys.argv[1]), 0, lambda kaggle: print(kaggle.url, flush=True))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "cid")
    yield home
    daemon.stop(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_what_it_runs(tmp_path: Path, number: int) -> None:
    began = time.monotonic()
    command = [sys.executable, "-c", _SERVE, str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        url = process.stdout.readline().strip() if process.stdout else ""
        assert time.monotonic() - began < 3
        user = Wire(url)
        user.push("my-kernel", "print('begun', flush=True)\nimport time\ntime.sleep(60)")
        user.begun("my-kernel")
        kernel = (read(tmp_path / "state/sessions/1/began.json") or {})["pid"]
        process.send_signal(number)
        assert process.wait(15) == 0
    assert started_at(kernel) is None
    assert not held(tmp_path / "state" / server.LOCK)


def test_serving_in_this_process_ends_when_nothing_happens(tmp_path: Path) -> None:
    handlers = signal.getsignal(signal.SIGTERM)
    seen: list[str] = []
    serve(tmp_path, 0, lambda kaggle: seen.append(kaggle.url), idle_stop=0.01)
    assert len(seen) == 1
    assert signal.getsignal(signal.SIGTERM) is handlers


def test_a_server_does_not_stop_while_somebody_is_being_told_of_it(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False) as kaggle:
        with server.locked(tmp_path / server.STARTING):
            assert not server._stopped_alone(kaggle, tmp_path, 0)
        Wire(kaggle.url).rpc("ListKernels")
        assert not server._stopped_alone(kaggle, tmp_path, 60)


def test_one_server_serves_all_who_ask(home: Home) -> None:
    found: list[daemon.Server] = []
    askers = [threading.Thread(target=lambda: found.append(daemon.ensure(home))) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert daemon.find(home) == found[0]
    record = read(home.emulator / "server.json") or {}
    assert (record["pid"], record["url"]) == (found[0].pid, found[0].url)
    assert record["started"] == started_at(found[0].pid)


def test_a_run_outlives_its_server_and_the_next_one_finds_it(home: Home) -> None:
    user = Wire(daemon.ensure(home).url)
    user.push("my-kernel", "import time\nprint('begun', flush=True)\ntime.sleep(1)")
    user.begun("my-kernel")
    assert daemon.stop(home)
    assert daemon.find(home) is None
    assert Wire(daemon.ensure(home).url).ended("my-kernel") == ("COMPLETE", "")


def test_a_record_of_a_server_that_is_gone_is_none(home: Home) -> None:
    state = home.emulator
    write(state / "server.json", {"url": "http://127.0.0.1:9", "pid": os.getpid(), "started": started_at(os.getpid())})
    assert daemon.find(home) is None
    with EmbeddedKaggle(state, run=False) as other:
        write(state / "server.json", {"url": other.url, "pid": os.getpid(), "started": "another process's"})
        assert daemon.find(home) is None
    assert not daemon.stop(home)
    assert daemon.ensure(home).pid != os.getpid()


def test_a_server_that_does_not_start_says_why(home: Home) -> None:
    with server.locked(home.emulator / server.LOCK), pytest.raises(Unreachable, match=r"does not start: .*another"):
        daemon.ensure(home)


def test_the_server_module_stops_by_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "containerid.kaggle.emulator", "--state", str(tmp_path), "--idle-stop", "0.1"]
    subprocess.run(command, check=True, timeout=30)
    assert json.loads((tmp_path / "server.json").read_text())["url"].startswith("http://127.0.0.1:")


def test_rehearsals_use_a_server_that_runs_on_their_folder_already(home: Home) -> None:
    found: list[daemon.Server] = []
    serve(home.emulator, 0, lambda kaggle: found.append(daemon.ensure(home)), idle_stop=0.0)
    assert found[0].pid == os.getpid()
