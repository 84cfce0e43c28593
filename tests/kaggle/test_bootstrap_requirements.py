from pathlib import Path

import pytest
from fakes.kernels import write_tree
from packaging.requirements import Requirement

from containerid.kaggle.bootstrap import requirements
from containerid.kaggle.bootstrap.journal import Stop


def asked(folder: Path, text: str, *extras: str) -> list[str]:
    write_tree(folder, {"pyproject.toml": text})
    return requirements.asked_by_project(folder, extras)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path; `put` writes into it what an installer would."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def put(site: Path, name: str, version: str, *requires: str) -> None:
    lines = [f"Requires-Dist: {each}" for each in requires]
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    write_tree(site, {f"{name.replace('-', '_')}-{version}.dist-info/METADATA": text})


def lacking(line: str) -> list[str]:
    return [str(each) for each in requirements.unmet(Requirement(line))]


# --- what a project asks for


def test_a_project_without_pyproject_asks_for_nothing(tmp_path):
    assert requirements.asked_by_project(tmp_path, ["training"]) == []


def test_dependencies_and_the_named_extras_are_asked_for(tmp_path):
    text = """
[project]
name = "doors"
dependencies = ["ultralytics (>=8.3,<9)", "pyyaml"]
[project.optional-dependencies]
training = ["wandb"]
Dev_Tools = ["pytest"]
"""
    assert asked(tmp_path, text) == ["ultralytics (>=8.3,<9)", "pyyaml"]
    assert asked(tmp_path, text, "training") == ["ultralytics (>=8.3,<9)", "pyyaml", "wandb"]
    assert asked(tmp_path, text, "dev-tools")[2:] == ["pytest"]


def test_an_extra_may_name_other_extras_of_its_project_even_itself(tmp_path):
    text = """
[project]
name = "doors"
[project.optional-dependencies]
all = ["doors[training, all]", "tqdm"]
training = ["wandb", "doorsill[extra]"]
"""
    assert asked(tmp_path, text, "all") == ["tqdm", "wandb", "doorsill[extra]"]


def test_an_extra_that_the_project_has_not_is_said(tmp_path, capsys):
    assert asked(tmp_path, '[project]\nname = "doors"\n', "training") == []
    assert "pyproject.toml has no extra `training`" in capsys.readouterr().out


def test_dependencies_that_only_a_build_knows_are_said(tmp_path, capsys):
    assert asked(tmp_path, '[project]\nname = "doors"\ndynamic = ["dependencies"]\n') == []
    assert "leaves its dependencies to the build" in capsys.readouterr().out


def test_poetry_s_own_tables_are_read(tmp_path, capsys):
    text = """
[tool.poetry]
name = "doors"
[tool.poetry.dependencies]
python = "^3.11"
numpy = "^1.26.4"
scipy = "~1.11"
pandas = "~2"
tqdm = "*"
rich = "13.7.0"
pyyaml = ">=6,<7"
zero = "^0.0.3"
nil = "^0"
dvc = {version = "^3", extras = ["gdrive", "s3"], markers = "sys_platform != 'win32'"}
wandb = {version = ">=0.16", optional = true}
pytest = {version = "^8", optional = true}
local = {path = "../local"}
several = [{version = "1"}, {version = "2"}]
either = "^1 || ^2"
[tool.poetry.extras]
training = ["wandb"]
"""
    found = asked(tmp_path, text, "training")
    assert found == [
        "numpy>=1.26.4,<2",
        "scipy>=1.11,<1.12",
        "pandas>=2,<3",
        "tqdm",
        "rich==13.7.0",
        "pyyaml>=6,<7",
        "zero>=0.0.3,<0.0.4",
        "nil>=0,<1",
        "dvc[gdrive,s3]>=3,<4 ; sys_platform != 'win32'",
        "wandb>=0.16",
        "either^1 || ^2",
    ]
    said = capsys.readouterr().out
    assert "left out, too special to be read: local in [tool.poetry.dependencies]" in said
    assert "left out, too special to be read: several in" in said
    assert [str(each) for each in requirements.in_force(found[-1:])] == []
    assert "left out, not a requirement" in capsys.readouterr().out


