import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.defects import clean

from containerid.dataset import check as checks
from containerid.dataset import crowd, pixels, sets
from containerid.dataset.kept import Kept
from containerid.dataset.store import Store


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = clean(tmp_path / "doors")
    # As if the set had been made a while ago.
    now = time.time
    monkeypatch.setattr("containerid.dataset.kept.time.time", lambda: now() + 10)
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The contents that are decoded."""
    seen: list[bytes] = []
    decode = pixels.decode
    monkeypatch.setattr(pixels, "decode", lambda data: seen.append(data) or decode(data))
    return seen


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are read as a whole."""
    paths: list[str] = []
    decode = crowd.TASKS["decode"]
    monkeypatch.setitem(crowd.TASKS, "decode", lambda items, **kept: paths.extend(items) or decode(items, **kept))
    return paths


def cut(data: bytes) -> bytes:
    """A JPEG that ends in the middle, as if it ended there."""
    return data[: len(data) // 2] + b"\xff\xd9"


def check(folder: Path, *, deep: bool = True) -> checks.Report:
    return checks.check(sets.survey(folder / "data.yaml"), deep=deep, keep=folder.with_name("kept"), processes=1)


def test_an_unchanged_set_is_not_looked_at_again(
    folder: Path, decoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check(folder)
    assert len(decoded) == 74
    monkeypatch.setattr(checks._Checking, "structure", None)
    assert check(folder) == first


def test_a_touched_image_is_read_and_not_decoded(folder: Path, read: list[str], decoded: list[bytes]) -> None:
    first = check(folder)
    read.clear()
    decoded.clear()
    image = folder / "images/train/train03.jpg"
    image.write_bytes(image.read_bytes())
    assert check(folder) == first
    assert (read, decoded) == ([str(image)], [])


@pytest.mark.parametrize("carry", [shutil.copytree, shutil.move])
def test_a_set_that_was_copied_or_moved_is_not_decoded_again(
    folder: Path, decoded: list[bytes], carry: Callable[[Path, Path], object]
) -> None:
    damaged = folder / "images/train/train03.jpg"
    damaged.write_bytes(cut(damaged.read_bytes()))
    first = check(folder)
    assert first.of("image-corrupt")
    decoded.clear()
    carry(folder, folder.with_name("elsewhere"))
    assert check(folder.with_name("elsewhere")) == first
    assert decoded == []


def test_one_changed_byte_of_a_copy_is_decoded(folder: Path, decoded: list[bytes]) -> None:
    assert not check(folder).errors
    decoded.clear()
    shutil.copytree(folder, folder.with_name("elsewhere"))
    image = folder.with_name("elsewhere") / "images/train/train03.jpg"
    data = bytearray(image.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2] = b"\xff\xd9"  # The picture ends where it is half done.
    image.write_bytes(data)
    report = check(folder.with_name("elsewhere"))
    assert [each.path for each in report.errors] == ["images/train/train03.jpg"]
    assert decoded == [bytes(data)]
    assert not check(folder).errors


def test_what_is_mended_is_no_longer_damaged(folder: Path) -> None:
    image = folder / "images/train/train03.jpg"
    whole = image.read_bytes()
    image.write_bytes(cut(whole))
    assert check(folder).errors
    image.write_bytes(whole)
    assert not check(folder).errors


def test_an_image_that_changes_while_it_is_checked_is_looked_at_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = folder / "images/train/train03.jpg"
    decode = crowd.TASKS["decode"]

    def spoil(items: list[str], **kept: str) -> object:
        found = decode(items, **kept)
        image.write_bytes(cut(image.read_bytes()))
        return found

    monkeypatch.setitem(crowd.TASKS, "decode", spoil)
    assert not check(folder).errors
    monkeypatch.setitem(crowd.TASKS, "decode", decode)
    assert [each.path for each in check(folder).errors] == ["images/train/train03.jpg"]


def test_another_decoder_decides_anew(folder: Path, decoded: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    check(folder)
    decoded.clear()
    monkeypatch.setattr(pixels, "decoders", lambda: "pillow 99")
    check(folder)
    assert len(decoded) == 74


def test_a_folder_that_data_yaml_names_and_that_comes_later_is_seen(folder: Path) -> None:
    (folder / "data.yaml").write_text("train: images/train\nval: ../away/images\nnames: [door, lock]\n")
    assert check(folder, deep=False).errors
    shutil.copytree(folder / "images/val", folder.parent / "away/images")
    shutil.copytree(folder / "labels/val", folder.parent / "away/labels")
    assert not check(folder, deep=False).errors


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "labels/val/val00.txt").write_text("7 0.5 0.5 0.4 0.4\n"),
        lambda folder: (folder / "labels/val/other.txt").write_text(""),
        lambda folder: (folder / "images/val/val00.jpg").unlink(),
    ],
)
def test_whatever_changes_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    assert not check(folder, deep=False).errors
    change(folder)
    assert check(folder, deep=False).errors


