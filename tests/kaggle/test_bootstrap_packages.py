"""Packages are installed into a layer: an environment that shows another one's packages through a `.pth` file.

That is where rehearsals run, and the hardest case: uv does not see what Python can import there. No test needs a
network; the wheels are made here.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import packaging
import pytest
from fakes.kernels import STUB, Machine, Ran, pythons, source_of, write_tree

from containerid.kaggle.bootstrap.packages import KEPT

UV = shutil.which("uv") or shutil.which("uv", path=str(Path(__file__).parents[2] / ".tools/bin"))
PARENT = {"torch": "2.10.0+cu128", "numpy": "2.0.2", "nvidia-cudnn-cu12": "9.1", "pydantic": "2.11", "oldthing": "1.0"}


def _with_pip() -> str:
    """An interpreter that has pip, this one's own if it can be."""
    found = [sys.executable, sys._base_executable, *pythons().values()]
    asked = (subprocess.run([each, "-m", "pip", "--version"], capture_output=True, check=False) for each in found)
    return next((each for each, done in zip(found, asked, strict=False) if not done.returncode), "")


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    info = f"{name}-{version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


class Layer:
    """A layer over a parent that has what PARENT says, and a machine that runs kernels in it."""

    def __init__(self, root: Path, python: str, tools: Sequence[str]) -> None:
        self.wheels = root / "wheels"
        parent = write_tree(
            root / "parent",
            {
                f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                for name, version in PARENT.items()
            },
        )
        write_tree(parent, {"ultralytics.py": ""})
        (parent / "packaging").symlink_to(Path(packaging.__file__).parent)
        subprocess.run([python, "-m", "venv", "--without-pip", root / "layer"], check=True)
        (self.site / "parent.pth").write_text("".join(f"{each}\n" for each in (parent, *tools)))
        self.python = str(root / "layer/bin/python")
        self.project = root / "project"
        self.machine = Machine(
            root / "kaggle",
            self.python,
            {
                "PATH": str(write_tree(root / "bin", {})),
                "UV_OFFLINE": "1",
                "UV_NO_INDEX": "1",
                "UV_FIND_LINKS": str(self.wheels),
                "UV_SYSTEM_PYTHON": "1",
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels),
            },
        )
        wheel(self.wheels, "doorlib", "1.0", "torch>=99", "numpy<1", "pydantic>=2", "hinge>=1", "wandb ; extra == 'x'")
        wheel(self.wheels, "hinge", "1.5")
        wheel(self.wheels, "oldthing", "2.0")

    @property
    def site(self) -> Path:
        return next((self.wheels.parent / "layer/lib").glob("python3.*")) / "site-packages"

    @property
    def installed(self) -> list[str]:
        """What lies in the layer itself."""
        return sorted(path.name.removesuffix(".dist-info") for path in self.site.glob("*.dist-info"))

    def run(self, *dependencies: str, internet: bool = True, **files: str) -> Ran:
        """Run the kernel of a project with these dependencies."""
        pyproject = f'[project]\nname = "doors"\ndependencies = {json.dumps(dependencies)}\n'
        write_tree(self.project, STUB | {"pyproject.toml": pyproject} | files)
        return self.machine.run(source_of(self.project, internet=internet))


@pytest.fixture
def uv_layer(tmp_path: Path) -> Layer:
    if not UV:
        pytest.skip("uv is not here")
    layer = Layer(tmp_path, sys.executable, ())
    layer.machine.environment["PATH"] = os.pathsep.join([str(Path(UV).parent), os.environ["PATH"]])
    return layer


@pytest.fixture
def pip_layer(tmp_path: Path) -> Layer:
    if not (python := _with_pip()):
        pytest.skip("no interpreter with pip is here")
    ask = [python, "-c", "import pip, pathlib; print(pathlib.Path(pip.__file__).parents[1])"]
    return Layer(tmp_path, python, [subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()])


@pytest.fixture(params=["uv", "pip"])
def layer(request: pytest.FixtureRequest) -> Layer:
    found: Layer = request.getfixturevalue(f"{request.param}_layer")
    return found


def test_only_what_is_missing_is_installed(layer):
    ran = layer.run("hinge>=1", "pydantic>=2", "torch>=2")
    assert ran.code == 0, ran.stderr
    assert "to be installed: hinge>=1" in ran.lines
    assert layer.installed == ["hinge-1.5"]


def test_nothing_is_installed_when_all_is_here(uv_layer):
    ran = uv_layer.run("pydantic>=2", "numpy", "torch")
    assert "nothing to install: 3 requirements" in ran.lines
    assert uv_layer.installed == []


