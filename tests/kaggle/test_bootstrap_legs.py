"""A later leg trains with what the first one had installed: from what that has left, else from the network."""

import ensurepip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import packaging
import pytest
from fakes.index import Index, serving, wheel
from fakes.kernels import STUB, Machine, Ran, source_of, write_tree

from containerid.job import Past
from containerid.kaggle.bootstrap import journal, wheels

UV = shutil.which("uv") or shutil.which("uv", path=str(Path(__file__).parents[2] / ".tools/bin"))
BEFORE = Past(kind="kernel", source="ada/before")
TOLD = 'import {0}\nprint("with", {0}.version, flush=True)\n'


class Legs:
    """A project that asks for doorlib, and machines on which its legs run, each as fresh as a session is."""

    def __init__(self, root: Path, installer: str, index: Index) -> None:
        self.index = index
        self._root, self._installer, self._number = root, installer, 0
        self.project = root / "project"
        pyproject = '[project]\nname = "doors"\ndependencies = ["doorlib"]\n'
        trainer = STUB["containerid/training/__main__.py"]
        told = TOLD.format("doorlib") + TOLD.format("hinge")
        write_tree(
            self.project, STUB | {"pyproject.toml": pyproject, "containerid/training/__main__.py": told + trainer}
        )
        index.add(
            wheel(
                "doorlib", "1.0", "hinge>=1", scripts={"open-door": "doorlib:version"}, data={"share/door.txt": "oak"}
            ),
            wheel("hinge", "1.5", tag="py2.py3-none-any"),
        )

    def run(
        self, before: Ran | None = None, *, behave: str = "pause", past: Past = BEFORE, python: str = "", **asked: Any
    ) -> Ran:
        """Run a leg, where the outputs of the one before are attached; in a Python of its own, unless one is named."""
        self._number += 1
        folder = self._root / f"leg{self._number}"
        self.python = python or self._fresh(folder / "python")
        machine = Machine(folder / "kaggle", self.python, self._settings())
        if before and past.kind:
            below = "notebooks" if past.kind == "kernel" else "datasets"
            shutil.copytree(before.machine.out, machine.root / "input" / below / past.source)
        self.index.asked.clear()
        return machine.run(source_of(self.project, {"behave": behave}, past=past if before else Past(), **asked))

    @property
    def asked(self) -> list[str]:
        """What the last leg asked the index for."""
        return self.index.asked

    def _fresh(self, folder: Path) -> str:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "packaging").symlink_to(Path(packaging.__file__).parent)
        if self._installer == "pip":
            (bundled,) = Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
            (site / "pip.pth").write_text(f"{bundled}\n")
        return str(folder / "bin/python")

    def _settings(self) -> dict[str, str]:
        tools = Path(str(UV)).parent if self._installer == "uv" else self._root
        return {
            "PATH": f"{tools}:/usr/bin:/bin",
            "UV_CACHE_DIR": str(self._root / f"cache{self._number}"),
            "UV_DEFAULT_INDEX": self.index.url,
            "PIP_INDEX_URL": self.index.url,
            "PIP_NO_CACHE_DIR": "1",
        }


@pytest.fixture(params=["uv", "pip"])
def legs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Legs]:
    if request.param == "uv" and not UV:
        pytest.skip("uv is not here")
    with serving() as index:
        yield Legs(tmp_path, request.param, index)


@pytest.fixture
def uv_legs(tmp_path: Path) -> Iterator[Legs]:
    """For what does not depend on the installer."""
    with serving() as index:
        yield Legs(tmp_path, "uv" if UV else "pip", index)


def newer(legs: Legs) -> None:
    """What is released between two legs."""
    legs.index.add(wheel("doorlib", "2.0", "hinge>=1"), wheel("hinge", "1.6"))


def versions(ran: Ran) -> list[str]:
    return [line.removeprefix("with ") for line in ran.lines if line.startswith("with ")]


def packed(ran: Ran) -> Path:
    (found,) = ran.machine.out.glob(wheels.PACKED.format("*"))
    return found


# --- the ordinary way


