"""Real git repositories with bare remotes, made in a moment, and what must not change in them."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOOK = "#!/bin/sh\n"


def git(folder: Path, *arguments: str, stdin: bytes | None = None, **environment: str) -> str:
    """Run git by itself, apart from the code under test; its output without the last line end."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


@dataclass(frozen=True)
class Project:
    """A work tree whose `origin` is a bare repository beside it."""

    root: Path
    bare: Path

    def write(self, path: str, content: str | bytes = "text\n") -> Path:
        """Write a file, and the folders above it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def git(self, *arguments: str, **environment: str) -> str:
        """Run git in the work tree."""
        return git(self.root, *arguments, **environment)

    def commit(self, path: str, content: str | bytes = "text\n") -> str:
        """Write a file and commit it; the commit."""
        self.write(path, content)
        self.git("add", "--", path)
        self.git("commit", "-q", "-m", f"add {path}")
        return self.git("rev-parse", "HEAD")

    def status(self) -> str:
        """What git status tells; it may refresh the index."""
        return self.git("status", "--porcelain")

    def remote_refs(self) -> dict[str, str]:
        """What the remote holds: ref to object id."""
        rows = git(self.bare, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(row.split(" ") for row in rows)

    def hook(self, name: str, script: str, *, remote: bool = False) -> Path:
        """Install a hook, here or at the remote."""
        hook = (self.bare if remote else self.root / ".git") / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK + script, encoding="utf-8")
        hook.chmod(0o755)
        return hook

    def protect(self, branch: str = "main") -> None:
        """Let the remote refuse pushes to a branch, as a protected one."""
        refuse = f'[ "$ref" = refs/heads/{branch} ] && echo "GH006: protected" >&2 && exit 1'
        script = f"while read old new ref; do {refuse}; done; exit 0\n"
        self.hook("pre-receive", script, remote=True)

    def held(self) -> dict[str, bytes]:
        """Everything a user owns in .git but the object store: index, HEAD, refs, reflogs, stash, hooks, config."""
        folder = self.root / ".git"
        files = [file for file in folder.rglob("*") if file.is_file() and "objects" not in file.parts]
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def project(folder: Path) -> Project:
    """A project with one commit that the remote has: `train.py`, `params.yaml` and a .gitignore."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(_template(), folder, dirs_exist_ok=True)
    git(folder / "door", "status")  # the copies have other inodes than the index knows
    return Project(folder / "door", folder / "door.git")


@cache
def _template() -> str:
    # seven git commands, once for all tests
    folder = Path(_KEEP.name)
    made = Project(folder / "door", folder / "door.git")
    git(folder, "init", "-q", "--bare", str(made.bare))
    git(folder, "init", "-q", str(made.root))
    made.write("train.py", "epochs = 1\n")
    made.write("params.yaml", "epochs: 1\n")
    made.write(".gitignore", "*.pt\n.env\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("remote", "add", "origin", "../door.git")
    made.git("push", "-q", "-u", "origin", "main")
    return str(folder)


_KEEP = tempfile.TemporaryDirectory(prefix="cid-tests-")
