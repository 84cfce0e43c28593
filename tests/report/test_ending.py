"""What a page says of how a run ended, and how to make it again, go on with it or mend it."""

import json
import shlex

import pytest
from fakes.reports import Read, leave

from containerid.report import run as report


def made(folder, **more):
    return Read(report.write(folder, **more).read_text(encoding="utf-8"))


def test_the_command_that_makes_a_run_again_holds_what_was_said_on_the_command_line(tmp_path):
    said = ["training.epochs=12", "augmentation.note=it's $HOME"]
    page = made(leave(tmp_path), spec={"backend": "kaggle", "overrides": said, "quick": True, "device": "cpu"})
    line = next(each for each in page.text.splitlines() if "cid train" in each)
    assert shlex.split(line) == [
        "cid", "train", "--kaggle", "-e", "exp001", "--set", said[0], "--set", said[1], "--quick", "--device", "cpu",
    ]  # fmt: skip
    assert page.text.index("cid reproduce") < page.text.index("git checkout") < page.text.index("cid train")


def test_what_was_said_and_is_not_known_is_not_left_out_in_silence(tmp_path):
    page = made(leave(tmp_path), spec={"backend": "local"})
    assert "cid reproduce" in page.text
    assert "cid train" not in page.text


@pytest.mark.parametrize(
    ("data", "params", "told"),
    [
        ({"provider": "folder", "source": "/home/ada/doors2"}, {"path": "data/doors"}, "--data doors2"),
        ({"provider": "folder", "source": "/home/ada/p/data/doors"}, {"path": "data/doors"}, ""),
        ({"provider": "kaggle", "source": "ada/doors"}, {"kaggle": None, "path": "d"}, "--data ada/doors"),
        ({"provider": "kaggle", "source": "ada/doors"}, {"kaggle": "ada/doors"}, ""),
    ],
)
def test_data_that_params_yaml_does_not_name_is_named(tmp_path, data, params, told):
    leave(tmp_path, metadata={"params": {"data": params}})
    page = made(tmp_path, spec={"overrides": [], "data": data})
    line = next(each for each in page.text.splitlines() if "cid train" in each)
    assert line == " ".join(filter(None, ["cid train --local -e exp001", told]))
    assert "/home/ada" not in page.text


def test_a_run_that_failed_shows_the_end_of_its_log_what_it_means_and_what_to_do(tmp_path):
    result = {"run": "r1", "outcome": "failed", "phase": "train", "reason": "OutOfMemoryError: CUDA out of memory."}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    log = "\n".join([*(f"line {n}" for n in range(40)), "torch.OutOfMemoryError: CUDA out of memory. Tried", ""])
    (tmp_path / "train.log").write_text(log, encoding="utf-8")
    page = made(tmp_path, spec={"experiment": "exp1", "overrides": ["training.epochs=3"], "code": {"sha": "a" * 40}})
    assert "Failed in train." in page.text
    assert "Why?" in page.text
    assert "training.batch_size" in page.text
    assert "line 39" in page.text
    assert "line 5\n" not in page.text
    assert "cid logs r1" in page.text
    assert "cid train --local -e exp1 --set training.epochs=3" in page.text
    assert "cid reproduce" not in page.text, "it would fail again"
    assert "Make it again" not in page.text


def test_a_paused_run_says_how_it_goes_on(tmp_path):
    result = {
        "outcome": "paused",
        "phase": "train",
        "reason": "the time was up",
        "checkpoint": {"epoch": 4, "epochs": 9},
    }
    page = made(leave(tmp_path, run="r1", result=result, metadata={"gates": []}))
    assert "# goes on after epoch 4 of 9\ncid resume r1" in page.text
    assert page.text.index("cid resume r1") < page.text.index("cid reproduce")


def test_a_cancelled_run_offers_its_checkpoint_and_a_beginning_and_mends_nothing(tmp_path):
    checkpoint = {"epoch": 3, "epochs": 60}
    result = {"run": "r1", "outcome": "cancelled", "phase": "train", "reason": "stopped by SIGTERM in train"}
    (tmp_path / "result.json").write_text(json.dumps({**result, "checkpoint": checkpoint}), encoding="utf-8")
    page = made(tmp_path, spec={"experiment": "exp1", "overrides": ["training.epochs=60"]})
    assert "Stopped by SIGTERM in train." in page.text
    assert "cid resume r1" in page.text
    assert "# from the beginning\ncid train --local -e exp1 --set training.epochs=60" in page.text
    assert "mended" not in page.text
