"""What a run needs from elsewhere is brought while packages are installed, and nothing of it outlives the run."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.kernels import STUB, Machine, embedded, source_of, write_tree
from fakes.remotes import dvc_project, served
from fakes.sets import write_set

from containerid.job import Data, Spec
from containerid.kaggle import kernel
from containerid.kaggle.package import gather

IN_DVC = Data(provider="dvc", source="data/doors.dvc")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", STUB)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "kaggle")


# --- weights

_AHEAD = "import sys, time\nprint('brought meanwhile: doors.pt', flush=True)\n"


def test_what_is_brought_while_packages_are_installed_is_told_and_timed(project, machine):
    write_tree(project, {"containerid/training/prefetch.py": _AHEAD})
    ran = machine.run(source_of(project))
    assert ran.lines.index("brought meanwhile: doors.pt") < ran.lines.index("[4/9] environment")
    assert "before code hardware packages weights" in ran.lines


@pytest.mark.parametrize("prefetch", ["raise SystemExit(3)", "import none_of_that", "this is no Python"])
def test_what_cannot_be_brought_ahead_stops_nothing_and_is_not_told(project, machine, prefetch):
    write_tree(project, {"containerid/training/prefetch.py": prefetch})
    ran = machine.run(source_of(project))
    assert ran.result.outcome == "succeeded"
    assert ran.stderr.strip() == "a word on stderr"
    assert "before code hardware packages" in ran.lines


def test_a_run_that_stops_before_it_trains_ends_what_was_begun_ahead(project, machine, tmp_path):
    mark = tmp_path / "ended"
    slow = f"import time\ntime.sleep(30)\nopen({str(mark)!r}, 'w').close()"
    write_tree(project, {"containerid/training/prefetch.py": slow})
    begun = time.monotonic()
    ran = machine.run(source_of(project, {"hardware": "no GPU here"}))
    assert ran.result.reason == "no GPU here"
    assert time.monotonic() - begun < 20
    assert not mark.exists()


# --- data

OWN_ENTRY = """
import os, pathlib
images = sorted(path.name for path in pathlib.Path(os.environ["CID_DATA"]).rglob("*.jpg"))
print("trained on", *images)
"""


def real(project: Path) -> str:
    """The kernel of a project in DVC that trains by itself, in this package's own hands."""
    code, archive = embedded(project, holds_package=False)
    sent = Spec(run="exp001-1", backend="rehearsal", entry="mine", code=code, data=IN_DVC)
    return kernel.render(sent, code=archive, package=gather())


@pytest.mark.training
def test_a_pull_that_takes_longer_than_all_else_is_gone_on_with(machine, tmp_path):
    """The server gives nothing out until the data phase says that it waits."""
    project = write_tree(tmp_path / "project", {"mine.py": OWN_ENTRY})
    write_set(project / "data/doors", {"train": 2, "val": 1})
    with served(tmp_path / "storage") as remote:
        files = dvc_project(project, "data/doors", tmp_path / "storage", remote.url)
        remote.open.clear()
        process, said = machine.start(real(project)), b""
        while not said.endswith(b"dvc pull data/doors.dvc has begun with the session, and goes on\n"):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert not remote.taken
        remote.open.set()
        ran = machine.end(process, said)
        taken = [remote.taken[path] for path in files]
    assert ran.code == 0, ran.stderr
    assert "trained on train0.jpg train1.jpg val0.jpg" in ran.lines
    assert taken == [1] * 5
    timeline = ran.result.timeline
    assert list(timeline)[:6] == ["code", "hardware", "packages", "environment", "pull", "data"]
    assert timeline["pull"] > timeline["hardware"], "it has begun with the session"


@pytest.mark.training
def test_a_pull_that_fails_ends_in_the_data_phase_with_its_own_words(machine, tmp_path):
    project = write_tree(tmp_path / "project", {"mine.py": OWN_ENTRY})
    write_set(project / "data/doors", {"train": 2, "val": 1})
    with served(tmp_path / "storage") as remote:
        dvc_project(project, "data/doors", tmp_path / "elsewhere", remote.url)
        ran = machine.run(real(project))
    assert (ran.code, ran.result.phase) == (7, "data")
    assert ran.result.reason.startswith("dvc pull data/doors.dvc failed: ")
    assert "try `dvc pull`" in ran.result.reason
    assert "pull" not in ran.result.timeline


