"""The archive holds the tree, the whole tree but what is excluded, and always the same bytes."""

import io
import os
import tarfile
import time
from pathlib import Path

import pytest
from fakes.repositories import Project, git, project

from containerid.errors import GitError
from containerid.git import Archive, Repository
from containerid.treeid import tree_id


@pytest.fixture
def door(tmp_path: Path) -> Project:
    return project(tmp_path)


def unpack(archive: Archive, to: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(archive.data), mode="r:xz") as tar:
        tar.extractall(to, filter="tar")
    return to


def fill(door: Project) -> None:
    door.write("a/tool with space.sh", "#!/bin/sh\n").chmod(0o755)
    door.write("Zeile\nzwei ü/x.bin", bytes(range(256)))
    door.write("n" * 150 + "/" + "m" * 150, "long\n")
    door.write("hollow", "")
    door.write("crlf.txt", "a\r\nb\r\n")
    door.write(os.fsdecode(b"latin-\xe9.txt"), "x")
    (door.root / "link").symlink_to("a/tool with space.sh")
    (door.root / "away").symlink_to("/mnt/data")


def test_what_is_unpacked_has_the_tree_id_of_the_snapshot(door: Project, tmp_path: Path) -> None:
    fill(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m", mode="snapshot")
    archive = repository.archive(snapshot.tree)
    assert archive.tree == snapshot.tree == tree_id(unpack(archive, tmp_path / "out"))
    assert (archive.files, archive.cautions) == (11, ())
    assert (tmp_path / "out/link").readlink() == Path("a/tool with space.sh")
    assert os.access(tmp_path / "out/a/tool with space.sh", os.X_OK)
    assert len(archive.digest) == 64


def test_the_same_tree_gives_the_same_bytes_wherever_and_whenever(door: Project, tmp_path: Path) -> None:
    fill(door)
    first = Repository.open(door.root)
    snapshot = first.snapshot("m")
    first.push(snapshot, run="r", mode="branch", remote=first.remote())
    git(tmp_path, "clone", "-q", str(door.bare), "elsewhere")
    os.utime(tmp_path / "elsewhere/train.py", (time.time() - 9999,) * 2)
    second = Repository.open(tmp_path / "elsewhere")
    assert first.archive(snapshot.tree) == second.archive(snapshot.tree)


def test_export_attributes_and_the_work_tree_play_no_part(door: Project, tmp_path: Path) -> None:
    door.write(".gitattributes", "secret.md export-ignore\nversion.py export-subst\n*.txt text eol=crlf\n")
    door.write("secret.md")
    door.write("version.py", 'V = "$Format:%H$"\n')
    door.write("a.txt", "a\nb\n")
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m", mode="snapshot")
    door.write("version.py", "changed after the snapshot\n")
    out = unpack(repository.archive(snapshot.tree), tmp_path / "out")
    assert (out / "version.py").read_bytes() == b'V = "$Format:%H$"\n'
    assert (out / "a.txt").read_bytes() == b"a\nb\n"
    assert (out / "secret.md").exists()
    assert tree_id(out) == snapshot.tree


def test_data_folders_stay_here_and_the_tree_id_is_of_what_is_carried(door: Project, tmp_path: Path) -> None:
    for path in ("app/params.yaml", "app/data/images/1.jpg", "app/data.py", "data/raw.bin", "app/data2/x"):
        door.write(path)
    repository = Repository.open(door.root / "app")
    snapshot = repository.snapshot("m", mode="snapshot")
    archive = repository.archive(snapshot.tree, exclude=["data", "./data2/", "../data", "/abs", "..", "."])
    out = unpack(archive, tmp_path / "out")
    assert archive.tree == tree_id(out) != snapshot.tree
    assert sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file()) == [
        ".gitignore",
        "app/data.py",
        "app/params.yaml",
        "params.yaml",
        "train.py",
    ]
    assert archive.files == 5


def test_submodules_and_lfs_contents_are_not_carried_and_that_is_said(door: Project, tmp_path: Path) -> None:
    part = project(tmp_path / "part")
    sha = part.git("rev-parse", "HEAD")
    door.git("update-index", "--add", "--cacheinfo", f"160000,{sha},lib/part")
    (door.root / "lib/part").mkdir(parents=True)
    door.write("big.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    door.git("add", "big.onnx")
    door.git("commit", "-q", "-m", "m")
    repository = Repository.open(door.root)
    archive = repository.archive(repository.snapshot("m", mode="clean").tree)
    assert archive.cautions == (
        "submodules are not carried: lib/part",
        "1 files are in Git LFS: their pointers are carried, not their contents",
    )
    assert archive.tree == tree_id(unpack(archive, tmp_path / "out"))


def test_a_repository_that_lost_an_object_is_not_packed(door: Project) -> None:
    blob = door.git("rev-parse", "HEAD:train.py")
    (door.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitError, match=f"git does not hold the object {blob}"):
        Repository.open(door.root).archive("HEAD")


def test_nothing_of_the_user_changes(door: Project) -> None:
    fill(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m", mode="snapshot")
    before = door.held()
    repository.archive(snapshot.tree, exclude=["a"])
    assert door.held() == before
