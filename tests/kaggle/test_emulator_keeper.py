"""The keeper in this process: what a session leaves behind."""

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from containerid.kaggle.emulator import keeper
from containerid.kaggle.emulator.layer import Interpreter
from containerid.kaggle.emulator.sandbox import Order
from containerid.kaggle.emulator.store import held, read, write


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return Interpreter.of(sys.executable)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    folder.mkdir()
    return folder


def ordered(folder: Path, interpreter: Interpreter, source: str, **changes: object) -> Path:
    fields = {
        "source": source,
        "kind": "script",
        "interpreter": interpreter.to_dict(),
        "isolate": False,
        "internet": True,
        "inputs": [],
        "environment": {"KAGGLE_KERNEL_RUN_TYPE": "Batch"},
        "token": "token",
        "limit": 60.0,
        "output": 1_000_000,
    }
    write(folder / keeper.ORDER, asdict(Order(**{**fields, **changes})))
    return folder


def logged(folder: Path) -> str:
    return "".join(json.loads(line)["data"] for line in (folder / keeper.LOG).read_text().splitlines())


@pytest.mark.parametrize("isolate", [False, True])
def test_a_session_leaves_its_log_its_outputs_and_its_end(
    folder: Path, interpreter: Interpreter, tmp_path: Path, isolate: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_text("content")
    source = "import os\nprint(open(os.environ['CID_KAGGLE_ROOT'] + '/input/my/data/a.txt').read())\nopen('o', 'w')"
    keeper.main(ordered(folder, interpreter, source, isolate=isolate, inputs=[[str(data), "my/data"]]))
    ended = read(folder / keeper.ENDED) or {}
    assert (ended["state"], ended["message"]) == ("COMPLETE", "")
    assert ended["seconds"] > 0
    assert logged(folder).startswith("content\n")
    assert (folder / "root/working/o").exists()
    left = {path.name for path in folder.iterdir()}
    assert left == {keeper.BEGAN, keeper.ENDED, keeper.LOCK, keeper.LOG, "root"}
    assert [path.name for path in (folder / "root").iterdir()] == ["working"]
    assert (data / "a.txt").read_text() == "content"


def test_a_kernel_without_internet_gets_no_proxy_settings(
    folder: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    keeper.main(ordered(folder, interpreter, "import os\nprint(os.environ.get('https_proxy'))", internet=False))
    assert logged(folder).startswith("None\n")


def test_a_kernel_with_internet_reaches_it_as_the_machine_does(
    folder: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    keeper.main(ordered(folder, interpreter, "import os\nprint(os.environ.get('https_proxy'))"))
    assert logged(folder).startswith("http://127.0.0.1:9\n")


def test_the_server_can_end_a_session_at_any_time(folder: Path, interpreter: Interpreter) -> None:
    write(folder / keeper.STOP, {"state": "CANCEL_ACKNOWLEDGED", "message": "asked"})
    keeper.main(ordered(folder, interpreter, "import time\ntime.sleep(60)"))
    assert (read(folder / keeper.ENDED) or {}).items() >= {"state": "CANCEL_ACKNOWLEDGED", "message": "asked"}.items()
    assert "NbConvertApp" not in logged(folder)


def test_a_session_over_its_limit_is_killed(folder: Path, interpreter: Interpreter) -> None:
    keeper.main(ordered(folder, interpreter, "import time\ntime.sleep(60)", limit=0.1))
    assert (read(folder / keeper.ENDED) or {})["message"] == keeper.OVER_TIME


def test_output_is_measured_while_the_kernel_runs(
    folder: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_MEASURE", 0.0)
    source = "import time\nopen('big', 'wb').write(bytes(99))\ntime.sleep(60)"
    keeper.main(ordered(folder, interpreter, source, output=10))
    assert (read(folder / keeper.ENDED) or {})["message"] == keeper.OVER_DISK


def test_what_left_the_process_group_does_not_hold_up_the_end(
    folder: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_DRAIN", 0.2)
    source = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid)
"""
    keeper.main(ordered(folder, interpreter, source))
    assert (read(folder / keeper.ENDED) or {})["state"] == "COMPLETE"
    os.kill(int(logged(folder).split()[0]), 9)


def test_a_session_that_is_over_is_not_run_again(folder: Path, interpreter: Interpreter) -> None:
    ordered(folder, interpreter, "print('again')")
    write(folder / keeper.ENDED, {"state": "ERROR", "message": "", "seconds": 0})
    keeper.main(folder)
    assert not (folder / keeper.LOG).exists()


def test_the_folder_is_locked_while_the_session_goes_on(folder: Path, interpreter: Interpreter) -> None:
    ordered(folder, interpreter, "print('hi')")
    kept = threading.Thread(target=keeper.main, args=(folder,))
    kept.start()
    while not (folder / keeper.LOG).exists():
        pass
    assert held(folder / keeper.LOCK) or (folder / keeper.ENDED).exists()
    kept.join()
    assert not held(folder / keeper.LOCK)