@pytest.mark.parametrize(("provider", "internet"), [("kaggle", True), ("synthetic", True), ("dvc", False)])
def test_where_there_is_nothing_to_pull_or_no_way_to_it_nothing_is_begun(project, machine, provider, internet):
    write_tree(project, {"containerid/training/ahead.py": "open('/begun', 'w')", "hello.txt": ""})
    ran = machine.run(source_of(project, data=Data(provider=provider), internet=internet))
    assert ran.code == 0
    assert "ahead -" in ran.lines


@pytest.mark.training
@pytest.mark.parametrize("here", [True, False])
def test_a_dvc_that_is_not_here_when_the_session_begins_is_not_used_by_the_pull(project, machine, tmp_path, here):
    """The packages that are installed meanwhile may bring one, half of which is there at some moment."""
    record = tmp_path / "asked"
    os.mkfifo(record)
    write_tree(
        project,
        {
            "containerid/training/ahead.py": f"import sys\nopen({str(record)!r}, 'w').write(' '.join(sys.argv[1:]))",
            "containerid/training/hardware.py": f"print('told', open({str(record)!r}).read())",
        },
    )
    if not here:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        machine.python = str(tmp_path / "bare/bin/python")
    ran = machine.run(source_of(project, data=IN_DVC))
    (told,) = [line for line in ran.lines if line.startswith("told ")]
    assert told.endswith(" --apart") is not here
    assert f"--input {machine.root}/input" in told


def test_what_a_pull_says_is_never_shown(project, machine):
    secret = "1//" + "0g" * 20
    telling = f"import sys\nfor each in (sys.stdout, sys.stderr): print({secret!r}, file=each)\n"
    write_tree(project, {"containerid/training/ahead.py": telling})
    ran = machine.run(source_of(project, data=IN_DVC))
    assert ran.code == 0
    assert secret not in "".join(ran.lines) + ran.stderr


def family(tmp_path: Path) -> dict[str, str]:
    """A pull with a child, that lock a file each; what is not ended goes on for a minute, so that a test ends."""
    holding = """
import fcntl, subprocess, sys, time
child = len(sys.argv) == 2
file = open({place!r} + ("/child" if child else "/parent"), "w")
fcntl.flock(file, fcntl.LOCK_EX)
if child:
    open({place!r} + "/ready", "w").close()
else:
    subprocess.Popen([sys.executable, __file__, "child"], stdout=subprocess.DEVNULL)
time.sleep(60)
"""
    os.mkfifo(tmp_path / "ready")
    return {"containerid/training/ahead.py": holding.format(place=str(tmp_path))}


def all_ended(tmp_path: Path) -> bool:
    """Nobody holds the files of the family any more; those who do are waited for."""
    begun = time.monotonic()
    for name in ("parent", "child"):
        with (tmp_path / name).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
    return time.monotonic() - begun < 30


def test_a_pull_and_all_that_it_has_started_end_when_the_hardware_is_wrong(project, machine, tmp_path):
    wrong = f"open({str(tmp_path / 'ready')!r}).read()\nprint('no GPU here')\nraise SystemExit(7)\n"
    write_tree(project, family(tmp_path) | {"containerid/training/hardware.py": wrong})
    ran = machine.run(source_of(project, data=IN_DVC))
    assert ran.result.reason == "no GPU here"
    assert all_ended(tmp_path)


@pytest.mark.kills
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pull_and_all_that_it_has_started_end_with_a_signal_to_the_kernel(project, machine, tmp_path, number):
    waits = f"open({str(tmp_path / 'ready')!r}).read()\nprint('ready', flush=True)\nimport time; time.sleep(60)\n"
    write_tree(project, family(tmp_path) | {"containerid/training/hardware.py": waits})
    ran = machine.signal(source_of(project, data=IN_DVC), number)
    assert ran.result.outcome == "cancelled"
    assert all_ended(tmp_path)


def test_a_pull_that_the_training_has_not_waited_for_ends_with_the_run(project, machine, tmp_path):
    waits = f"open({str(tmp_path / 'ready')!r}).read()\nprint('rehearsed on CPU')\n"
    write_tree(project, family(tmp_path) | {"containerid/training/hardware.py": waits})
    ran = machine.run(source_of(project, {"behave": "raise"}, data=IN_DVC))
    assert ran.result.phase == "train"
    assert all_ended(tmp_path)
