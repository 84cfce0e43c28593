"""A training that is killed, wherever that happens, goes on or finishes with the next start."""

import csv
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.legs import TINY, Leg, of_folder
from fakes.nursery import Nursery
from fakes.sets import draw_set

from containerid.backends.local import LocalBackend
from containerid.home import Home
from containerid.job import Data, Past, Spec, State
from containerid.runs.ending import conclude
from containerid.runs.importdata import Wanted, import_data
from containerid.runs.registry import Run

pytestmark = [pytest.mark.training, pytest.mark.kills]

EPOCHS = 3
ASKED = {**TINY, "training": {**TINY["training"], "epochs": EPOCHS, "optimizer": "AdamW", "learning_rate": 0.01}}
NURSERY = Nursery()
KILLING = Path(__file__).parents[1] / "fakes" / "killing"
PLACES = {
    "the first epoch": 0,
    "the middle of an epoch": 1,
    "a validation": 1,
    "the writing of a checkpoint": 1,
    "the writing of the best weights": None,
    "the stripping of the weights": EPOCHS,
    "the evaluation": EPOCHS,
    "the writing of the report": EPOCHS,
}
"""How many epochs are complete by then; None where that depends on which one is the best."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return of_folder(draw_set(tmp_path_factory.mktemp("set") / "doors"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Leg:
    """The same training, which nobody has killed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "project").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "project")
        leg = Leg(folder)
        assert leg.run(data=data, params=ASKED).outcome == "succeeded"
    return leg


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Data) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    spec = Spec(run="r1", device="cpu", params=ASKED, data=data)
    (tmp_path / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    return Leg(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def nursery() -> Iterator[None]:
    with NURSERY:
        yield


def kill(leg: Leg, place: str) -> None:
    """Start the training as a process that is killed there."""
    places = ["--spec", leg.folder / "spec.json", "--out", leg.out, "--input", leg.folder / "input"]
    environ = {**os.environ, "KILLED_AT": place, "OMP_NUM_THREADS": "1"}
    done = NURSERY.run(["containerid.training", *places], environ, KILLING / "sitecustomize.py", leg.folder / "said")
    assert done.returncode == -signal.SIGKILL, done.stdout


def rows(leg: Leg) -> list[dict[str, str]]:
    with (leg.out / "results.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def told(leg: Leg) -> list[int]:
    return [json.loads(line)["epoch"] for line in (leg.out / "progress.jsonl").read_text().splitlines()]


def metadata(leg: Leg) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((leg.out / "metadata.json").read_text())
    return document


def check_that_nothing_is_lost(leg: Leg, whole: Leg) -> None:
    """It is the training that was never killed: every epoch once, the same numbers, a record that is complete."""
    result = leg.result()
    assert (leg.code, result.outcome, result.reason) == (0, "succeeded", "")
    assert rows(leg) == rows(whole)
    assert told(leg) == list(range(1, EPOCHS + 1))
    timed = {"speed/inference"}
    mine, theirs = ({k: v for k, v in each.result().metrics.items() if k not in timed} for each in (leg, whole))
    assert mine == pytest.approx(theirs, abs=1e-6)
    assert metadata(leg)["best_epoch"] == metadata(whole)["best_epoch"]
    files = {path.relative_to(leg.out).as_posix() for path in leg.out.rglob("*") if path.is_file()}
    assert set(leg.manifest()) == files - {"manifest.json"}
    assert {"weights/best.pt", "weights/last.pt", "report.html", "metadata.json", "summary.md"} <= files
    assert files == {path.relative_to(whole.out).as_posix() for path in whole.out.rglob("*") if path.is_file()}
    sizes = {name: (leg.out / name).stat().st_size for name in ("weights/best.pt", "weights/last.pt")}
    assert all(size == pytest.approx((whole.out / name).stat().st_size, rel=0.02) for name, size in sizes.items())


@pytest.mark.parametrize("place", PLACES)
def test_a_training_that_is_killed_goes_on_when_it_is_started_again(leg: Leg, whole: Leg, place: str) -> None:
    kill(leg, place)
    assert not (leg.out / "manifest.json").exists(), "nobody takes it for complete"
    kept = list((leg.out / "weights").glob("*.pt"))
    assert all(map(zipfile.is_zipfile, kept)), "what is cut short has no directory at its end"
    leg.run_file()
    check_that_nothing_is_lost(leg, whole)
    if PLACES[place]:
        assert f"goes on after epoch {PLACES[place]} of {EPOCHS}, leg 1" in leg.log()


def test_a_leg_that_is_killed_again_goes_on_from_its_own_checkpoint(leg: Leg, whole: Leg, data: Data) -> None:
    """Its outputs are attached from elsewhere, and older than what it kept itself before it was killed."""
    kill(leg, "the middle of an epoch")
    before = leg.folder / "input/before"
    before.parent.mkdir()
    leg.out.rename(before)
    past = Past(kind="kernel", source="ada/before")
    spec = Spec(run="r1", device="cpu", params=ASKED, data=data, leg=2, past=past)
    (leg.folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    kill(leg, "the evaluation")
    leg.run_file()
    check_that_nothing_is_lost(leg, whole)
    assert "goes on after epoch 1 of 3, leg 2" in leg.log()
    assert "goes on after epoch 3 of 3, leg 2" in leg.log()


def test_a_training_that_patience_has_ended_is_over_although_it_is_killed_later(leg: Leg) -> None:
    kill(leg, "the evaluation after patience")
    leg.run_file()
    assert (leg.code, len(rows(leg))) == (0, 2)
    assert "goes on after epoch 2 of 3, leg 1" in leg.log()
    assert leg.result().metrics["val/mAP50"] >= 0


def test_what_is_killed_when_all_is_written_is_complete_and_can_be_started_again(leg: Leg, whole: Leg) -> None:
    kill(leg, "the tidying up")
    assert leg.result().outcome == "succeeded"
    files = {path.relative_to(leg.out).as_posix() for path in leg.out.rglob("*") if path.is_file()}
    assert files - set(leg.manifest()) == {"manifest.json", "weights/resume.pt"}
    leg.run_file()
    check_that_nothing_is_lost(leg, whole)


def test_a_run_of_this_machine_that_is_killed_has_failed_and_its_next_leg_finishes(
    leg: Leg, whole: Leg, data: Data, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had written its result, and was still at its report."""
    home = Home.of_user()
    backend, spec = LocalBackend(home), Spec(run="r1", backend="local", device="cpu", params=ASKED, data=data)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("KILLED_AT", "the writing of the report")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(KILLING), os.environ.get("PYTHONPATH", "")]))
    first = backend.submit(spec)
    list(backend.logs(first, follow=True))
    run = Run(run="r1", backend="local", handle=first.handle, version=first.version, spec=spec.to_dict())
    ending = conclude(run, backend, backend.status(first))
    assert (ending.state, ending.result) == (State.FAILED, None)
    assert ending.reason == "it left no result (killed by SIGKILL (often host memory))"

    monkeypatch.setenv("KILLED_AT", "")
    past = backend.hand_over(spec, first, lambda _: None)
    second = backend.submit(replace(spec, leg=2, past=past))
    list(backend.logs(second, follow=True))
    assert backend.status(second).state is State.SUCCEEDED
    check_that_nothing_is_lost(Leg(home.parcel("r1"), 0), whole)


CLASSIFIER = {
    "model": {"architecture": "timm/test_resnet", "pretrained": False},
    "training": {"epochs": EPOCHS, "imgsz": 32, "batch_size": 4, "workers": 0, "warmup_epochs": 0},
    "wandb": {"mode": "disabled"},
}
PLACES_OF_CLASSIFIER = {
    "the first epoch": 0,
    "the middle of an epoch": 1,
    "the writing of a checkpoint": 1,
    "the evaluation of a classifier": EPOCHS,
    "the writing of the report": EPOCHS,
}


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Data:
    pytest.importorskip("timm")
    base = tmp_path_factory.mktemp("classes")
    import_data(draw_set(base / "doors", side=96), base / "crops", Wanted(task="classify"))
    return of_folder(base / "crops")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, classes: Data) -> Leg:
    """A training of timm's that nobody has killed."""
    folder = tmp_path_factory.mktemp("classifier")
    (folder / "project").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "project")
        leg = Leg(folder)
        assert leg.run(data=classes, params=CLASSIFIER).outcome == "succeeded"
    return leg


@pytest.mark.parametrize("place", PLACES_OF_CLASSIFIER)
def test_a_classifier_that_is_killed_goes_on_when_it_is_started_again(
    leg: Leg, classifier: Leg, classes: Data, place: str
) -> None:
    spec = Spec(run="r1", device="cpu", params=CLASSIFIER, data=classes)
    (leg.folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    kill(leg, place)
    assert not (leg.out / "manifest.json").exists(), "nobody takes it for complete"
    assert all(map(zipfile.is_zipfile, (leg.out / "weights").glob("*.pt")))
    leg.run_file()
    check_that_nothing_is_lost(leg, classifier)
    if PLACES_OF_CLASSIFIER[place]:
        assert f"goes on after epoch {PLACES_OF_CLASSIFIER[place]} of {EPOCHS}, leg 1" in leg.log()


def test_a_classifier_that_is_asked_to_end_ends_in_order(leg: Leg, classifier: Leg, classes: Data) -> None:
    spec = Spec(run="r1", device="cpu", params=CLASSIFIER, data=classes)
    (leg.folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    places = ["--spec", leg.folder / "spec.json", "--out", leg.out, "--input", leg.folder / "input"]
    environ = {**os.environ, "KILLED_AT": "the asking in the middle of an epoch", "OMP_NUM_THREADS": "1"}
    done = NURSERY.run(["containerid.training", *places], environ, KILLING / "sitecustomize.py", leg.folder / "said")
    told = leg.result()
    assert (done.returncode, told.outcome) == (8, "cancelled")
    assert told.reason == "stopped by SIGTERM in train, after epoch 1"
    assert told.checkpoint == {"epoch": 1, "epochs": EPOCHS}
    leg.run_file()
    check_that_nothing_is_lost(leg, classifier)
