from pathlib import Path

import pytest

from containerid.errors import UsageError
from containerid.runs.data import in_folder
from containerid.training.data import digest


def test_a_set_that_is_neither_described_nor_sorted_into_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no data\.yaml"):
        in_folder(tmp_path)


def test_inside_a_set_the_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "data.yaml").touch()
    with pytest.raises(UsageError) as error:
        in_folder(tmp_path / "images")
    assert error.value.hint == f"the set is {tmp_path}"


def test_a_classification_set_needs_no_data_yaml(tmp_path: Path) -> None:
    image = tmp_path / "train" / "open" / "1.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"pixels")
    found = in_folder(tmp_path)
    assert (found.provider, found.digest) == ("folder", digest(tmp_path))
