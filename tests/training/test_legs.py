"""A training in several legs is the training in one."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.legs import TINY, Leg, of_folder
from fakes.sets import draw_set

from containerid.job import Data, Past
from containerid.training.progress import Follower

pytestmark = pytest.mark.training

EPOCHS = 6
CHOSEN = {
    **TINY,
    "training": {
        **TINY["training"],
        "epochs": EPOCHS,
        "close_mosaic": 2,
        "warmup_epochs": 1,
        "lr_scheduler": "cosine",
        "nbs": 20,
        "optimizer": "AdamW",
        "learning_rate": 0.01,
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return of_folder(draw_set(tmp_path_factory.mktemp("set") / "doors"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def rows(leg: Leg) -> list[dict[str, str]]:
    with (leg.out / "results.csv").open() as file:
        return list(csv.DictReader(file))


def weights(leg: Leg) -> dict[str, Any]:
    import torch

    model = torch.load(leg.out / "weights/last.pt", weights_only=False)["model"]
    return dict(model.state_dict())


def in_legs(project: Path, data: Data, ends: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[Leg]:
    """Legs that end after these epochs, each in an output folder of its own that the next one finds attached."""
    whole = Follower._on_fit_epoch_end
    ending = [0]

    def end(self: Follower, trainer: Any) -> None:
        if trainer.epoch + 1 == ending[0]:
            self._stop.pause()
        whole(self, trainer)

    monkeypatch.setattr(Follower, "_on_fit_epoch_end", end)
    past = Past()
    for number, ending[0] in enumerate((*ends, 0), 1):
        folder = project / f"leg{number}"
        (folder / "input/notebooks/ada").mkdir(parents=True)
        if number > 1:
            (project / f"leg{number - 1}/out").rename(folder / "input/notebooks/ada/before")
            past = Past(kind="kernel", source="ada/before")
        leg = Leg(folder)
        leg.run(data=data, params=CHOSEN, leg=number, past=past)
        yield leg


def test_three_legs_are_one_training_to_the_last_digit(
    project: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Leg(project)
    assert one.run(data=data, params=CHOSEN).outcome == "succeeded"
    legs, said = [], []
    for leg in in_legs(project, data, (2, 5), monkeypatch):
        legs.append(leg)
        said.append((leg.code, leg.result().reason, leg.result().checkpoint.get("epoch")))
    assert said == [(9, "asked to stop after epoch 2", 2), (9, "asked to stop after epoch 5", 5), (0, "", None)]
    last = legs[-1]

    columns = [name for name in rows(one)[0] if name != "time"]
    assert [{name: row[name] for name in columns} for row in rows(last)] == [
        {name: row[name] for name in columns} for row in rows(one)
    ]
    times = [float(row["time"]) for row in rows(last)]
    assert times == sorted(times)
    mine, theirs = weights(last), weights(one)
    assert all((mine[name] == theirs[name]).all() for name in theirs)
    told = [json.loads(line)["epoch"] for line in (last.out / "progress.jsonl").read_text().splitlines()]
    assert told == list(range(1, EPOCHS + 1))
    assert last.log().count("[1/6] environment") == 3
    document = json.loads((last.out / "metadata.json").read_text())
    assert [(leg["number"], leg["first"], leg["last"], leg["handle"], leg["hardware"]) for leg in document["legs"]] == [
        (1, 1, 2, "ada/before", "CPU"), (2, 3, 5, "ada/before", "CPU"), (3, 6, 6, "", "CPU"),
    ]  # fmt: skip
    assert document["training_seconds"] == pytest.approx(sum(leg["seconds"] for leg in document["legs"]), abs=0.2)
    assert document["best_epoch"] == json.loads((one.out / "metadata.json").read_text())["best_epoch"]
    assert not (last.out / "weights/resume.pt").exists(), "the optimizer is not carried home"


def broken(path: Path, *, how: str) -> None:
    import torch

    content = torch.load(path, weights_only=False)
    if how == "cut short":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "gone":
        path.unlink()
    else:
        changes: dict[str, Any] = {
            "of another run": {"cid": {**content["cid"], "run": "r2"}},
            "nobody's": {"cid": None},
            "stripped": {"optimizer": None, "epoch": -1},
        }
        torch.save({**content, **changes[how]}, path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Path:
    """What a leg of one epoch left."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        (folder / "project").mkdir()
        patch.chdir(folder / "project")
        assert Leg(folder).run(data=data, params=CHOSEN, budget=0.01).outcome == "paused"
    return folder / "out"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut short", "resume.pt is broken"),
        ("gone", "the leg before left no resume.pt"),
        ("of another run", "resume.pt is of the run r2, not of r1"),
        ("nobody's", "not of r1"),
        ("stripped", "resume.pt holds no training that can be gone on with"),
    ],
)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_refused_before_the_data_is_looked_at(
    project: Path, first: Path, how: str, reason: str
) -> None:
    before = project / "input/before"
    shutil.copytree(first, before)
    (before / "manifest.json").unlink()
    broken(before / "weights/resume.pt", how=how)
    leg = Leg(project)
    result = leg.run(data=Data(source="nowhere"), params=CHOSEN, leg=2, past=Past(kind="kernel", source="ada/before"))
    assert (leg.code, result.outcome, result.phase) == (7, "failed", "environment")
    assert reason in result.reason
    assert "\n" not in result.reason
    assert not (leg.out / "results.csv").exists()


