import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.sets import content_of, sort_crops, write_set

from containerid.dataset import pixels

Cid = Callable[..., Any]
PARAMS = "detection:\n  data:\n    path: doors\n    minimum: {train: 100}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_set(tmp_path / "doors")


def test_a_good_set_ends_with_0_and_says_what_it_holds(cid: Cid, folder: Path) -> None:
    said = cid("data", "check", "doors")
    assert (said.code, said.err) == (0, "")
    assert "train" in said.out
    assert "✓ nothing to say" in said.out


def test_the_set_that_a_folder_was_taken_for_is_named(cid: Cid, folder: Path) -> None:
    assert cid("data", "check", ".").out.startswith("set: doors\n")
    assert cid("data", "check", ".", "--json").document["set"] == str(folder)


def test_a_bad_set_ends_with_7_and_names_place_and_remedy(cid: Cid, folder: Path) -> None:
    (folder / "labels/train/train1.txt").write_text("7 0.5 0.5 0.4 0.4\n")
    said = cid("data", "check", "doors/data.yaml")
    assert said.code == 7
    assert "labels/train/train1.txt:1: error: class 7 is none of 0 to 0 [label-class]\n  try: correct it" in said.out


def test_the_document_holds_every_finding_and_their_counts(cid: Cid, folder: Path) -> None:
    (folder / "labels/train/train1.txt").write_text("0.0 0.5 0.5 0.4 0.4\n")
    said = cid("data", "check", "doors", "--json")
    [finding] = said.document["findings"]
    assert (finding["path"], finding["line"], finding["kind"], finding["severity"]) == (
        "labels/train/train1.txt",
        1,
        "label-class-form",
        "warning",
    )
    assert said.document["counts"] == {"error": 0, "warning": 1, "info": 0}
    assert said.code == 0


def test_many_of_one_kind_are_cut_on_the_screen_but_not_in_the_document(cid: Cid, folder: Path) -> None:
    for number in range(8):
        (folder / f"labels/train/more{number}.txt").write_text("")
        (folder / f"labels/val/more{number}.txt").write_text("")
    assert "… and 8 more label-orphan; -v shows all" in cid("data", "check", "doors").out
    assert cid("data", "check", "doors", "-v").out.count("[label-orphan]") == 16
    assert cid("data", "check", "doors", "--json").document["counts"]["error"] == 16


def test_without_a_path_the_projects_own_set_and_limits_count(cid: Cid, folder: Path) -> None:
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")
    said = cid("data", "check")
    assert (said.code, "train has 8 images, at least 100 are asked for" in said.out) == (7, True)


@pytest.mark.parametrize("path", ["nowhere", "empty", "doors/images/train/train0.jpg"])
def test_a_bad_path_ends_with_2(cid: Cid, folder: Path, path: str) -> None:
    Path("empty").mkdir()
    assert cid("data", "check", path).code == 2


def test_a_set_without_its_data_yaml_is_an_error_of_the_set(cid: Cid, folder: Path) -> None:
    (folder / "data.yaml").unlink()
    said = cid("data", "check", "doors", "--json")
    assert (said.code, said.document["findings"][0]["path"]) == (7, "data.yaml")


def test_a_mended_copy_lies_beside_the_set(cid: Cid, folder: Path) -> None:
    (folder / "labels/train/other.txt").write_text("")
    before = content_of(folder)
    said = cid("data", "check", "doors", "--fix", "--json")
    assert (said.code, said.document["mended"]["errors"]) == (7, [])
    assert content_of(folder) == before
    assert cid("data", "check", "doors-fixed").code == 0


def test_a_split_of_which_nothing_is_left_is_said(cid: Cid, folder: Path) -> None:
    for label in (folder / "labels/test").iterdir():
        label.write_text("7 0.5 0.5 0.4\n")
    assert "nothing is left in test: fixes.json says why" in cid("data", "check", "doors", "--fix").out
    assert not any(Path("doors-fixed/images/test").iterdir())


def test_remarks_of_one_kind_are_one_line(cid: Cid, folder: Path) -> None:
    for label in (folder / "labels/train").iterdir():
        label.write_text("")
    kinds = [
        each["kind"]
        for each in cid("data", "check", "doors", "--json").document["findings"]
        if each["severity"] == "info"
    ]
    said = cid("data", "check", "doors").out
    assert kinds
    for kind in set(kinds):
        assert said.count(f"[{kind}]") == 1
    assert f"… and {kinds.count(kinds[0]) - 1} more {kinds[0]}; -v shows all" in said


