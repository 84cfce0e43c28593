import json
import os
import shutil
from pathlib import Path

import pytest
from fakes.defects import DEFECTS, clean, encoded, picture, plant
from fakes.sets import content_of

from containerid.dataset import check as checks
from containerid.dataset import sets
from containerid.dataset.mend import mend
from containerid.dataset.relabel import Unclear, relabel


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clean(tmp_path_factory.mktemp("spoilt") / "doors")
    plant(folder, DEFECTS)
    return folder


def test_a_mended_copy_has_no_errors_and_the_set_is_as_it_was(spoilt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "doors", symlinks=True)
    before = content_of(folder)
    dataset = sets.survey(folder / "data.yaml")
    mended = mend(dataset, checks.check(dataset, deep=True, processes=1), checks.MINIMUM)
    assert (mended.folder, mended.errors) == (tmp_path / "doors-fixed", ())
    assert content_of(folder) == before
    again = checks.check(sets.read(mended.folder / "data.yaml"), deep=True, processes=1)
    assert again.errors == []
    assert {"junk", "cache", "label-bom", "label-crlf", "image-rotated", "image-suffix"}.isdisjoint(
        each.kind for each in again.findings
    )
    fixes = json.loads((mended.folder / "fixes.json").read_text(encoding="utf-8"))["fixes"]
    assert {each["action"] for each in fixes} == {"left out", "rewritten", "renamed", "turned"}


def test_a_second_copy_gets_another_name(tmp_path: Path) -> None:
    dataset = sets.survey(clean(tmp_path / "doors") / "data.yaml")
    folders = [mend(dataset, checks.Report(), checks.MINIMUM).folder.name for _ in range(2)]
    assert folders == ["doors-fixed", "doors-fixed-2"]


@pytest.mark.parametrize(
    ("label", "after"),
    [
        (b"0 0.5 0.5 0.4 0.4\n", "0 0.5 0.5 0.4 0.4\n"),
        ("0 0.5 0.5 0.4 0.4\r\n".encode("utf-16"), "0 0.5 0.5 0.4 0.4\n"),
        ("0 0.5 0.5 0.4 0.4\n".encode("utf-16-le"), "0 0.5 0.5 0.4 0.4\n"),
        (b"0.0;0.5;0.5;0.4;0.4\n", "0 0.5 0.5 0.4 0.4\n"),
        (b"0 0.9 0.5 0.4 0.4\n", "0 0.85 0.5 0.3 0.4\n"),
        (b"0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n", "0 0.5 0.5 0.8 0.8\n"),
        (b"0 0.5 0.5 0 0.4\n0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.4 0.4\n", "0 0.5 0.5 0.4 0.4\n"),
    ],
)
def test_a_label_is_mended_without_a_guess(label: bytes, after: str) -> None:
    assert relabel(label, 1)[0] == after


@pytest.mark.parametrize(
    "label", [b"5 0.5 0.5 0.4 0.4", b"0 320 240 64 64", b"0 0,5 0,5 0,4 0,4", b"0 .5 .5 .4", b"\xff"]
)
def test_what_would_be_a_guess_is_not_mended(label: bytes) -> None:
    with pytest.raises(Unclear):
        relabel(label, 1)


def test_a_triangle_in_a_set_of_polygons_is_mended_as_one() -> None:
    text, _ = relabel(b"0 0.1 0.1 0.5 0.1 0.5 0.5\n", 1, triangles=True)
    assert text == "0 0.3 0.3 0.4 0.4\n"


def look_and_mend(folder: Path, task: str = "detect") -> Path:
    dataset = sets.survey(folder / "data.yaml")
    return mend(dataset, checks.check(dataset, processes=1), checks.MINIMUM, task).folder


@pytest.mark.parametrize("target", ["nowhere.txt", "train00.txt", "."])
def test_an_image_whose_label_cannot_be_opened_is_left_out(tmp_path: Path, target: str) -> None:
    folder = clean(tmp_path / "doors")
    label = folder / "labels/train/train00.txt"
    label.unlink()
    label.symlink_to(target)
    mended = look_and_mend(folder)
    assert not (mended / "images/train/train00.jpg").exists()
    assert (mended / "images/train/train01.jpg").is_file()


