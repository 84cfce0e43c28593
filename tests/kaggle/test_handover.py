"""What one leg leaves reaches the next, on the embedded Kaggle: attached where it can be, else in a dataset."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from containerid.clock import Clock
from containerid.errors import UsageError
from containerid.events import Event
from containerid.home import Home
from containerid.job import Code, Data, Leg, Spec, State
from containerid.kaggle import kernel
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.handover import carrier
from containerid.kaggle.plan import KaggleSettings

pytestmark = pytest.mark.training
RUN = "tiny-20261121-045528-3fa9c1"
ARCHIVE = b"no archive, since nobody unpacks it"
LEAVES = """
import os
os.makedirs("weights")
open("weights/resume.pt", "wb").write(b"state")
open("weights/best.pt", "wb").write(b"best")
open("results.csv", "w").write("epoch\\n1\\n")
open("packages.txt", "w").write("# installed by this run")
"""
FINDS = """
import pathlib
for path in sorted(pathlib.Path(os.environ.get("CID_KAGGLE_ROOT", "/kaggle"), "input").rglob("resume.pt")):
    print("found", "/".join(path.parts[path.parts.index("input") + 1:]), path.read_text())
    print("beside it", *sorted(each.name for each in path.parent.iterdir()))
"""


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture
def backend(kaggle: EmbeddedKaggle, home: Home) -> KaggleBackend:
    return KaggleBackend(home, KaggleSettings(session_limit=5), clock=Clock(sleep=lambda seconds: None))


@pytest.fixture
def spec(home: Home) -> Spec:
    (home.parcel(RUN) / "code.tar.xz").write_bytes(ARCHIVE)
    code = Code(digest=hashlib.sha256(ARCHIVE).hexdigest(), holds_package=True)
    return Spec(run=RUN, backend="kaggle", code=code, data=Data(provider="synthetic"), gpu=False)


def quiet(event: Event) -> None:
    pass


def run(backend: KaggleBackend, spec: Spec, home: Home, script: str) -> tuple[Leg, list[str]]:
    """Submit the spec with a script in place of the bootstrap, and follow it to its end."""
    cargo = json.dumps({"spec": spec.to_dict()})
    files = backend.plan(spec).files | {
        "kernel.py": f"import json, os\nCARGO = json.loads({cargo!r})\n{script}".encode()
    }
    for name, content in files.items():
        (home.parcel(spec.run) / name).write_bytes(content)
    leg = backend.submit(spec)
    return leg, [line.text for line in backend.logs(leg, follow=True)]


def found(lines: list[str]) -> set[str]:
    return {line for line in lines if line.startswith("found ")}


def test_the_outputs_of_a_leg_that_ended_in_order_are_attached(backend, spec, home):
    first, _ = run(backend, spec, home, LEAVES)
    past = backend.hand_over(spec, first, quiet)
    assert (past.kind, past.source) == ("kernel", f"alice/{kernel.slug(RUN)}")
    second, said = run(backend, replace(spec, leg=2, past=past), home, FINDS)
    assert second.handle == f"{first.handle}-l2", "a version of the same kernel would attach itself"
    assert f"found notebooks/{past.source}/weights/resume.pt state" in found(said)
    copied = backend.hand_over(spec, first, quiet, carried=True)
    assert (copied.kind, copied.source) == ("dataset", carrier("alice", RUN, 1)), "where they cannot be attached"


def test_the_checkpoint_of_a_leg_that_ran_over_its_time_is_carried_by_a_dataset(backend, spec, home):
    first, _ = run(backend, spec, home, LEAVES + "import time\ntime.sleep(60)\n")
    assert backend.status(first).state is State.FAILED
    past = backend.hand_over(spec, first, quiet)
    assert past.kind == "dataset"
    assert backend.hand_over(spec, first, quiet) == past, "it is sent once"
    _, said = run(backend, replace(spec, leg=2, past=past), home, FINDS)
    assert f"found datasets/{past.source}/resume.pt state" in found(said)
    assert "beside it best.pt packages.txt results.csv resume.pt" in said, "the versions that it had travel along"


def test_a_leg_without_a_checkpoint_cannot_be_gone_on_with(backend, spec, home):
    first, _ = run(backend, spec, home, "print('nothing')\n")
    with pytest.raises(UsageError, match=r"leg 1 of .* left no checkpoint to go on from"):
        backend.hand_over(spec, first, quiet)
