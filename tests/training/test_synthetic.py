"""The drawn set: what it claims to be, byte for byte the same for a seed, with boxes where doors are."""

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("cv2")
import cv2
import numpy as np
import yaml

from containerid.errors import UsageError
from containerid.training import surfaces
from containerid.training.scene import Container, Scene, framed, place
from containerid.training.synthetic import SPLITS, draw, picture_of


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(it.relative_to(folder)).encode() + it.read_bytes() for it in files)).hexdigest()


def labels(folder: Path, split: str) -> list[list[str]]:
    return [path.read_text(encoding="utf-8").splitlines() for path in sorted((folder / "labels" / split).iterdir())]


def test_the_layout_is_what_ultralytics_reads(tmp_path: Path) -> None:
    draw(tmp_path / "set", images=20, imgsz=64, seed=1)
    data = yaml.safe_load((tmp_path / "set/data.yaml").read_text(encoding="utf-8"))
    assert data == {**{split: f"images/{split}" for split in SPLITS}, "nc": 1, "names": ["container_door"]}
    for split, count in zip(SPLITS, (14, 3, 3), strict=True):
        images = sorted((tmp_path / "set/images" / split).iterdir())
        assert [it.stem for it in images] == [it.stem for it in sorted((tmp_path / "set/labels" / split).iterdir())]
        assert len(images) == count
        assert {cv2.imread(str(it)).shape for it in images} == {(64, 64, 3)}


def test_the_same_seed_draws_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        draw(tmp_path / name, images=6, imgsz=48, seed=seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_no_image_stands_in_two_splits(tmp_path: Path) -> None:
    draw(tmp_path, images=40, imgsz=48, seed=0)
    files = [path.read_bytes() for path in tmp_path.rglob("*.jpg")]
    assert len(set(files)) == len(files) == 40


def test_every_label_is_a_box_inside_the_image_that_is_large_enough_to_see(tmp_path: Path) -> None:
    draw(tmp_path, images=40, imgsz=64, seed=2)
    rows = [row.split() for split in SPLITS for rows in labels(tmp_path, split) for row in rows]
    assert len(rows) > 30
    for name, *sides in rows:
        x, y, wide, high = map(float, sides)
        assert name == "0"
        assert min(wide, high) >= 0.049
        edges = (x - wide / 2, x + wide / 2, y - high / 2, y + high / 2)
        assert all(-1e-5 <= edge <= 1 + 1e-5 for edge in edges)


def test_each_split_has_doors_and_the_larger_ones_also_pictures_without(tmp_path: Path) -> None:
    draw(tmp_path, images=54, imgsz=48, seed=5)
    for split in SPLITS:
        counts = [len(rows) for rows in labels(tmp_path, split)]
        assert max(counts) > 0
        assert counts.count(0) == len(counts) // 8 * 2 + sum(len(counts) % 8 > each for each in (3, 7))


@pytest.mark.parametrize("kind", ["backs", "empty"])
def test_containers_that_look_away_and_empty_yards_have_no_boxes(kind: str) -> None:
    assert all(picture_of(kind, 64, (seed,))[1] == [] for seed in range(10))


def test_a_box_ends_where_the_door_ends() -> None:
    scene = Scene(np.random.default_rng(0), 200)
    scene.eye, scene.focal, scene.horizon = 1.3, 200.0, 100.0
    place(scene, Container(np.array((0.0, 0.0, 4.88)), 0.0, 6.0, True, surfaces.paint(scene.rng)))
    ((x, y, wide, high),) = scene.boxes()
    assert (wide, high) == pytest.approx((0.5, 2.6 / 4.88), abs=0.01)
    assert (x, y) == pytest.approx((0.5, 0.5), abs=0.01)


def test_a_door_that_something_hides_almost_whole_has_no_box_and_one_half_hidden_has_a_smaller_one() -> None:
    scene = Scene(np.random.default_rng(0), 200)
    scene.eye, scene.focal, scene.horizon = 1.3, 200.0, 100.0
    place(scene, Container(np.array((0.0, 0.0, 4.88)), 0.0, 6.0, True, surfaces.paint(scene.rng)))
    (whole,) = scene.boxes()
    scene.hide(np.array(((0, 0), (100, 0), (100, 200), (0, 200))), surfaces.paint(scene.rng))
    ((x, _, wide, _),) = scene.boxes()
    assert wide == pytest.approx(whole[2] / 2, abs=0.02)
    assert x > whole[0]
    scene.hide(np.array(((0, 0), (140, 0), (140, 200), (0, 200))), surfaces.paint(scene.rng))
    assert scene.boxes() == []


def test_nothing_is_drawn_over_what_is_there_and_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few to split"):
        draw(tmp_path / "few", images=5, imgsz=64, seed=0)
    draw(tmp_path / "set", images=6, imgsz=48, seed=0)
    with pytest.raises(UsageError, match="already holds images"):
        draw(tmp_path / "set", images=6, imgsz=48, seed=0)


def test_a_picture_is_only_good_with_most_of_a_door_in_it() -> None:
    scene = Scene(np.random.default_rng(0), 200)
    scene.eye, scene.focal, scene.horizon = 1.3, 200.0, 100.0
    paint = surfaces.paint(scene.rng)
    shown = {x: framed(scene, Container(np.array((x, 0.0, 4.88)), 0.0, 6.0, True, paint)) for x in (0.0, 2.3, 2.6, 9.0)}
    assert shown == {0.0: True, 2.3: True, 2.6: False, 9.0: False}
    assert framed(scene, Container(np.array((9.0, 0.0, 4.88)), 0.0, 6.0, False, paint))
