import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.sets import content_of, write_set

from containerid.errors import CredentialsError, RunFailed
from containerid.training import dvc


def run_dvc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "-q", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A DVC project without git, as it comes out of an archive, whose data lies in a remote."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_dvc(folder, "init", "--no-scm")
    run_dvc(folder, "remote", "add", "-d", "storage", str(tmp_path / "remote"))
    write_set(folder / "data/doors", {"train": 1, "val": 1})
    run_dvc(folder, "add", "data/doors")
    run_dvc(folder, "push")
    config = folder / ".dvc/config"
    config.write_text(config.read_text(encoding="utf-8").replace("no_scm = True", ""), encoding="utf-8")
    for part in ("data/doors", ".dvc/cache"):
        subprocess.run(["rm", "-r", str(folder / part)], check=True)
    return folder


def pull(target: str, project: Path) -> Path:
    return dvc.pull(target, project, project.parent / "scratch", 60)


@pytest.mark.training
def test_what_is_not_here_is_pulled_and_then_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = content_of(project / ".dvc")["config"]
    assert pull("data/doors.dvc", project) == project / "data/doors"
    assert (project / "data/doors/images/train/train0.jpg").is_file()
    assert capsys.readouterr().out == "dvc pull data/doors.dvc\n"
    assert pull("data/doors.dvc", project) == project / "data/doors"
    assert capsys.readouterr().out == "dvc: data/doors.dvc is up to date\n"
    assert content_of(project / ".dvc")["config"] == config


@pytest.mark.training
def test_a_remote_that_lost_the_files_is_one_line(project: Path) -> None:
    subprocess.run(["rm", "-r", str(project.parent / "remote")], check=True)
    with pytest.raises(RunFailed, match=r"dvc pull data/doors\.dvc failed: ") as error:
        pull("data/doors.dvc", project)
    assert "\n" not in error.value.message


def drive(folder: Path) -> Path:
    (folder / ".dvc").mkdir(parents=True)
    config = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = gdrive://1AbC\n"
    (folder / ".dvc/config").write_text(config, encoding="utf-8")
    return folder


def need(folder: Path, **environ: str) -> None:
    dvc._need_credentials(folder, {**os.environ, **environ})


def test_drive_without_credentials_stops_at_once_and_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="no credentials for the DVC remote gdrive://1AbC") as error:
        need(drive(tmp_path / "project"))
    assert "GDRIVE_CREDENTIALS_DATA" in error.value.hint


def test_credentials_are_taken_from_where_dvc_takes_them(tmp_path: Path, own_home: Path) -> None:
    project = drive(tmp_path / "project")
    need(project, GDRIVE_CREDENTIALS_DATA="{}")
    cache = own_home / ".cache/pydrive2fs/1-a.apps.googleusercontent.com"
    cache.mkdir(parents=True)
    (cache / "default.json").write_text("{}")
    need(project)


def test_a_credentials_file_named_in_the_local_settings_counts(tmp_path: Path) -> None:
    project = drive(tmp_path / "project")
    local = "['remote \"storage\"']\n    gdrive_service_account_json_file_path = /keys/sa.json\n"
    (project / ".dvc/config.local").write_text(local, encoding="utf-8")
    need(project)


def test_other_remotes_need_no_google(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("", encoding="utf-8")
    need(tmp_path)


def test_a_refused_sign_in_is_a_matter_of_credentials() -> None:
    output = "file1\nfile2\nERROR: unexpected error - Failed to authenticate GDrive: 'token_uri'\n"
    error = dvc._failure("data.dvc", output)
    assert isinstance(error, CredentialsError)
    assert "Failed to authenticate GDrive" in error.message
    assert "GDRIVE_CREDENTIALS_DATA" in error.hint


def test_without_a_dvc_project_there_is_nothing_to_pull(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="is no DVC project"):
        pull("data.dvc", tmp_path)


@pytest.mark.parametrize(
    ("target", "file", "text", "folder"),
    [
        ("sets/doors.dvc", "sets/doors.dvc", {"outs": [{"path": "doors"}]}, "sets/doors"),
        ("sets/doors", "sets/doors.dvc", {"outs": [{"path": "doors"}], "wdir": "."}, "sets/doors"),
        ("prepare", "dvc.yaml", {"stages": {"prepare": {"outs": [{"sets/doors": {"cache": True}}]}}}, "sets/doors"),
        (
            "sub/dvc.yaml:prepare",
            "sub/dvc.yaml",
            {"stages": {"prepare": {"outs": ["doors"], "wdir": "../sets"}}},
            "sets/doors",
        ),
        (
            "prepare",
            "dvc.yaml",
            {"stages": {"prepare": {"outs": ["sets/doors/images", "sets/doors/data.yaml"]}}},
            "sets/doors",
        ),
        ("sets/doors", "dvc.yaml", {"stages": {}}, "sets/doors"),
    ],
)
def test_the_folder_of_a_target_or_stage_is_found(
    tmp_path: Path, target: str, file: str, text: object, folder: str
) -> None:
    write_set(tmp_path / "sets/doors", {"train": 1})
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps(text), encoding="utf-8")
    assert dvc.folder_of(target, tmp_path) == tmp_path / folder


def test_a_target_that_makes_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="no folder came of it"):
        dvc.folder_of("prepare", tmp_path)


@pytest.mark.parametrize(("there", "asked"), [(False, "pull\n"), (True, "status\npull\n")])
def test_dvc_is_not_asked_about_what_is_plainly_not_here(tmp_path: Path, there: bool, asked: str) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "dvc.py").write_text("import sys\nprint(sys.argv[1], file=open('asked', 'a'))\nsys.exit(1)\n")
    if there:
        write_set(tmp_path / "doors", {"train": 1})
    with pytest.raises(RunFailed):
        pull("doors", tmp_path)
    assert (tmp_path / "asked").read_text() == asked


def test_a_pull_that_hangs_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "dvc.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(RunFailed, match=r"dvc pull data\.dvc did not end within 0 s"):
        dvc._dvc(["pull", "data.dvc"], tmp_path, os.environ, 0.2)
