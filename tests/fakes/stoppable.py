"""Tiny runs on the embedded Kaggle that go on until somebody stops them."""

from pathlib import Path
from typing import Any

from fakes.kernels import STUB, embedded, write_tree

from containerid.backends import open_backend
from containerid.home import Home
from containerid.job import Data, Spec
from containerid.runs.registry import Registry, Run, State

_TRAINER = '''
"""Goes on for a minute. `behave`: `checkpoint` pauses for the stop file, `early` has none, `deaf` ignores all."""
import json, os, pathlib, signal, sys, time

option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
spec = json.loads(pathlib.Path(option["--spec"]).read_text())
out = pathlib.Path(option["--out"])
behave = spec["params"].get("behave", "checkpoint")


def end(outcome, code, **more):
    result = {"version": 1, "run": spec["run"], "outcome": outcome, "exit_code": code, **more}
    (out / "result.json").write_text(json.dumps(result))
    (out / "manifest.json").write_text(json.dumps({"version": 1, "run": spec["run"], "files": []}))
    print("CID_RESULT " + json.dumps(result), flush=True)
    sys.exit(code)


signal.signal(signal.SIGTERM, lambda *_: None if behave == "deaf" else end("cancelled", 8, reason="stopped by SIGTERM"))
if behave != "early":
    (out / "weights").mkdir()
    (out / "weights/resume.pt").write_bytes(b"state")
print("ready", flush=True)
until = time.monotonic() + 60
while time.monotonic() < until:
    if behave == "checkpoint" and os.path.exists(os.environ["CID_STOP_FILE"]):
        end("paused", 9, reason="asked to stop after epoch 1", checkpoint={"epoch": 1, "epochs": 3, "asked": True})
    time.sleep(0.05)
'''

PROJECT = {**STUB, "containerid/training/__main__.py": _TRAINER}


def start(home: Home, folder: Path, name: str = "exp001-1", behave: str = "checkpoint", **code: Any) -> Run:
    """Submit a run of the project in `folder`, and wait until it is ready to be stopped."""
    code, archive = embedded(write_tree(folder / "code", PROJECT), **code)
    spec = Spec(
        run=name, backend="kaggle", params={"behave": behave}, code=code, data=Data(provider="synthetic"), gpu=False
    )
    (home.parcel(name) / "code.tar.xz").write_bytes(archive)
    registry, backend = Registry(home.registry), open_backend("kaggle", home)
    registry.add(Run(run=name, backend="kaggle", project="doors", folder=str(folder), experiment="exp001"))
    registry.set_spec(name, spec)
    leg = backend.submit(spec)
    registry.set_leg(name, leg)
    assert any(line.text == "ready" for line in backend.logs(leg, follow=True) if line.text == "ready" or _end(line))
    return registry.move(name, State.RUNNING)


def _end(line: Any) -> bool:
    assert not line.text.startswith("CID_RESULT"), line.text
    return False
