import json
from pathlib import Path

import pytest
from fakes import annotated as fake

from containerid.dataset import classes
from containerid.dataset.geometry import turned
from containerid.dataset.objects import task_of
from containerid.dataset.sets import Dataset, survey
from containerid.dataset.stats import Stats, count

ROWS = {
    # On 200 x 100 pixels: 20x20 small, 60x60 medium, 160x90 large; then a background and one that cannot be used.
    "train/a": "0 0.05 0.1 0.1 0.2\n1 0.55 0.55 0.3 0.6\n",
    "train/b": "1 0.5 0.5 0.8 0.9\n",
    "val/c": "",
    "val/d": "5 0.5 0.5 0.4 0.4\n0 0.9 0.9 0.05 0.1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (name, text) in enumerate(ROWS.items()):
        for kind, suffix, data in (("images", "jpg", fake.picture(number)), ("labels", "txt", text.encode())):
            file = tmp_path / kind / f"{name}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [door, hinge]\n")
    return tmp_path


@pytest.fixture
def stats(folder: Path) -> Stats:
    return count(survey(folder / "data.yaml"))


def test_images_boxes_and_backgrounds_are_counted_by_split(stats: Stats) -> None:
    found = {name: (split.images, split.boxes, split.backgrounds) for name, split in stats.splits.items()}
    assert found == {"train": (2, 3, 0), "val": (2, 1, 1)}


def test_classes_are_counted_by_boxes_and_by_images(stats: Stats) -> None:
    train = stats.splits["train"]
    assert (train.classes[0], train.classes[1], train.with_class[1]) == (1, 2, 2)


def test_sizes_are_those_of_coco(stats: Stats) -> None:
    assert stats.sizes == {"small": 2, "medium": 1, "large": 1}


def test_shapes_places_and_sides_are_counted(stats: Stats) -> None:
    assert stats.shapes == {"about square": 3, "5:4 to 2:1": 1}
    assert stats.grid()[1][0] == stats.grid()[5][5] + stats.grid()[5][5] - 3 == 1
    assert sum(map(sum, stats.grid())) == 4
    assert stats.quartiles[-1] == pytest.approx(0.8485, abs=1e-4)


def test_what_cannot_be_used_is_counted_and_passed_over(stats: Stats, folder: Path) -> None:
    assert stats.unusable == 1
    (folder / "images/train/a.jpg").write_bytes(b"")
    again = count(survey(folder / "data.yaml"))
    assert (again.unusable, again.splits["train"].images) == (2, 1)


def test_the_document_is_plain_json(stats: Stats) -> None:
    document = json.loads(json.dumps(stats.document()))
    assert document["splits"]["train"]["classes"][1] == {"index": 1, "name": "hinge", "boxes": 2, "images": 2}
    assert document["boxes_per_image"] == {"0": 1, "1": 2, "2": 1}
    assert document["image_sizes"] == [[200, 100, 4]]


def test_an_empty_set_has_numbers_too(folder: Path) -> None:
    for image in folder.glob("images/*/*.jpg"):
        image.unlink()
    found = count(survey(folder / "data.yaml"))
    assert (found.quartiles, found.document()["box_sides"]) == ([], [])


# --- Sets for other tasks


def of(rows: dict[str, str], folder: Path, more: str = "") -> Dataset:
    for number, (name, text) in enumerate(rows.items()):
        for kind, suffix, data in (("images", "jpg", fake.picture(number)), ("labels", "txt", text.encode())):
            file = folder / kind / f"{name}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    (folder / "data.yaml").write_text(f"train: images/train\nval: images/val\nnames: [door]\n{more}")
    return survey(folder / "data.yaml")


def test_polygons_are_counted_by_corners_and_by_their_own_area(tmp_path: Path) -> None:
    # On 200 x 100 pixels: a half of 100 x 50, and five corners of which one is in the middle of a side.
    dataset = of(
        {"train/a": "0 0 0 0.5 0 0.5 0.25 0.5 0.5", "val/b": "0 0 0 0.05 0 0.1 0 0.1 0.1 0 0.1", "val/c": ""}, tmp_path
    )
    assert task_of(dataset) == "segment"
    found = count(dataset, "segment")
    assert (found.sizes, found.document()["polygons"]["corners"]) == ({"medium": 1, "small": 1}, [4, 4, 4, 5, 5])
    assert found.document()["polygons"]["filled"] == [0.5, 0.5, 0.5, 1.0, 1.0]
    assert found.splits["val"].backgrounds == 1


def test_turned_boxes_are_counted_by_their_angle_and_by_their_own_sides(tmp_path: Path) -> None:
    rows = {}
    for name, angle in (("train/a", 0), ("train/b", 20), ("train/c", 100), ("val/d", 175)):
        corners = turned((100, 50), (60, 12), angle)
        rows[name] = "0 " + " ".join(f"{x / 200:.6f} {y / 100:.6f}" for x, y in corners)
    dataset = of(rows, tmp_path)
    assert task_of(dataset) == "obb"
    document = count(dataset, "obb").document()
    assert {first: number for first, _, number in document["angles"] if number} == {0: 1, 15: 1, 90: 1, 165: 1}
    assert (document["upright"], document["box_shapes"]["above 4:1"]) == (1, 4)
    assert document["box_sizes"] == {"small": 4, "medium": 0, "large": 0}


def test_keypoints_are_counted_by_name_and_how_well_they_are_seen(tmp_path: Path) -> None:
    row = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1 0 0 0"
    more = "kpt_shape: [3, 3]\nkpt_names: {0: [nose, ear, tail]}\n"
    dataset = of(
        {"train/a": row, "train/b": row.replace("0 0 0", "0.5 0.5 2"), "val/c": "0 0.5 0.5 0.4 0.4"}, tmp_path, more
    )
    assert task_of(dataset) == "pose"
    found = count(dataset, "pose")
    assert found.document()["keypoints"] == [
        {"index": 0, "name": "nose", "seen": 2, "hidden": 0, "unlabelled": 0},
        {"index": 1, "name": "ear", "seen": 0, "hidden": 2, "unlabelled": 0},
        {"index": 2, "name": "tail", "seen": 1, "hidden": 0, "unlabelled": 1},
    ]
    assert (found.document()["labelled"], found.unusable) == ([2, 2, 2, 3, 3], 1)


def test_a_set_sorted_into_folders_is_counted_by_class(tmp_path: Path) -> None:
    for number, name in enumerate(("train/door", "train/wall", "train/wall", "val/door")):
        file = tmp_path / name / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fake.picture(number))
    document = count(classes.read(tmp_path), "classify").document()
    assert document["splits"]["train"] == {
        "images": 3,
        "classes": [{"index": 0, "name": "door", "images": 1}, {"index": 1, "name": "wall", "images": 2}],
    }
    assert document.keys() == {"task", "splits", "image_sizes", "unusable"}
