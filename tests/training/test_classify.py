"""Image classifiers are trained by timm behind the interface that detectors are trained behind."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.legs import Leg, model_of, of_folder
from fakes.memory import SmallGpu
from fakes.sets import draw_set

from containerid.dataset import classes, sets
from containerid.job import Data, Past
from containerid.runs.importdata import Wanted, import_data
from containerid.training import data as provided
from containerid.training.classify import loop, phases
from containerid.training.classify.loop import Loop
from containerid.training.hardware import Gpu, Hardware, threads
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
def as_many_threads_as_before() -> Iterator[None]:
    """A run decides for its process alone."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of a detection set: doors, and what is none."""
    base = tmp_path_factory.mktemp("crops")
    made = import_data(draw_set(base / "doors", side=96), base / "crops", Wanted(task="classify"))
    assert made.written > 20
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
    best = max(rows(leg), key=lambda row: (float(row["metrics/accuracy_top1"]), -float(row["val/loss"])))
    assert json.loads((leg.out / "metadata.json").read_text())["best_epoch"] == int(best["epoch"])
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
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "")
    assert "has no such model (did you mean `timm/resnet18`?)" in result.reason


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


def evaluation(leg: Leg) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((leg.out / "evaluation.json").read_text())
    return document


@pytest.mark.training
@pytest.mark.parametrize("model", [CHOSEN["model"], model_of("classify")], ids=["timm", "ultralytics"])
def test_any_classifier_tells_how_good_it_is_in_the_same_words(project: Path, folder: Path, model: Any) -> None:
    leg = Leg(project)
    chosen = CHOSEN | {"model": model, "training": {**CHOSEN["training"], "epochs": 2, "imgsz": 64}, "augmentation": {}}
    result = leg.run(data=of_folder(folder), params=chosen)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    assert "the run goes on without" not in leg.log()
    told, test = evaluation(leg), classes.read(folder).splits["test"]
    assert (told["task"], told["split"], told["images"], told["names"]) == (
        "classify", "test", len(test), ["background", "door"],
    )  # fmt: skip
    assert told["metrics"] == {name: result.metrics[f"test/{name}"] for name in ("accuracy_top1", "accuracy_top5")}
    matrix = told["confusion"]["matrix"]
    assert sum(map(sum, matrix)) == len(test)
    assert (matrix[0][0] + matrix[1][1]) / len(test) == pytest.approx(told["metrics"]["accuracy_top1"])
    assert [row["images"] for row in told["per_class"]] == [
        sum(each.parent.name == n for each in test) for n in told["names"]
    ]
    assert [row["recall"] for row in told["per_class"]] == [
        pytest.approx(matrix[at][at] / told["per_class"][at]["images"], abs=1e-4) for at in (0, 1)
    ]
    held = told["intervals"]["accuracy_top1"]
    assert held["value"] == pytest.approx(told["metrics"]["accuracy_top1"], abs=1e-6)
    assert held["low"] <= held["value"] <= held["high"]
    assert told["curves"]["answered"][0] == 1
    assert told["curves"]["accuracy"][0] == pytest.approx(held["value"], abs=1e-4)
    wrong = sum(map(sum, matrix)) - matrix[0][0] - matrix[1][1]
    assert told["mistakes"]["images_with_errors"] == wrong
    for each in told["mistakes"]["worst"][:12]:
        assert each["true"] == Path(each["image"]).parent.name != each["predicted"]
        assert (leg.out / each["picture"]).is_file()
    assert told["model"]["bytes"] == (leg.out / "weights/best.pt").stat().st_size
    assert told["model"]["gflops"] > 0
    assert (
        result.metrics["speed/inference"] == told["speed"]["inference"]["median"] <= told["speed"]["latency"]["median"]
    )
    page = (leg.out / "report.html").read_text()
    assert "Accuracy over confidence" in page
    assert "box" not in (leg.out / "summary.md").read_text().lower()


