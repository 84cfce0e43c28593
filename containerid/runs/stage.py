"""Where a promotion is made ready: a folder beside the user's files, from which they take their places by renaming.

DVC works in there. Until everything is sent, nothing that the user or git or DVC looks at has changed.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from containerid import dvc
from containerid.errors import GitError, OutputsUnverified
from containerid.git import Repository
from containerid.versioned import STAGE, with_lines

_CONFIG, _IGNORED = ".dvc/config", ".dvc/.gitignore"
_STORAGE = "['remote \"storage\"']\n    url = {}\n"

Edit = Callable[[bytes | None], bytes]
"""From what a path holds, None for nothing, to what it is to hold."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder in the project.

    Attributes:
        folder: the stage itself, absolute; git does not see it.
        root: the root of the repository's work tree.
    """

    folder: Path
    root: Path

    @classmethod
    def beside(cls, project: Path, root: Path) -> "Stage":
        """A new one, which is not made yet."""
        return cls(project.absolute() / f"{STAGE}{secrets.token_hex(4)}", root)

    @property
    def new(self) -> Path:
        """What is to take its place, under its path from the root."""
        return self.folder / "new"

    @property
    def old(self) -> Path:
        """What was in those places before."""
        return self.folder / "old"

    def make(self) -> None:
        """Make it, unseen by git."""
        self.folder.mkdir()
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
        self.new.mkdir()
        self.old.mkdir()

    def files(self) -> list[str]:
        """What is to take its place, POSIX, from the root; DVC's working files are not among it."""
        found = (path.relative_to(self.new) for path in self.new.rglob("*") if path.is_symlink() or path.is_file())
        return sorted(each.as_posix() for each in found if each.parts[:2] != (".dvc", "tmp"))

    def write(self, path: str, content: bytes) -> None:
        """Put a file here that is to stand at a path from the root."""
        place = self.new / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def copy(self, source: Path, path: str, sha256: str) -> None:
        """Copy a file here. Raises OutputsUnverified when it is not what the manifest says."""
        place = self.new / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        with place.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise OutputsUnverified(f"{source} is not what the run's manifest says", hint="cid fetch, cid verify")

    def remove(self) -> None:
        """Take it away, as far as it is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def place(self) -> None:
        """Let the files take their places; what is there is kept. It may be called again after it was cut short."""
        for path in self.files():
            target, old = self.root / path, self.old / path
            target.parent.mkdir(parents=True, exist_ok=True)
            old.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target) and not os.path.lexists(old):
                os.link(target, old, follow_symlinks=False)
            (self.new / path).replace(target)

    def restore(self, fresh: Sequence[str], folders: Sequence[str]) -> None:
        """Undo `place`, however far it came.

        Args:
            fresh: paths that did not exist before.
            folders: those that did not exist, the deepest first.
        """
        for old in [path for path in self.old.rglob("*") if path.is_symlink() or path.is_file()]:
            old.replace(self.root / old.relative_to(self.old))
        for path in fresh:
            if not os.path.lexists(self.new / path):
                (self.root / path).unlink(missing_ok=True)
        for folder in folders:
            with suppress(OSError):
                (self.root / folder).rmdir()


def absent(root: Path, paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths that do not exist, and the folders above them that do not, the deepest first."""
    fresh = [path for path in paths if not os.path.lexists(root / path)]
    above = {str(each) for path in fresh for each in PurePosixPath(path).parents if not (root / each).exists()}
    return fresh, sorted(above, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class Storage:
    """DVC in a project, and what must be written so that it has a remote.

    Attributes:
        url: of the remote, for the eye.
        edits: path from the root to what its file needs; empty where DVC is set up.
        begins: there is no DVC project yet.
        lines: settings for DVC as long as the edits are not in place.
    """

    url: str
    edits: Mapping[str, Edit]
    begins: bool = False
    lines: tuple[str, ...] = ()


def storage(repository: Repository, project: Path, default: Path) -> Storage:
    """Which DVC remote a project has; `default`, a folder on this machine, where none was ever named.

    Raises:
        GitError: several remotes are there, and none is the default one.
    """
    root = dvc.root_of(project)
    if root is None or repository.root.resolve() not in (root.resolve(), *root.resolve().parents):
        return Storage(str(default), {_CONFIG: _naming(default), _IGNORED: _ignoring}, begins=True)
    if url := dvc.remote(project).get("url") or dvc.settings(project).get("core", "remote", fallback=""):
        return Storage(url, {})
    if found := _asked(project):
        return Storage(found, {})
    if any(section.startswith("'remote ") for section in dvc.settings(project).sections()):
        raise GitError("DVC has remotes here, and none is the default one", hint="dvc remote default NAME")
    config = (root.resolve() / _CONFIG).relative_to(repository.root.resolve()).as_posix()
    lines = ("remote = storage", "['remote \"storage\"']", f"url = {default}")
    return Storage(str(default), {config: _naming(default)}, lines=lines)


def _asked(project: Path) -> str:
    """The default remote that DVC itself knows of, from settings outside the project."""
    with suppress(subprocess.TimeoutExpired):
        done = dvc.run(["config", "core.remote"], project, os.environ, 60)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def _naming(default: Path) -> Edit:
    def edit(old: bytes | None) -> bytes:
        text = (old or b"").decode()
        section = "[core]\n    remote = storage\n"
        begun = text.replace("[core]\n", section, 1) if "[core]\n" in text else section + text
        return (begun.rstrip("\n") + "\n" + _STORAGE.format(default)).encode()

    return edit


def _ignoring(old: bytes | None) -> bytes:
    return with_lines(old, ("/config.local", "/tmp", "/cache"))  # noqa: S108 - below .dvc
