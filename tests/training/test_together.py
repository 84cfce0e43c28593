"""Several processes train one model. There are no GPUs here: they compute on the CPU, or only play their part."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.legs import TINY, Leg, check_measured, model_of, of_folder
from fakes.sets import draw_set, sort_crops

from containerid.job import Past
from containerid.training import hardware, together
from containerid.training.hardware import Hardware
from containerid.training.together import Ending

PLAYED = """
import json, sys, time
from pathlib import Path
plan = json.load(open(sys.argv[1]))
print('CID_PROGRESS {"epoch": 1, "epochs": 2, "metrics": {"val/mAP50": 0.5}, "eta": 1.0}', flush=True)
def end(**how):
    file = Path(plan["scratch"], "0/ending.json")
    file.parent.mkdir(exist_ok=True)
    json.dump(how, file.open("w"))
    sys.exit()
"""


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    """A machine whose two GPUs are its processor."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(hardware, "prove", lambda _: Hardware("cpu", "2 × processor", (), (0, 1)))
    draw_set(tmp_path / "doors")
    return Leg(tmp_path)


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Decide what the processes are."""

    def are(script: str, *launcher: str) -> None:
        file = tmp_path / "process.py"
        file.write_text(script, encoding="utf-8")
        monkeypatch.setattr(together, "command", lambda plan, _: [sys.executable, *launcher, str(file), str(plan)])

    return are


def run(leg: Leg, **training: Any) -> Any:
    return leg.run(data=of_folder(leg.folder / "doors"), params=TINY | {"training": {**TINY["training"], **training}})


@pytest.fixture
def gloo(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The processes are real, on the CPU; see `fakes/gloo`."""
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tests / "fakes/gloo"), str(tests))))
    return lambda **small: monkeypatch.setenv("SMALL", small["small"])


@pytest.mark.training
def test_two_processes_train_one_model(leg: Leg, gloo: Callable[..., None]) -> None:
    result = run(leg, epochs=2, batch_size=5)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    assert {"val/mAP50", "test/mAP50"} <= set(result.metrics)
    told = json.loads((leg.out / "metadata.json").read_text())
    assert "alone" not in told
    assert told["epochs"] == 2
    assert told["hyperparameters"]["batch"] == 4, "the same for each"
    assert told["usage"]["images_per_second"] > 0
    assert (leg.out / "results.csv").read_text().count("\n") == 3
    assert leg.log().count("CID_PROGRESS ") == 2


@pytest.mark.training
@pytest.mark.parametrize("rank", ["0", "1"])
def test_memory_that_runs_out_on_any_gpu_ends_all_at_once_and_halves_the_batch(
    leg: Leg, gloo: Callable[..., None], monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    """The others wait for it, and would do so for as long as silence is borne."""
    monkeypatch.setattr(together.train, "__defaults__", (100.0,))
    gloo(small=rank)
    result = run(leg, batch_size=4)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["halved"] == [{"after_epoch": 0, "from": 4, "to": 2}]
    assert "alone" not in told


def test_a_fault_is_the_one_that_came_first_whoever_had_it() -> None:
    session: Any = SimpleNamespace(epochs=3, extras={}, budget=SimpleNamespace(first_batch=1.0))
    memory, closed = Ending(error="out of memory", batch=8, at=5.0), Ending(error="closed by peer", epochs=3, at=6.0)
    found = together._judge(session, [closed, memory], "")
    assert (found.error, found.batch, found.epochs) == ("out of memory", 8, 3)
    assert together._judge(session, [None, memory], "").error == "out of memory"
    assert together._judge(session, [Ending(epochs=4), memory], "").error == "", "the first had all it needed"
    with pytest.raises(together.Apart, match="ended without a word; the last was: boo"):
        together._judge(session, [None, None], "boo")


def test_a_progress_bar_of_theirs_leaves_its_last_state_and_is_a_sign_of_life(
    leg: Leg, processes: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = "for share in range(101):\n    print(f'\\r\\x1b[K 1/12: {share}%', end='', flush=True)\nprint()\n"
    processes(PLAYED + frames + "end(paused='enough', epochs=1)")
    heard: list[str] = []
    lines = together._lines

    def listen(*given: Any) -> Any:
        for line in lines(*given):
            heard.append(line)
            yield line

    monkeypatch.setattr(together, "_lines", listen)
    run(leg)
    assert len(heard) > 100
    assert leg.log().count("1/12") == 1
    assert " 1/12: 100%\n" in leg.log()


@pytest.mark.training
def test_processes_that_do_not_train_together_are_said_aloud_and_one_goes_on(
    leg: Leg, processes: Callable[..., None]
) -> None:
    """What they train is a classifier, the task that is the farthest from detection."""
    processes("raise SystemExit('NCCL error: unhandled system error')")
    folder = sort_crops(leg.folder / "doors")
    asked = TINY | {"model": model_of("classify"), "training": {**TINY["training"], "epochs": 2}}
    assert leg.run(data=of_folder(folder), params=asked, budget=0.01).outcome == "paused"
    caution = "caution: the GPUs do not train together (they ended without a word; the last was: NCCL error"
    assert caution in leg.log()
    assert "it goes on with GPU 0" in leg.log()
    assert leg.log().count("caution:") == 1
    past = Past(kind="folder", source=str(leg.out))
    result = leg.run(data=of_folder(folder), params=asked, leg=2, past=past)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    assert "goes on after epoch 1 of 2, leg 2" in leg.log()
    check_measured(leg, "classify", "accuracy_top1")
    assert not list(folder.rglob("*.cache"))
    assert json.loads((leg.out / "metadata.json").read_text())["alone"].startswith("they ended without a word")
    evaluated = json.loads((leg.out / "evaluation.json").read_text())
    assert evaluated["names"] == ["door", "wall"]
    assert evaluated["speed"]["throughput"]["batch"] == 4, "the whole of it is on one GPU now"


def test_a_pause_of_the_first_process_is_the_runs(leg: Leg, processes: Callable[..., None]) -> None:
    processes(PLAYED + "end(paused='the time budget of 60 s ended after epoch 1', epochs=1, checkpoint={'epoch': 1})")
    result = run(leg)
    assert (leg.code, result.outcome, result.reason) == (9, "paused", "the time budget of 60 s ended after epoch 1")
    assert result.checkpoint == {"epoch": 1}


def test_silence_ends_them(leg: Leg, processes: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together.train, "__defaults__", (0.3,))
    enter, begun = together._started.__enter__, []

    def start(self: Any) -> Any:
        begun.append(enter(self))
        return begun[0]

    monkeypatch.setattr(together._started, "__enter__", start)
    processes(PLAYED + "time.sleep(30)")
    monkeypatch.setattr(together, "_FAREWELL", 5.0)
    seen: list[str] = []

    def alone(*_: object, **__: object) -> Any:
        raise RuntimeError(f"alone: {seen}")

    monkeypatch.setattr("containerid.training.train.attempt", alone)
    result = run(leg)
    assert begun[0].returncode < 0, "it was not waited for: a signal has ended it"
    assert "they said nothing for 0 s" in leg.log()
    assert result.reason.startswith("RuntimeError: alone")


@pytest.mark.parametrize(("batch", "shared"), [(16, 16), (17, 16), (1, 2), (-1, 32), (0.7, 32)])
def test_a_batch_is_shared_evenly(batch: float, shared: int) -> None:
    assert together.share(batch, 2) == shared
