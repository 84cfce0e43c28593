"""A project with a run that is ready to be promoted."""

import os
from pathlib import Path
from typing import Any

from fakes.repositories import Project, git, project

from containerid.home import Home
from containerid.job import Code, Result, Spec, State
from containerid.runs.registry import Registry, Run
from containerid.training.records import write_manifest

PARAMS = "project: doors\ndetection:\n  model: {architecture: yolo11n}\n"


class Studio:
    """A repository with a remote, a home, and runs that are over."""

    def __init__(self, folder: Path) -> None:
        self.project: Project = project(folder)
        self.home = Home(folder / "cid")
        self.project.write(".gitignore", "/runs/\n*.pt\n")
        self.project.write("params.yaml", PARAMS)
        self.project.git("commit", "-qam", "set up")
        self.project.git("push", "-q")

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.project.root

    def run(self, name: str = "exp001-1", *, content: bytes = b"weights", **spec: Any) -> Run:
        """A run that succeeded, was fetched and is verified."""
        registry = Registry(self.home.registry)
        row = Run(run=name, backend="local", project="doors", folder=str(self.root), experiment="exp001")
        registry.add(row)
        registry.set_spec(name, Spec(run=name, backend="local", code=Code(sha="a" * 40), **spec))
        registry.set_result(name, Result(run=name, outcome="succeeded", metrics={"val/mAP50": 0.91}))
        out = self.root / "runs" / name
        (out / "weights").mkdir(parents=True)
        (out / "weights/best.pt").write_bytes(content)
        (out / "weights/last.pt").write_bytes(content + b" later")
        (out / "metadata.json").write_text(f'{{"run": "{name}"}}\n', encoding="utf-8")
        write_manifest(out, name)
        registry.set_outputs(name, out, verified=True)
        return registry.move(name, State.SUCCEEDED)

    def mess(self) -> None:
        """Let the user be in the middle of something: staged, changed and new files."""
        self.project.write("staged.py", "staged = 1\n")
        self.project.git("add", "staged.py")
        self.project.write("train.py", "epochs = 2\n")
        self.project.write("new.txt", "new\n")

    def picture(self) -> dict[str, Any]:
        """All that a promotion must leave as it was: refs, index, status, every file that the user sees."""
        return {
            "refs": git(self.root, "for-each-ref", "--format=%(refname) %(objectname)"),
            "head": (self.root / ".git/HEAD").read_text(),
            "index": git(self.root, "ls-files", "--stage", "-v"),
            "status": git(self.root, "status", "--porcelain", "-uall", GIT_OPTIONAL_LOCKS="0"),
            "locks": sorted(path.name for path in (self.root / ".git").rglob("*.lock")),
            "files": self.files(),
            "remote": self.project.remote_refs(),
        }

    def files(self) -> dict[str, bytes]:
        """The files of the work tree that are no stage of a promotion, with their content."""
        found = {}
        for at, folders, names in os.walk(self.root):
            folders[:] = [each for each in folders if each != ".git" and not each.startswith(".cid-promotion-")]
            found |= {os.path.relpath(Path(at, name), self.root): Path(at, name).read_bytes() for name in names}
        return found

    def stages(self) -> list[Path]:
        """What promotions have left of their stages."""
        return list(self.root.glob(".cid-promotion-*"))