def test_the_page_stands_alone_and_shows_the_worst(cid: Cid, folder: Path) -> None:
    (folder / "labels/train/train1.txt").write_text("0 0.9 0.5 0.4 0.4\n<script>alert(1)</script>\n")
    (folder / "images/val/val1.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    (folder / "images/val/val2.jpg").write_bytes(b"")
    assert cid("data", "check", "doors", "--html", "page.html").code == 7
    page = Path("page.html").read_text(encoding="utf-8")
    assert "data:image/jpeg;base64," in page
    assert "Cannot be shown: " in page
    assert "<rect " in page
    assert page.count("<figure>") == 1, "what cannot be shown is named without a frame"
    assert "<script" not in page
    assert not re.search(r"https?://", page)
    assert "Image files without a byte" in page
    assert "image-empty" in page.replace("<wbr>", "")
    assert f"cid data check {folder}" in page.replace("<wbr>", "")


def test_looking_deeper_says_what_it_needs(cid: Cid, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "missing", lambda: ["numpy"])
    said = cid("data", "check", "doors", "--deep")
    assert said.code == 2
    assert "pip install 'containerid[data]'" in said.err


def test_a_page_that_cannot_be_written_gives_one_document(cid: Cid, folder: Path) -> None:
    Path("taken").write_text("")
    said = cid("data", "check", "doors", "--html", "taken/page.html", "--json")
    assert said.code == 2
    assert said.document["error"]["code"] == 2


def test_polygons_are_no_finding_in_a_project_that_segments(cid: Cid, folder: Path) -> None:
    for label in (folder / "labels").glob("*/*.txt"):
        label.write_text("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n")
    told = cid("data", "check", str(folder), "--json")
    assert "label-polygon" in told.document["kinds"]
    params = "detection: {model: {architecture: yolo11n-seg}}\n"
    Path("params.yaml").write_text(params, encoding="utf-8")
    told = cid("data", "check", str(folder), "--json")
    assert (told.code, told.document["kinds"]) == (0, {})


@pytest.mark.parametrize("described", [False, True])
def test_a_set_that_is_sorted_into_classes_is_counted_by_class_and_split(
    cid: Cid, folder: Path, *, described: bool
) -> None:
    crops = sort_crops(folder)
    if described:
        (crops / "data.yaml").write_text("train: train\nval: val\nnames: [door, wall]\n")
    said = cid("data", "check", "crops")
    assert said.code == 0, said.out + said.err
    assert "✓ nothing to say (nothing decoded; --deep looks at every pixel)" in said.out
    document = cid("data", "check", "crops", "--json").document
    assert document["sorted"]["train"] == {"door": 4, "wall": 4}
    assert document["classes"] == {"door": 8, "wall": 8}


def test_what_is_no_image_in_a_class_is_an_error(cid: Cid, folder: Path) -> None:
    crops = sort_crops(folder)
    next(crops.glob("val/wall/*")).write_text("<!doctype html>")
    next(crops.glob("train/door/*")).with_name("gone.jpg").symlink_to("nowhere.jpg")
    said = cid("data", "check", "crops")
    assert said.code == 7
    assert "is not an image but a web page" in said.out
    assert "train/door/gone.jpg: error: is a link to nowhere" in said.out
    assert "its label" not in said.out


def test_an_image_in_two_splits_or_classes_is_found_in_a_set_of_classes_too(cid: Cid, folder: Path) -> None:
    crops = sort_crops(folder)
    image = next(crops.glob("train/door/*"))
    shutil.copy(image, crops / "val/wall/again.jpg")
    shutil.copy(image, crops / "train/wall/again.jpg")
    (crops / "train/wall/Thumbs.db").write_bytes(b"")
    (crops / "train.cache").write_bytes(b"")
    (crops / "train/loose.jpg").write_bytes(next(crops.glob("test/door/*")).read_bytes()[:-2] + b"\0\xff\xd9")
    said = cid("data", "check", "crops", "--json")
    assert said.code == 7
    assert [(each["path"], each["kind"], each["severity"]) for each in said.document["findings"]] == [
        ("val/wall/again.jpg", "split-leak", "error"),
        ("train.cache", "cache", "warning"),
        ("train/loose.jpg", "image-unused", "warning"),
        ("train/wall/Thumbs.db", "junk", "warning"),
        ("train/wall/again.jpg", "image-duplicate", "warning"),
    ]


def test_paths_are_relative_to_the_set_wherever_its_data_yaml_lies(cid: Cid, folder: Path) -> None:
    (folder / "labels/train/train1.txt").write_text("7 0.5 0.5 0.4 0.4\n")
    Path("configs").mkdir()
    Path("configs/doors.yaml").write_text(
        "path: ../doors\ntrain: images/train\nval: images/val\ntest: images/test\nnames: [door]\nnc: 2\n",
        encoding="utf-8",
    )
    said = cid("data", "check", "configs/doors.yaml", "--html", "page.html", "--json")
    assert [(each["path"], each["line"]) for each in said.document["findings"]] == [
        ("doors.yaml", 6),
        ("labels/train/train1.txt", 1),
    ]
    assert said.document["set"] == str(folder)
    assert "data:image/jpeg" in Path("page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["doors.yaml", "dataset.yml", "data.yml"])
def test_a_folder_whose_data_yaml_has_another_name_is_a_set(cid: Cid, folder: Path, name: str) -> None:
    (folder / "data.yaml").rename(folder / name)
    (folder / "params.yaml").write_text("lr: 0.1\n")
    assert cid("data", "check", "doors").code == 0


def test_a_classifiers_project_has_its_own_set_checked_as_one(cid: Cid, folder: Path) -> None:
    sort_crops(folder)
    Path("params.yaml").write_text("detection:\n  model: {architecture: timm/resnet18}\n  data: {path: crops}\n")
    assert cid("data", "check").code == 0
    said = cid("data", "check", "--fix")
    assert (said.code, "crops is sorted into classes" in said.err) == (2, True)
    assert cid("data", "check", "--deep", "--json").document["decoded"] == 16


def test_labels_beside_the_images_are_no_classes(cid: Cid, folder: Path) -> None:
    for split in ("train", "val"):
        (folder / split / "camera").mkdir(parents=True)
        for file in [*(folder / "images" / split).iterdir(), *(folder / "labels" / split).iterdir()]:
            file.rename(folder / split / "camera" / file.name)
    (folder / "data.yaml").write_text("train: train\nval: val\nnames: [door]\n")
    assert cid("data", "check", "doors", "--json").document["splits"]["train"]["boxes"] == 8
