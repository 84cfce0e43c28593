"""Trainings that are real, and as small as they can be."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes.legs import TINY, Leg, of_folder
from fakes.sets import content_of, draw_set

from containerid.job import Spec
from containerid.training import latency

pytestmark = pytest.mark.training


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path)


def params(**training: Any) -> dict[str, Any]:
    return {**TINY, "training": {**TINY["training"], **training}}


def test_a_run_leaves_everything_and_touches_nothing(leg: Leg, capsys: pytest.CaptureFixture[str]) -> None:
    folder = draw_set(leg.folder / "doors")
    photo = folder / "images/train/train0.jpg"
    photo.write_bytes(photo.read_bytes() + b"\0\0")
    before = content_of(leg.folder / "doors")
    varied = {"hsv_h": 0.02, "perspective": 0.0005, "flipud": 0.1}
    chosen = params(epochs=2, seed=5, plots=True) | {"augmentation": varied}

    result = leg.run(data=of_folder(folder), params=chosen, experiment="exp001", project="doors")

    assert (leg.code, result.outcome, result.proof) == (0, "succeeded", "CPU"), result.reason
    assert list(result.timeline) == ["environment", "data", "validate", "train", "first_batch", "evaluate", "report"]
    wanted = {f"{split}/{name}" for split in ("val", "test") for name in ("mAP50", "mAP50-95", "precision", "recall")}
    assert set(result.metrics) == wanted | {"speed/inference"}
    assert content_of(folder) == before, "neither caches nor a JPEG that was saved anew"
    assert list(Path.cwd().iterdir()) == []
    assert {
        "weights/best.pt", "weights/last.pt", "results.csv", "args.yaml", "train.log", "metadata.json", "summary.md",
        "result.json", "progress.jsonl", "test/confusion_matrix.png",
    } <= set(leg.manifest())  # fmt: skip
    used = yaml.safe_load((leg.out / "args.yaml").read_text())
    passed = {"hsv_h": 0.02, "perspective": 0.0005, "flipud": 0.1, "seed": 5, "epochs": 2, "batch": 4}
    assert used | passed == used
    assert capsys.readouterr().out.count("CID_PROGRESS ") == 2
    check_records(leg)
    check_evaluation(leg)
    check_checkpoint(leg)


def check_records(leg: Leg) -> None:
    told = json.loads((leg.out / "metadata.json").read_text())
    assert (told["experiment"], told["architecture"], told["epochs"], told["seed"]) == ("exp001", "yolo11n", 2, 5)
    assert told["data"]["splits"]["train"]["images"] == 8
    assert told["hyperparameters"]["perspective"] == 0.0005
    assert told["packages"]["ultralytics"]
    assert told["weights"]["best.pt"]["sha256"] == leg.manifest()["weights/best.pt"]["sha256"]
    assert told["confusion"]["conf"] == 0.25
    assert told["metrics"] == leg.result().metrics
    assert "| mAP50 |" in (leg.out / "summary.md").read_text()


def check_evaluation(leg: Leg) -> None:
    """What our own arithmetic says of the passes is what Ultralytics says."""
    told = json.loads((leg.out / "evaluation.json").read_text())
    assert (told["task"], told["split"], told["images"], told["boxes"]) == ("detect", "test", 4, 4)
    for name in ("mAP50", "mAP50-95"):
        assert told["intervals"][name]["value"] == pytest.approx(told["metrics"][name], abs=1e-6)
        assert told["metrics"][name] == leg.result().metrics[f"test/{name}"]
    point, matrix = told["operating"], told["confusion"]["matrix"]
    assert point["true"] + point["missed"] == 4
    assert sum(matrix[0]) == point["true"] + point["false"]
    assert told["speed"]["inference"]["median"] == leg.result().metrics["speed/inference"] > 0
    assert told["model"]["bytes"] == leg.manifest()["weights/best.pt"]["size"]
    pictures = {each["picture"] for each in told["mistakes"]["worst"]}
    assert pictures == {name for name in leg.manifest() if name.startswith("test/worst/")}


def check_checkpoint(leg: Leg) -> None:
    import torch

    checkpoint = torch.load(leg.out / "weights/best.pt", weights_only=False)
    assert checkpoint["git"]["origin"] is None, "the URL of a remote may hold credentials"


def test_classes_that_are_not_trained_on_are_not_measured(leg: Leg) -> None:
    """Their boxes are neither missed nor too few; whoever says such a box all the same says a false one."""
    folder = draw_set(leg.folder / "doors")
    for label in folder.glob("labels/*/*.txt"):
        label.write_text(label.read_text() + "1 0.1 0.1 0.1 0.1\n")
    (folder / "data.yaml").write_text((folder / "data.yaml").read_text().replace("[door]", "[door, handle]"))
    chosen = params(classes=[0]) | {"validation": {"conf_threshold": 0.001}}
    assert leg.run(data=of_folder(folder), params=chosen).outcome == "succeeded"
    told = json.loads((leg.out / "evaluation.json").read_text())
    assert [(row["name"], row["boxes"]) for row in told["per_class"]] == [("door", 4)]
    assert told["boxes"] == told["operating"]["true"] + told["operating"]["missed"] == 4
    assert sum(row[1] for row in told["confusion"]["matrix"]) == 0
    said = sum(map(sum, told["confusion"]["matrix"][:-1]))
    assert said == told["operating"]["true"] + told["operating"]["false"] > 0, "nothing is as sure as 0.25 here"
    assert (told["operating"]["confidence"], told["confusion"]["conf"]) == (0.001, 0.001)
    few = [line for line in json.loads((leg.out / "metadata.json").read_text())["advice"] if "door 16" in line]
    assert len(few) == 1
    assert "handle" not in few[0]


def test_a_quick_run_goes_the_whole_way_on_a_handful(leg: Leg) -> None:
    folder = draw_set(leg.folder / "doors")
    result = leg.run(data=of_folder(folder), params=params(epochs=100) | {"gates": {"val/mAP50": 0.99}}, quick=True)
    assert result.outcome == "succeeded", "a quick run is not held to its gates"
    assert json.loads((leg.out / "metadata.json").read_text())["epochs"] == 2
    assert "test/mAP50" in result.metrics


def test_a_budget_pauses_with_a_checkpoint_that_can_be_gone_on_from(leg: Leg) -> None:
    import torch

    folder = draw_set(leg.folder / "doors")
    result = leg.run(data=of_folder(folder), params=params(epochs=1000), budget=0.01)
    assert (leg.code, result.outcome, result.phase) == (9, "paused", "train")
    assert result.reason == "the time budget of 0.01 s ended after epoch 1"
    assert result.checkpoint == {"epoch": 1, "epochs": 1000}
    assert "val/mAP50" in result.metrics
    kept = torch.load(leg.out / "weights/resume.pt", weights_only=False)
    assert (kept["epoch"], kept["optimizer"] is None) == (0, False)
    assert torch.load(leg.out / "weights/best.pt", weights_only=False)["optimizer"] is None
    assert not (leg.out / "weights/last.pt").exists(), "resume.pt holds more"


def test_an_error_after_the_training_is_a_failed_run_that_keeps_its_weights(leg: Leg) -> None:
    for name in ("summary.md", "metadata.json"):
        (leg.out / name).mkdir(parents=True)
    result = leg.run(data=of_folder(draw_set(leg.folder / "doors")))
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "report")
    assert result.reason.startswith("IsADirectoryError: ")
    assert "weights/best.pt" in leg.manifest()
    assert "test/mAP50" in result.metrics


def test_a_gate_that_is_not_met_is_a_finished_run_that_failed(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("no clock")

    monkeypatch.setattr(latency, "measure", broken)
    folder = draw_set(leg.folder / "doors")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door]\n")
    result = leg.run(data=of_folder(folder), params=params() | {"gates": {"val/mAP50": 0.99}})
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "report")
    assert result.reason.startswith("gates not met: val/mAP50 0")
    assert {"metadata.json", "summary.md"} <= set(leg.manifest())
    assert "there is no test split" in leg.log()
    assert "caution: speed: OSError: no clock; the run goes on without" in leg.log()
    told = json.loads((leg.out / "evaluation.json").read_text())
    assert (told["split"], told["images"], "mistakes" in told) == ("val", 4, True)
    assert told["confusion"]["matrix"], "without plots Ultralytics would leave it empty"
    assert not any(name.startswith("test/") for name in result.metrics)
    assert json.loads((leg.out / "metadata.json").read_text())["gates"][0]["met"] is False


def test_weights_that_are_nowhere_stop_a_run_without_internet(leg: Leg) -> None:
    folder = draw_set(leg.folder / "doors")
    chosen = params() | {"model": {"architecture": "yolo11n", "pretrained": True}}
    result = leg.run(data=of_folder(folder), params=chosen, internet=False)
    assert result.reason.startswith("the weights yolo11n.pt are not here, and the run has no internet; ")


def test_weights_of_an_earlier_run_are_a_start(leg: Leg) -> None:
    folder = draw_set(leg.folder / "doors")
    assert leg.run(data=of_folder(folder)).outcome == "succeeded"
    (leg.out / "weights/best.pt").rename(Path.cwd() / "mine.pt")
    models = {"model": {"architecture": "mine.pt"}, "pretrained": {"architecture": "yolo11n", "pretrained": "mine.pt"}}
    for argument, model in models.items():
        assert leg.run(data=of_folder(folder), params=params() | {"model": model}).outcome == "succeeded"
        assert yaml.safe_load((leg.out / "args.yaml").read_text())[argument] == str(Path.cwd() / "mine.pt")
    chosen = params() | {"model": {"architecture": "yolo11n", "pretrained": "none.pt"}}
    assert leg.run(data=of_folder(folder), params=chosen).reason.startswith("the weights none.pt are not there")


def test_a_torchvision_that_does_not_fit_stops_the_run_early(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    (leg.folder / "torchvision.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(leg.folder)
    result = leg.run(data=of_folder(draw_set(leg.folder / "doors")))
    assert (result.phase, "do not fit together" in result.reason) == ("train", True)


@pytest.mark.kills
def test_a_signal_in_the_middle_keeps_a_checkpoint_that_can_be_gone_on_from(leg: Leg) -> None:
    import torch

    data = of_folder(draw_set(leg.folder / "doors"))
    spec = Spec(run="r1", device="cpu", params=params(epochs=1000), data=data)
    (leg.folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    command = [sys.executable, "-m", "containerid.training", "--spec", leg.folder / "spec.json", "--out", leg.out]
    home = leg.folder / "home"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(home)}
    for name in ("YOLO_CONFIG_DIR", "XDG_CONFIG_HOME"):
        environ.pop(name, None)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        for line in process.stdout or ():
            if line.startswith('CID_PROGRESS {"epoch": 2'):
                process.terminate()
    assert process.returncode == 8
    result = leg.result()
    assert result.outcome == "cancelled"
    assert result.reason.startswith("stopped by SIGTERM in train, after epoch ")
    kept = torch.load(leg.out / "weights/resume.pt", weights_only=False)
    assert (kept["epoch"] >= 1, kept["optimizer"] is None) == (True, False)
    assert "weights/resume.pt" in leg.manifest()
    assert torch.load(leg.out / "weights/best.pt", weights_only=False)["optimizer"] is None
    assert {path.name for path in (leg.out / "weights").iterdir()} == {"best.pt", "resume.pt"}, "and nothing twice"
    assert not list(home.rglob("Ultralytics")), "its settings are the run's own"
