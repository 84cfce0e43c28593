"""A set that a run cannot be made of is refused before anything of the run is recorded or sent."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from fakes.sets import sort_crops, write_set

from containerid import runs
from containerid.dataset import pairs
from containerid.errors import RunFailed, UsageError
from containerid.events import Caution, Event, Planned
from containerid.runs import Request
from containerid.runs.pushdata import push_data
from containerid.runs.submit import submit

PARAMS = "detection:\n  model: {{architecture: {}, pretrained: false}}\n  data: {{provider: folder, path: doors}}\n"
WRONG = "7 0.5 0.5 0.4 0.4\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path / "doors")
    return model(tmp_path, "yolo11n")


def model(folder: Path, architecture: str, more: str = "") -> Path:
    (folder / "params.yaml").write_text(PARAMS.format(architecture) + more, encoding="utf-8")
    return folder


def request(folder: Path, **more: Any) -> Request:
    return Request(backend="platform", folder=folder, **more)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("start", [submit, runs.plan])
def test_a_set_with_errors_is_refused_before_anything_is_recorded_or_sent(
    platform, home, registry, folder, start, quick
):
    for number in range(7):
        (folder / f"doors/labels/train/train{number}.txt").write_text(WRONG)
    told: list[Event] = []
    with pytest.raises(RunFailed, match=r"train0\.txt:1: error: class 7 .* 6 more errors") as failure:
        start(request(folder, quick=quick), home=home, tell=told.append)
    assert (failure.value.code, failure.value.hint) == (7, "cid data check")
    cautions = [event for event in told if isinstance(event, Caution) and "train" in event.text]
    assert len(cautions) == 4, "the first of five is in the refusal itself"
    assert (platform.pushed, registry.runs()) == ([], [])


def test_the_command_names_a_set_that_is_not_the_projects_own(platform, home, folder):
    (folder / "doors/images/train/train1.jpg").write_bytes(b"")
    (folder / "doors").rename(folder / "gates")
    with pytest.raises(RunFailed) as failure:
        submit(request(folder, data="gates"), home=home)
    assert failure.value.hint == f"cid data check {folder / 'gates'}"


def test_warnings_are_counted_in_the_plan(platform, home, folder):
    (folder / "doors/labels/val/val0.txt").unlink()
    (folder / "doors/data.yaml").write_text("train: images/train\nval: images/val\nnames: [door, lock]\ndownload:\n")
    told: list[Event] = []
    submit(request(folder), home=home, tell=told.append)
    rows = dict(next(event for event in told if isinstance(event, Planned)).rows)
    assert rows["images"] == "12, without errors, 4 warnings: cid data check"


def test_a_set_that_has_not_changed_is_not_read_again(platform, home, folder, monkeypatch):
    monkeypatch.setattr("containerid.dataset.kept._SETTLED", -60)
    submit(request(folder), home=home)
    looked = []
    monkeypatch.setattr(pairs, "examine", lambda *given, **more: looked.append(given) or pairs.Examined())
    submit(request(folder, new=True), home=home)
    assert looked == []


def test_polygons_are_what_segmentation_wants(platform, home, folder):
    for label in (folder / "doors").glob("labels/*/*.txt"):
        label.write_text("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n")
    submit(request(model(folder, "yolo11n-seg")), home=home)
    (folder / "doors/labels/train/train0.txt").write_text("0 0.1 0.1 0.9 0.1 0.9 0.9\n0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(RunFailed, match="txt:2: error: a box where a polygon is needed"):
        submit(request(model(folder, "yolo11n-seg")), home=home)


def test_a_pose_needs_its_keypoints_described(platform, home, folder):
    with pytest.raises(RunFailed, match="no `kpt_shape`"):
        submit(request(model(folder, "yolo11n-pose")), home=home)


@pytest.mark.parametrize("architecture", ["yolo11n-cls", "timm/resnet18"])
def test_a_classifiers_set_is_looked_at_as_one(platform, home, folder, architecture):
    sort_crops(folder / "doors")
    shutil.rmtree(folder / "doors")
    (folder / "crops").rename(folder / "doors")
    model(folder, architecture)
    submit(request(folder), home=home)
    (folder / "doors/train/door/train1.jpg").write_bytes(b"")
    with pytest.raises(RunFailed, match=r"train/door/train1\.jpg: error: the image is empty"):
        submit(request(folder, new=True), home=home)


def test_a_detector_is_not_trained_on_a_set_of_classes(platform, home, folder):
    crops = sort_crops(folder / "doors")
    with pytest.raises(RunFailed, match=r"data\.yaml: error: is not there"):
        submit(request(folder, data=str(crops)), home=home)


def test_what_a_projects_own_trainer_reads_is_its_own_business(platform, home, folder):
    (folder / "doors/data.yaml").write_text("anything: else\n")
    (folder / "trainer.py").touch()
    submit(request(model(folder, "yolo11n", "  training: {entry: trainer}\n")), home=home)
    assert len(platform.pushed) == 1


def test_a_run_that_is_on_its_way_goes_on_whatever_became_of_its_data(platform, home, folder, registry):
    from containerid.errors import Unreachable
    from containerid.runs.submit import go_on

    platform.answer, platform.arrives = Unreachable("no answer"), False
    with pytest.raises(Unreachable):
        submit(request(folder), home=home)
    platform.answer, platform.arrives = None, True
    (folder / "doors/labels/train/train0.txt").write_text(WRONG)
    (run,) = registry.runs()
    assert go_on(run, home=home).state == "queued"


def test_a_link_to_nowhere_is_named_with_the_command_that_looks_for_more(platform, home, folder):
    (folder / "doors/images/train/train9.jpg").symlink_to("gone.jpg")
    with pytest.raises(UsageError, match=r"train9\.jpg is a link to nowhere") as failure:
        submit(request(folder), home=home)
    assert failure.value.hint == f"cid data check {folder / 'doors'}"


def test_results_are_not_kept_where_the_folder_for_them_cannot_be_made(home, folder):
    from containerid.home import Home
    from containerid.runs.checkdata import check_data

    blocked = Home(folder / "file/cid")
    (folder / "file").touch()
    assert check_data("doors", folder=folder, home=blocked).report.findings == []


def test_a_set_with_errors_is_not_pushed_either(home, folder):
    (folder / "doors/labels/train/train0.txt").write_text(WRONG)
    with pytest.raises(RunFailed, match=r"train0\.txt:1: error: class 7"):
        push_data(folder, "", home=home, tell=lambda _: None)
