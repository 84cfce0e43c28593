from pathlib import Path

import pytest
from fakes.sets import write_set

from containerid.dataset.check import check
from containerid.dataset.findings import Report
from containerid.dataset.sets import survey

YAML = "train: images/train\nval: images/val\ntest: images/test\nnames: [door]\nkpt_shape: [3, 3]\n"
GOOD = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1 0 0 0\n"
"""14 columns: even, as no polygon has."""


def report(folder: Path, label: str, task: str = "pose", yaml: str = YAML) -> Report:
    dataset = survey(write_set(folder, yaml=yaml, label=label) / "data.yaml")
    return check(dataset, task=task)


def test_rows_with_keypoints_are_counted_and_nothing_is_said(tmp_path: Path) -> None:
    found = report(tmp_path, GOOD)
    assert (found.findings, found.classes, found.counts["train"]["boxes"]) == ([], {"door": 16}, 8)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (GOOD[:-7] + "\n", "11 columns instead of 14 (class, box, 3 keypoints of 3 numbers)"),
        ("0 0.5 0.5 0.4 0.4\n", "5 columns instead of 14 (class, box, 3 keypoints of 3 numbers)"),
        (
            "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n",
            "9 columns instead of 14 (class, box, 3 keypoints of 3 numbers)",
        ),
        (GOOD.replace("0.6 0.6 1", "1.6 0.6 1"), "1.6 lies outside 0 to 1"),
        (GOOD.replace("0.6 0.6 1", "0.6 0.6 -1"), "-1 lies outside 0 to 1"),
        (GOOD.replace("0 0.5 0.5", "3 0.5 0.5"), "class 3 is none of 0 to 0"),
        (GOOD.replace("0.5 0.5 0.4", "0.5 0.5 0"), "the box has no area: 0 x 0.4"),
    ],
)
def test_a_row_that_a_pose_cannot_use_is_an_error(tmp_path: Path, label: str, message: str) -> None:
    assert {each.message for each in report(tmp_path, label).errors} == {message}


def test_boxes_alone_do_where_no_pose_is_trained(tmp_path: Path) -> None:
    assert report(tmp_path, "0 0.5 0.5 0.4 0.4\n", "detect").findings == []


def test_without_a_shape_numbers_of_keypoints_are_not_judged(tmp_path: Path) -> None:
    assert not report(tmp_path, GOOD, yaml=YAML.replace("kpt_shape: [3, 3]\n", "")).errors
