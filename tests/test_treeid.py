"""The tree id that is computed without git is the one that git computes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.repositories import git
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from containerid import treeid
from containerid.treeid import tree_id


def by_git(folder: Path) -> str:
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    return git(folder, "write-tree")


def test_git_agrees_on_names_modes_links_and_content(tmp_path: Path) -> None:
    (tmp_path / "a b/ü\n").mkdir(parents=True)
    (tmp_path / "a b/ü\n/x").write_bytes(b"\r\n\0")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "run.sh").chmod(0o744)
    (tmp_path / "group.sh").write_text("", encoding="utf-8")
    (tmp_path / "group.sh").chmod(0o654)
    (tmp_path / "link").symlink_to("a b")
    (tmp_path / "dangling").symlink_to("/nowhere/at all")
    (tmp_path / "hollow/inner").mkdir(parents=True)
    # git sorts `a-b`, `a/`, `a.b`, `a0` by the slash that a folder's name does not have
    for name in ("s-b", "s.b", "s0", "s"):
        (tmp_path / name).mkdir() if name == "s" else (tmp_path / name).touch()
    (tmp_path / "s/f").touch()
    (tmp_path / os.fsdecode(b"latin-\xe9")).touch()
    assert tree_id(tmp_path) == by_git(tmp_path) == tree_id(tmp_path)  # the second time beside a .git


def test_an_empty_folder_is_the_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "void/inner").mkdir(parents=True)
    assert tree_id(tmp_path / "void/inner") == tree_id(tmp_path / "void") == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def test_what_git_cannot_hold_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is neither a file nor a folder nor a link"):
        tree_id(tmp_path)


_NAME = some.text("ab.-_ é\n\"'", min_size=1, max_size=6).filter(lambda name: name.strip(".") and name != ".git")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=some.dictionaries(_NAME, some.tuples(some.binary(max_size=20), some.booleans()), max_size=6), deep=_NAME)
def test_git_agrees_on_any_files(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, bool]], deep: str
) -> None:
    root = tmp_path_factory.mktemp("any")
    for folder in (root, root / f"{deep}.d"):
        folder.mkdir(exist_ok=True)
        for name, (content, executable) in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o755 if executable else 0o644)
    assert tree_id(root) == by_git(root)


def test_it_needs_the_standard_library_alone_and_stands_on_its_own(tmp_path: Path) -> None:
    source = Path(treeid.__file__).read_text(encoding="utf-8")
    assert "containerid" not in source
    (tmp_path / "f").write_bytes(b"x")
    script = f"{source}\nprint(tree_id({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == tree_id(tmp_path)
