"""A secret planted in the vault reaches training, and is found nowhere else: real wire, real kernel, real files."""

import base64
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes.repositories import Project, project

from containerid.kaggle.emulator import EmbeddedKaggle

PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 1}
  wandb: {mode: online}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
"""
# It proves that it got the value by its SHA-256, and tries every way to give it away that we thought of.
TRAINER = """
import base64, hashlib, json, os, pathlib, sys, urllib.parse
key = os.environ["WANDB_API_KEY"]
out = pathlib.Path(os.environ["CID_OUT"])
digest = hashlib.sha256(key.encode()).hexdigest()
print("proof", digest)
print("the key is", key)
print(base64.b64encode(key.encode()).decode(), base64.b64encode(b"x" + key.encode()).decode())
print(base64.b64encode(b"xy" + key.encode() + b"z").decode())
print(urllib.parse.quote(key, safe=""), json.dumps({"key": key}), repr(key))
print(key[:20]); print(key[20:])
sys.stdout.write(key[:13]); sys.stdout.flush(); sys.stdout.write(key[13:] + "\\n")
os.write(2, key.encode() + b"\\n")
os.system('echo "by a child: $WANDB_API_KEY"')
(out / "settings.json").write_text(json.dumps({"api_key": key}))
(out / "blob.bin").write_bytes(b"\\0\\xff" + key.encode())
(out / "metrics.json").write_text(json.dumps({"test/mAP50": 0.5}))
raise SystemExit(f"the last words name {key}")
"""


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedKaggle]:
    with EmbeddedKaggle(tmp_path / "kaggle") as server:
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
        yield server


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = project(tmp_path)
    made.write("params.yaml", PARAMS)
    made.write("trainer.py", TRAINER)
    made.write(".gitignore", "/runs/\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("push", "-q", "-u", "origin", "main")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch, cid) -> str:
    """A key like W&B's, given to cid, and no longer in the environment."""
    value = base64.b32encode(os.urandom(30)).decode().lower()
    monkeypatch.setenv("WANDB_API_KEY", value)
    assert cid("secrets", "set", "WANDB_API_KEY").code == 0
    monkeypatch.delenv("WANDB_API_KEY")
    return value


def disguises(value: str) -> set[bytes]:
    """The value, halves of it, and all that it looks like in base64 and URLs."""
    encoded = {base64.b64encode(bytes(n) + value.encode())[8:-4] for n in range(3)}
    return {value.encode(), value[:20].encode(), value[20:].encode(), quote(value, safe="").encode(), *encoded}


class Processes(threading.Thread):
    """Collects the command lines of all processes while a run goes on."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


@pytest.mark.training
def test_a_secret_reaches_training_and_is_left_nowhere(cid, kaggle, repository, key, tmp_path, own_home):
    watched = Processes()
    watched.start()
    said = cid("train", "--kaggle", "-e", "exp001", "--json", "--device", "cpu")
    watched.over.set()
    watched.join()
    document = json.loads(said.out)
    run = document["run"]
    told = said.out + said.err + cid("logs", run).out + cid("show", run, "--json").out + cid("secrets", "list").out
    assert document["state"] == "failed"
    assert document["reason"].startswith("trainer ended with exit code 1: the last words name [redacted]")
    assert f"proof {hashlib.sha256(key.encode()).hexdigest()}" in told, "the trainer got another value, or none"
    assert "the key is [redacted]" in told
    outputs = Path(document["outputs"])
    assert "[redacted]" in (outputs / "settings.json").read_text()
    assert not (outputs / "blob.bin").exists()
    assert "blob.bin held a secret, and was taken out of the outputs" in told

    vaults = [folder for folder in (tmp_path / "kaggle/datasets").glob("*/*") if folder.name.startswith("cid-vault")]
    assert [folder.name for folder in vaults if folder.is_dir()] == ["cid-vault"]
    keychain = own_home / "cid/secrets.json"
    files = {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()} - {keychain}
    assert keychain.stat().st_mode & 0o777 == 0o600
    assert len(files) > 50
    for mark in disguises(key):
        assert mark.decode() not in told
        assert not [line for line in watched.seen if mark in line]
        assert not [path for path in files if mark in path.read_bytes()]
    (sealing,) = (path for path in (tmp_path / "kaggle/datasets/ada/cid-vault").rglob("*.key"))
    opener = sealing.read_bytes()
    elsewhere = [path for path in files if opener in path.read_bytes() and "cid-vault" not in path.parts]
    assert not elsewhere, "the key lies outside its dataset"
    (push,) = [call.body for call in kaggle.calls if call.rpc == "SaveKernel"]
    assert push["datasetDataSources"] == ["ada/cid-vault"]


def test_a_run_that_needs_no_secret_has_no_vault(cid, kaggle, repository, key):
    cid("train", "--kaggle", "-e", "exp001", "--set", "wandb.mode=offline", "--detach", "--device", "cpu")
    (push,) = [call.body for call in kaggle.calls if call.rpc == "SaveKernel"]
    assert not push.get("datasetDataSources")
    assert not [call for call in kaggle.calls if call.rpc == "CreateDataset"]


def test_a_missing_secret_refuses_before_anything_has_left(cid, kaggle, repository):
    before = repository.remote_refs()
    repository.write("more.py", "x = 1\n")
    said = cid("train", "--kaggle", "-e", "exp001", "--json", "--device", "cpu")
    assert said.code == 4
    assert "cid secrets set WANDB_API_KEY" in said.document["error"]["hint"]
    assert not [call for call in kaggle.calls if call.rpc in {"SaveKernel", "CreateDataset"}]
    assert repository.remote_refs() == before
