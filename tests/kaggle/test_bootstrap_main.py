"""The bootstrap as a module, in this process; test_bootstrap_run.py runs it as Kaggle does."""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.kernels import STUB, embedded, pack, source_of, write_tree

from containerid.job import Result, Spec
from containerid.kaggle import kernel
from containerid.kaggle.bootstrap import main as bootstrap
from containerid.kaggle.bootstrap import packages
from containerid.kaggle.bootstrap.journal import Interrupted


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The test runner's own signal handlers come back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(each) for each in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kaggle's folder."""
    monkeypatch.setenv("CID_KAGGLE_ROOT", str(tmp_path / "kaggle"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "kaggle"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "project", STUB)


class Uv:
    """A uv that keeps a list of what it was asked for, installs by writing metadata, and fails at names in `gone`."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.record = folder / "asked.jsonl"
        self.gone = folder / "gone"
        text = f"""#!{sys.executable}
import json, pathlib, re, sys
asked = sys.argv[sys.argv.index("--override") + 2:]
overrides = pathlib.Path(sys.argv[sys.argv.index("--override") + 1]).read_text().splitlines()
with open({str(self.record)!r}, "a") as record:
    record.write(json.dumps([asked, overrides]) + chr(10))
gone = pathlib.Path({str(self.gone)!r})
if gone.exists() and any(each in gone.read_text().split() for each in asked):
    sys.exit(1)
for each in asked:
    name = re.match(r"[\\w-]+", each)[0]
    folder = pathlib.Path({str(site)!r}) / f"{{name}}-9.0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    wants = "Requires-Dist: numpy<1" if name == "choosy" else ""
    lines = ["Metadata-Version: 2.1", f"Name: {{name}}", "Version: 9.0", wants]
    (folder / "METADATA").write_text(chr(10).join(lines))
"""
        write_tree(folder, {"bin/uv": text})
        (folder / "bin/uv").chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """What each call was asked to install."""
        return [json.loads(line)[0] for line in self.record.read_text().splitlines()] if self.record.exists() else []

    @property
    def overrides(self) -> set[str]:
        """Names that the last call was told to leave alone."""
        last = json.loads(self.record.read_text().splitlines()[-1])[1]
        assert all(line.endswith(" ; sys_platform == 'never'") for line in last)
        return {line.partition(" ")[0] for line in last}


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    site = write_tree(
        tmp_path / "site", {"numpy-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: numpy\nVersion: 2.0\n"}
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PATH", f"{tmp_path / 'uv/bin'}{os.pathsep}{os.environ['PATH']}")
    return Uv(tmp_path / "uv", site)


def carry_out(source: str, root: Path) -> tuple[int, Result]:
    code = bootstrap.main(kernel.read_cargo(source))
    return code, Result.from_dict(json.loads((root / "working/result.json").read_text()))


def with_dependencies(project: Path, *names: str, **spec: Any) -> str:
    text = f'[project]\nname = "doors"\ndependencies = {json.dumps(names)}\n'
    return source_of(write_tree(project, {"pyproject.toml": text}), **spec)


def test_a_run_from_code_to_result(project, root, tmp_path, capfd):
    code, result = carry_out(source_of(project), root)
    assert (code, result.outcome) == (0, "succeeded")
    assert capfd.readouterr().out.splitlines()[:2] == ["cid-bootstrap 1 spec 1 run exp001-1", "[1/9] code"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_failed_training(project, root):
    code, result = carry_out(source_of(project, {"behave": "raise"}), root)
    assert (code, result.phase) == (1, "train")


def test_hardware_without_a_word_still_gives_a_reason(project, root):
    write_tree(project, {"containerid/training/hardware.py": "raise SystemExit(5)"})
    code, result = carry_out(source_of(project), root)
    assert (code, result.reason) == (7, "the hardware check ended with exit code 5")


def test_a_signal_to_the_hardware_check_cancels_the_run(project, root):
    write_tree(project, {"containerid/training/hardware.py": "import os; os.kill(os.getppid(), 15)\nwhile True: pass"})
    code, result = carry_out(source_of(project), root)
    assert (code, result.outcome, result.reason) == (143, "cancelled", "stopped by SIGTERM in hardware")


def test_a_signal_while_packages_are_installed_cancels_the_run(project, root, monkeypatch):
    def interrupted(*_: object) -> dict[str, str]:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(bootstrap, "provide_packages", interrupted)
    code, result = carry_out(source_of(project), root)
    assert (code, result.reason) == (130, "stopped by SIGINT in packages")


def test_another_version_of_the_spec_is_refused(project, root):
    cargo = kernel.read_cargo(source_of(project))
    cargo["spec"]["version"] = 99
    assert bootstrap.main(cargo) == 7


def test_what_nobody_foresaw_is_a_failed_run(project, root, capfd):
    cargo = kernel.read_cargo(source_of(project))
    del cargo["spec"]["code"]["folder"]
    assert bootstrap.main(cargo) == 7
    assert "Traceback" in capfd.readouterr().err


def test_a_project_outside_of_its_code_is_refused(project, root):
    code, archive = embedded(project, folder="..")
    _, result = carry_out(kernel.render(Spec(run="exp001-1", code=code), code=archive), root)
    assert result.reason == "the code holds no folder .., where the project should be"


def test_a_carried_package_is_what_runs(tmp_path, root, uv, capfd):
    carried = pack(write_tree(tmp_path / "ours", STUB))
    code, packed = embedded(write_tree(tmp_path / "project", {"mine.py": ""}), holds_package=False)
    sent = Spec(run="exp001-1", entry="mine", code=code)
    assert carry_out(kernel.render(sent, code=packed, package=carried), root)[0] == 0
    assert "/containerid/containerid/training/__main__.py" in capfd.readouterr().out


# --- packages, with an installer that keeps state


def test_missing_packages_are_installed_in_one_call(project, root, uv):
    code, _ = carry_out(with_dependencies(project, "hinge>=1", "lock", "numpy", "pytest"), root)
    assert code == 0
    assert uv.calls == [["hinge>=1", "lock"]]
    assert "numpy" in uv.overrides
    assert "hinge" not in uv.overrides


def test_each_is_tried_alone_when_they_cannot_be_had_together(project, root, uv, capfd):
    uv.gone.write_text("gone lost")
    write_tree(project, {"mine.py": ""})
    source = with_dependencies(project, "hinge", "gone", "lost", "lock", entry="mine")
    assert carry_out(source, root)[0] == 0
    assert uv.calls == [["hinge", "gone", "lost", "lock"], ["hinge"], ["gone"], ["lost"], ["lock"]]
    assert "warning: could not be installed: gone, lost" in capfd.readouterr().out


def test_one_that_cannot_be_had_is_not_tried_twice(project, root, uv):
    uv.gone.write_text("gone")
    write_tree(project, {"mine.py": ""})
    assert carry_out(with_dependencies(project, "gone", entry="mine"), root)[0] == 0
    assert uv.calls == [["gone"]]


def test_a_trainer_that_is_not_there_stops_the_run(project, root, uv):
    uv.gone.write_text("gone")
    _, result = carry_out(with_dependencies(project, "gone", entry="mine"), root)
    assert (result.phase, result.reason) == (
        "packages",
        "the trainer cannot be imported: no module mine (not installed: gone)",
    )


def test_what_must_stay_is_left_alone_and_said(project, root, uv, capfd):
    carry_out(with_dependencies(project, "numpy>=3", "choosy"), root)
    out = capfd.readouterr().out
    assert "warning: numpy 2.0 stays as it is, although numpy>=3 (2.0 is here) is asked for" in out
    assert "warning: choosy 9.0 asks for numpy<1 (2.0 is here)" in out
    assert uv.calls == [["choosy"]]


def test_without_internet_nothing_is_tried(project, root, uv):
    _, result = carry_out(with_dependencies(project, "hinge>=1", "numpy>=1", internet=False), root)
    assert result.reason == "packages are missing and the run has no internet: hinge>=1"
    assert uv.calls == []


def test_pip_holds_what_must_stay_by_its_version(uv, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    asked: list[list[str]] = []

    def tried(command: list[str], requirements: list[object], folder: Path) -> bool:
        asked.append(command)
        return True

    monkeypatch.setattr(packages, "_try", tried)
    assert packages.install(["hinge"], tmp_path) == []
    assert asked[0][:4] == [sys.executable, "-m", "pip", "install"]
    assert "numpy==2.0" in Path(asked[0][-1]).read_text().splitlines()


def test_an_installer_that_cannot_be_started_is_a_warning(uv, tmp_path, capfd):
    assert not packages._try([str(tmp_path / "no-such-program")], ["hinge"], tmp_path)
    assert "no-such-program" in capfd.readouterr().out
