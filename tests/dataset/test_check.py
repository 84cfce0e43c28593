from pathlib import Path

import pytest
from fakes.sets import content_of, write_set

from containerid.dataset import check as checks
from containerid.dataset import decoding, sets
from containerid.dataset.mend import mend


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "doors")


def check(folder: Path, **limits: int) -> checks.Report:
    return checks.check(sets.read(folder / "data.yaml"), limits or checks.MINIMUM)


def found_in(folder: Path, label: str) -> list[str]:
    """What is found in one label, as `line kind severity`."""
    (folder / "labels/train/train3.txt").write_text(label, encoding="utf-8")
    found = [each for each in check(folder).findings if each.path == "labels/train/train3.txt"]
    return [f"{each.line} {each.kind} {each.severity}" for each in found]


def test_a_clean_set_has_no_findings_and_counts(folder: Path) -> None:
    before = content_of(folder)
    report = check(folder)
    assert (report.findings, report.verdict) == ([], "")
    assert report.counts["train"] == {"images": 8, "labels": 8, "boxes": 8, "backgrounds": 0}
    assert report.classes == {"door": 16}
    assert content_of(folder) == before


@pytest.mark.parametrize(
    ("label", "findings"),
    [
        ("0 0.5 0.5 0.4 0.4\n1 0.5 0.5 0.4 0.4\n", ["2 label-class error"]),
        ("-1 0.5 0.5 0.4 0.4\n", ["1 label-class error"]),
        ("0.5 0.5 0.5 0.4 0.4\n", ["1 label-class error"]),
        ("0.0 0.5 0.5 0.4 0.4\n", ["1 label-class-form warning"]),
        ("0 0.5 0.5 0.4\n", ["1 label-columns error"]),
        ("0 0.5 0.5 0.4 0.4 0.9\n", ["1 label-columns error"]),
        ("0,0.5,0.5,0.4,0.4\n", ["1 label-format error"]),
        ("0 nan 0.5 0.4 0.4\n", ["1 label-format error"]),
        ("0 320 240 64 64\n", ["1 label-range error"]),
        ("0 -0.2 0.5 0.1 0.1\n", ["1 label-range error"]),
        ("0 1.005 0.5 0.05 0.1\n", ["1 label-edge warning"]),
        ("0 0.9 0.5 0.8 0.4\n", ["1 label-edge warning"]),
        ("0 0.5 0.5 0 0.4\n", ["1 label-area error"]),
        ("0 0.5 0.5 0.4 -0.005\n", ["1 label-area error"]),
        ("0 0.5 0.5 0.4 0.4\n\n0 0.5 0.5 0.4 0.4\n", ["3 label-duplicate warning"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9\n", ["1 label-polygon warning"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9\n0 0.5 0.5 0.4 0.4\n", ["1 label-mixed error", "1 label-polygon warning"]),
        ("0 0.5 0.5 0.2 0.2 0.9 0.1\n", ["1 label-columns error"]),
        ("0\t0.5\t0.5\t4e-1\t0.4  \n", []),
        ("class x y w h\n0 0.5 0.5 0.4 0.4\n", ["1 label-format error"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.5\n", ["1 label-columns error"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.1 0.1 0.1\n", ["1 label-area error", "1 label-polygon warning"]),
        ("\n", ["0 label-empty info"]),
        ("\ufeff0 0.5 0.5 0.4 0.4\r\n", ["1 label-bom warning", "1 label-crlf warning"]),
        ("0 0.5 0.5 1 1\n", ["1 label-whole info"]),
    ],
)
def test_what_is_wrong_in_a_label_is_found_at_its_line(folder: Path, label: str, findings: list[str]) -> None:
    assert found_in(folder, label) == findings


def kinds(report: checks.Report) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.severity) for each in report.findings]


def test_an_image_without_a_label_is_a_warning(folder: Path) -> None:
    (folder / "labels/val/val1.txt").unlink()
    assert kinds(check(folder)) == [("images/val/val1.jpg", "label-missing", "warning")]


