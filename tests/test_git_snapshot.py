"""The work tree becomes a commit; nothing of the user's notices."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.repositories import Project, git, project

from containerid.errors import GitError, SecretFound
from containerid.git import Repository
from containerid.git.plumbing import Answer, complaint


@pytest.fixture
def door(tmp_path: Path) -> Project:
    return project(tmp_path)


def tree(door: Project, sha: str) -> dict[str, str]:
    rows = door.git("ls-tree", "-r", "-z", sha).split("\0")
    return {row.split("\t")[1]: row.split(" ")[0] for row in rows if row}


def test_a_dirty_tree_is_committed_and_the_user_keeps_everything(door: Project) -> None:
    door.commit("old.py")
    door.commit("kept.py", "kept\n")
    door.write("stashed.py")
    door.git("stash", "-q", "-u")
    door.write("train.py", "epochs = 2\n")
    door.git("add", "train.py")
    door.write("train.py", "epochs = 3\n")
    door.write("staged.py")
    door.git("add", "staged.py")
    (door.root / "old.py").unlink()
    door.write("new folder/ein Name mit\nZeile ü.py", "neu\n")
    door.write("tool.sh", "#!/bin/sh\n").chmod(0o755)
    door.write("blob.bin", bytes(range(256)) * 10)
    (door.root / "link").symlink_to("train.py")
    door.write("model.pt", "ignored")
    before = door.held()

    snapshot = Repository.open(door.root).snapshot("try three epochs", mode="snapshot")

    assert door.held() == before
    assert tree(door, snapshot.sha) == {
        ".gitignore": "100644",
        "blob.bin": "100644",
        "kept.py": "100644",
        "link": "120000",
        "new folder/ein Name mit\nZeile ü.py": "100644",
        "params.yaml": "100644",
        "staged.py": "100644",
        "tool.sh": "100755",
        "train.py": "100644",
    }
    assert door.git("show", f"{snapshot.sha}:train.py") == "epochs = 3"
    assert snapshot.parent == door.git("rev-parse", "HEAD")
    assert snapshot.tree == door.git("rev-parse", f"{snapshot.sha}^{{tree}}")
    assert door.git("log", "-1", "--format=%s", snapshot.sha) == "try three epochs"
    assert (snapshot.branch, snapshot.created) == ("main", True)


def test_changes_are_counted_as_git_status_shows_them(door: Project) -> None:
    door.commit("ahead.py")
    door.write("staged.py")
    door.git("add", "staged.py")
    door.write("train.py", "epochs = 2\n")
    door.write("free.py")
    door.write(".cid/state.json")
    door.write("runs/one/best.json")
    before = door.held()

    changes = Repository.open(door.root).changes()

    assert (changes.staged, changes.unstaged, changes.untracked) == (1, 1, ("free.py",))
    assert (changes.branch, changes.upstream, changes.ahead, changes.behind) == ("main", "origin/main", 1, 0)
    assert changes.head == door.git("rev-parse", "HEAD")
    assert not changes.clean
    assert door.held() == before


def test_a_clean_tree_needs_no_commit(door: Project) -> None:
    snapshot = Repository.open(door.root).snapshot("nothing", mode="branch")
    assert not snapshot.created
    assert snapshot.sha == snapshot.parent == door.git("rev-parse", "HEAD")


def test_run_folders_are_never_part_of_it_though_a_package_of_that_name_is(door: Project) -> None:
    door.commit("runs/README.md", "tracked\n")
    door.write("runs/README.md", "changed\n")
    door.write("runs/exp001-x/best.onnx")
    door.write(".cid/lock")
    door.write("package/runs/submit.py")
    snapshot = Repository.open(door.root).snapshot("m", mode="snapshot")
    assert sorted(set(tree(door, snapshot.sha)) - {".gitignore", "params.yaml", "train.py"}) == [
        "package/runs/submit.py",
        "runs/README.md",
    ]
    assert door.git("show", f"{snapshot.sha}:runs/README.md") == "changed"
    door.write("scratch/x.py")
    assert Repository.open(door.root).changes(ignore=["scratch"]).untracked == ("package/runs/submit.py",)


def test_in_a_subfolder_the_run_folders_are_the_projects(door: Project) -> None:
    door.write("apps/detect/runs/x/best.json")
    door.write("apps/detect/params.yaml")
    door.write("runs/theirs.txt")
    repository = Repository.open(door.root / "apps/detect")
    assert (repository.folder, repository.root) == ("apps/detect", door.root)
    assert set(repository.changes().untracked) == {"apps/detect/params.yaml", "runs/theirs.txt"}
    assert "apps/detect/runs/x/best.json" not in tree(door, repository.snapshot("m").sha)


def test_before_the_first_commit_a_snapshot_has_no_parent(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "young")
    (tmp_path / "young/train.py").write_text("x\n", encoding="utf-8")
    repository = Repository.open(tmp_path / "young")
    snapshot = repository.snapshot("m", mode="branch")
    assert (snapshot.parent, snapshot.branch, snapshot.created) == ("", "main", True)
    assert git(tmp_path / "young", "rev-list", "--count", snapshot.sha) == "1"
    with pytest.raises(GitError, match="no commit yet"):
        repository.snapshot("m", mode="clean")


def test_a_linked_work_tree_is_a_repository_like_any_other(door: Project, tmp_path: Path) -> None:
    door.git("worktree", "add", "-q", str(tmp_path / "side"), "-b", "side")
    (tmp_path / "side/train.py").write_text("epochs = 9\n", encoding="utf-8")
    door.write("train.py", "not this\n")
    before = door.held()
    snapshot = Repository.open(tmp_path / "side").snapshot("m", mode="snapshot")
    assert snapshot.branch == "side"
    assert door.git("show", f"{snapshot.sha}:train.py") == "epochs = 9"
    assert door.held() == before


def test_a_file_added_with_intent_and_a_file_that_became_a_folder_are_taken(door: Project) -> None:
    door.commit("data", "a file\n")
    (door.root / "data").unlink()
    door.write("data/part.py")
    door.write("later.py", "later\n")
    door.git("add", "-N", "later.py")
    snapshot = Repository.open(door.root).snapshot("m", mode="snapshot")
    assert {"data/part.py", "later.py"} < set(tree(door, snapshot.sha))
    assert door.git("show", f"{snapshot.sha}:later.py") == "later"


def test_an_edit_in_the_very_moment_of_the_last_add_is_not_overlooked(door: Project) -> None:
    door.git("config", "core.trustctime", "false")
    moment = (1_700_000_000 * 10**9,) * 2  # git may compare seconds only, so not now
    file = door.write("train.py", "epochs = 7\n")
    os.utime(file, ns=moment)
    door.git("add", "train.py")
    os.utime(door.root / ".git/index", ns=moment)
    file.write_text("epochs = 8\n", encoding="utf-8")
    os.utime(file, ns=moment)
    snapshot = Repository.open(door.root).snapshot("m", mode="snapshot")
    assert door.git("show", f"{snapshot.sha}:train.py") == "epochs = 8"


def test_hooks_signing_and_the_callers_git_variables_play_no_part(
    door: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pre-commit", "commit-msg", "post-index-change", "reference-transaction"):
        door.hook(name, f"touch {door.root}/{name}-ran; exit 1\n")
    door.git("config", "commit.gpgsign", "true")
    door.git("config", "user.signingkey", "nobody")
    other = project(door.root.parent / "other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
    monkeypatch.setenv("GIT_TRACE", "1")
    door.write("new.py")
    before = door.held(), other.held()
    snapshot = Repository.open(door.root).snapshot("m", mode="snapshot")
    assert (door.held(), other.held()) == before
    monkeypatch.undo()
    assert "new.py" in tree(door, snapshot.sha)
    assert not list(door.root.glob("*-ran"))


@pytest.mark.parametrize("operation", ["merge", "rebase", "cherry-pick", "revert"])
def test_an_unfinished_operation_is_refused(door: Project, operation: str) -> None:
    door.git("checkout", "-q", "-b", "other")
    theirs = door.commit("train.py", "epochs = 10\n")
    door.git("checkout", "-q", "main")
    door.commit("train.py", "epochs = 20\n")
    target = {"revert": "HEAD~1", "cherry-pick": theirs}.get(operation, "other")
    door.commit("train.py", "epochs = 30\n")
    with pytest.raises(subprocess.CalledProcessError):
        door.git(operation, *(["--no-edit"] if operation == "revert" else []), target)
    repository = Repository.open(door.root)
    before = door.held()
    with pytest.raises(GitError, match=r"unresolved conflicts in train\.py"):
        repository.snapshot("m")
    assert door.held() == before
    door.write("train.py", "epochs = 15\n")
    door.git("add", "train.py")
    with pytest.raises(GitError, match=f"a {operation} is in progress") as caught:
        repository.snapshot("m", mode="snapshot")
    assert f"git {operation} --abort" in caught.value.hint


def test_a_dirty_submodule_is_refused_and_a_clean_one_is_not(door: Project) -> None:
    part = project(door.root.parent / "part")
    allowed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}
    door.git("submodule", "--quiet", "add", str(part.bare), "part", **allowed)
    door.git("commit", "-q", "-m", "submodule")
    repository = Repository.open(door.root)
    assert repository.snapshot("m").created is False
    (door.root / "part/train.py").write_text("changed\n", encoding="utf-8")
    with pytest.raises(GitError, match="submodules with changes of their own: part"):
        repository.snapshot("m")


def test_a_repository_inside_the_work_tree_is_left_out_and_named(door: Project) -> None:
    git(door.root, "init", "-q", "yolo")
    git(door.root / "yolo", "commit", "-q", "--allow-empty", "-m", "theirs")
    door.write("yolo/net.py")
    door.write("mine.py")
    snapshot = Repository.open(door.root).snapshot("m", mode="snapshot")
    assert "yolo" not in tree(door, snapshot.sha)
    assert (snapshot.changes.untracked, snapshot.changes.nested) == (("mine.py",), ("yolo/",))
    assert snapshot.cautions == ("yolo/ is a git repository of its own, and is not carried",)


def test_the_clean_mode_takes_head_or_refuses(door: Project) -> None:
    repository = Repository.open(door.root)
    assert repository.snapshot("m", mode="clean").sha == door.git("rev-parse", "HEAD")
    door.write("new.py")
    with pytest.raises(GitError, match="not clean: 0 staged, 0 unstaged, 1 untracked") as caught:
        repository.snapshot("m", mode="clean")
    assert "--git snapshot" in caught.value.hint


def test_without_a_name_the_branch_mode_tells_the_two_commands(door: Project, own_home: Path) -> None:
    (own_home / ".gitconfig").unlink()
    door.write("new.py")
    repository = Repository.open(door.root)
    with pytest.raises(GitError) as caught:
        repository.snapshot("m", mode="branch")
    assert caught.value.code == 3
    assert "git config --global user.name" in caught.value.hint
    assert "git config --global user.email" in caught.value.hint
    sha = repository.snapshot("m", mode="snapshot").sha
    assert door.git("log", "-1", "--format=%an <%ae>", sha) == "containerid <containerid@localhost>"


def test_a_large_file_is_refused_before_git_copies_it(door: Project) -> None:
    door.write("weights.onnx", b"\0" * 10_000_001)
    objects = len(list((door.root / ".git/objects").rglob("*")))
    repository = Repository.open(door.root)
    with pytest.raises(SecretFound, match=r"weights\.onnx: 10\.0 MB") as caught:
        repository.snapshot("m")
    assert caught.value.hint == 'dvc add weights.onnx; or permit it in params.yaml, git.allow: ["weights.onnx"]'
    assert len(list((door.root / ".git/objects").rglob("*"))) == objects
    assert "weights.onnx" in tree(door, repository.snapshot("m", mode="snapshot", allow=["*.onnx"]).sha)


def test_a_large_file_in_lfs_is_taken_and_without_lfs_set_up_it_is_not(door: Project) -> None:
    door.write(".gitattributes", "*.onnx filter=lfs\n")
    door.write("weights.onnx", b"\0" * 10_000_001)
    repository = Repository.open(door.root)
    with pytest.raises(SecretFound):
        repository.snapshot("m")
    door.git("config", "filter.lfs.clean", "cat > /dev/null; echo version https://git-lfs.github.com/spec/v1")
    sha = repository.snapshot("m").sha
    assert int(door.git("cat-file", "-s", f"{sha}:weights.onnx")) < 200


def test_too_many_new_files_are_refused_by_number_and_by_weight(door: Project) -> None:
    folder = door.root / "frames"
    folder.mkdir()
    for number in range(2001):
        (folder / str(number)).touch()
    repository = Repository.open(door.root)
    with pytest.raises(
        SecretFound, match=r"2001 new files .* below frames/; the limit is 2000 files and 50 MB"
    ) as caught:
        repository.snapshot("m")
    assert 'git.allow: ["frames/"]' in caught.value.hint
    repository.snapshot("m", mode="snapshot", allow=["frames/"])
    shutil.rmtree(folder)
    for number in range(6):
        with door.write(f"frames/{number}.npy").open("wb") as file:
            file.truncate(9_000_000)
    with pytest.raises(SecretFound, match=r"6 new files that git does not track \(54\.0 MB\)"):
        repository.snapshot("m")


def test_what_is_no_usable_repository_is_said(tmp_path: Path, door: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitError, match="not in a git repository") as caught:
        Repository.open(tmp_path)
    assert caught.value.hint == "git init"
    with pytest.raises(GitError, match="bare repository"):
        Repository.open(door.bare)
    with pytest.raises(GitError, match="there is no folder"):
        Repository.open(tmp_path / "missing")
    git(tmp_path, "init", "-q", "--object-format=sha256", "modern")
    with pytest.raises(GitError, match="SHA-256"):
        Repository.open(tmp_path / "modern")
    broken = door.root / ".git/index"
    broken.write_bytes(b"nonsense")
    with pytest.raises(GitError, match="index file"):
        Repository.open(door.root).changes()


def test_without_git_it_is_said_that_git_is_missing(door: Project) -> None:
    script = (
        f"from pathlib import Path; from containerid.git import Repository; Repository.open(Path({str(door.root)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "containerid.errors.GitError: git was not found"


def test_a_repository_of_somebody_else_is_refused_with_gits_own_remedy() -> None:
    command = "git config --global --add safe.directory /x"
    words = f"fatal: detected dubious ownership in repository at '/x'\nTo add an exception, call:\n\n\t{command}"
    error = complaint(Answer(128, b"", words), "git failed")
    assert "belongs to somebody else" in error.message
    assert error.hint == command