def test_another_training_is_not_gone_on_with(project: Path, first: Path) -> None:
    shutil.copytree(first, project / "input/before")
    other = {**CHOSEN, "training": {**CHOSEN["training"], "epochs": 9}}
    past = Past(kind="dataset", source="ada/before")
    result = Leg(project).run(data=Data(source="nowhere"), params=other, leg=2, past=past)
    assert result.reason.startswith("resume.pt was trained with other parameters than this leg is to be")


def test_a_checkpoint_that_was_changed_on_its_way_is_refused(project: Path, first: Path) -> None:
    before = project / "input/notebooks/ada/before"
    shutil.copytree(first, before)
    broken(before / "weights/resume.pt", how="of another run")
    past = Past(kind="kernel", source="ada/before")
    result = Leg(project).run(data=Data(source="nowhere"), params=CHOSEN, leg=2, past=past)
    assert result.reason == "resume.pt is not the one that the leg before listed in its manifest"


def test_outputs_that_are_not_attached_are_named(project: Path) -> None:
    past = Past(kind="kernel", source="ada/before")
    result = Leg(project).run(data=Data(source="nowhere"), params=CHOSEN, leg=2, past=past)
    assert "the outputs of the leg before are not attached (kernel ada/before)" in result.reason


@pytest.mark.kills
def test_a_leg_that_was_killed_within_an_epoch_leaves_nothing_twice(project: Path, first: Path, data: Data) -> None:
    """On this machine legs share a folder; a dataset that carries a checkpoint has no folders at all."""
    flat = project / "input/datasets/ada/kept"
    flat.mkdir(parents=True)
    for name in ("weights/resume.pt", "weights/best.pt", "results.csv", "progress.jsonl", "train.log"):
        shutil.copyfile(first / name, flat / Path(name).name)
    with (flat / "results.csv").open("a") as file:
        file.write("2,9.9,1,1,1,0,0,0,0,1,1,1,0,0,0\n3,9")
    with (flat / "progress.jsonl").open("a") as file:
        file.write('{"epoch": 2}\n{"epo')
    leg = Leg(project)
    past = Past(kind="dataset", source="ada/kept")
    assert leg.run(data=data, params=CHOSEN, leg=2, past=past).outcome == "succeeded"
    assert [int(row["epoch"]) for row in rows(leg)] == list(range(1, EPOCHS + 1))
    assert "9.9" not in (leg.out / "results.csv").read_text()


def test_a_training_that_was_complete_is_only_evaluated(project: Path, first: Path, data: Data) -> None:
    """Its session ended after the last epoch, before it had told how good the model is."""
    import torch

    kept = project / "input/before"
    shutil.copytree(first, kept)
    (kept / "manifest.json").unlink()
    content = torch.load(kept / "weights/resume.pt", weights_only=False)
    halved = {**content["cid"], "batch": 2}
    torch.save({**content, "epoch": EPOCHS - 1, "cid": halved}, kept / "weights/resume.pt")
    leg = Leg(project)
    result = leg.run(data=data, params=CHOSEN, leg=2, past=Past(kind="kernel", source="ada/before"))
    assert result.outcome == "succeeded", result.reason
    assert {"val/mAP50", "test/mAP50"} <= set(result.metrics)
    assert result.timeline["train"] < 5
    told = json.loads((leg.out / "evaluation.json").read_text())
    assert told["speed"]["throughput"]["batch"] == 2, "more than that did not fit into the memory"
    document = json.loads((leg.out / "metadata.json").read_text())
    assert document["training_seconds"] > 0, "of the leg before"
    assert [(each["number"], each["first"]) for each in document["legs"]] == [(1, 1), (2, None)]


def test_a_checkpoint_that_cannot_be_put_back_stops_the_run(project: Path, first: Path, data: Data) -> None:
    """To train on from what Ultralytics makes of it would be another training under the same name."""
    import torch

    kept = project / "input/before"
    shutil.copytree(first, kept)
    (kept / "manifest.json").unlink()
    content = torch.load(kept / "weights/resume.pt", weights_only=False)
    torch.save({**content, "cid": {**content["cid"], "model": {}}}, kept / "weights/resume.pt")
    past = Past(kind="kernel", source="ada/before")
    result = Leg(project).run(data=data, params=CHOSEN, leg=2, past=past)
    assert (result.outcome, result.phase) == ("failed", "train")
    assert result.reason.startswith("the checkpoint cannot be put back (RuntimeError: Error(s) in loading state_dict")


def test_a_stop_file_pauses_a_training(project: Path, data: Data) -> None:
    leg = Leg(project, before={"CID_STOP_FILE": str(project / "stop")})
    (project / "stop").touch()
    result = leg.run(data=data, params=CHOSEN)
    assert (leg.code, result.reason) == (9, "asked to stop after epoch 1")
    assert result.checkpoint["asked"] is True
    assert "weights/resume.pt" in leg.manifest()
