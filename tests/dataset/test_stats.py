import json
from pathlib import Path

import pytest
from fakes import annotated as fake

from containerid.dataset.sets import survey
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