def test_other_content_of_the_same_size_and_age_is_seen(folder: Path) -> None:
    label = folder / "labels/val/val00.txt"
    times = label.stat()
    check(folder, deep=False)
    label.write_text("7 0.5 0.5 0.4 0.4\n")
    os.utime(label, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert check(folder, deep=False).errors


def test_a_look_at_the_structure_does_not_stand_for_a_closer_one(folder: Path, decoded: list[bytes]) -> None:
    check(folder, deep=False)
    assert check(folder).decoded == len(decoded) == 74


@pytest.mark.parametrize("damage", [lambda data: b"{ no", lambda data: data[:4096] + os.urandom(len(data) - 4096)])
def test_what_was_kept_and_is_damaged_is_found_and_kept_again(
    folder: Path, decoded: list[bytes], damage: Callable[[bytes], bytes]
) -> None:
    first = check(folder)
    file = folder.with_name("kept") / "kept.db"
    file.write_bytes(damage(file.read_bytes()))
    assert check(folder) == check(folder) == first
    assert len(decoded) == 2 * 74


def test_a_set_that_was_changed_just_now_is_known_by_content_alone(tmp_path: Path, decoded: list[bytes]) -> None:
    folder = clean(tmp_path / "doors")
    check(folder)
    decoded.clear()
    kept = Kept(folder.with_name("kept"), sets.survey(folder / "data.yaml"), dict(checks.MINIMUM), deep=True)
    assert kept.report() is None
    assert kept.pixels([str(each) for each in folder.glob("images/*/*.jpg")]) == {}
    check(folder)
    assert decoded == []


def test_two_processes_keep_what_each_has_found(tmp_path: Path) -> None:
    file = tmp_path / "kept.db"
    script = (
        "import sys; from pathlib import Path; from containerid.dataset.store import Store\n"
        "for n in range(50): Store(Path(sys.argv[1])).put({f'{sys.argv[2]}{n}'.encode(): bytes(300)})"
    )
    started = [subprocess.Popen([sys.executable, "-c", script, file, name]) for name in "ab"]
    assert [each.wait() for each in started] == [0, 0]
    keys = [f"{name}{number}".encode() for name in "ab" for number in range(50)]
    assert Store(file).get(keys).keys() == set(keys)


def test_a_full_store_drops_what_was_not_used_for_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "kept.db", bound=200_000)
    now = 86_400.0
    monkeypatch.setattr("containerid.dataset.store.time.time", lambda: now)
    for day in range(40):
        now = 86_400.0 * day
        store.put({f"{day} {number}".encode(): bytes(300) for number in range(50)}, used=[b"0 0"])
    assert (tmp_path / "kept.db").stat().st_size < 250_000
    assert store.get([b"0 0", b"0 1", b"39 49"]).keys() == {b"0 0", b"39 49"}


def test_a_store_that_cannot_be_written_keeps_nothing_and_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file/kept.db", tmp_path):
        Store(place).put({b"a": b"b"})
        assert Store(place).get([b"a"]) == {}