def test_a_label_without_an_image_is_an_error(folder: Path) -> None:
    (folder / "labels/val/other.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (folder / "labels/val/classes.txt").write_text("door\n")
    assert kinds(check(folder)) == [
        ("labels/val/other.txt", "label-orphan", "error"),
        ("labels/val/classes.txt", "junk", "warning"),
    ]


def test_a_label_that_differs_by_letter_case_is_named_as_that(folder: Path) -> None:
    (folder / "labels/val/val1.txt").rename(folder / "labels/val/VAL1.TXT")
    assert kinds(check(folder)) == [
        ("labels/val/VAL1.TXT", "label-case", "error"),
        ("images/val/val1.jpg", "label-missing", "warning"),
    ]


def test_an_image_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "images/train/train1.jpg").write_bytes(b"")
    (folder / "images/train/train2.jpg").unlink()
    (folder / "images/train/train2.jpg").symlink_to("nowhere.jpg")
    assert kinds(check(folder)) == [
        ("images/train/train1.jpg", "image-empty", "error"),
        ("images/train/train2.jpg", "image-missing", "error"),
    ]


def test_a_label_in_another_encoding_is_an_error(folder: Path) -> None:
    (folder / "labels/train/train1.txt").write_bytes("0 0.5 0.5 0.4 0.4".encode("utf-16"))
    (folder / "labels/train/train2.txt").unlink()
    (folder / "labels/train/train2.txt").mkdir()
    assert kinds(check(folder)) == [
        ("labels/train/train1.txt", "label-encoding", "error"),
        ("labels/train/train2.txt", "label-unreadable", "error"),
        ("labels/train/train2.txt", "nested", "warning"),
    ]


def test_a_split_has_to_hold_what_is_asked_for(folder: Path) -> None:
    report = check(folder, train=100, val=4)
    assert (
        report.verdict == "the data cannot be used: data.yaml:1: error: train has 8 images, at least 100 are asked for"
    )


def test_a_split_without_any_box_is_a_warning(folder: Path) -> None:
    for label in (folder / "labels/train").iterdir():
        label.write_text("")
    assert [each for each in kinds(check(folder)) if each[1] == "no-boxes"] == [("data.yaml", "no-boxes", "warning")]


def test_a_verdict_names_the_first_error_and_counts_the_others(folder: Path) -> None:
    for number in (1, 2):
        (folder / f"labels/train/train{number}.txt").write_text("7 0.5 0.5 0.4 0.4\n")
    assert check(folder).verdict == (
        "the data cannot be used: labels/train/train1.txt:1: error: class 7 is none of 0 to 0 (and 1 more errors)"
    )


def test_a_data_yaml_that_cannot_be_used_is_a_finding(folder: Path) -> None:
    (folder / "data.yaml").write_text("download: x\n")
    with pytest.raises(sets.DatasetError) as error:
        check(folder)
    assert checks.refuse(error.value).verdict.startswith("the data cannot be used: data.yaml:1: error: `download:`")


def test_a_triangle_is_a_polygon_where_polygons_are_the_habit(folder: Path) -> None:
    for label in folder.glob("labels/*/*.txt"):
        label.write_text("0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n")
    assert found_in(folder, "0 0.5 0.5 0.2 0.2 0.9 0.1\n") == ["1 label-polygon warning"]


def test_a_file_full_of_one_mistake_is_not_a_page_of_findings(folder: Path) -> None:
    found = found_in(folder, "0,0.5,0.5,0.4,0.4\n" * 500)
    assert len(found) == 10
    messages = [each.message for each in check(folder).findings]
    assert any(message.endswith("(and 490 more like it)") for message in messages)


def test_a_split_without_any_label_is_an_error(folder: Path) -> None:
    for label in folder.glob("labels/val/*.txt"):
        label.unlink()
    (folder / "labels/val").rmdir()
    assert ("data.yaml", "no-labels", "error") in kinds(check(folder))


def test_a_class_that_no_box_has_is_a_warning_and_so_is_one_that_train_lacks(folder: Path) -> None:
    text = "train: images/train\nval: images/val\ntest: images/test\nnames: [door, lock, rust]\n"
    (folder / "data.yaml").write_text(text)
    (folder / "labels/val/val0.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    assert kinds(check(folder)) == [
        ("data.yaml", "class-untrained", "warning"),
        ("data.yaml", "class-unused", "warning"),
    ]