def test_polygons_of_a_set_for_segmenting_stay_as_they_are(tmp_path: Path) -> None:
    folder = clean(tmp_path / "doors")
    polygon = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    for label in (folder / "labels").glob("*/*.txt"):
        label.write_bytes(polygon.replace("\n", "\r\n").encode())
    mended = look_and_mend(folder, "segment")
    assert {each.read_text(encoding="utf-8") for each in (mended / "labels").glob("*/*.txt")} == {polygon}


def test_the_copy_of_a_set_of_lists_has_no_folders_within_folders(tmp_path: Path) -> None:
    folder = clean(tmp_path / "doors")
    for split in ("train", "val", "test"):
        lines = "".join(f"./images/{split}/{each.name}\n" for each in (folder / "images" / split).iterdir())
        (folder / f"{split}.txt").write_text(lines)
    (folder / "data.yaml").write_text("train: train.txt\nval: val.txt\ntest: test.txt\nnames: [door, lock]\n")
    mended = look_and_mend(folder)
    assert checks.check(sets.survey(mended / "data.yaml"), processes=1).findings == []


def test_an_image_that_two_splits_name_stays_in_the_one_that_names_it_closer(tmp_path: Path) -> None:
    folder = clean(tmp_path / "doors")
    (folder / "data.yaml").write_text("train: images\nval: images/val\ntest: images/test\nnames: [door, lock]\n")
    mended = look_and_mend(folder)
    counts = {split: len(list((mended / "images" / split).rglob("*.jpg"))) for split in ("train", "val", "test")}
    assert counts == {"train": 60, "val": 8, "test": 6}
    assert not checks.check(sets.survey(mended / "data.yaml"), processes=1).errors


def test_rows_that_are_no_polygons_are_left_out_of_a_set_for_segmenting(tmp_path: Path) -> None:
    folder = clean(tmp_path / "doors")
    polygon = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    for label in (folder / "labels").glob("*/*.txt"):
        label.write_text(polygon)
    (folder / "labels/train/train00.txt").write_text(polygon + "0 0.5 0.5 0.4 0.4\n")
    (folder / "labels/train/train01.txt").write_text(polygon * 2)
    mended = look_and_mend(folder, "segment")
    assert not (mended / "images/train/train00.jpg").exists()
    assert (mended / "labels/train/train01.txt").read_text() == polygon
    assert checks.check(sets.survey(mended / "data.yaml"), task="segment", processes=1).errors == []


def test_an_avif_gets_its_own_ending(tmp_path: Path) -> None:
    folder = clean(tmp_path / "doors")
    (folder / "images/train/train00.jpg").write_bytes(encoded(picture(1), "AVIF"))
    mended = look_and_mend(folder)
    assert (mended / "images/train/train00.avif").is_file()


@pytest.mark.parametrize(
    ("closed", "found"),
    [
        ("images/train/train00.jpg", ("images/train/train00.jpg", "image-unreadable")),
        ("labels/train/train00.txt", ("labels/train/train00.txt", "label-unreadable")),
        ("images/train", ("data.yaml", "yaml")),
        ("labels/train", ("labels/train/train00.txt", "label-unreadable")),
        ("data.yaml", ("data.yaml", "yaml")),
    ],
)
def test_what_may_not_be_read_is_an_error_and_no_reason_to_stop(
    tmp_path: Path, closed: str, found: tuple[str, str]
) -> None:
    folder = clean(tmp_path / "doors")
    path = folder / closed
    path.chmod(0)
    try:
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        dataset = sets.survey(folder / "data.yaml")
        report = checks.check(dataset, processes=1)
        assert found in [(each.path, each.kind) for each in report.errors]
        assert not (mend(dataset, report, checks.MINIMUM).folder / "images/train/train00.jpg").exists()
    finally:
        path.chmod(0o755)
