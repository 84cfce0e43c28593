"""What else than boxes can be trained."""

import json
from pathlib import Path

import pytest
import yaml
from fakes.legs import TINY, Leg, of_folder
from fakes.sets import draw_set

from containerid.dataset.findings import Finding, Report
from containerid.dataset.tasks import settle

POSE = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1\n"
MODELS = {"pose": "yolo11n-pose", "classify": "yolo11n-cls"}
MEASURED = {"pose": "test/mAP50-95(P)", "classify": "test/accuracy_top1"}


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path)


def of_task(folder: Path, task: str) -> Path:
    """The drawn set with labels of another task."""
    draw_set(folder)
    if task == "classify":
        for number, image in enumerate(sorted(folder.glob("images/*/*"))):
            place = folder.parent / "crops" / image.parent.name / ("door" if number % 2 else "wall") / image.name
            place.parent.mkdir(parents=True, exist_ok=True)
            image.rename(place)
        return folder.parent / "crops"
    for label in folder.glob("labels/*/*.txt"):
        label.write_text(POSE, encoding="utf-8")
    with (folder / "data.yaml").open("a") as file:
        file.write("kpt_shape: [2, 3]\nflip_idx: [1, 0]\n")
    return folder


@pytest.mark.training
@pytest.mark.parametrize("task", ["pose", "classify"])
def test_every_task_is_trained_and_measured(task: str, leg: Leg) -> None:
    folder = of_task(leg.folder / "doors", task)
    params = TINY | {"model": {"architecture": MODELS[task], "pretrained": False}}
    result = leg.run(data=of_folder(folder), params=params)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    assert MEASURED[task] in result.metrics
    assert MEASURED[task].replace("test", "val") in result.metrics
    assert yaml.safe_load((leg.out / "args.yaml").read_text())["task"] == task
    assert json.loads((leg.out / "metadata.json").read_text())["data"]["splits"]["train"]["images"] == 8
    assert not list(folder.rglob("*.cache"))


@pytest.mark.training
def test_keypoints_that_nobody_counts_stop_a_run_early(leg: Leg) -> None:
    folder = of_task(leg.folder / "doors", "pose")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door]\n", encoding="utf-8")
    params = TINY | {"model": {"architecture": "yolo11n-pose", "pretrained": False}}
    result = leg.run(data=of_folder(folder), params=params)
    assert (result.outcome, result.phase) == ("failed", "validate")
    assert "there is no `kpt_shape` for a pose" in result.reason


def test_what_only_a_detection_set_must_not_have_is_no_finding() -> None:
    kinds = ("label-polygon", "label-columns", "label-class", "image-empty")
    report = Report([Finding("labels/a.txt", 1, kind, "error", "it is so") for kind in kinds])
    left = {task: [each.kind for each in settle(report, task).findings] for task in ("detect", "segment", "pose")}
    assert left == {
        "detect": list(kinds),
        "segment": ["label-columns", "label-class", "image-empty"],
        "pose": ["label-class", "image-empty"],
    }
