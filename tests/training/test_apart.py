"""DVC gets an environment of its own where the one that is here is of no use."""

import os
import sys
from pathlib import Path

import pytest

from containerid import dvc
from containerid.errors import RunFailed
from containerid.training import apart

UV = """#!/bin/sh
echo "$@" >> "{log}"
case "$1" in
  venv) mkdir -p "$5/bin" ;;
  pip) {install} ;;
esac
"""


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A uv that writes down what it is told."""

    def make(install: str = 'touch "$(dirname $5)/dvc"') -> Path:
        program = tmp_path / "tools/uv"
        program.parent.mkdir(exist_ok=True)
        program.write_text(UV.format(log=tmp_path / "log", install=install), encoding="utf-8")
        program.chmod(0o755)
        return tmp_path / "log"

    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("CID_DVC", "")
    return make


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_DRIVE", "raise SystemExit(1)")


def test_a_dvc_that_works_is_used_as_it_is(uv, tmp_path, monkeypatch):
    log = uv()
    monkeypatch.setattr(apart, "_DRIVE", "pass")
    apart.provide(tmp_path, drive=True)
    broken(monkeypatch)
    apart.provide(tmp_path, drive=False)  # only Google Drive needs what is broken
    assert dvc.command() == [sys.executable, "-m", "dvc"]
    assert not log.exists()


def test_one_that_cannot_talk_to_drive_is_replaced_for_this_run(uv, tmp_path, monkeypatch, capsys):
    log = uv()
    broken(monkeypatch)
    apart.provide(tmp_path, drive=True)
    assert dvc.command() == [str(tmp_path / "dvc-environment/bin/dvc")]
    made, installed = log.read_text().splitlines()
    assert made.startswith("venv --quiet --python ")
    assert installed.endswith(" ".join(dvc.REQUIREMENTS))
    assert "an environment of their own" in capsys.readouterr().out


def test_what_cannot_be_installed_is_one_line(uv, tmp_path, monkeypatch):
    uv("echo 'no network' >&2; exit 1")
    broken(monkeypatch)
    with pytest.raises(RunFailed, match="DVC cannot be installed: no network") as error:
        apart.provide(tmp_path, drive=True)
    assert "cid data push" in error.value.hint
    assert not os.environ["CID_DVC"]
