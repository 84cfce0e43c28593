"""What else than boxes can be trained."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import exports
from fakes.legs import TINY, Leg, check_measured, model_of, of_folder
from fakes.sets import draw_set

from containerid.runs.importdata import Wanted, import_data

POSE = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1\n"


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path)


def of_poses(folder: Path) -> Path:
    """The drawn set with two keypoints in each box."""
    draw_set(folder)
    for label in folder.glob("labels/*/*.txt"):
        label.write_text(POSE, encoding="utf-8")
    with (folder / "data.yaml").open("a") as file:
        file.write("kpt_shape: [2, 3]\nflip_idx: [1, 0]\n")
    return folder


@pytest.mark.training
def test_poses_are_trained_and_measured(leg: Leg) -> None:
    folder = of_poses(leg.folder / "doors")
    result = leg.run(data=of_folder(folder), params=TINY | {"model": model_of("pose")})
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    check_measured(leg, "pose", "mAP50-95(P)")
    assert not list(folder.rglob("*.cache"))


@pytest.mark.training
@pytest.mark.parametrize(
    ("task", "export", "metric"),
    [
        ("segment", exports.cvat_coco_masks, "mAP50-95(M)"),
        ("obb", exports.cvat_coco_turns, "mAP50-95"),
        ("pose", exports.cvat_skeletons, "mAP50-95(P)"),
    ],
)
def test_what_is_imported_for_a_task_is_trained(
    task: str, export: Callable[[Path], None], metric: str, leg: Leg
) -> None:
    (leg.folder / "source").mkdir()
    export(leg.folder / "source")
    import_data(leg.folder / "source", leg.folder / "doors", Wanted(task=task))
    result = leg.run(data=of_folder(leg.folder / "doors"), params=TINY | {"model": model_of(task)})
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    check_measured(leg, task, metric)
    assert "8 images, 0 backgrounds, 0 corrupt" in leg.log()
    assert json.loads((leg.out / "evaluation.json").read_text(encoding="utf-8"))["task"] == task
    assert "the run goes on without" not in leg.log()


def test_keypoints_that_nobody_counts_stop_a_run_early(leg: Leg) -> None:
    folder = of_poses(leg.folder / "doors")
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door]\n", encoding="utf-8")
    result = leg.run(data=of_folder(folder), params=TINY | {"model": model_of("pose")})
    assert (result.outcome, result.phase) == ("failed", "validate")
    assert "there is no `kpt_shape` for a pose" in result.reason
