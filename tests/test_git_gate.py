"""No secret and no large file leaves, neither by the push, nor by its history, nor by the archive."""

import json
from pathlib import Path

import pytest
from fakes.repositories import Project, git, project
from fakes.secrets import HEX, drawer, planted, tokens

from containerid.errors import SecretFound
from containerid.git import Repository

KEY = tokens(drawer("gate"))["github-classic"]
LINE = f'TOKEN = "{KEY}"\n'


@pytest.fixture
def door(tmp_path: Path) -> Project:
    return project(tmp_path)


def gate(door: Project, folder: str = "", **options: list[str]) -> int:
    repository = Repository.open(door.root / folder)
    snapshot = repository.snapshot("m", mode="snapshot")
    return repository.gate(snapshot, repository.remote(), **options)


def refused(door: Project, **options: list[str]) -> SecretFound:
    with pytest.raises(SecretFound) as caught:
        gate(door, **options)
    assert KEY not in caught.value.message + caught.value.hint
    return caught.value


def test_a_clean_project_passes(door: Project) -> None:
    door.write("new.py", "epochs = 3\n")
    assert gate(door) == 5  # four files, and the message of the new commit


def test_a_planted_kaggle_json_and_a_wandb_key_are_named_and_nothing_changes(door: Project) -> None:
    draw = drawer("must show")
    door.write("kaggle.json", json.dumps({"username": "ada", "key": draw(32, HEX)}))
    door.write("conf/track.py", f'import wandb\n\nwandb.login(key="{draw(40, HEX)}")\n')
    before = door.held(), door.remote_refs()
    error = refused(door)
    assert error.code == 3
    assert error.message.splitlines()[0] == "3 secrets would leave this machine:"
    assert "\n  kaggle.json: Kaggle credentials file" in error.message
    assert "\n  kaggle.json:1: Kaggle key " in error.message
    assert "\n  conf/track.py:3: " in error.message
    assert "… (40 characters)" in error.message
    assert 'git.allow: ["' in error.hint
    assert (door.held(), door.remote_refs()) == before


def test_a_key_that_was_added_and_removed_again_is_found_in_the_history(door: Project) -> None:
    door.commit("lib/key.py", "x = 1\n" + LINE)
    culprit = door.git("rev-parse", "HEAD")
    door.commit("lib/key.py", "x = 1\n")
    error = refused(door)
    assert f"lib/key.py:2: GitHub token {KEY[:4]}… (40 characters) in commit {culprit[:10]}" in error.message
    assert "no longer in the work tree" in error.message
    assert "out of the commits that hold it" in error.hint
    assert gate(door, allow=["lib/key.py:2"]) > 0


def test_what_the_remote_has_already_is_history_and_not_looked_for_again(door: Project) -> None:
    door.commit("key.py", LINE)
    door.commit("key.py", "x = 1\n")
    door.git("push", "-q")
    assert gate(door) == 4
    door.git("update-ref", "-d", "refs/remotes/origin/main")
    assert gate(door) == 4


def test_the_remote_is_asked_and_stale_tracking_refs_are_not_believed(door: Project, tmp_path: Path) -> None:
    door.commit("key.py", LINE)
    door.commit("key.py", "x = 1\n")
    door.git("push", "-q")
    git(tmp_path, "--git-dir", str(door.bare), "update-ref", "-d", "refs/heads/main")
    assert "in commit" in refused(door).message
    door.bare.rename(tmp_path / "unreachable.git")
    assert gate(door) == 4


def test_what_is_on_the_remote_still_may_not_ride_in_the_archive(door: Project) -> None:
    door.commit("data/key.py", LINE)
    door.git("push", "-q")
    assert "data/key.py:1: GitHub token" in refused(door).message
    assert gate(door, exclude=["data"]) == 3


def test_an_excluded_folder_is_looked_through_when_it_is_pushed(door: Project) -> None:
    door.write("data/key.py", LINE)
    assert "data/key.py:1" in refused(door, exclude=["data"]).message


def test_without_a_remote_the_archive_alone_is_looked_through(door: Project) -> None:
    door.git("remote", "remove", "origin")
    door.commit("key.py", LINE)
    assert "key.py:1" in refused(door).message
    door.commit("key.py", "x = 1\n")
    assert gate(door) == 4


def test_a_commit_message_is_looked_through_as_well(door: Project) -> None:
    door.git("commit", "-q", "--allow-empty", "-m", f"use {KEY}")
    sha = door.git("rev-parse", "HEAD")
    assert f"commit message:6: GitHub token {KEY[:4]}… (40 characters) in commit {sha[:10]}" in refused(door).message


def test_an_ignored_file_is_no_matter_and_a_staged_one_is(door: Project) -> None:
    door.write(".env", f"GITHUB_TOKEN={KEY}\n")
    gate(door)
    door.git("add", "-f", ".env")
    assert ".env:1: GitHub token" in refused(door).message


def test_the_same_content_at_two_places_is_named_twice(door: Project) -> None:
    door.write("a.py", LINE)
    door.write("b.py", LINE)
    message = refused(door).message
    assert "a.py:1" in message
    assert "b.py:1" in message
    assert "b.py:1" in refused(door, allow=["a.py"]).message
    gate(door, allow=["a.py", "b.p?"])


def test_a_marker_in_a_comment_permits_its_line(door: Project) -> None:
    door.write("a.py", LINE.rstrip() + "  # cid: allow\n" + LINE)
    assert "a.py:2" in refused(door).message
    assert "a.py:1" not in refused(door).message


def test_a_large_file_in_unpushed_history_is_refused(door: Project) -> None:
    door.commit("old.onnx", b"\0" * 10_000_001)
    door.git("rm", "-q", "old.onnx")
    door.git("commit", "-q", "-m", "gone")
    assert "old.onnx: 10.0 MB" in refused(door).message
    assert gate(door, allow=["old.onnx"]) > 0


def test_a_large_file_that_the_remote_has_may_stay_and_without_a_remote_it_may_not(door: Project) -> None:
    door.commit("old.onnx", b"\0" * 10_000_001)
    assert "old.onnx: 10.0 MB" in refused(door).message
    door.git("push", "-q")
    assert gate(door) == 4
    door.git("remote", "remove", "origin")
    assert "old.onnx: 10.0 MB" in refused(door).message


def test_odd_file_names_are_named_without_harm(door: Project) -> None:
    door.write("a\x1b[31m b\nc.py", LINE)
    assert "a?[31m b?c.py:1: GitHub token" in refused(door).message


def test_a_subproject_answers_for_the_whole_repository(door: Project) -> None:
    door.write("app/params.yaml")
    door.write("elsewhere/key.py", LINE)
    with pytest.raises(SecretFound, match=r"elsewhere/key\.py:1"):
        gate(door, "app")


def test_every_kind_of_secret_is_stopped_at_the_gate_at_once(door: Project) -> None:
    kinds = {}
    for number, (kind, path, content) in enumerate(planted()):
        kinds[f"k{number}/{path}"] = kind
        door.write(f"k{number}/{path}", content)
        door.git("add", "-f", f"k{number}/{path}")
    message = refused(door).message
    assert [kind for path, kind in kinds.items() if f"\n  {path}" not in message] == []
    assert set(door.remote_refs()) == {"refs/heads/main"}
