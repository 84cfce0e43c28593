import sys
from pathlib import Path

import pytest

from containerid.errors import RunFailed
from containerid.training import environment


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"CID_REHEARSAL": "1", "KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "rehearsal"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "kaggle"),
        ({"POETRY_ACTIVE": "1"}, "poetry"),
    ],
)
def test_the_kind_of_machine_is_told_by_its_variables(environ: dict[str, str], kind: str) -> None:
    assert environment.kind(environ) == kind


def test_a_venv_is_told_from_the_system() -> None:
    assert environment.kind({}, "/home/ada/project/.venv") == "venv"
    assert environment.kind({}, "/home/ada/.cache/pypoetry/virtualenvs/doors-py3.12") == "poetry"
    assert environment.kind({}, sys.base_prefix) == "system"


def test_a_description_holds_sizes_and_versions(tmp_path: Path) -> None:
    told = environment.describe(tmp_path, {})
    assert told["cpus"] >= 1
    assert told["memory_gib"] > 0.1
    assert told["disk_free_gib"] > 0
    assert told["versions"]["containerid"] == environment.packages()["containerid"]


def test_a_torchvision_that_does_not_fit_is_found_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RunFailed, match=r"torchvision .* and torch .* do not fit together") as error:
        environment.check_torchvision()
    assert "pip install" in error.value.hint
