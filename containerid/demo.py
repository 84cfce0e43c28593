"""`cid demo`: the main job from end to end, on a repository and images that it makes itself, with real training."""

import subprocess
import tempfile
from pathlib import Path

import yaml

from containerid import runs
from containerid.events import Step
from containerid.home import Home
from containerid.job import Tell
from containerid.runs.init import init
from containerid.runs.registry import Run

IMAGES = 240
EPOCHS = 14
IMGSZ = 160
_PARAMS = {
    "project": "container-doors",
    "default_experiment": "doors",
    "detection": {
        "model": {"architecture": "yolo11n", "pretrained": False},
        "training": {
            "epochs": EPOCHS,
            "batch_size": 8,
            "nbs": 8,
            "imgsz": IMGSZ,
            "optimizer": "AdamW",
            "learning_rate": 0.002,
            "warmup_epochs": 1,
            "workers": 2,
        },
        "data": {"provider": "folder", "path": "data/doors"},
    },
    "experiments": {"doors": {"description": "find the doors of shipping containers"}},
}


def show(folder: Path | None, *, tell: Tell, home: Home | None = None) -> Run:
    """Make a project with a remote, and train it through the embedded Kaggle as `cid train` would on the real one.

    Args:
        folder: where the project is made; a new folder under the system's temporary one by default.
        tell: gets what happens.
        home: the user's folder.

    Returns:
        The run, fetched and verified.
    """
    home = home or Home.of_user()
    place = (folder or Path(tempfile.mkdtemp(prefix="cid-demo-"))).absolute()
    project = _make(place, tell)
    tell(Step("train", "cid train --rehearse --git branch: commit and push, render, push over the wire, run, follow"))
    request = runs.Request(backend="rehearsal", folder=project, experiment="doors", git="branch")
    run = runs.watch(runs.submit(request, home=home, tell=tell), home=home, tell=tell)
    if runs.error_of(run) is None:
        tell(Step("fetch", "bring the outputs back and check each against the manifest"))
        run = runs.fetch(run, home=home, tell=tell)
    return run


def _make(place: Path, tell: Tell) -> Path:
    from containerid.training.synthetic import draw

    project = place / "project"
    project.mkdir(parents=True, exist_ok=True)
    tell(Step("project", f"a git repository in {project}, its remote beside it"))
    (project / "params.yaml").write_text(yaml.safe_dump(_PARAMS, sort_keys=False), encoding="utf-8")
    init(project, tell)
    with (project / ".gitignore").open("a", encoding="utf-8") as ignore:
        ignore.write("data/\n")
    tell(Step("data", f"draw {IMAGES} pictures of containers, {IMGSZ} px, with and without doors in sight"))
    draw(project / "data/doors", images=IMAGES, imgsz=IMGSZ, seed=7)
    for command in (
        ("init", "--quiet", "--bare", str(place / "remote.git")),
        ("-C", str(project), "init", "--quiet", "--initial-branch", "main"),
        ("-C", str(project), "config", "user.name", "cid demo"),
        ("-C", str(project), "config", "user.email", "demo@example.com"),
        ("-C", str(project), "remote", "add", "origin", str(place / "remote.git")),
    ):
        subprocess.run(("git", *command), check=True)
    return project
