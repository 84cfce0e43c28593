"""Legs run in this process: a spec goes in, what was left behind comes out."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containerid.job import Data, Result, Spec
from containerid.training.run import run

TINY = {
    "model": {"architecture": "yolo11n", "pretrained": False},
    "training": {"epochs": 1, "imgsz": 64, "batch_size": 4, "plots": False, "workers": 0},
    "wandb": {"mode": "disabled"},
}
"""The smallest training that is one."""


@dataclass
class Leg:
    """A folder in which legs run one after the other.

    Attributes:
        folder: holds the spec, `out` and `input`; the project's folder is the working folder of the test.
        code: the exit code of the last.
    """

    folder: Path
    code: int = -1
    before: dict[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, **asked: Any) -> Result:
        """Run a spec. Returns its result, read from the file."""
        spec = Spec(**{"run": "r1", "device": "cpu", "params": TINY, **asked})
        (self.folder / "spec.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
        return self.run_file()

    def run_file(self) -> Result:
        """Run what lies in spec.json."""
        before, tempfile.tempdir = tempfile.tempdir, str(self.folder)
        try:
            self.code = run(self.folder / "spec.json", self.out, self.folder / "input", self.before)
        finally:
            tempfile.tempdir = before
        return self.result()

    def result(self) -> Result:
        return Result.from_dict(json.loads((self.out / "result.json").read_text(encoding="utf-8")))

    def log(self) -> str:
        return (self.out / "train.log").read_text(encoding="utf-8")

    def manifest(self) -> dict[str, dict[str, Any]]:
        document = json.loads((self.out / "manifest.json").read_text(encoding="utf-8"))
        return {entry["path"]: entry for entry in document["files"]}


def of_folder(folder: Path) -> Data:
    return Data(provider="folder", source=str(folder))


_SUFFIXES = {"segment": "seg", "classify": "cls"}


def model_of(task: str) -> dict[str, Any]:
    """The smallest model for a task other than detection, as params.yaml names it."""
    return {"architecture": f"yolo11n-{_SUFFIXES.get(task, task)}", "pretrained": False}


def check_measured(leg: Leg, task: str, metric: str) -> None:
    """The last leg trained for this task, on eight images, and measured both splits that no epoch has trained on."""
    assert {f"val/{metric}", f"test/{metric}"} <= set(leg.result().metrics)
    told = json.loads((leg.out / "metadata.json").read_text(encoding="utf-8"))
    assert told["hyperparameters"]["task"] == task
    assert told["data"]["splits"]["train"]["images"] == 8
