"""What is known to fail is refused before a run is begun: nothing is sent, and no run is in the list."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.platform import Platform
from fakes.sets import write_set

from containerid import backends
from containerid.errors import UsageError
from containerid.home import Home
from containerid.kaggle.plan import KaggleSettings
from containerid.kaggle.preflight import machine
from containerid.runs.foresight import gpus
from containerid.runs.registry import Registry

PARAMS = """
default_experiment: exp001
detection:
  model: {architecture: yolo11n, pretrained: false}
  training: {epochs: 5, warmup_epochs: 1}
  data: {provider: synthetic}
experiments: {exp001: {}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: Platform) -> Path:
    for name, limit in (("kaggle", 12 * 3600), ("local", 0)):
        row = backends.Entry("fakes.platform:PlatformBackend", git="snapshot", first=0.001, cap=0.002, limit=limit)
        monkeypatch.setitem(backends.TABLE, name, row)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (folder / "mine").mkdir()
    (folder / "mine/learn.py").write_text("print('hello')\n", encoding="utf-8")
    (folder / "mine/start.pt").write_bytes(b"weights")
    (folder / ".gitignore").write_text("*.pt\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    monkeypatch.chdir(folder)
    return folder


def tools(folder: Path, gpus: int) -> str:
    """A PATH whose nvidia-smi lists so many GPUs."""
    folder.mkdir()
    tool = folder / "nvidia-smi"
    tool.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {n}: NVIDIA L4 (UUID: GPU-{n})'\n" for n in range(gpus)))
    tool.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kaggle", "--set", "model.pretrained=weights/nope.pt"], "weights/nope.pt is not there: model.pretrained"),
        (["--kaggle", "--set", "model.pretrained=maybe"], "must be true, false or the path of a `.pt` file"),
        (["--local", "--set", "model.pretrained=weights/nope.pt"], "weights/nope.pt is not there"),
        (["--kaggle", "--set", "model.architecture=mine/no.yaml"], "mine/no.yaml is not there: model.architecture"),
        (["--kaggle", "--set", "training.entry=mine.lern"], "the module mine.lern is not there: training.entry"),
        (["--kaggle", "--session-limit", "30h"], "a session of 30h00m is longer than the 12 hours"),
        (["--kaggle", "-e", ""], "no experiment is called ``"),
        (["--local", "--device", "cuda"], "a GPU was asked for, and this machine has none"),
        (["--local", "--set", "training.device=7"], "a GPU was asked for, and this machine has none"),
    ],
)
def test_what_is_known_to_fail_is_one_line_and_no_run(cid, monkeypatch, tmp_path, platform, arguments, told):
    monkeypatch.setenv("PATH", tools(tmp_path / "tools", gpus=0))
    said = cid("train", *arguments)
    assert (said.code, told in said.err, "\n  try: " in said.err) == (2, True, True), said.err
    assert platform.pushed == []
    assert Registry(Home.of_user().registry).runs() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--local", "--set", "model.pretrained=mine/start.pt"],
        ["--local", "--set", "model.pretrained=start.pt", "--dataset-source", "ada/weights"],
        ["--kaggle", "--set", "training.entry=mine.learn"],
        ["--kaggle", "--set", "training.entry=json.tool"],
        ["--kaggle", "--set", "model.architecture=yolo11n.pt", "--set", "model.pretrained=true"],
        ["--kaggle", "--session-limit", "11h"],
    ],
)
def test_what_may_work_is_begun(cid, arguments):
    said = cid("train", *arguments, "--detach")
    assert said.code == 0, said.err


def test_gpus_are_counted_as_the_driver_lists_them(cid, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", tools(tmp_path / "tools", gpus=2))
    assert cid("train", "--local", "--set", "training.device=1", "--detach").code == 0
    said = cid("train", "--local", "--set", "training.device=7", "--new")
    assert (said.code, "GPU 7 was asked for, and this machine has 2" in said.err) == (2, True)
    assert gpus({"CUDA_VISIBLE_DEVICES": "3"}) is None, "what is left visible is PyTorch's to count"


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac may have one")
def test_no_apple_gpu_is_asked_of_another_machine(cid):
    assert cid("train", "--local", "--device", "mps").code == 2


@pytest.mark.parametrize(("option", "code"), [("model.pretrained=mine/start.pt", 2), ("training.entry=mine.learn", 0)])
def test_what_git_ignores_would_not_arrive(cid, option, code):
    said = cid("train", "--rehearse", "--dry-run", "--set", option)
    assert said.code == code, said.err
    if code:
        assert "mine/start.pt is ignored by git, and would not arrive: model.pretrained" in said.err
        assert "try: git add -f mine/start.pt" in said.err


def test_a_file_that_git_was_told_to_take_arrives(cid, project):
    subprocess.run(["git", "-C", str(project), "add", "-f", "mine/start.pt"], check=True)
    assert cid("train", "--rehearse", "--dry-run", "--set", "model.pretrained=mine/start.pt").code == 0


@pytest.mark.parametrize(("architecture", "code"), [("yolo11n-seg", 7), ("yolo11n-obb", 7), ("yolo11n", 0)])
def test_boxes_are_no_outlines(cid, project, architecture, code):
    write_set(project / "data/doors")
    said = cid(
        "train", "--kaggle", "--detach", "--data", "data/doors", "--set", f"model.architecture={architecture}"
    )  # fmt: skip
    assert (said.code, "a box where a polygon is needed" in said.err) == (code, bool(code))


def test_outlines_are_none_of_boxes_alone(cid, project):
    write_set(project / "data/doors", label="0 0.3 0.3 0.6 0.3 0.6 0.6 0.3 0.6\n")
    seg = ("--set", "model.architecture=yolo11n-seg")
    assert cid("train", "--kaggle", "--detach", "--data", "data/doors", *seg).code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--kaggle", "--set", "training.learning_rate=0"], "training.learning_rate is 0"),
        (
            ["--kaggle", "--set", "training.amp=bf16", "--accelerator", "NvidiaTeslaT4", "--gpu"],
            "`bf16` needs what the T4",
        ),
        (["--kaggle", "--set", "training.amp=bf16", "--device", "cpu"], "`bf16` needs what a CPU"),
    ],
)
def test_what_may_be_meant_is_a_caution(cid, arguments, told):
    said = cid("train", *arguments, "--detach")
    assert (said.code, told in said.err) == (0, True), said.err


def test_a_newer_card_has_what_bf16_needs(cid):
    said = cid("train", "--kaggle", "--detach", "--set", "training.amp=bf16", "--accelerator", "NvidiaL4", "--gpu")
    assert (said.code, "bf16" in said.err) == (0, False)


def test_a_machine_that_kaggle_is_not_known_to_have_is_asked_about_with_the_nearest():
    (found,) = machine(KaggleSettings.read({"accelerator": "NvidiaTeslaT5"}).accelerator)
    assert found.doubt, "Kaggle may have made a new one"
    assert found.fault is not None
    assert (found.fault.code, "did you mean `NvidiaTeslaT4`?" in found.fault.message) == (2, True)
    assert not list(machine(KaggleSettings.read({"accelerator": "nvidial4"}).accelerator)), "whatever the case"
    with pytest.raises(UsageError, match="the P100 is retired"):
        KaggleSettings.read({"accelerator": "NvidiaTeslaP100"})