def test_a_class_without_a_name_may_have_no_box(folder: Path) -> None:
    (folder / "data.yaml").write_text(
        "train: images/train\nval: images/val\ntest: images/test\nnames: {0: door, 2: lock}\n"
    )
    assert {each.kind for each in check(folder).findings} == {"class-unused", "yaml-names"}
    (folder / "labels/val/val0.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    report = check(folder)
    assert [str(each) for each in report.errors] == ["data.yaml:4: error: 1 box is of class 1, which has no name"]
    mended = mend(sets.survey(folder / "data.yaml"), report, checks.MINIMUM)
    assert [each.kind for each in mended.errors] == ["class-range"]


def test_a_class_with_a_tenth_of_the_boxes_of_another_is_a_warning(folder: Path) -> None:
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door, lock]\n")
    (folder / "labels/train/train0.txt").write_text("1 0.5 0.5 0.4 0.4\n")
    assert ("data.yaml", "class-imbalance", "warning") in kinds(check(folder))


def test_the_same_file_in_two_splits_is_an_error_at_the_later_one(folder: Path) -> None:
    (folder / "data.yaml").write_text("train: images/train\nval: images/val\ntest: images/val\nnames: [door]\n")
    found = [each for each in check(folder).errors if each.kind == "split-leak"]
    assert [each.path for each in found] == [f"images/val/val{number}.jpg" for number in range(4)]
    assert found[0].message.startswith("test holds an image of val")


def test_everything_wrong_with_a_data_yaml_is_said_beside_the_rest(folder: Path) -> None:
    text = "train: images/train\nval: images/val\nnc: 4\nnames: {0: door, 2: lock}\ndownload: x\n"
    (folder / "data.yaml").write_text(text)
    (folder / "images/train/train0.jpg").write_bytes(b"")
    report = checks.check(sets.survey(folder / "data.yaml"))
    assert sorted((each.path, each.line) for each in report.errors) == [
        ("data.yaml", 3),
        ("data.yaml", 5),
        ("images/train/train0.jpg", 0),
    ]


@pytest.mark.parametrize("text", ["names: [door\n", "- a\n", ""])
def test_a_close_look_at_a_set_without_images_says_what_is_wrong_with_its_data_yaml(folder: Path, text: str) -> None:
    (folder / "data.yaml").write_text(text)
    report = checks.check(sets.survey(folder / "data.yaml"), deep=True)
    assert {each.path for each in report.errors} == {"data.yaml"}


def test_a_set_of_lists_has_no_findings(folder: Path) -> None:
    for split in ("train", "val", "test"):
        lines = sorted(f"./images/{split}/{each.name}\n" for each in (folder / "images" / split).iterdir())
        (folder / f"{split}.txt").write_text("".join(lines))
    (folder / ".git").mkdir()
    (folder / "README.txt").write_text("doors\n")
    (folder / "data.yaml").write_text("train: train.txt\nval: val.txt\ntest: test.txt\nnames: [door]\n")
    assert check(folder).findings == []


def test_a_folder_elsewhere_without_images_is_not_looked_through(folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "away/deep"
    away.mkdir(parents=True)
    (away / "letter.docx").write_text("private")
    (folder / "data.yaml").write_text(f"train: {away.parent}\nval: images/val\nnames: [door]\n")
    assert not [each.path for each in check(folder).findings if "away" in each.path]


def test_a_line_of_a_list_that_leads_nowhere_is_an_error_there(folder: Path) -> None:
    (folder / "train.txt").write_text("images/train/train0.jpg\nimages/train/gone.jpg\n./images/train/train0.jpg\n")
    (folder / "data.yaml").write_text("train: train.txt\nval: images/val\ntest: images/test\nnames: [door]\n")
    found = [(each.path, each.line, each.severity) for each in check(folder).findings if each.kind == "list-entry"]
    assert found == [("train.txt", 2, "error"), ("train.txt", 3, "warning")]
    assert (
        next(each.path for each in check(folder).findings if each.kind == "image-unused") == "images/train/train1.jpg"
    )


def test_more_processes_find_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "labels/train/train1.txt").write_text("7 0.5 0.5 0.4 0.4\n")
    alone = checks.check(sets.read(folder / "data.yaml"), deep=True, processes=1)
    for module in (checks, decoding):
        monkeypatch.setattr(module, "_PAYS", 3)
        monkeypatch.setattr(module, "_CHUNK", 3)
    assert checks.check(sets.read(folder / "data.yaml"), deep=True, processes=2) == alone
