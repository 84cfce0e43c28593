"""A run pushes its model itself, through the real wire, a real kernel, a git host behind a password and a real DVC."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.dvc_server import DvcHost, dvc_host
from fakes.git_server import GitHost, git_host
from fakes.repositories import Project, git, project

from containerid.home import Home
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.kernel import read_cargo
from containerid.keychain import Keychain

TOKEN = "github" + "_pat_" + hashlib.sha256(b"published").hexdigest()[:40]
PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 1}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {gates: {test/mAP50: 0.5}}
  free: {}
versioning: {from_kernel: on-pass, path: weights/detection}
"""
TRAINER = """
import json, os, pathlib
out = pathlib.Path(os.environ["CID_OUT"])
(out / "weights").mkdir()
for name in ("best.pt", "last.pt"):
    (out / "weights" / name).write_bytes(os.urandom(50_000))
(out / "metrics.json").write_text(json.dumps({"test/mAP50": 0.75}))
"""
TRAIN = ("train", "--kaggle", "-e", "exp001", "--json", "--device", "cpu")


def run_dvc(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", "-q", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with git_host(tmp_path, f"x-access-token:{TOKEN}") as server:
        yield server


@pytest.fixture
def models(tmp_path: Path) -> Iterator[DvcHost]:
    with dvc_host(tmp_path / "objects") as server:
        yield server


@pytest.fixture
def repository(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch, host: GitHost, models: DvcHost
) -> Project:
    """Its user signs in to the host as git lets them."""
    made = project(tmp_path)
    (own_home / ".git-credentials").write_text(f"http://x-access-token:{TOKEN}@{host.place}\n")
    git(own_home, "config", "--global", "credential.helper", "store")
    made.git("remote", "set-url", "origin", f"http://{host.place}/door.git")
    made.write("params.yaml", PARAMS)
    made.write("trainer.py", TRAINER)
    made.write(".gitignore", "/runs/\n")
    made.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {models.url}\n")
    made.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("push", "-q", "-u", "origin", "main")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedKaggle]:
    with EmbeddedKaggle(tmp_path / "kaggle") as server:
        for name, value in {"CID_KAGGLE_URL": server.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def token(own_home: Path) -> str:
    Keychain(Home.of_user()).put("GITHUB_TOKEN", TOKEN)
    return TOKEN


def sent(kaggle: EmbeddedKaggle) -> list:
    return [call for call in kaggle.calls if call.rpc in {"SaveKernel", "CreateDataset"}]


@pytest.mark.training
def test_a_fresh_clone_pulls_the_very_model_that_a_run_left(cid, kaggle, repository, models, token, tmp_path, own_home):
    said = cid(*TRAIN)
    document = said.document
    run, told = document["run"], document["published"]
    assert (said.code, document["state"]) == (0, "succeeded")
    branch = f"refs/heads/cid/results/{run}"
    head = repository.git("rev-parse", "HEAD")
    assert repository.remote_refs() == {"refs/heads/main": head, branch: told["sha"]}
    assert git(repository.bare, "rev-parse", f"{branch}^") == document["sha"] == head
    assert told == {"branch": f"cid/results/{run}", "sha": told["sha"], "storage": models.url}
    assert f"published       cid/results/{run} ({told['sha'][:12]})" in cid("show", run).out

    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-b", told["branch"], repository.bare, clone], check=True)
    run_dvc(clone, "pull", "weights/detection/best.pt")
    manifest = json.loads((Path(document["outputs"]) / "manifest.json").read_text())
    (wanted,) = (entry["sha256"] for entry in manifest["files"] if entry["path"] == "weights/best.pt")
    assert hashlib.sha256((clone / "weights/detection/best.pt").read_bytes()).hexdigest() == wanted
    assert git(clone, "status", "--porcelain") == ""

    stored = list(models.stored)
    assert cid("promote", run, "-y").code == 0
    assert models.stored == stored, "what the kernel pushed was pushed again"
    for name in ("best.pt.dvc", "last.pt.dvc", "metadata.json.dvc", ".gitignore"):
        path = f"weights/detection/{name}"
        assert repository.git("show", f"HEAD:{path}") == git(repository.bare, "show", f"{branch}:{path}")

    text = said.out + said.err + cid("logs", run).out
    header = base64.b64encode(f"x-access-token:{TOKEN}".encode())
    files = {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()}
    assert len(files) > 50
    assert TOKEN not in text
    kept = {path for path in files if TOKEN.encode() in path.read_bytes() or header in path.read_bytes()}
    assert kept == {own_home / "cid/secrets.json", own_home / ".git-credentials"}


def test_a_token_that_the_remote_does_not_take_stops_the_run_before_anything_is_sent(
    cid, kaggle, repository, token, host
):
    host.password = "x-access-token:another"
    repository.write("more.py", "x = 1\n")
    before = repository.remote_refs()
    said = cid(*TRAIN)
    error = said.document["error"]
    assert said.code == 4
    assert "127.0.0.1 does not take GITHUB_TOKEN" in error["message"]
    assert "cid secrets set GITHUB_TOKEN" in error["hint"]
    assert "versioning.from_kernel: never" in error["hint"]
    assert TOKEN not in said.out + said.err
    assert sent(kaggle) == []
    assert repository.remote_refs() == before


def test_a_missing_token_is_asked_for_before_anything_is_sent(cid, kaggle, repository):
    said = cid(*TRAIN)
    assert said.code == 4
    assert said.document["error"]["hint"] == "cid secrets set GITHUB_TOKEN; or versioning.from_kernel: never"
    assert sent(kaggle) == []


@pytest.mark.parametrize(
    ("arguments", "settings", "address", "words"),
    [
        (("--no-internet",), None, "", "needs the network, and this run has none"),
        ((), "none", "", "door is no DVC project"),
        ((), "[core]\n", "", "DVC has no default remote in .dvc/config"),
        ((), "local", "", "DVC has no default remote in .dvc/config"),
        ((), "[core]\nremote = s\n['remote \"s\"']\nurl = ../models\n", "", "DVC's remote is a folder"),
        ((), None, "../door.git", "the git remote is a folder"),
        ((), None, "http://git.example.com/door.git", "is sent over https alone, and the git remote is http"),
        ((), None, "ada@alias:door.git", "there is no git remote that a run elsewhere could push its model to"),
    ],
    ids=[
        "no internet",
        "no DVC",
        "no DVC remote",
        "no DVC remote in git",
        "DVC folder",
        "git folder",
        "plain http",
        "ssh alias",
    ],
)
def test_a_run_that_could_never_push_is_refused(cid, kaggle, repository, token, arguments, settings, address, words):
    dvc = repository.root / ".dvc"
    if settings == "none":
        dvc.rename(repository.root.parent / "elsewhere")
    elif settings == "local":
        (dvc / "config").rename(dvc / "config.local")
    elif settings:
        (dvc / "config").write_text(settings)
    if address:
        repository.git("remote", "set-url", "origin", address)
    before = repository.remote_refs()
    said = cid(*TRAIN, *arguments)
    assert said.code == 2
    assert words in said.document["error"]["message"]
    assert said.document["error"]["hint"].endswith("; or versioning.from_kernel: never")
    assert sent(kaggle) == []
    assert repository.remote_refs() == before


def test_a_run_that_will_push_nothing_carries_no_token(cid, kaggle, repository, token):
    for asked in (("-e", "free"), ("-e", "exp001", "--quick")):
        assert cid("train", "--kaggle", *asked, "--detach", "--device", "cpu", "--json").code == 0
    assert [call.body.get("datasetDataSources") or [] for call in sent(kaggle)] == [[], []]


def test_a_snapshot_that_could_not_be_pushed_is_a_caution_and_no_token_is_sent(cid, kaggle, repository, token):
    repository.hook("pre-receive", "exit 1\n", remote=True)
    repository.write("more.py", "x = 1\n")
    said = cid(*TRAIN, "--detach")
    assert said.code == 0
    assert f"the run can push no model: later, cid promote {said.document['run']}" in said.err
    (push,) = sent(kaggle)
    assert not push.body.get("datasetDataSources")


def test_the_plan_says_what_will_be_pushed_where(cid, kaggle, repository, token):
    said = cid(*TRAIN, "--detach", "--set", "model.architecture=yolo11n-cls")
    run = said.document["run"]
    row = f"publishes      cid/results/{run}, with weights/classification in DVC, once its gates are met"
    assert row in said.err
    kernel = next(call.body["text"] for call in sent(kaggle) if call.rpc == "SaveKernel")
    assert read_cargo(kernel)["spec"]["publish"] == {"when": "on-pass", "path": "weights/classification"}


def test_a_run_here_leaves_it_to_promote(cid, repository):
    said = cid("train", "--local", "-e", "exp001", "--json", "--detach")
    assert said.code == 0
    assert cid("show", "--json").document["published"] == {}


def test_the_doctor_of_secrets_knows_that_the_project_needs_a_token(cid, repository):
    repository.write("params.yaml", PARAMS.replace("project: doors", "project: doors\ndefault_experiment: exp001"))
    needed = next(line for line in cid("secrets", "doctor").out.splitlines() if "needed here" in line)
    assert "GITHUB_TOKEN" in needed