def test_a_second_leg_has_the_versions_of_the_first_and_asks_the_network_for_nothing(legs):
    first = legs.run()
    assert versions(first) == ["1.0", "1.5"]
    assert "/files/hinge-1.5-py2.py3-none-any.whl" in legs.asked
    newer(legs)
    second = legs.run(first, internet=False)
    assert (second.code, versions(second), legs.asked) == (0, ["1.0", "1.5"], [])
    assert "installed from what the leg before has left: doorlib==1.0, hinge==1.5" in second.lines
    door = Path(legs.python).with_name("open-door")
    assert door.read_text().startswith(f"#!{legs.python}"), "scripts are those of this Python"
    assert (Path(legs.python).parents[1] / "share/door.txt").read_text() == "oak"
    third = legs.run(second, behave="succeed")
    assert (third.code, versions(third), legs.asked) == (0, ["1.0", "1.5"], []), "what a leg was given it gives on"


def test_what_a_leg_leaves_names_the_run_and_holds_wheels_alone(uv_legs):
    ran = uv_legs.run()
    assert (ran.machine.out / "packages.txt").read_text() == (
        '# installed by the run "exp001-1"\ndoorlib==1.0\nhinge==1.5\n'
    )
    assert packed(ran).name == f"cid-packages-{hashlib.sha256(packed(ran).read_bytes()).hexdigest()}.tar"
    with tarfile.open(packed(ran)) as archive:
        assert archive.getnames() == ["doorlib-1.0-py3-none-any.whl", "hinge-1.5-py2.py3-none-any.whl"]
    assert ran.lines[-2].startswith("left for the next leg: 2 packages, in ")
    assert ran.result.outcome == "paused", "in the last line"


@pytest.mark.parametrize("behave", ["succeed", "fail", "raise"])
def test_a_leg_that_did_not_pause_leaves_its_versions_alone(uv_legs, behave):
    ran = uv_legs.run(behave=behave)
    assert not list(ran.machine.out.glob("cid-packages*"))
    assert (ran.machine.out / "packages.txt").exists()


def test_a_session_without_time_left_leaves_its_versions_alone(uv_legs):
    ran = uv_legs.run(budget=0.5)
    assert not list(ran.machine.out.glob("cid-packages*"))
    assert [
        line for line in ran.lines if line.startswith("the packages are not left for the next leg: there is no time")
    ]
    assert ran.result.outcome == "paused"


def test_half_of_the_slack_stays_when_all_is_packed():
    assert wheels.time_to_pack({"budget": 1000}) == journal.BEGAN + 1000 - 5 - 2.5
    assert wheels.time_to_pack({"budget": 0}) == float("inf")


def test_what_is_too_large_or_has_no_room_is_not_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wheels, "_MOST", 10)
    wheels.leave_wheels(["packaging"], tmp_path, tmp_path / "wheels", float("inf"))
    assert "they are too large" in capsys.readouterr().out
    monkeypatch.undo()
    with (tmp_path / "out.bin").open("wb") as file:
        file.truncate(19 * 10**9)
    wheels.leave_wheels(["packaging"], tmp_path, tmp_path / "wheels", float("inf"))
    assert "the outputs are too large with them" in capsys.readouterr().out
    wheels.leave_wheels(["packaging"], tmp_path / "gone", tmp_path / "wheels", float("inf"))
    assert "warning: the packages are not left for the next leg: [Errno 2]" in capsys.readouterr().out


# --- where it cannot be had


def from_network(legs: Legs, second: Ran, *, why: str) -> None:
    """Leg 2 said why, and got leg 1's versions from the index although that has newer ones."""
    assert second.code == 0, second.stderr
    assert [line for line in second.lines if line.startswith("warning: ") and why in line], second.lines
    assert versions(second) == ["1.0", "1.5"]
    assert "/files/doorlib-1.0-py3-none-any.whl" in legs.asked


def test_versions_that_a_dataset_has_carried_are_asked_of_the_network(legs):
    first = legs.run(behave="fail")
    newer(legs)
    second = legs.run(first, past=Past(kind="dataset", source="ada/carrier"))
    assert second.code == 0, second.stderr
    assert versions(second) == ["1.0", "1.5"]
    assert "to be installed: doorlib==1.0, hinge==1.5" in second.lines
    assert (second.machine.out / "packages.txt").read_text() == (first.machine.out / "packages.txt").read_text()


