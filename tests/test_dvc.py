"""DVC as a program: found where it is, told what it needs, and understood."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from containerid import dvc
from containerid.errors import CredentialsError, GitError

SERVICE = json.dumps({"type": "service_account", "client_email": "a@b"})
SESSION = json.dumps({"access_token": "x", "refresh_token": "y"})


def project(folder: Path, *lines: str) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    rows = ["[core]", "    remote = storage", "['remote \"storage\"']", *(f"    {line}" for line in lines)]
    (folder / ".dvc/config").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def settings(folder: Path, **options: bool) -> str:
    environ = dvc.environment(folder, folder / "scratch", **options)
    return (Path(environ["DVC_SYSTEM_CONFIG_DIR"]) / "config").read_text(encoding="utf-8")


def test_the_named_program_comes_first(monkeypatch):
    monkeypatch.setenv("CID_DVC", "/opt/dvc/bin/dvc")
    assert dvc.command() == ["/opt/dvc/bin/dvc"]


def test_without_the_module_it_is_looked_for_beside_python_and_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(dvc, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(GitError, match="dvc was not found") as error:
        dvc.command()
    assert "pydrive2>=1.21.3" in error.value.hint
    program = tmp_path / "bin/dvc"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert dvc.command() == [str(program)]
    (tmp_path / "dvc").touch()
    assert dvc.command() == [str(tmp_path / "dvc")]


def test_a_program_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CID_DVC", str(tmp_path / "none"))
    with pytest.raises(GitError, match="dvc cannot be run"):
        dvc.run(["pull"], tmp_path, {}, 1)


def test_a_browser_is_never_waited_for(tmp_path):
    environ = dvc.environment(tmp_path, tmp_path / "scratch")
    assert environ["GDRIVE_NON_INTERACTIVE"] == "1"
    assert "no_scm" not in settings(tmp_path)
    assert "no_scm = true" in settings(tmp_path, scm=False)


def test_a_service_account_in_the_variable_wins_over_a_file_that_is_not_here(tmp_path, monkeypatch):
    lines = ("url = gdrive://1AbC", "gdrive_service_account_json_file_path = /home/me/key.json", "gdrive_client_id = i")
    folder = project(tmp_path / "p", *lines)
    assert dvc.chosen(folder) == []
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", SERVICE)
    written = settings(folder)
    assert "['remote \"cid-drive\"']" in written
    assert "gdrive_use_service_account = true" in written
    assert "gdrive_client_id = i" in written
    assert "key.json" not in written
    assert dvc.chosen(folder) == ["--remote", "cid-drive"]


def test_a_session_is_taken_where_the_project_says_service_account(tmp_path, monkeypatch):
    folder = project(tmp_path / "p", "url = gdrive://1AbC", "gdrive_use_service_account = true")
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", SESSION)
    assert settings(folder).count("gdrive_use_service_account = false") == 1


def test_other_remotes_are_left_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", SERVICE)
    folder = project(tmp_path / "p", "url = s3://doors")
    assert "remote" not in settings(folder)
    assert dvc.chosen(folder) == []


def test_a_complaint_is_its_first_error():
    assert dvc.complaint("a\nERROR: failed to push data\nERROR: more\n") == "failed to push data"
    assert dvc.complaint("") == "no word from dvc"
    assert isinstance(dvc.failure("dvc push", "ERROR: Failed to authenticate GDrive: x", ""), CredentialsError)
    assert isinstance(dvc.failure("dvc push", "ERROR: no such bucket", "mend it"), GitError)


KEY = {
    "type": "service_account",
    "client_email": "a@b.example",
    "private_key_id": "1",
    "client_id": "2",
    "private_key": "-----BEGIN " + "PRIVATE KEY-----\nAAAA\n-----END " + "PRIVATE KEY-----\n",
}


@pytest.mark.training
@pytest.mark.parametrize(
    ("lines", "credentials", "said"),
    [
        # It reads the key that it was given: neither "'access_token'" (the flag is missing) nor the file's absence.
        (("gdrive_service_account_json_file_path = /none/key.json",), KEY, "asn1|deserialize|PEM"),
        # It reads the session: not "Unexpected credentials type".
        (("gdrive_use_service_account = true",), {"access_token": "x"}, "'client_id'|client_id"),
    ],
)
def test_the_real_dvc_takes_either_kind_of_credentials_from_the_variable(
    tmp_path, monkeypatch, lines, credentials, said
):
    folder = project(tmp_path / "p", "url = gdrive://1AbCdEfGhIjK", *lines)
    (folder / "a.txt.dvc").write_text("outs:\n- md5: " + "ab" * 16 + "\n  size: 1\n  hash: md5\n  path: a.txt\n")
    monkeypatch.setenv("GDRIVE_CREDENTIALS_DATA", json.dumps(credentials))
    environ = dvc.environment(folder, tmp_path / "scratch", scm=False)
    done = dvc.run(["pull", *dvc.chosen(folder), "a.txt.dvc"], folder, environ, 60)
    assert done.returncode, done.stdout
    assert re.search(said, dvc.complaint(done.stdout)), done.stdout
    plain = subprocess.run(
        [*dvc.command(), "pull", "a.txt.dvc"], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert dvc.complaint(plain.stdout + plain.stderr) != dvc.complaint(done.stdout)
