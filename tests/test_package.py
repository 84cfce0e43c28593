"""The package as users get it: light, whole, and with the bounds that mend what others broke."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from containerid import dvc
from containerid.kaggle.bootstrap.requirements import TRAINER

ROOT = Path(__file__).parents[1]
HEAVY = {"kagglesdk", "kaggle", "pydantic", "jinja2", "git", "yaml", "requests", "torch", "ultralytics"}


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("command", [["--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(command):
    code = (
        "import sys; from containerid.__main__ import main\n"
        f"sys.argv = ['cid', *{command!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if '.' not in name))"
    )
    loaded = set(eval(run(sys.executable, "-c", code).splitlines()[-1]))
    assert not loaded & HEAVY
    assert "containerid" in loaded


def test_the_wheel_holds_the_templates_and_nothing_that_is_not_ours(tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "containerid/templates").rglob("*") if path.is_file()}
    assert here
    assert here <= names
    assert all(name.startswith(("containerid/", "containerid-")) for name in names)


def bound(package: str, name: str) -> Requirement:
    found = [Requirement(text) for text in requires(package) or [] if Requirement(text).name.lower() == name.lower()]
    assert found, f"{package} does not need {name} any more: our line for it can go"
    return found[0]


def test_six_is_still_missing_from_kaggles_requirements():
    names = {Requirement(text).name for text in requires("kaggle") or []}
    assert "six" not in names, "kaggle declares six now: our line for it can go"
    spec = find_spec("kaggle")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = Path(spec.submodule_search_locations[0]) / "models/upload_file.py"
    assert "six" in source.read_text(encoding="utf-8"), "kaggle does not import six any more: our line for it can go"


def test_dvc_gdrive_still_admits_what_does_not_work():
    assert bound("dvc-gdrive", "pydrive2").specifier.contains("1.21.2"), "the bound on pydrive2 can go"
    assert bound("pydrive2", "pyopenssl").specifier.contains("22.0.0"), "the bound on pyopenssl can go"


def test_what_a_kernel_installs_is_what_the_package_asks_for():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {
        *document["dependencies"],
        *(line for lines in document["optional-dependencies"].values() for line in lines),
    }
    for line in (*dvc.REQUIREMENTS, *(line for lines in TRAINER.values() for line in lines)):
        assert line in asked, f"pyproject.toml asks for {Requirement(line).name} with other bounds"


def test_the_package_asks_for_all_that_dvc_needs():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {"dvc", "pydrive2", "pyopenssl"}
    asked = {line for line in document["optional-dependencies"]["training"] if Requirement(line).name in names}
    assert asked == set(dvc.REQUIREMENTS)


def test_constraints_are_names_and_versions_only():
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
    for line in lines:
        requirement = Requirement(line)
        assert not requirement.url
        assert [spec.operator for spec in requirement.specifier] == ["=="]
    assert {"torch", "ultralytics", "kaggle"} <= {Requirement(line).name for line in lines}