@pytest.mark.training
def test_a_classifier_that_does_not_fit_goes_on_from_its_last_checkpoint_with_half_the_batch(
    project: Path, folder: Path
) -> None:
    leg, steps = Leg(project), len(classes.read(folder).splits["train"]) // 4
    with SmallGpu(holds=2, lasts=steps + 1):
        result = leg.run(data=of_folder(folder), params=CHOSEN)
    assert (leg.code, result.outcome) == (0, "succeeded"), result.reason
    told = json.loads((leg.out / "metadata.json").read_text())
    assert told["halved"] == [{"after_epoch": 1, "from": 4, "to": 2}]
    assert told["hyperparameters"]["batch"] == evaluation(leg)["speed"]["throughput"]["batch"] == 2
    assert [row["epoch"] for row in rows(leg)] == ["1", "2", "3", "4"]
    assert "caution: out of memory with batch_size 4: it goes on after epoch 1 with 2" in leg.log()


def test_a_classifier_is_halved_twice_at_most(project: Path, folder: Path) -> None:
    leg = Leg(project)
    with SmallGpu(holds=0):
        result = leg.run(data=of_folder(folder), params=CHOSEN)
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "train")
    assert result.reason.startswith("the GPU's memory is too small for it; halve training.batch_size")
    assert leg.log().count("caution: out of memory") == 2


def test_what_a_leg_has_halved_stays_halved_in_the_next(project: Path, folder: Path) -> None:
    first = Leg(project / "leg1")
    (project / "leg1").mkdir()
    with SmallGpu(holds=2, lasts=1):
        assert first.run(data=of_folder(folder), params=CHOSEN, budget=0.01).outcome == "paused"
        (project / "leg2/input/notebooks/ada").mkdir(parents=True)
        (project / "leg1/out").rename(project / "leg2/input/notebooks/ada/before")
        second = Leg(project / "leg2")
        past = Past(kind="kernel", source="ada/before")
        assert second.run(data=of_folder(folder), params=CHOSEN, leg=2, past=past).outcome == "succeeded"
    told = json.loads((second.out / "metadata.json").read_text())
    assert (told["hyperparameters"]["batch"], len(told["halved"])) == (2, 1)
    assert second.log().count("caution: out of memory") == 1, "the log of the first leg goes on"


@pytest.mark.training
@pytest.mark.parametrize("workers", [0, 2])
def test_one_seed_gives_one_training(project: Path, folder: Path, workers: int) -> None:
    chosen = CHOSEN | {"training": {**CHOSEN["training"], "epochs": 2, "workers": workers}}
    found = []
    for number in range(2):
        (project / str(number)).mkdir()
        leg = Leg(project / str(number))
        assert leg.run(data=of_folder(folder), params=chosen).outcome == "succeeded"
        found.append(rows(leg))
    assert found[0] == found[1]


def test_it_leaves_a_processor_to_others(project: Path, folder: Path) -> None:
    import torch

    torch.set_num_threads(threads() + 1)
    assert Leg(project).run(data=of_folder(folder), params=CHOSEN, quick=True).outcome == "succeeded"
    assert torch.get_num_threads() == min(8, max(1, threads() - 1))


def test_it_takes_one_gpu_of_several_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    gpus = (Gpu("Tesla T4", 15 * 2**30, "sm_75"),) * 2
    session: Any = SimpleNamespace(hardware=Hardware("cuda", "2 × Tesla T4", gpus, (0, 1)))
    phases.take_one_gpu(session)
    assert (phases.device_of(session), session.hardware.indices) == ("cuda:0", (0,))
    assert "timm trains on one GPU here: GPU 0 of 2" in capsys.readouterr().out
    phases.take_one_gpu(session)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("amp", "device", "half", "scaled"),
    [
        (True, "cuda:0", "float16", True),
        ("fp16", "cuda:0", "float16", True),
        ("bf16", "cuda:0", "bfloat16", False),
        ("fp32", "cuda:0", None, False),
        (False, "cuda:0", None, False),
        (True, "cpu", None, False),
    ],
)
def test_amp_is_what_params_yaml_says(amp: object, device: str, half: str | None, scaled: bool) -> None:
    import torch

    wanted = getattr(torch, half) if half else None
    assert loop.half_of({"amp": amp}, device) is wanted
    assert (wanted is torch.float16) is scaled


@pytest.mark.parametrize("exactly", [True, False])
def test_it_computes_alike_each_time_unless_somebody_says_otherwise(exactly: bool) -> None:
    import torch

    loop.sow({"seed": 3} | ({} if exactly else {"deterministic": False}))
    assert torch.are_deterministic_algorithms_enabled() is exactly
    first = torch.rand(3)
    loop.sow({"seed": 3})
    assert torch.equal(first, torch.rand(3))