def test_poetry_2_with_standard_dependencies_is_read_as_such(tmp_path):
    text = """
[project]
name = "doors"
dependencies = ["torch (>=2.5)"]
[tool.poetry.dependencies]
torch = {source = "pytorch"}
"""
    assert asked(tmp_path, text) == ["torch (>=2.5)"]


def test_a_broken_pyproject_stops_the_run(tmp_path):
    with pytest.raises(Stop, match=r"pyproject\.toml cannot be read"):
        asked(tmp_path, "[project\n")


def test_the_carried_trainer_asks_for_what_the_run_uses():
    def names(**fields: object) -> list[str]:
        plain = {"entry": "mine", "data": {"provider": "folder"}, "params": {}}
        return [Requirement(each).name for each in requirements.asked_by_trainer(plain | fields)]

    assert names() == ["pydantic", "pyyaml"]
    assert names(entry="containerid.training") == ["pydantic", "pyyaml", "ultralytics"]
    assert names(data={"provider": "dvc"}) == ["pydantic", "pyyaml"]
    assert names(params={"wandb": {"mode": "online"}}) == ["pydantic", "pyyaml", "wandb"]
    assert names(params={"wandb": {"mode": "offline"}}) == ["pydantic", "pyyaml"]
    assert names(secrets={"WANDB_API_KEY": "sealed"}) == ["pydantic", "pyyaml", "cryptography"]


# --- what holds here


def test_markers_decide_and_ours_is_never_installed_from_elsewhere():
    lines = [
        "tomli ; python_version < '3.11'",
        "wandb ; extra == 'x'",
        "ContainerID>=0.1",
        "rich (>=13)",
        "no such=thing",
    ]
    assert [str(each) for each in requirements.in_force([*lines, "tqdm ; python_version > '3'"])] == [
        "rich>=13",
        "tqdm",
    ]


# --- what is here


def test_what_is_here_and_new_enough_is_not_lacking(site):
    put(site, "Door-Lib", "2.0")
    assert lacking("door_lib>=1") == []
    assert lacking("door.lib") == []
    assert lacking("door-lib>=2.1") == ["door-lib>=2.1"]
    assert lacking("doorlib") == ["doorlib"]


def test_a_prerelease_or_a_local_build_counts_as_what_it_is(site):
    put(site, "stack", "2.10.0+cu128")
    assert lacking("stack>=2.10") == []
    assert lacking("stack==2.10.0") == []
    put(site, "nightly", "2.11.0a1")
    assert lacking("nightly>=2.10") == []
    assert lacking("nightly>=2.11") == ["nightly>=2.11"]


def test_an_extra_lacks_what_it_brings_and_not_its_package(site):
    put(site, "store", "3.1", "store-drive>=2 ; extra == 'drive'", "always", "old ; python_version < '3'")
    assert lacking("store>=3") == []
    assert lacking("store[drive]>=3") == ["store-drive>=2"]
    put(site, "store-drive", "2.5")
    assert lacking("store[drive]>=3") == []


def test_extras_that_lead_back_to_each_other_come_to_an_end(site):
    put(site, "ring", "1", "ring[b] ; extra == 'a'", "ring[a] ; extra == 'b'", "gem ; extra == 'b'")
    assert lacking("ring[a]") == ["gem"]


def test_a_package_whose_version_cannot_be_read_is_lacking(site):
    put(site, "odd", "not-a-version")
    assert lacking("odd>=1") == ["odd>=1"]
    write_tree(site, {"bare-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: bare\n"})
    assert lacking("bare") == ["bare"]


def test_pip_s_copy_of_packaging_serves_where_there_is_no_other(monkeypatch):
    asked_for = []

    def importing(name: str) -> object:
        asked_for.append(name)
        raise ImportError(name)

    monkeypatch.setattr(requirements.importlib, "import_module", importing)
    with pytest.raises(Stop, match="neither `packaging` nor pip is here"):
        requirements.packaging("version")
    assert asked_for == ["packaging.version", "pip._vendor.packaging.version"]