def test_what_is_too_old_is_replaced_for_this_run_alone(layer):
    ran = layer.run("oldthing>=2")
    assert "to be installed: oldthing>=2 (1.0 is here)" in ran.lines
    assert layer.installed == ["oldthing-2.0"]
    assert (layer.wheels.parent / "parent/oldthing-1.0.dist-info").exists()


def test_what_the_machine_shows_is_neither_installed_nor_asked_of_an_index(uv_layer):
    """No wheel of torch, numpy or pydantic exists here: any attempt to resolve one would fail."""
    ran = uv_layer.run("doorlib", "torch>=2")
    assert ran.code == 0, ran.stderr
    assert uv_layer.installed == ["doorlib-1.0", "hinge-1.5"]
    assert "warning: doorlib 1.0 asks for torch>=99 (2.10.0+cu128 is here)" in ran.lines
    assert "warning: doorlib 1.0 asks for numpy<1 (2.0.2 is here)" in ran.lines


def test_pip_would_rather_fail_than_touch_what_must_stay(pip_layer):
    ran = pip_layer.run("doorlib")
    assert "warning: could not be installed: doorlib" in ran.lines
    assert pip_layer.installed == []
    assert ran.code == 0


def test_what_must_stay_stays_even_when_the_project_asks_for_another(uv_layer):
    wheel(uv_layer.wheels, "numpy", "3.0")
    ran = uv_layer.run("numpy>=3", "hinge")
    assert "warning: numpy 2.0.2 stays as it is, although numpy>=3 (2.0.2 is here) is asked for" in ran.lines
    assert uv_layer.installed == ["hinge-1.5"]


def test_one_that_cannot_be_had_does_not_keep_the_others_away(uv_layer):
    ran = uv_layer.run("hinge", "gone>=1", "oldthing>=2")
    assert ran.code == 0
    assert "warning: they cannot be installed together; now one by one" in ran.lines
    assert "warning: could not be installed: gone" in ran.lines
    assert uv_layer.installed == ["hinge-1.5", "oldthing-2.0"]


def test_a_trainer_that_needs_what_cannot_be_had_stops_the_run(uv_layer):
    # The hardware check imports the package, too; it must not stumble first.
    needy = "import sys\nif '-m' not in sys.orig_argv: import gone\n"
    ran = uv_layer.run("gone>=1", **{"containerid/training/__init__.py": needy})
    assert ran.code == 7
    assert ran.result.phase == "packages"
    expected = "the trainer cannot be imported: ModuleNotFoundError: No module named 'gone' (not installed: gone)"
    assert ran.result.reason == expected


def test_an_entry_module_that_is_not_there_stops_the_run_when_something_failed(uv_layer):
    pyproject = '[project]\nname = "doors"\ndependencies = ["gone"]\n'
    write_tree(uv_layer.project, STUB | {"pyproject.toml": pyproject})
    ran = uv_layer.machine.run(source_of(uv_layer.project, entry="mine"))
    assert ran.result.reason == "the trainer cannot be imported: no module mine (not installed: gone)"
    write_tree(uv_layer.project, {"mine.py": "raise SystemExit('this must not run')"})
    assert uv_layer.machine.run(source_of(uv_layer.project, entry="mine")).code == 0


def test_a_missing_package_without_internet_stops_the_run_at_once(uv_layer):
    ran = uv_layer.run("hinge>=1", "gone", "oldthing>=2", "pydantic", internet=False)
    assert ran.code == 7
    expected = "packages are missing and the run has no internet: hinge>=1, gone, oldthing>=2 (1.0 is here)"
    assert (ran.result.phase, ran.result.reason) == ("packages", expected)
    assert uv_layer.installed == []


def test_without_an_installer_a_run_goes_on_if_it_can(tmp_path):
    bare = Layer(tmp_path, sys.executable, ())
    ran = bare.run("hinge")
    assert ran.code == 0
    assert "warning: could not be installed: hinge" in ran.lines


def test_of_an_installation_its_versions_alone_become_an_output(uv_layer):
    uv_layer.run("hinge")
    assert uv_layer.machine.outputs == ["manifest.json", "packages.txt", "result.json", "weights/best.pt"]
    assert list((uv_layer.machine.root / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["torch", "torchvision", "torchaudio", "numpy", "nvidia-cublas-cu12", "cuda-python", "cudf-cu12", "cupy-cuda12x"],
)
def test_the_gpu_stack_is_kept(name):
    assert KEPT.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["torchmetrics", "numpydoc", "ultralytics", "barracuda-lib", "pytorch-lightning", "cu"]
)
def test_other_packages_are_not_kept(name):
    assert not KEPT.fullmatch(name)
