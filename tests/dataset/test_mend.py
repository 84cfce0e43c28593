import json
import shutil
from pathlib import Path

import pytest
from fakes.defects import DEFECTS, clean, plant
from fakes.sets import content_of

from containerid.dataset import check as checks
from containerid.dataset import sets
from containerid.dataset.mend import mend
from containerid.dataset.relabel import Unclear, relabel


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clean(tmp_path_factory.mktemp("spoilt") / "doors")
    plant(folder, DEFECTS)
    return folder


def test_a_mended_copy_has_no_errors_and_the_set_is_as_it_was(spoilt: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(spoilt, tmp_path / "doors", symlinks=True)
    before = content_of(folder)
    dataset = sets.survey(folder / "data.yaml")
    mended = mend(dataset, checks.check(dataset, deep=True, processes=1), checks.MINIMUM)
    assert (mended.folder, mended.errors) == (tmp_path / "doors-fixed", ())
    assert content_of(folder) == before
    again = checks.check(sets.read(mended.folder / "data.yaml"), deep=True, processes=1)
    assert again.errors == []
    assert {"junk", "cache", "label-bom", "label-crlf", "image-rotated", "image-suffix"}.isdisjoint(
        each.kind for each in again.findings
    )
    fixes = json.loads((mended.folder / "fixes.json").read_text(encoding="utf-8"))["fixes"]
    assert {each["action"] for each in fixes} == {"left out", "rewritten", "renamed", "turned"}


def test_a_second_copy_gets_another_name(tmp_path: Path) -> None:
    dataset = sets.survey(clean(tmp_path / "doors") / "data.yaml")
    folders = [mend(dataset, checks.Report(), checks.MINIMUM).folder.name for _ in range(2)]
    assert folders == ["doors-fixed", "doors-fixed-2"]


@pytest.mark.parametrize(
    ("label", "after"),
    [
        (b"0 0.5 0.5 0.4 0.4\n", "0 0.5 0.5 0.4 0.4\n"),
        ("0 0.5 0.5 0.4 0.4\r\n".encode("utf-16"), "0 0.5 0.5 0.4 0.4\n"),
        ("0 0.5 0.5 0.4 0.4\n".encode("utf-16-le"), "0 0.5 0.5 0.4 0.4\n"),
        (b"0.0;0.5;0.5;0.4;0.4\n", "0 0.5 0.5 0.4 0.4\n"),
        (b"0 0.9 0.5 0.4 0.4\n", "0 0.85 0.5 0.3 0.4\n"),
        (b"0 0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9\n", "0 0.5 0.5 0.8 0.8\n"),
        (b"0 0.5 0.5 0 0.4\n0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.4 0.4\n", "0 0.5 0.5 0.4 0.4\n"),
    ],
)
def test_a_label_is_mended_without_a_guess(label: bytes, after: str) -> None:
    assert relabel(label, 1)[0] == after


@pytest.mark.parametrize(
    "label", [b"5 0.5 0.5 0.4 0.4", b"0 320 240 64 64", b"0 0,5 0,5 0,4 0,4", b"0 .5 .5 .4", b"\xff"]
)
def test_what_would_be_a_guess_is_not_mended(label: bytes) -> None:
    with pytest.raises(Unclear):
        relabel(label, 1)
