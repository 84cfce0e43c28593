"""Labels line by line, beside what Ultralytics' own reader makes of the same bytes."""

import os
from pathlib import Path

import pytest
from fakes.sets import pixel

from containerid.dataset.labels import BOXES, Shape, read
from containerid.dataset.relabel import relabel

BOX = "0 0.5 0.5 0.4 0.4"
POSE = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1"
CORNERS = "0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9"


def said(tmp_path: Path, label: str | bytes, shape: Shape = BOXES) -> list[str]:
    """What is said of a label, as `line kind severity`."""
    path = tmp_path / "a.txt"
    path.write_bytes(label.encode() if isinstance(label, str) else label)
    return [f"{line} {kind} {severity}" for line, kind, severity, *_ in read(str(path), 2, shape=shape).said]


ODD = {
    "NBSP": BOX.replace(" ", "\u00a0"),
    "ideographic space": BOX.replace(" ", "\u3000", 1),
    "unit separator": BOX.replace(" ", "\x1f", 1),
    "line separator between rows": f"{BOX}\u20281 0.3 0.3 0.2 0.2",
    "line separator between columns": BOX.replace(" ", "\u2028", 1),
    "form feed between rows": f"{BOX}\n\x0c1 0.3 0.3 0.2 0.2",
    "next line": f"{BOX}\x851 0.3 0.3 0.2 0.2",
    "lone CR": f"{BOX}\r1 0.3 0.3 0.2 0.2",
    "zero-width space": BOX.replace(" ", "\u200b ", 1),
    "mark inside": BOX.replace(" ", " \ufeff", 1),
    "NUL": f"{BOX}\0",
    "tab": BOX.replace(" ", "\t"),
    "plus": "0 +0.5 0.5 0.4 0.4",
    "exponent": "0 5e-1 5E-1 0.4 0.4",
    "hexadecimal": "0 0x1 0.5 0.4 0.4",
    "infinity": "0 inf 0.5 0.4 0.4",
    "trailing comma": f"{BOX},",
    "minus of typography": "0 \u22120.005 0.5 0.4 0.4",
}


@pytest.mark.parametrize("name", ODD)
def test_a_row_is_an_error_where_ultralytics_drops_it_and_no_error_where_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.fspath(tmp_path))
    utils = pytest.importorskip("ultralytics.data.utils")
    image, label = tmp_path / "a.jpg", tmp_path / "a.txt"
    image.write_bytes(pixel("a"))
    found = said(tmp_path, ODD[name] + "\n")
    theirs, *_ = utils.verify_image_label((str(image), str(label), "", False, 2, 0, 0, False))
    assert any(each.endswith("error") for each in found) == (theirs is None), found


@pytest.mark.parametrize(
    ("label", "findings"),
    [
        (ODD["NBSP"], ["1 label-space warning"]),
        (f"{BOX}\n1 0.3\u00a00.3 0.2 0.2\n", ["2 label-space warning"]),
        (ODD["line separator between rows"], ["1 label-space warning"]),
        (f"{ODD['form feed between rows']}\n7 0.5 0.5 0.4 0.4\n", ["2 label-space warning", "3 label-class error"]),
        (ODD["line separator between columns"], ["1 label-space warning", *["1 label-columns error"] * 2]),
        (ODD["tab"], []),
        ("0 0.5 0.5 0.4_0 0.4", ["1 label-format error"]),
        ("0 \u0660.\u0664 0.5 0.4 0.4", ["1 label-format error"]),
        ("\ufeff", ["1 label-bom warning", "0 label-empty info"]),
    ],
)
def test_white_space_and_digits_that_only_look_right_are_said(tmp_path: Path, label: str, findings: list[str]) -> None:
    assert said(tmp_path, label) == findings


def test_odd_white_space_is_mended() -> None:
    assert relabel(ODD["NBSP"].encode(), 2)[0] == f"{BOX}\n"
    assert relabel(ODD["form feed between rows"].encode(), 2)[0] == f"{BOX}\n1 0.3 0.3 0.2 0.2\n"


POSES = Shape("pose", 2, 3)


@pytest.mark.parametrize(
    ("shape", "label", "findings"),
    [
        (POSES, POSE, []),
        (POSES, "0 0.5 0.5 0.4 0.4 0.4 0.4 2", ["1 label-columns error"]),
        (POSES, BOX, ["1 label-columns error"]),
        (POSES, f"7{POSE[1:]}", ["1 label-class error"]),
        (POSES, POSE.replace("0.6 0.6", "1.6 0.6"), ["1 label-range error"]),
        (POSES, POSE.replace("0.6 0.6", "0.6 -0.6"), ["1 label-range error"]),
        (POSES, POSE.replace("2 0.6", "-1 0.6"), ["1 label-range error"]),
        (POSES, "0 0.5 0.5 0 0.4 0.4 0.4 2 0.6 0.6 1", ["1 label-area error"]),
        (POSES, "0 0.9 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1", ["1 label-edge warning"]),
        (POSES, f"{POSE}\n{POSE}", ["2 label-duplicate warning"]),
        (Shape("pose", 2, 2), "0 0.5 0.5 0.4 0.4 0.4 0.4 0.6 0.6", []),
        (Shape("detect", 2, 3), POSE, []),
        (Shape("detect", 2, 3), BOX, []),
        (Shape("detect", 2, 2), f"{BOX}\n0 0.3 0.3 0.2 0.2 0.4 0.4 0.6 0.6", []),
        (Shape("segment"), CORNERS, []),
        (Shape("segment"), "0 0.1 0.1 0.9 0.1 0.9 0.9", []),
        (Shape("segment"), f"{CORNERS}\n{BOX}", ["2 label-box error"]),
        (Shape("segment"), BOX, ["1 label-box error"]),
        (Shape("segment"), f"{CORNERS} 0.5", ["1 label-columns error"]),
        (Shape("segment"), CORNERS.replace("0.9 0.9", "1.9 0.9"), ["1 label-range error"]),
        (Shape("segment"), "0 0.1 0.1 0.5 0.1 0.9 0.1", ["1 label-area error"]),
        (Shape("segment"), f"7{CORNERS[1:]}", ["1 label-class error"]),
        (Shape("obb"), CORNERS, []),
        (Shape("obb"), "0 0.5 0.5 0.4 0.4 0.7", ["1 label-columns error"]),
        (Shape("obb"), BOX, ["1 label-box error"]),
    ],
)
def test_each_task_asks_for_rows_of_its_own(tmp_path: Path, shape: Shape, label: str, findings: list[str]) -> None:
    assert said(tmp_path, label, shape) == findings


def test_thousands_of_boxes_are_not_compared_with_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr("containerid.dataset.boxes._overlap", lambda one, other: compared.append(one) or 0.0)
    rows = (f"0 {0.1 + number / 5000:.4f} 0.5 0.01 0.01" for number in range(3000))
    assert not [each for each in said(tmp_path, "\n".join(rows)) if each.endswith("error")]
    assert len(compared) < 3 * 3000
