import sys
import threading
from types import SimpleNamespace

from containerid.events import Heartbeat
from containerid.runs.pulse import read_heartbeat
from containerid.training.hardware import Hardware
from containerid.training.heartbeat import beating, look
from containerid.training.log import Log, say


def session(kind="cpu", heard=lambda beat: None):
    log = SimpleNamespace(heartbeat=heard)
    return SimpleNamespace(phase="train", hardware=Hardware(kind, kind, indices=(1,)), log=log)


def test_a_session_on_the_cpu_only_says_that_it_lives():
    assert look(session()) == Heartbeat("train")


def test_a_gpu_is_asked_by_its_own_number_how_busy_it_is():
    asked = []
    beat = look(session("cuda"), lambda index: asked.append(index) or "93, 9216, 15360")
    assert (beat, asked) == (Heartbeat("train", 0.93, 0.6), ["1"])


def test_a_driver_that_tells_nothing_is_no_trouble():
    assert look(session("cuda"), lambda index: "[N/A], 9216, 15360") == Heartbeat("train")


def test_it_beats_while_the_session_lives_and_not_after_it():
    heard, beaten = [], threading.Event()

    def hear(beat):
        heard.append(beat)
        beaten.set()

    with beating(session(heard=hear), every=0.001):
        assert beaten.wait(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def test_a_heartbeat_that_fails_stops_nothing():
    def fail(beat):
        raise OSError("no")

    with beating(session(heard=fail), every=0.001):
        pass


def test_a_heartbeat_begins_its_line_even_beside_a_progress_bar(tmp_path, capfd):
    with Log(tmp_path / "train.log", ("train",)) as log:
        sys.stdout.write("\r 50% of a bar")
        log.heartbeat(Heartbeat("train", 0.5))
        say("on")
    lines = capfd.readouterr().out.splitlines()
    assert read_heartbeat(lines[0]) == Heartbeat("train", 0.5)
    assert lines[1] == "on"
