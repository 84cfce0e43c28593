from pathlib import Path

import pytest
from fakes.sets import content_of, write_set

from containerid.dataset import check as checks
from containerid.dataset import sets


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
        ("0 1.005 0.5 0.001 0.1\n", ["1 label-range warning"]),
        ("0 0.9 0.5 0.8 0.4\n", ["1 label-edge warning"]),
        ("0 0.5 0.5 0 0.4\n", ["1 label-area error"]),
        ("0 0.5 0.5 0.4 -0.005\n", ["1 label-range warning", "1 label-area error"]),
        ("0 0.5 0.5 0.4 0.4\n\n0 0.5 0.5 0.4 0.4\n", ["3 label-duplicate warning"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9\n", ["1 label-polygon warning"]),
        ("0 0.1 0.1 0.9 0.1 0.9 0.9\n0 0.5 0.5 0.4 0.4\n", ["1 label-mixed error"]),
        ("\n", ["0 label-empty info"]),
        ("\ufeff0 0.5 0.5 1 1\r\n", []),
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
    assert kinds(check(folder)) == [("labels/val/other.txt", "label-orphan", "error")]


def test_a_label_that_differs_by_letter_case_is_named_as_that(folder: Path) -> None:
    (folder / "labels/val/val1.txt").rename(folder / "labels/val/VAL1.TXT")
    assert kinds(check(folder)) == [
        ("images/val/val1.jpg", "label-missing", "warning"),
        ("labels/val/VAL1.TXT", "label-case", "error"),
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
        ("labels/train/train2.txt", "label-encoding", "error"),
    ]


def test_a_split_has_to_hold_what_is_asked_for(folder: Path) -> None:
    report = check(folder, train=100, val=4)
    assert report.verdict == "the data cannot be used: data.yaml: error: train has 8 images, at least 100 are asked for"


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
