"""`cid data push`: a set goes to Kaggle once, is attached by itself, and is checked there."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.repositories import Project, project
from fakes.sets import write_set

from containerid import tracked
from containerid.errors import RunFailed
from containerid.job import Data
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.training import data as training_data
from containerid.training.data import NOTE_FILE, Place, digest

PARAMS = """
project: doors
detection:
  training: {entry: trainer}
  data: {path: data/doors}
"""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedKaggle]:
    with EmbeddedKaggle(tmp_path / "kaggle", run=False) as server:
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
        yield server


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = project(tmp_path)
    made.write("params.yaml", PARAMS)
    made.write("trainer.py", "print(1)\n")
    made.write(".gitignore", "/runs/\n/data/doors\n")
    write_set(made.root / "data/doors")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("push", "-q", "-u", "origin", "main")
    monkeypatch.chdir(made.root)
    return made


def record(folder: Path) -> str:
    """Write the .dvc file that `dvc add` writes. Returns the hash."""
    paths = sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda p: p.relative_to(folder).as_posix()
    )
    rows = [
        {"md5": hashlib.md5(path.read_bytes()).hexdigest(), "relpath": path.relative_to(folder).as_posix()}
        for path in paths
    ]
    found = hashlib.md5(json.dumps(rows).encode()).hexdigest()
    out = f"outs:\n- md5: {found}.dir\n  nfiles: {len(rows)}\n  hash: md5\n  path: {folder.name}\n"
    folder.with_name(f"{folder.name}.dvc").write_text(out)
    return found


def uploads(kaggle: EmbeddedKaggle) -> list[str]:
    return [call.body["name"] for call in kaggle.calls if call.rpc == "StartBlobUpload"]


def pushed(kaggle: EmbeddedKaggle) -> dict:
    (push,) = (call.body for call in kaggle.calls if call.rpc == "SaveKernel")
    return push


def test_a_set_becomes_a_private_dataset_of_few_archives_with_its_hashes(cid, kaggle, repository):
    recorded = record(repository.root / "data/doors")
    said = cid("data", "push", "--json")
    assert said.document == {"dataset": f"ada/cid-data-{recorded[:12]}", "sent": True, "dvc": recorded}
    assert uploads(kaggle) == ["data.yaml", "images.zip", "labels.zip", NOTE_FILE]
    (create,) = (call.body for call in kaggle.calls if call.rpc == "CreateDataset")
    assert create["isPrivate"] is True
    assert recorded in create["description"]
    assert digest(repository.root / "data/doors") in create["description"]


def test_what_is_there_is_not_sent_again_from_any_machine(cid, kaggle, repository, monkeypatch, tmp_path):
    record(repository.root / "data/doors")
    cid("data", "push")
    before = len(uploads(kaggle))
    monkeypatch.setenv("CID_HOME", str(tmp_path / "another"))
    assert cid("data", "push", "data/doors.dvc", "--json").document["sent"] is False
    assert len(uploads(kaggle)) == before


def test_a_run_attaches_it_by_itself_and_sends_nothing(cid, kaggle, repository):
    name = cid("data", "push", "--json").document["dataset"]
    before = len(uploads(kaggle))
    assert cid("train", "--kaggle", "--detach", "--device", "cpu").code == 0
    assert pushed(kaggle)["datasetDataSources"] == [name]
    assert len(uploads(kaggle)) == before


def test_where_only_the_dvc_file_is_the_run_attaches_it_without_any_secret(cid, kaggle, repository):
    folder = repository.root / "data/doors"
    recorded = record(folder)
    repository.write(".dvc/config", "[core]\n    remote = s\n['remote \"s\"']\n    url = gdrive://folder\n")
    name = cid("data", "push", "--json").document["dataset"]
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    said = cid("train", "--kaggle", "--detach", "--device", "cpu")
    assert said.code == 0, said.err
    push = pushed(kaggle)
    assert push["datasetDataSources"] == [name]
    assert recorded in push["text"]


def test_another_content_is_another_dataset_and_a_stale_record_is_told(cid, kaggle, repository):
    recorded = record(repository.root / "data/doors")
    first = cid("data", "push", "--json").document
    next((repository.root / "data/doors/images").rglob("*.jpg")).write_bytes(b"another")
    said = cid("data", "push", "--json")
    assert (first["dvc"], said.document["dvc"]) == (recorded, "")
    assert said.document["dataset"] != first["dataset"]
    assert "not what its .dvc file says" in said.err


def test_a_set_that_is_not_here_is_named_with_what_brings_it(cid, kaggle, repository):
    said = cid("data", "push", "nowhere")
    assert (said.code, "is not here" in said.err) == (2, True)


def test_dvc_itself_gives_the_hash_that_we_read(tmp_path, monkeypatch):
    pytest.importorskip("dvc")
    import subprocess
    import sys

    write_set(tmp_path / "doors")
    (tmp_path / "doors/naïve.txt").write_text("x")
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    for arguments in (["init", "--no-scm", "-q"], ["add", "-q", "doors"]):
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=tmp_path, env=environ, check=True)
    found = tracked.hash_of(tmp_path / "doors", tmp_path)
    names = [
        path.relative_to(tmp_path / "doors").as_posix() for path in (tmp_path / "doors").rglob("*") if path.is_file()
    ]
    assert len(found) == 32
    assert tracked.is_as_recorded(tmp_path / "doors", names, found)
    (tmp_path / "doors/naïve.txt").write_text("y")
    assert not tracked.is_as_recorded(tmp_path / "doors", names, found)


def test_a_pipelines_output_has_the_hash_of_the_lock_file(tmp_path):
    (tmp_path / "dvc.lock").write_text(
        f"stages:\n  split:\n    outs:\n    - path: data/doors\n      md5: {'a' * 32}.dir\n"
    )
    assert tracked.hash_of(tmp_path / "data/doors", tmp_path) == "a" * 32
    assert tracked.hash_of(tmp_path / "data/other", tmp_path) == ""


@pytest.fixture(params=["datasets/ada/cid-data-aaaaaaaaaaaa", "cid-data-aaaaaaaaaaaa"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A pushed set as Kaggle mounts it, in both layouts."""
    folder = write_set(tmp_path / "input" / request.param)
    note = {"version": 1, "sha256": digest(folder), "dvc": "a" * 32}
    (folder / NOTE_FILE).write_text(json.dumps(note))
    return folder


def provide(tmp_path: Path, recorded: str = "a" * 32) -> Path:
    place = Place(tmp_path, tmp_path / "input", tmp_path)
    data = Data(provider="kaggle", source="ada/cid-data-aaaaaaaaaaaa", options={"dvc": recorded})
    return training_data.provide(data, place)


def test_in_the_kernel_it_is_checked_against_the_hash(mounted, tmp_path):
    assert provide(tmp_path) == mounted
    with pytest.raises(RunFailed, match="holds DVC's aaaaaaaaaaaa…, not bbbbbbbbbbbb…"):
        provide(tmp_path, "b" * 32)
    next((mounted / "images").rglob("*.jpg")).write_bytes(b"tampered")
    with pytest.raises(RunFailed, match="is not what was submitted"):
        provide(tmp_path)


def test_in_the_kernel_a_dataset_without_a_note_is_not_believed(mounted, tmp_path):
    (mounted / NOTE_FILE).unlink()
    with pytest.raises(RunFailed, match="does not say which data it holds"):
        provide(tmp_path)
