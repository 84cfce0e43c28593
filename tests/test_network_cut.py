"""The network goes away in the middle of an attached run: the server stops, the kernel goes on, the server returns."""

import threading
from pathlib import Path

import pytest
import stamina
from fakes.repositories import project

from containerid import backends
from containerid.kaggle.emulator import EmbeddedKaggle

PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 4}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
"""
TRAINER = """
import json, os, pathlib, time
for number in range(40):
    print(f"batch {number:02}", flush=True)
    time.sleep(0.15)
weights = pathlib.Path(os.environ["CID_OUT"]) / "weights"
weights.mkdir(exist_ok=True)
(weights / "best.pt").write_bytes(b"weights" * 1000)
(pathlib.Path(os.environ["CID_OUT"]) / "metrics.json").write_text(json.dumps({"test/mAP50": 0.75}))
"""
AWAY = 2.0
"""Seconds without a server."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = project(tmp_path)
    for name, text in {"params.yaml": PARAMS, "trainer.py": TRAINER, ".gitignore": "/runs/\n"}.items():
        made.write(name, text)
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("push", "-q", "-u", "origin", "main")
    monkeypatch.chdir(made.root)


class Cut(threading.Thread):
    """Stops a server when the first batch has been logged, and starts another on its folder and port after a while."""

    def __init__(self, kaggle: EmbeddedKaggle, state: Path) -> None:
        super().__init__(daemon=True)
        self.kaggle, self._state = kaggle, state
        self._over = threading.Event()
        self.happened = False

    def run(self) -> None:
        while not any("batch 05" in path.read_text() for path in self._state.glob("sessions/*/log.jsonl")):
            if self._over.wait(0.05):
                return
        port = self.kaggle.port
        self.kaggle.stop(end_sessions=False)
        self._over.wait(AWAY)
        self.kaggle = EmbeddedKaggle(self._state, port=port).start()
        self.happened = True

    def end(self) -> None:
        self._over.set()
        self.join(10)
        self.kaggle.stop()


@pytest.mark.training
def test_an_attached_run_whose_network_is_cut_ends_by_itself_with_the_verified_model(
    cid, repository, tmp_path, monkeypatch
):
    state = tmp_path / "kaggle"
    kaggle = EmbeddedKaggle(state).start()
    for name, value in {"CID_KAGGLE_URL": kaggle.url, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": "0" * 32}.items():
        monkeypatch.setenv(name, value)
    row = backends.TABLE["kaggle"]
    monkeypatch.setitem(backends.TABLE, "kaggle", backends.Entry(row.target, row.git, 0.2, 0.4, row.billed))
    cut = Cut(kaggle, state)
    cut.start()
    try:
        with stamina.set_testing(testing=True, attempts=1):
            said = cid("train", "--kaggle", "-e", "exp001", "-y", "--device", "cpu", "--json")
    finally:
        cut.end()
    assert cut.happened
    document = said.document
    assert (said.code, document["state"], document["verified"]) == (0, "succeeded", True)
    assert (Path(document["outputs"]) / "weights/best.pt").read_bytes() == b"weights" * 1000
    shown = [line.strip() for line in said.err.splitlines() if line.strip().startswith("batch ")]
    assert shown == [f"batch {number:02}" for number in range(40)]
    assert sum("is looked at again when the connection is back" in line for line in said.err.splitlines()) == 1
    assert sum("answers again" in line for line in said.err.splitlines()) == 1
