"""Promoted models are looked at without trusting them."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import dvc as fake
from fakes.models import Studio

from containerid import runs
from containerid.errors import NotFound, OutputsUnverified
from containerid.runs import model
from containerid.training.inspection import inspect

FOUND = {"task": "detect", "classes": ["door"], "parameters": 10, "imgsz": 32, "milliseconds": 1.0, "boxes": 0}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("CID_DVC", str(fake.program(tmp_path)))
    return Studio(tmp_path / "studio")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_inspect", lambda path: FOUND)


def promoted(studio: Studio, name: str = "exp001-1", content: bytes = b"weights"):
    return runs.promote(studio.run(name, content=content), home=studio.home)


@pytest.mark.usefixtures("loads")
def test_a_version_is_found_by_its_name_its_number_or_its_start(studio):
    made = promoted(studio)
    for name in (made.version, "v1.0", "exp001", "detection_v1"):
        found = runs.examine(name, studio.root)
        assert (found.version, found.recorded, found.size) == (made.version, True, 7)
        assert found.document()["classes"] == ["door"]


@pytest.mark.usefixtures("loads")
def test_an_older_version_comes_out_of_the_cache(studio):
    promoted(studio)
    promoted(studio, "exp001-2", b"newer")
    assert Path(runs.examine("v1.1", studio.root).file) == studio.root / "weights/detection/best.pt"
    assert ".dvc/cache" in runs.examine("v1.0", studio.root).file


@pytest.mark.training
def test_the_command_that_is_named_brings_a_swapped_model_back(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "best.pt").write_bytes(b"weights")
    dvc = [sys.executable, "-m", "dvc"]
    for words in (["init", "-q", "--no-scm"], ["add", "-q", "weights/best.pt"]):
        subprocess.run([*dvc, *words], cwd=tmp_path, check=True)
    (folder / "best.pt").unlink()
    (folder / "best.pt").write_bytes(b"swapped")
    with pytest.raises(OutputsUnverified, match="is not what DVC has") as error:
        runs.examine("weights/best.pt", tmp_path)
    program, *words = shlex.split(error.value.hint.partition(";")[0])
    assert program == "dvc"
    subprocess.run([*dvc, *words], cwd=folder, check=True)
    assert (folder / "best.pt").read_bytes() == b"weights"


def test_a_model_that_was_swapped_is_not_even_loaded(studio, monkeypatch):
    promoted(studio)
    (studio.root / "weights/detection/best.pt").write_bytes(b"swapped")
    monkeypatch.setattr(model, "_inspect", lambda path: pytest.fail("it was loaded"))
    for name in ("weights/detection", "weights/detection/best.pt"):
        with pytest.raises(OutputsUnverified, match="is not what DVC has"):
            runs.examine(name, studio.root)


@pytest.mark.usefixtures("loads")
def test_a_file_that_dvc_does_not_know_is_looked_at_all_the_same(studio):
    studio.project.write("runs/x/best.pt", b"any")
    assert runs.examine("runs/x", studio.root).recorded is None


def test_what_is_not_there_says_how_to_get_it(studio):
    promoted(studio)
    (studio.root / "weights/detection/best.pt").unlink()
    with pytest.raises(NotFound) as error:
        runs.examine("weights/detection/best.pt", studio.root)
    assert error.value.hint == "dvc pull"


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.mark.training
def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"model": Evil(), "epoch": 1}, tmp_path / "best.pt")
    with pytest.raises(OutputsUnverified, match=r"was not loaded: .*outside the supported"):
        runs.examine("best.pt", tmp_path)
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.training
def test_a_real_model_is_loaded_and_predicts_also_as_it_lies_in_the_cache(tmp_path):
    code = "from ultralytics import YOLO; m = YOLO('yolo11n.yaml', verbose=False); m.save('best.pt')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    cached = (tmp_path / "best.pt").rename(tmp_path / "fa4d10b7c838a0ed25b37fbb219734")
    found = runs.examine(cached.name, tmp_path).document()
    assert found["task"] == "detect"
    assert len(found["classes"]) == 80
    assert found["milliseconds"] > 0


def test_a_process_that_says_nothing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "_INSPECTING", 0.01)
    (tmp_path / "best.pt").touch()
    with pytest.raises(OutputsUnverified, match="did not answer"):
        runs.examine("best.pt", tmp_path)


def test_the_other_process_gets_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    seen = {}

    def run(arguments, env, **_):
        seen.update(env)
        return subprocess.CompletedProcess(arguments, 0, '{"task": "detect"}\n', "")

    monkeypatch.setattr(model.subprocess, "run", run)
    (tmp_path / "best.pt").touch()
    assert runs.examine("best.pt", tmp_path).found == {"task": "detect"}
    assert "WANDB_API_KEY" not in seen
    assert seen["HOME"] != os.environ["HOME"]


def saved(path: Path, **other: object) -> Path:
    """What the timm trainer saves, of a model that has learnt nothing."""
    import timm
    import torch

    state = timm.create_model("test_resnet", num_classes=2).state_dict()
    content = {"state_dict": state, "architecture": "test_resnet", "names": ["door", "wall"], "imgsz": 32}
    torch.save(content | other, path)
    return path


def test_a_classifier_of_timm_is_read_as_plain_data_and_says_what_it_sees(tmp_path):
    found = inspect(saved(tmp_path / "best.pt"))
    assert (found["task"], found["classes"], found["imgsz"], found["boxes"]) == ("classify", ["door", "wall"], 32, 0)
    assert found["seen"] in {"door", "wall"}
    assert found["parameters"] > 1000


def test_a_classifier_is_built_of_no_name_that_would_be_fetched(tmp_path):
    with pytest.raises(RuntimeError, match="has no model hf-hub:ada/doors"):
        inspect(saved(tmp_path / "best.pt", architecture="hf-hub:ada/doors"))


@pytest.mark.training
def test_a_promoted_classifier_is_shown(studio, cid, monkeypatch, tmp_path):
    content = saved(tmp_path / "best.pt").read_bytes()
    made = runs.promote(
        studio.run(content=content, params={"model": {"architecture": "timm/test_resnet"}}), home=studio.home
    )
    monkeypatch.chdir(studio.root)
    said = cid("model", made.version)
    assert said.code == 0, said.err
    assert "a drawn scene is" in said.out
