"""Image classifiers are trained by timm behind the interface that detectors are trained behind."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.legs import Leg, of_folder
from fakes.sets import draw_set

from containerid.dataset import classes, crops, sets
from containerid.job import Data, Past
from containerid.training import data as provided
from containerid.training.classify.loop import Loop
from containerid.training.classify.score import Score
from containerid.training.trainers import TRAINERS

EPOCHS = 4
CHOSEN: dict[str, Any] = {
    "model": {"architecture": "timm/test_resnet", "pretrained": False},
    "training": {
        "epochs": EPOCHS,
        "imgsz": 32,
        "batch_size": 4,
        "workers": 0,
        "learning_rate": 0.01,
        "warmup_epochs": 0,
    },
    "augmentation": {"fliplr": 0.5, "hsv_v": 0.1},
    "wandb": {"mode": "disabled"},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small a model gains nothing from several, and loses much where others want them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of a detection set: doors, and what is none."""
    base = tmp_path_factory.mktemp("crops")
    found = sets.read(draw_set(base / "doors", side=96) / "data.yaml")
    assert crops.cut(found, base / "crops") > 20
    return base / "crops"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def rows(leg: Leg) -> list[dict[str, str]]:
    with (leg.out / "results.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def weights(leg: Leg) -> dict[str, Any]:
    import torch

    return dict(torch.load(leg.out / "weights/last.pt", weights_only=True)["state_dict"])


def test_every_row_of_the_table_has_the_three_phases() -> None:
    assert set(TRAINERS) == {"ultralytics", "timm", "own"}
    assert all(callable(phase) for row in TRAINERS.values() for phase in (row.validate, row.train, row.evaluate))


def test_a_detection_set_becomes_crops_of_its_classes_and_of_what_is_none(folder: Path) -> None:
    found = classes.read(folder)
    assert found.names == ("background", "door")
    assert {split: len(images) > 2 for split, images in found.splits.items()} == dict.fromkeys(
        ("train", "val", "test"), True
    )
    assert classes.check(found, {"train": 2}).errors == []


@pytest.mark.training
def test_a_classifier_leaves_what_a_detector_leaves(
    project: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leg = Leg(project)
    gates = {"val/accuracy_top1": 0.9}
    result = leg.run(data=of_folder(folder), params=CHOSEN | {"gates": gates}, experiment="crops")
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    assert list(result.timeline) == ["environment", "data", "validate", "train", "first_batch", "evaluate", "report"]
    wanted = {f"{split}/accuracy_top{count}" for split in ("val", "test") for count in (1, 5)}
    assert set(result.metrics) == wanted | {"speed/inference"}
    assert result.metrics["test/accuracy_top1"] > 0.9
    assert {
        "weights/best.pt", "weights/last.pt", "results.csv", "args.yaml", "train.log", "metadata.json", "summary.md",
        "result.json", "progress.jsonl",
    } <= set(leg.manifest())  # fmt: skip
    assert not (leg.out / "weights/resume.pt").exists()
    assert [row["epoch"] for row in rows(leg)] == ["1", "2", "3", "4"]
    assert capsys.readouterr().out.count("CID_PROGRESS ") == EPOCHS
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["confusion"]["names"] == ["background", "door"]
    assert told["per_class"]["door"]["recall"] > 0.8
    assert told["data"]["splits"]["train"]["images"] == len(classes.read(folder).splits["train"])
    assert told["hyperparameters"]["lr0"] == 0.01
    assert "mosaic" not in told["params"]["augmentation"]

    import timm

    timm.create_model("test_resnet", num_classes=2, checkpoint_path=str(leg.out / "weights/best.pt"))


def in_legs(project: Path, data: Data, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leg]:
    """One leg that is stopped in the middle of its third epoch, and the one that goes on."""
    whole, asked = Loop._step, [True]

    def step(self: Loop, *batch: Any) -> float:
        if self.epoch == 2 and asked[0]:
            raise KeyboardInterrupt
        return whole(self, *batch)

    monkeypatch.setattr(Loop, "_step", step)
    past = Past()
    for number in (1, 2):
        folder = project / f"leg{number}"
        (folder / "input/notebooks/ada").mkdir(parents=True)
        if number == 2:
            asked[0] = False
            (project / "leg1/out").rename(folder / "input/notebooks/ada/before")
            past = Past(kind="kernel", source="ada/before")
        leg = Leg(folder)
        leg.run(data=data, params=CHOSEN, leg=number, past=past)
        yield leg


@pytest.mark.training
def test_a_training_that_was_cut_short_is_the_one_that_was_not(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Leg(project)
    assert one.run(data=of_folder(folder), params=CHOSEN).outcome == "succeeded"
    _, last = (leg for leg in in_legs(project, of_folder(folder), monkeypatch))
    assert last.result().outcome == "succeeded", last.result().reason
    assert rows(last) == rows(one)
    mine, theirs = weights(last), weights(one)
    assert all((mine[name] == theirs[name]).all() for name in theirs)
    assert "goes on after epoch 2 of 4, leg 2" in last.log()


def test_the_budget_pauses_it_with_a_checkpoint(project: Path, folder: Path) -> None:
    leg = Leg(project)
    result = leg.run(data=of_folder(folder), params=CHOSEN, budget=0.01)
    assert (leg.code, result.outcome, result.checkpoint) == (9, "paused", {"epoch": 1, "epochs": EPOCHS})
    assert (leg.out / "weights/resume.pt").is_file()
    assert (leg.out / "weights/best.pt").is_file()


def test_a_model_that_timm_does_not_know_is_refused_before_it_trains(project: Path, folder: Path) -> None:
    leg = Leg(project)
    chosen = CHOSEN | {"model": {"architecture": "timm/resnet81", "pretrained": False}}
    result = leg.run(data=of_folder(folder), params=chosen)
    assert (result.outcome, result.phase) == ("failed", "validate")
    assert "has no model resnet81 (did you mean `timm/resnet18`?)" in result.reason


def test_weights_that_cannot_be_had_are_said_and_nothing_is_trained(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Read from the environment when it is imported, which another test has done.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    leg = Leg(project)
    chosen = CHOSEN | {"model": {"architecture": "timm/test_resnet", "pretrained": True}}
    result = leg.run(data=of_folder(folder), params=chosen, internet=False)
    assert (result.outcome, result.phase) == ("failed", "train")
    assert "set model.pretrained: false" in result.reason


def test_a_gate_holds_a_classifier(project: Path, folder: Path) -> None:
    leg = Leg(project)
    short = CHOSEN | {"training": CHOSEN["training"] | {"epochs": 1}, "gates": {"speed/inference": 0.000001}}
    result = leg.run(data=of_folder(folder), params=short)
    assert leg.code == 7
    assert "speed/inference" in result.reason


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda at: (at / "train/door").rename(at / "elsewhere"), "the class door has no image in train"),
        (lambda at: next((at / "val/door").iterdir()).write_bytes(b"no image"), "is not an image"),
        (lambda at: (at / "val").rename(at / "kept"), "val has 0 images"),
    ],
)
def test_a_set_that_is_not_good_is_refused(tmp_path: Path, folder: Path, spoil: Any, reason: str) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "set")
    spoil(tmp_path / "set")
    report = classes.check(classes.read(tmp_path / "set"), {"train": 1, "val": 1})
    assert any(reason in each.message for each in report.errors)


def test_one_class_is_no_classification(tmp_path: Path, folder: Path) -> None:
    import shutil

    for split in ("train", "val"):
        shutil.copytree(folder / split / "door", tmp_path / "set" / split / "door")
    with pytest.raises(sets.DatasetError, match="there are 1 classes"):
        classes.read(tmp_path / "set")


def test_the_digest_of_a_classification_set_covers_its_images(tmp_path: Path, folder: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "set")
    before = provided.digest(tmp_path / "set")
    assert before == provided.digest(folder)
    next((tmp_path / "set/train/door").iterdir()).unlink()
    assert provided.digest(tmp_path / "set") != before


def test_precision_and_recall_are_read_off_the_matrix() -> None:
    found = Score(0.75, 1, 0.1, [[3, 1], [0, 0]], 1).per_class(("a", "b"))
    assert found["a"] == {"precision": 0.75, "recall": 1.0, "f1": pytest.approx(6 / 7), "images": 3}
    assert found["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "images": 1}