def damaged(first: Ran) -> str:
    content = bytearray(packed(first).read_bytes())
    content[700] ^= 1
    packed(first).write_bytes(content)
    return "the file was changed on the way"


def repacked(first: Ran, **members: bytes) -> None:
    """Other content under a name that fits it, as a hand would make it."""
    told, path = BytesIO(), packed(first)
    with tarfile.open(fileobj=told, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    path.unlink()
    content = told.getvalue()
    (first.machine.out / wheels.PACKED.format(hashlib.sha256(content).hexdigest())).write_bytes(content)


def escaping(first: Ran) -> str:
    repacked(first, **{"../../../doorlib-1.0-py3-none-any.whl": b"content"})
    return "which is no wheel"


def foreign(first: Ran) -> str:
    repacked(first, **dict([wheel("evil", "1.0")]))
    return "evil 1.0 is not what this run has installed"


def other_version(first: Ran) -> str:
    repacked(first, **dict([wheel("doorlib", "2.0", "hinge>=1")]))
    return "doorlib 2.0 is not what this run has installed"


def no_tar(first: Ran) -> str:
    content = b"no archive at all"
    packed(first).unlink()
    (first.machine.out / wheels.PACKED.format(hashlib.sha256(content).hexdigest())).write_bytes(content)
    return "are not used"


def misfitting(first: Ran) -> str:
    """Made for another Python."""
    repacked(first, **dict([wheel("doorlib", "1.0", tag="cp27-none-any"), wheel("hinge", "1.5", tag="cp27-none-any")]))
    return "that cannot be done here; now from the network"


@pytest.mark.parametrize("spoil", [damaged, escaping, foreign, other_version, no_tar, misfitting])
def test_packages_that_are_not_what_was_left_or_do_not_fit_are_refused_and_said(uv_legs, spoil):
    first = uv_legs.run()
    why = spoil(first)
    newer(uv_legs)
    from_network(uv_legs, uv_legs.run(first), why=why)


def test_a_part_of_the_packages_is_completed_by_the_network(uv_legs):
    first = uv_legs.run()
    repacked(first, **dict([wheel("hinge", "1.5")]))
    newer(uv_legs)
    second = uv_legs.run(first)
    assert versions(second) == ["1.0", "1.5"]
    assert "installed from what the leg before has left: hinge==1.5" in second.lines
    assert "to be installed: doorlib==1.0" in second.lines


def altered(first: Ran) -> str:
    manifest = [{"path": "packages.txt", "size": 1, "sha256": "0" * 64}]
    (first.machine.out / "manifest.json").write_text(json.dumps({"files": manifest}))
    return "they are not what it listed in its manifest"


def of_another_run(first: Ran) -> str:
    path = first.machine.out / "packages.txt"
    path.write_text(path.read_text().replace("exp001-1", "exp001-2"))
    return "they are another run's"


def no_text(first: Ran) -> str:
    (first.machine.out / "packages.txt").write_bytes(b"\xff\xfe")
    return "'utf-8' codec can't decode"


@pytest.mark.parametrize("spoil", [altered, of_another_run, no_text])
def test_versions_that_are_not_this_run_s_are_refused_and_said(uv_legs, spoil):
    first = uv_legs.run()
    why = spoil(first)
    newer(uv_legs)
    second = uv_legs.run(first)
    assert f"warning: the versions that the leg before had installed are not known: {why}" in "\n".join(second.lines)
    assert versions(second) == ["2.0", "1.6"], "nothing of it is taken, the packed wheels neither"


def test_what_nobody_can_read_as_a_requirement_is_no_option_of_the_installer(uv_legs):
    first = uv_legs.run()
    path = first.machine.out / "packages.txt"
    path.write_text(path.read_text() + "--index-url=http://127.0.0.1:9\n")
    second = uv_legs.run(first)
    assert second.code == 0
    assert [line for line in second.lines if line.startswith("warning: left out, not a requirement")]


def test_a_machine_that_has_it_all_installs_nothing(uv_legs):
    first = uv_legs.run()
    newer(uv_legs)
    second = uv_legs.run(first, python=uv_legs.python)
    assert (versions(second), uv_legs.asked) == (["1.0", "1.5"], [])
    assert "nothing to install: 1 requirements" in second.lines
