import shutil
from pathlib import Path

import pytest
from fakes.defects import DEFECTS, Defect, clean, plant
from fakes.sets import content_of

from containerid.dataset import check as checks
from containerid.dataset import sets


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean(tmp_path_factory.mktemp("clean") / "doors")


@pytest.fixture
def folder(pattern: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pattern, tmp_path / "doors")


def look(folder: Path, *, deep: bool = False) -> checks.Report:
    return checks.check(sets.survey(folder / "data.yaml"), deep=deep, processes=1)


def test_a_clean_set_has_no_findings_however_closely_one_looks(folder: Path) -> None:
    report = look(folder, deep=True)
    assert (report.findings, report.decoded) == ([], 74)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_each_defect_is_found_where_it_is(folder: Path, defect: Defect) -> None:
    expected = plant(folder, [defect])
    before = content_of(folder)
    report = look(folder, deep=defect.deep)
    found = {(each.path, each.kind, each.severity, each.line) for each in report.findings}
    assert set(expected) <= found
    if defect.severity != "error":
        assert not report.errors
    assert content_of(folder) == before


def test_all_defects_are_found_in_one_set(folder: Path) -> None:
    expected = plant(folder, DEFECTS)
    found = {(each.path, each.kind, each.severity, each.line) for each in look(folder, deep=True).findings}
    assert len(expected) > 70
    assert [each for each in expected if each not in found] == []


def test_an_error_has_a_message_and_says_what_to_do(folder: Path) -> None:
    plant(folder, DEFECTS)
    assert [each for each in look(folder, deep=True).errors if not (each.message and each.fix)] == []
