"""This repository is the first project of cid: what it asks of others holds for itself."""

import subprocess
import sys
from pathlib import Path

from containerid import config
from containerid.git import Repository

ROOT = Path(__file__).parents[1]


def test_this_repository_passes_its_own_secret_scan(tmp_path):
    """All of it, in a fresh repository without any exception."""
    listing = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "repository" / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True)
    repository = Repository.open(tmp_path / "repository")
    snapshot = repository.snapshot("all of it", mode="snapshot")
    assert repository.gate(snapshot, None) > 100


def test_the_reference_says_what_the_commands_say():
    typer = [sys.executable, "-m", "typer", "containerid.cli", "utils", "docs", "--name", "cid"]
    done = subprocess.run(
        [*typer, "--title", "Command reference"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    written = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert done.stdout.strip() == written.strip(), "make reference writes it anew"


def test_the_first_experiments_can_be_read():
    project = config.load(ROOT / "params.yaml")
    params = project.params("exp001")
    assert params.model.file == "yolo11s.pt"
    assert (params.training.epochs, params.training.learning_rate) == (100, 0.001)
    assert params.gates["test/mAP50"] == 0.88
    assert project.params("smoke").data.provider == "synthetic"
    assert project.git.allow == ()
