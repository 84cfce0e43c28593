"""Sets for other tasks than detection, from what tools really write."""

import contextlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import annotated as fake
from fakes import exports
from fakes.sets import content_of
from hypothesis import given, settings
from hypothesis import strategies as st

from containerid.dataset import geometry as g
from containerid.dataset.check import check
from containerid.dataset.gathered import Refused
from containerid.dataset.importing import Arranged, arrange, gather
from containerid.dataset.sets import survey
from containerid.dataset.sources import FORMATS, GIVES, Found, locate
from containerid.dataset.tasks import TASKS
from containerid.dataset.writing import write

Export = Callable[[Path], None]
PICTURE = fake.picture(1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


def made(source: Path, target: Path, task: str) -> Arranged:
    arranged = arrange(gather(locate(source, task=task), task=task))
    write(target, arranged.splits, arranged.names, {}, copy=True, keys=arranged.keys)
    return arranged


def told(source: Path, task: str, names: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(Refused) as caught:
        arrange(gather(locate(source, task=task), names, task))
    return [f"{fault.path.name}:{fault.line}: {fault.message}" for fault in caught.value.faults]


def rows_of(folder: Path) -> dict[str, list[tuple[float, ...]]]:
    return {exports.stem_of(stem): rows for stem, rows in fake.labels_of(folder).items()}


def said(folder: Path, task: str) -> list[str]:
    dataset = survey(folder / "data.yaml")
    report = check(dataset, task=task, deep=True)
    return [str(finding) for finding in report.findings if finding.severity != "info"]


@pytest.mark.parametrize("export", exports.SEGMENTS.values(), ids=exports.SEGMENTS)
def test_every_export_gives_the_known_polygons(export: Export, root: Path, tmp_path: Path) -> None:
    export(root)
    before = content_of(root)
    arranged = made(root, tmp_path / "new", "segment")
    assert (list(arranged.names), said(tmp_path / "new", "segment")) == (["door"], [])
    found = rows_of(tmp_path / "new")
    assert found.keys() == set(exports.STEMS)
    for stem, points in exports.POLYGONS.items():
        assert found[stem] == [pytest.approx((0, *exports.fractions(points)), abs=1e-6)]
    assert content_of(root) == before


@pytest.mark.parametrize("export", exports.OBBS.values(), ids=exports.OBBS)
def test_every_export_gives_the_known_turned_boxes(export: Export, root: Path, tmp_path: Path) -> None:
    export(root)
    arranged = made(root, tmp_path / "new", "obb")
    assert said(tmp_path / "new", "obb") == []
    assert {word for word, number in arranged.counts.items() if number} <= {"upright"}
    assert arranged.counts["upright"] <= 1
    for stem, rows in rows_of(tmp_path / "new").items():
        assert rows == [pytest.approx((0, *exports.fractions(exports.corners_of(exports.TURNS[stem]))), abs=6e-5)]


@pytest.mark.parametrize("export", exports.POSED.values(), ids=exports.POSED)
def test_every_export_gives_the_known_keypoints(export: Export, root: Path, tmp_path: Path) -> None:
    export(root)
    made(root, tmp_path / "new", "pose")
    document = yaml.safe_load((tmp_path / "new/data.yaml").read_text())
    assert (document["kpt_shape"], document["flip_idx"]) == ([4, 3], [0, 2, 1, 3])
    assert said(tmp_path / "new", "pose") == []
    for stem, rows in rows_of(tmp_path / "new").items():
        assert rows == [pytest.approx((0, *exports.pose_row(stem)), abs=1e-6)]


@pytest.mark.parametrize("export", [exports.cvat_skeletons, exports.coco_poses])
def test_keypoints_keep_their_names(export: Export, root: Path) -> None:
    export(root)
    assert gather(locate(root, task="pose"), task="pose").keys["kpt_names"] == {0: list(exports.BONES)}


@pytest.mark.parametrize("export", exports.OBBS.values(), ids=exports.OBBS)
def test_a_set_of_boxes_gets_the_upright_box_around_a_turned_one(export: Export, root: Path, tmp_path: Path) -> None:
    export(root)
    arranged = made(root, tmp_path / "new", "detect")
    assert sum(arranged.counts[word] for word in ("turned", "polygon")) >= len(exports.STEMS) - 1
    for stem, rows in rows_of(tmp_path / "new").items():
        left, top, right, bottom = g.around(exports.corners_of(exports.TURNS[stem]))
        assert rows[0][3:] == pytest.approx(((right - left) / fake.WIDE, (bottom - top) / fake.HIGH), abs=1e-4)


# --- Masks


def test_brushed_masks_of_cvat_are_no_crowds(root: Path, tmp_path: Path) -> None:
    exports.cvat_coco_masks(root)
    arranged = made(root, tmp_path / "new", "segment")
    assert (arranged.counts["crowd"], said(tmp_path / "new", "segment")) == (0, [])
    for stem, [row] in rows_of(tmp_path / "new").items():
        points = [(x * fake.WIDE, y * fake.HIGH) for x, y in zip(row[1::2], row[2::2], strict=True)]
        assert abs(g.area(points)) == pytest.approx(abs(g.area(list(exports.POLYGONS[stem]))), rel=0.02)


def test_a_crowd_of_coco_itself_is_left_out(root: Path) -> None:
    def annotate(stem: str) -> dict[str, Any]:
        area = {"counts": "PPYo0", "size": [fake.HIGH, fake.WIDE]}
        return {"segmentation": area, "bbox": [1, 1, 50, 50], "iscrowd": int(stem != "shot00")}

    document = exports.coco_document(annotate, exports.STEMS)
    document["annotations"][0]["segmentation"] = [[1, 1, 50, 1, 50, 50]]
    exports.write_coco(root, "instances_default.json", document)
    gathered = gather(locate(root, task="segment"), task="segment")
    assert (gathered.counts["crowd"], sum(len(each.rows) for each in gathered.samples)) == (9, 1)


def test_a_mask_in_cvat_is_counted_row_by_row_inside_its_box(root: Path) -> None:
    exports.images_of(root)
    # Three rows of four pixels, all but the last of them, with a hole of one.
    mask = (
        f'<mask label="door" {exports.COMMON} rle="0, 5, 1, 5, 1" left="40" top="20" width="4" height="3" z_order="0">'
    )
    body = dict.fromkeys(exports.STEMS, f"{mask}</mask>")
    (root / "annotations.xml").write_text(exports.cvat_document(body, exports.label("door")), encoding="utf-8")
    [row] = gather(locate(root, task="segment"), task="segment").samples[0].rows
    points = [(x * fake.WIDE, y * fake.HIGH) for x, y in zip(row[1::2], row[2::2], strict=True)]
    assert g.around(points) == pytest.approx((40, 20, 44, 23))


@pytest.mark.parametrize(
    "area",
    [
        {"counts": "~~~", "size": [100, 200]},
        {"counts": [5, 5], "size": [1, 2]},
        {"counts": [5, 5], "size": "x"},
        {"counts": None, "size": [100, 200]},
        {"counts": [1, 2], "size": [10**12, 10**12]},
    ],
)
def test_a_mask_that_cannot_be_read_is_one_line(area: dict[str, Any], root: Path) -> None:
    document = exports.coco_document(lambda _: {"segmentation": area, "bbox": [1, 1, 50, 50]}, exports.STEMS[:1])
    exports.write_coco(root, "instances_default.json", document)
    message = "instances_default.json:0: annotations[0] has a mask that is no run lengths of its size"
    assert told(root, "segment") == [message]
    assert locate(root).form == "coco"
    assert gather(locate(root)).samples[0].rows


# --- What was drawn as something else


def coco_of(root: Path, **annotation: Any) -> Path:
    document = exports.coco_document(lambda _: annotation, exports.STEMS)
    exports.write_coco(root, "instances_default.json", document)
    return root


def first(root: Path, task: str) -> tuple[list[float], dict[str, int]]:
    gathered = gather(locate(root, task=task), task=task)
    return list(gathered.samples[0].rows[0]), {word: number for word, number in gathered.counts.items() if number}


def test_a_box_among_areas_becomes_a_rectangle_and_is_counted(root: Path) -> None:
    coco_of(root, bbox=[20, 10, 100, 50], segmentation=[])
    row, counts = first(root, "segment")
    assert row == pytest.approx([0, 0.1, 0.1, 0.6, 0.1, 0.6, 0.6, 0.1, 0.6])
    assert counts == {"rectangle": 10}


def test_parts_of_one_object_are_joined(root: Path) -> None:
    left, right = [20, 20, 40, 20, 40, 40, 20, 40], [60, 20, 80, 20, 80, 40, 60, 40]
    coco_of(root, bbox=[20, 20, 60, 20], segmentation=[left, right])
    row, counts = first(root, "segment")
    assert counts["joined"] == 10
    points = [(x * fake.WIDE, y * fake.HIGH) for x, y in zip(row[1::2], row[2::2], strict=True)]
    assert abs(g.area(points)) == pytest.approx(800)
    assert len(points) == 10


def test_around_an_area_a_turned_box_is_the_smallest(root: Path) -> None:
    points = exports.corners_of((100, 50, 80, 20, 30))
    coco_of(root, bbox=[1, 1, 5, 5], segmentation=[exports.flat([*points[:1], (100, 50), *points[1:]])])
    row, counts = first(root, "obb")
    assert (len(row), counts["around"]) == (9, 10)
    found = [(x * fake.WIDE, y * fake.HIGH) for x, y in zip(row[1::2], row[2::2], strict=True)]
    assert abs(g.area(found)) == pytest.approx(1600)


def test_boxes_without_an_angle_are_turned_by_none_and_counted(root: Path) -> None:
    coco_of(root, bbox=[20, 10, 100, 50])
    row, counts = first(root, "obb")
    assert (row[1:], counts["upright"]) == (pytest.approx([0.1, 0.1, 0.6, 0.1, 0.6, 0.6, 0.1, 0.6]), 10)


def test_a_turned_box_over_the_edge_stays_turned_and_in_the_image(root: Path, tmp_path: Path) -> None:
    exports.images_of(root / "images")
    body = dict.fromkeys(exports.STEMS, exports.turned("door", (25, 50, 60, 24, 40)))
    (root / "annotations.xml").write_text(exports.cvat_document(body, exports.label("door")), encoding="utf-8")
    arranged = made(root, tmp_path / "new", "obb")
    assert (arranged.counts["clipped"], said(tmp_path / "new", "obb")) == (10, [])
    row = rows_of(tmp_path / "new")["shot00"][0]
    points = [(x * fake.WIDE, y * fake.HIGH) for x, y in zip(row[1::2], row[2::2], strict=True)]
    one, other = max(zip(points, (*points[1:], points[0]), strict=True), key=lambda each: math.dist(*each))
    angle = math.degrees(math.atan2(other[1] - one[1], other[0] - one[0])) % 180
    assert angle == pytest.approx(40, abs=6)


def test_yolo_corners_over_the_edge_are_cut_too(root: Path, tmp_path: Path) -> None:
    exports.roboflow_yolo(root, dict.fromkeys(exports.STEMS, (-0.1, 0.3, 0.2, 0.1, 0.3, 0.5, 0, 0.7)))
    arranged = made(root, tmp_path / "new", "obb")
    assert (arranged.counts["clipped"], said(tmp_path / "new", "obb")) == (10, [])
    (root / "train/labels").glob("*.txt").__next__().write_text("0 10 30 20 10 30 50 0 70", encoding="utf-8")
    assert "lies outside 0 to 1 (pixels?)" in told(root, "obb")[0]


def test_objects_without_keypoints_are_left_out_and_counted(root: Path) -> None:
    exports.images_of(root / "images")
    labels = exports.label("cat", "skeleton") + "".join(
        exports.label(bone, "points", "<parent>cat</parent>") for bone in exports.BONES
    )
    body = {stem: exports.skeleton("cat", exports.POSES[stem]) for stem in exports.STEMS}
    body["shot03"] += exports.turned("cat", (50, 50, 20, 20, 0))
    (root / "annotations.xml").write_text(exports.cvat_document(body, labels), encoding="utf-8")
    gathered = gather(locate(root, task="pose"), task="pose")
    assert (gathered.names, gathered.counts["no-keypoints"]) == (["cat"], 1)


def test_keypoints_with_two_numbers_get_a_third(root: Path) -> None:
    row = (0.5, 0.5, 0.4, 0.4, 0.4, 0.4, -0.005, -0.005)
    exports.roboflow_yolo(root, dict.fromkeys(exports.STEMS, row), "kpt_shape: [2, 2]\n")
    gathered = gather(locate(root, task="pose"), task="pose")
    assert gathered.keys == {"kpt_shape": [2, 3]}
    assert gathered.samples[0].rows == [pytest.approx((0, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 2, 0, 0, 0))]


def test_a_set_of_poses_gives_boxes_too(root: Path) -> None:
    exports.yolo_poses(root)
    row, counts = first(root, "detect")
    assert (row[1:], counts) == (pytest.approx(exports.pose_row("shot00")[:4]), {"unposed": 10})


# --- What cannot be


def test_the_table_names_every_format_and_only_tasks_that_are_known() -> None:
    assert set(GIVES) == set(FORMATS)
    assert {task for gives in GIVES.values() for task in gives} == set(TASKS)


@pytest.mark.parametrize("task", ["segment", "pose", "obb"])
def test_pascal_voc_has_boxes_alone(task: str, root: Path) -> None:
    fake.write_voc(root)
    assert told(root, task) == [f"source:0: holds boxes alone: nothing for --task {task}"]


def test_coco_without_keypoints_gives_no_poses(root: Path) -> None:
    exports.coco_polygons(root)
    assert told(root, "pose") == ["source:0: no category has keypoints"]


def test_cvat_without_skeletons_gives_no_poses(root: Path) -> None:
    exports.cvat_turns(root)
    assert told(root, "pose") == ["source:0: holds no object with keypoints that can be used"]


def test_yolo_without_a_shape_gives_no_poses(root: Path) -> None:
    exports.yolo_polygons(root)
    assert told(root, "pose") == ["data.yaml:0: says nothing of keypoints: there is no `kpt_shape`"]


def test_a_row_that_lacks_keypoints_is_one_line(root: Path) -> None:
    exports.yolo_poses(root)
    label = next((root / "train/labels").glob("shot00*"))
    label.write_text("0 0.5 0.5 0.4 0.4 0.4 0.4 2\n", encoding="utf-8")
    message = "8 columns instead of 17 (class, box, 4 keypoints of 3 numbers)"
    assert told(root, "pose") == [f"{label.name}:1: {message}"]


def test_keypoints_of_another_number_than_the_categorys_are_one_line(root: Path) -> None:
    document = exports.coco_document(
        lambda _: {"keypoints": [1, 1, 2], "bbox": [1, 1, 9, 9]}, exports.STEMS[:1], keypoints=list(exports.BONES)
    )
    exports.write_coco(root, "person_keypoints_default.json", document)
    line = "annotations[0] has 3 numbers of keypoints, and its category has 4 of 3 each"
    assert told(root, "pose") == [f"person_keypoints_default.json:0: {line}"]


def test_classes_with_different_numbers_of_keypoints_are_told_apart_by_name(root: Path) -> None:
    document = exports.coco_document(
        lambda _: {"keypoints": [60, 60, 2, 50, 50, 2], "bbox": [1, 1, 90, 90]}, exports.STEMS, keypoints=["a", "b"]
    )
    document["categories"].append({"id": 2, "name": "cat", "keypoints": list(exports.BONES)})
    exports.write_coco(root, "person_keypoints_default.json", document)
    line = "has 4 keypoints, and there are 2 elsewhere: a pose model has one number of them"
    assert told(root, "pose") == [f"person_keypoints_default.json:0: {line}"]
    assert gather(locate(root, task="pose"), ["door"], "pose").keys["kpt_shape"] == [2, 3]


def test_points_of_a_skeleton_that_are_none_are_one_line(root: Path) -> None:
    exports.cvat_skeletons(root)
    file = root / "annotations.xml"
    file.write_text(
        file.read_text(encoding="utf-8").replace('points="50.00,20.00"', 'points="50.00"'), encoding="utf-8"
    )
    assert told(root, "pose") == ["annotations.xml:6: <skeleton> has what is no number"]


# --- Classes


def test_folders_of_classes_are_a_set_for_a_classifier(root: Path) -> None:
    for at, stem in enumerate(exports.STEMS):
        place = root / ("door" if at % 2 else "wall") / f"{stem}.jpg"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(fake.picture(at))
    (root / "stray.jpg").write_bytes(fake.picture(99))
    assert told(root, "detect") == ["source:0: holds no boxes, only a folder for each class: nothing for --task detect"]
    arranged = arrange(gather(locate(root, task="classify"), task="classify"))
    assert (arranged.names, arranged.counts["unsorted"]) == (["door", "wall"], 1)
    assert {split: len(found) for split, found in arranged.splits.items()} == {"train": 8, "val": 1, "test": 1}


# --- Whatever a file holds, it is read or refused

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts"]), inner, max_size=2),
    max_leaves=8,
)
PLACES = [
    *(("annotations", key) for key in ("bbox", "segmentation", "keypoints", "attributes", "iscrowd", "category_id")),
    *(("categories", key) for key in ("keypoints", "name", "id")),
]


@settings(max_examples=200)
@given(st.sampled_from(TASKS), st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_whatever_stands_in_coco_is_read_or_refused_for_every_task(
    tmp_path_factory: pytest.TempPathFactory, task: str, changes: list[tuple[tuple[str, str], Any]]
) -> None:
    root = tmp_path_factory.mktemp("coco")
    annotation = {"bbox": [10, 10, 50, 50], "segmentation": [[10, 10, 60, 10, 60, 60]], "keypoints": [20, 20, 2] * 4}
    document = exports.coco_document(lambda _: annotation, ["shot00"], keypoints=list(exports.BONES))
    for (part, key), value in changes:
        document[part][0][key] = value
    (root / "shot00.jpg").write_bytes(PICTURE)
    (root / "a.json").write_text(json.dumps(document), encoding="utf-8")
    with contextlib.suppress(Refused):
        gathered = gather(locate(root / "a.json", task=task), task=task)
        assert all(math.isfinite(each) for sample in gathered.samples for row in sample.rows for each in row)


@settings(max_examples=200)
@given(st.sampled_from(TASKS), st.integers(0, 10_000), st.binary(max_size=12), st.integers(0, 8))
def test_whatever_stands_in_cvat_is_read_or_refused_for_every_task(
    tmp_path_factory: pytest.TempPathFactory, task: str, at: int, junk: bytes, taken: int
) -> None:
    root = tmp_path_factory.mktemp("cvat")
    (root / "shot00.jpg").write_bytes(PICTURE)
    labels = exports.label("door") + exports.label("cat", "skeleton")
    labels += "".join(exports.label(bone, "points", "<parent>cat</parent>") for bone in exports.BONES)
    mask = '<mask label="door" rle="0, 5, 1, 5, 1" left="40" top="20" width="4" height="3"/>'
    oval = '<ellipse label="door" cx="100" cy="50" rx="40" ry="20" rotation="12"/>'
    shapes = exports.polygon("door", exports.POLYGONS["shot00"]) + exports.turned("door", exports.TURNS["shot01"])
    body = {"shot00": shapes + exports.skeleton("cat", exports.POSES["shot00"]) + mask + oval}
    text = exports.cvat_document(body, labels).encode()
    at = len(text) - 1 - at % (len(text) // 2)
    (root / "annotations.xml").write_bytes(text[:at] + junk + text[at + taken :])
    with contextlib.suppress(Refused):
        gathered = gather(Found("cvat", root, (root / "annotations.xml",)), task=task)
        assert all(math.isfinite(each) for sample in gathered.samples for row in sample.rows for each in row)


@settings(max_examples=100)
@given(st.sampled_from(["", *TASKS]), st.lists(st.lists(st.floats() | st.integers(0, 2), max_size=12), max_size=3))
def test_whatever_stands_in_yolo_is_read_or_refused_for_every_task(
    tmp_path_factory: pytest.TempPathFactory, task: str, rows: list[list[float]]
) -> None:
    root = tmp_path_factory.mktemp("yolo")
    (root / "shot00.jpg").write_bytes(PICTURE)
    (root / "shot00.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows), encoding="utf-8")
    (root / "data.yaml").write_text("train: .\nval: .\nnames: [a, b]\nkpt_shape: [2, 3]\n", encoding="utf-8")
    with contextlib.suppress(Refused):
        gathered = gather(locate(root, "yolo", task), task=task)
        assert all(math.isfinite(each) for sample in gathered.samples for row in sample.rows for each in row)
