import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from containerid.errors import RunFailed
from containerid.training import halving, yolo
from containerid.training.data import Place

LOADER = """
from pathlib import Path
def attempt_download_asset(file):
    if "yolo" not in Path(file).name:
        raise ConnectionError("Download failure. Environment may be offline.")
    Path(file).write_bytes(b"weights")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A package that downloads what Ultralytics does, from nowhere."""
    folder = tmp_path / "modules/elsewhere/utils"
    folder.mkdir(parents=True)
    (folder / "downloads.py").write_text(LOADER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return SimpleNamespace(__name__="elsewhere")


def place(tmp_path: Path) -> Place:
    for name in ("project/weights", "input/models", "input/datasets/ada/models"):
        (tmp_path / name).mkdir(parents=True)
    return Place(tmp_path / "project", tmp_path / "input", tmp_path)


def test_a_model_file_is_looked_for_near_by_first(tmp_path: Path) -> None:
    where = place(tmp_path)
    assert yolo.find_file("yolo11n.pt", where) is None
    yolo.weights_folder().mkdir(parents=True)
    for folder in (
        yolo.weights_folder(),
        tmp_path / "input/datasets/ada/models",
        tmp_path / "input/models",
        tmp_path / "project/weights",
        tmp_path / "project",
    ):
        (folder / "yolo11n.pt").write_bytes(b"weights")
        assert yolo.find_file("yolo11n.pt", where) == folder / "yolo11n.pt"


def test_downloaded_weights_are_kept_for_the_next_run(package: SimpleNamespace, tmp_path: Path) -> None:
    found = yolo._download("yolo11n.pt", package, internet=True)
    assert found == yolo.weights_folder() / "yolo11n.pt"
    assert [path.name for path in yolo.weights_folder().iterdir()] == ["yolo11n.pt"]


def test_a_download_that_fails_leaves_nothing_and_says_what_else_to_do(package: SimpleNamespace) -> None:
    with pytest.raises(RunFailed, match=r"the weights mine\.pt cannot be downloaded \(Download failure") as error:
        yolo._download("mine.pt", package, internet=True)
    assert "model.pretrained: false" in error.value.hint
    assert list(yolo.weights_folder().iterdir()) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "the GPU's memory is too small for it"),
        ("DataLoader worker (pid 71) is killed by signal: Killed.", "a data loading process was killed"),
    ],
)
def test_common_ends_of_a_training_are_explained(text: str, reason: str) -> None:
    explained = halving.explained(RuntimeError(text))
    assert isinstance(explained, RunFailed)
    assert explained.message.startswith(reason)


def test_other_errors_stay_what_they_are() -> None:
    error = RuntimeError("shape mismatch")
    assert halving.explained(error) is error


SET_UP = """
import json, os, sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from containerid.config import Params
from containerid.training import yolo

scratch = Path(sys.argv[1])
spec = SimpleNamespace(project="doors", run="r1", internet=True)
place = SimpleNamespace(scratch=scratch)
with yolo.ultralytics(SimpleNamespace(params=Params(), spec=spec, place=place, phase="", out=scratch)) as package:
    from ultralytics.utils import SETTINGS, callbacks, events

    # All else that would keep it silent here is not so on Kaggle.
    events.ONLINE, events.IS_PIP_PACKAGE, events.TESTS_RUNNING = True, True, False
    trainer = type("Trainer", (), {"callbacks": defaultdict(list)})()
    callbacks.add_integration_callbacks(trainer)
    print(json.dumps({
        "reports": events.Events().enabled,
        "file": str(SETTINGS.file),
        "on": [name for name, value in SETTINGS.items() if value is True],
        "keys": [os.environ.get("ULTRALYTICS_API_KEY", ""), SETTINGS["api_key"]],
        "called": sorted({one.__module__.rpartition(".")[2] for each in trainer.callbacks.values() for one in each}),
    }))
"""


def test_the_real_package_reports_to_nobody_and_keeps_its_settings_in_scratch(tmp_path: Path) -> None:
    """It calls its own reporting and its platform's, which have nothing to say where they are off."""
    key = "-".join(("ul", "0123456789abcdef"))
    environ = {**os.environ, "HOME": str(tmp_path / "home"), "ULTRALYTICS_API_KEY": key}
    for name in ("YOLO_CONFIG_DIR", "XDG_CONFIG_HOME", "YOLO_OFFLINE"):
        environ.pop(name, None)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SET_UP, str(scratch)], capture_output=True, text=True, check=True, env=environ
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "reports": False,
        "file": str(scratch / "Ultralytics/settings.json"),
        "on": [],
        "keys": ["", ""],
        "called": ["events", "platform"],
    }
    assert not list((tmp_path / "home").rglob("settings.json"))
