import os
import time
from pathlib import Path

import pytest
from fakes.sets import write_set

from containerid.dataset import check as checks
from containerid.dataset import crowd, sets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = write_set(tmp_path / "doors")
    # As if the set had been made a while ago.
    now = time.time
    monkeypatch.setattr("containerid.dataset.kept.time.time", lambda: now() + 10)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are decoded."""
    paths: list[str] = []
    decode = crowd.TASKS["decode"]
    monkeypatch.setitem(crowd.TASKS, "decode", lambda items: paths.extend(items) or decode(items))
    return paths


def check(folder: Path, *, deep: bool = True) -> checks.Report:
    return checks.check(sets.survey(folder / "data.yaml"), deep=deep, keep=folder.with_name("kept"), processes=1)


def test_an_unchanged_set_is_not_looked_at_again(
    folder: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check(folder)
    assert len(asked) == 16
    monkeypatch.setattr(checks._Checking, "structure", None)
    assert check(folder) == first


def test_only_what_changed_is_decoded_again(folder: Path, asked: list[str]) -> None:
    check(folder)
    asked.clear()
    image = folder / "images/train/train3.jpg"
    image.write_bytes(image.read_bytes())
    check(folder)
    assert asked == [str(image)]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "labels/val/val0.txt").write_text("7 0.5 0.5 0.4 0.4\n"),
        lambda folder: (folder / "labels/val/other.txt").write_text(""),
        lambda folder: (folder / "images/val/val0.jpg").unlink(),
    ],
)
def test_whatever_changes_is_seen(folder: Path, change: object) -> None:
    assert not check(folder, deep=False).errors
    change(folder)  # type: ignore[operator]
    assert check(folder, deep=False).errors


def test_other_content_of_the_same_size_and_age_is_seen(folder: Path) -> None:
    label = folder / "labels/val/val0.txt"
    times = label.stat()
    check(folder, deep=False)
    label.write_text("7 0.5 0.5 0.4 0.4\n")
    os.utime(label, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert check(folder, deep=False).errors


def test_a_look_at_the_structure_does_not_stand_for_a_closer_one(folder: Path, asked: list[str]) -> None:
    check(folder, deep=False)
    assert check(folder).decoded == len(asked) == 16


def test_what_was_kept_and_is_damaged_is_found_again(folder: Path) -> None:
    first = check(folder)
    for file in folder.with_name("kept").iterdir():
        file.write_bytes(b"{ no")
    assert check(folder) == first


def test_a_set_that_was_changed_just_now_is_not_kept(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "doors")
    (folder / "data.yaml").touch()
    os.utime(folder / "data.yaml", (time.time() + 60, time.time() + 60))
    check(folder)
    assert not folder.with_name("kept").exists()
