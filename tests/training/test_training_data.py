from pathlib import Path

import pytest
from fakes.sets import write_set

from containerid.errors import RunFailed
from containerid.job import Data
from containerid.training import data


@pytest.fixture
def place(tmp_path: Path) -> data.Place:
    for name in ("project", "input", "scratch"):
        (tmp_path / name).mkdir()
    return data.Place(tmp_path / "project", tmp_path / "input", tmp_path / "scratch")


def test_a_folder_is_taken_relative_to_the_project(place: data.Place) -> None:
    folder = write_set(place.project / "data/doors", {"train": 1})
    assert data.provide(Data(source="data/doors"), place) == folder
    assert data.provide(Data(source=str(folder)), place) == folder
    assert data.provide(Data(source="data/doors/data.yaml"), place) == folder


def test_a_folder_that_is_not_there_stops(place: data.Place) -> None:
    with pytest.raises(RunFailed, match="the data folder data/doors is not there"):
        data.provide(Data(source="data/doors"), place)


@pytest.mark.parametrize("layout", ["doors", "datasets/ada/doors"])
def test_an_attached_dataset_is_found_in_both_layouts(place: data.Place, layout: str) -> None:
    folder = write_set(place.mounts / layout, {"train": 1})
    assert data.provide(Data(provider="kaggle", source="ada/doors"), place) == folder
    assert data.provide(Data(provider="kaggle", source="ada/doors/3"), place) == folder


def test_an_unpacked_archive_may_hold_one_folder_more(place: data.Place) -> None:
    folder = write_set(place.mounts / "doors" / "doors-main", {"train": 1})
    assert data.provide(Data(provider="kaggle", source="ada/doors"), place) == folder


def test_somebody_elses_dataset_of_the_same_name_is_not_taken(place: data.Place) -> None:
    write_set(place.mounts / "datasets/bob/doors", {"train": 1})
    with pytest.raises(RunFailed, match=r"ada/doors is not attached \(attached: datasets/bob/doors\)"):
        data.provide(Data(provider="kaggle", source="ada/doors"), place)


def test_a_set_can_be_drawn(place: data.Place) -> None:
    options = {"images": 6, "imgsz": 64, "seed": 3}
    folder = data.provide(Data(provider="synthetic", options=options), place)
    assert folder.is_relative_to(place.scratch)
    assert len(list(folder.glob("images/*/*"))) == 6


def test_an_unknown_provider_is_refused(place: data.Place) -> None:
    with pytest.raises(RunFailed, match="no data provider is called floppy"):
        data.provide(Data(provider="floppy"), place)


def test_a_digest_tells_content_and_ignores_what_trainers_leave(tmp_path: Path) -> None:
    one, two = (write_set(tmp_path / name) for name in "ab")
    before = data.digest(one)
    assert before == data.digest(two)
    for name in ("labels/train.cache", "images/train/train0.npy", "images/.DS_Store", "README.md", ".dvcignore"):
        (one / name).write_bytes(b"x")
    assert data.digest(one) == before
    (two / "labels/train/train0.txt").write_text("0 0.5 0.5 0.4 0.5\n")
    assert data.digest(two) != before
    (one / "images/train/train0.jpg").rename(one / "images/train/renamed.jpg")
    assert data.digest(one) != before


def test_data_that_is_not_what_was_submitted_stops(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "doors")
    assert data.verify(folder, "") == data.verify(folder, data.digest(folder))
    with pytest.raises(RunFailed, match="the data in doors is not what was submitted"):
        data.verify(folder, "0" * 64)


def test_a_classification_set_keeps_its_digest_on_kaggle_where_a_note_lies_beside_it(tmp_path: Path) -> None:
    image = tmp_path / "train" / "open" / "1.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"pixels")
    before = data.digest(tmp_path)
    (tmp_path / data.NOTE_FILE).write_text("{}")
    assert data.digest(tmp_path) == before
    image.write_bytes(b"others")
    assert data.digest(tmp_path) != before
