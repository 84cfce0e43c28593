"""The backend on the embedded Kaggle: real HTTP, and kernels that really run, small ones."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from containerid.clock import Clock
from containerid.errors import NotFound, Refused, Unreachable
from containerid.events import Event
from containerid.home import Home
from containerid.job import Code, Data, Leg, Spec, State
from containerid.kaggle import kernel
from containerid.kaggle.backend import KaggleBackend, open_rehearsal
from containerid.kaggle.emulator import EmbeddedKaggle, daemon
from containerid.kaggle.plan import KaggleSettings
from containerid.training.data import NOTE_FILE, digest

RUN = "tiny-20261121-045528-3fa9c1"
ARCHIVE = b"no archive, since nobody unpacks it"


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture
def backend(kaggle: EmbeddedKaggle, home: Home) -> KaggleBackend:
    return KaggleBackend(home, KaggleSettings(), clock=Clock(sleep=lambda seconds: None))


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
    files = backend.plan(spec).files | {"kernel.py": f"import json\nCARGO = json.loads({cargo!r})\n{script}".encode()}
    for name, content in files.items():
        (home.parcel(spec.run) / name).write_bytes(content)
    leg = backend.submit(spec)
    return leg, [line.text for line in backend.logs(leg, follow=True)]


@pytest.mark.training
def test_a_kernel_runs_is_followed_and_leaves_its_files(kaggle, backend, spec, home, tmp_path):
    script = """
import os, sys
print("hello ✓")
print("to stderr", file=sys.stderr)
os.makedirs("weights")
open("weights/best.pt", "wb").write(b"weights")
"""
    leg, seen = run(backend, spec, home, script)
    assert leg.handle == f"alice/{kernel.slug(RUN)}"
    assert (leg.version, leg.url.startswith(kaggle.url)) == ("1", True)
    assert {"hello ✓", "to stderr"} <= set(seen)
    assert backend.status(leg).state is State.SUCCEEDED
    kept = [line.text for line in backend.logs(leg, follow=False)]
    assert {"hello ✓", "to stderr"} <= set(kept)
    (output,) = [each for each in backend.outputs(leg) if each.name == "weights/best.pt"]
    assert output.size == 7
    backend.download(output, tmp_path / "best.pt")
    assert (tmp_path / "best.pt").read_bytes() == b"weights"
    assert backend.find(spec) == leg


@pytest.mark.training
def test_a_kernel_that_raises_has_failed(backend, spec, home):
    leg, seen = run(backend, spec, home, "raise SystemExit('the reason')")
    assert backend.status(leg).state is State.FAILED
    assert any("the reason" in line for line in seen)


@pytest.mark.training
def test_a_data_folder_arrives_as_it_was(kaggle, backend, spec, home, tmp_path):
    folder = tmp_path / "set"
    for name in ("data.yaml", "images/train/a b.jpg", "images/val/b.jpg", "labels/train/a b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    asked = replace(spec, data=Data(provider="folder", source=str(folder), digest=digest(folder)))
    prepared = backend.prepare(asked, quiet)
    script = """
import os
from pathlib import Path
owner, slug = CARGO["spec"]["data"]["source"].split("/")
mounts = Path(os.environ.get("CID_KAGGLE_ROOT", "/kaggle")) / "input"
for place in (mounts / "datasets" / owner / slug, mounts / slug):
    print(sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()))
"""
    _, seen = run(backend, prepared, home, script)
    sent = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    expected = str(sorted([*sent, NOTE_FILE]))
    assert seen.count(expected) == 2


def test_the_same_data_goes_up_once(kaggle, backend, spec, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/data.yaml").write_text("names: [a]", encoding="utf-8")
    asked = replace(spec, data=Data(provider="folder", source=str(tmp_path / "set")))
    assert backend.prepare(asked, quiet) == backend.prepare(asked, quiet)
    assert [call.rpc for call in kaggle.calls].count("CreateDataset") == 1


def test_a_lost_answer_is_found_again_and_not_pushed_twice(kaggle, backend, spec):
    kaggle.drop_answer("SaveKernel")
    with pytest.raises(Unreachable):
        backend.submit(spec)
    found = backend.find(spec)
    assert found is not None
    assert found.version == "1"
    assert [call.rpc for call in kaggle.calls].count("SaveKernel") == 1


def test_a_push_that_was_never_taken_is_not_found(kaggle, backend, spec):
    kaggle.plan("SaveKernel", "reset")
    with pytest.raises(Unreachable):
        backend.submit(spec)
    assert backend.find(spec) is None


def test_full_slots_are_refused_and_worth_another_try(home, spec, tmp_path, monkeypatch):
    with EmbeddedKaggle(tmp_path / "full", run=False, cpu_slots=1) as kaggle:
        for name, value in {"CID_KAGGLE_URL": kaggle.url, "KAGGLE_USERNAME": "alice", "KAGGLE_KEY": "0" * 32}.items():
            monkeypatch.setenv(name, value)
        backend = KaggleBackend(home)
        backend.submit(spec)
        (home.parcel("second-1") / "code.tar.xz").write_bytes(ARCHIVE)
        with pytest.raises(Refused, match="session count of 1 reached") as caught:
            backend.submit(replace(spec, run="second-1"))
        assert caught.value.retryable


def test_a_run_whose_dataset_is_missing_is_stopped(kaggle, home, spec):
    backend = KaggleBackend(home, KaggleSettings(dataset_sources=("alice/none",)))
    with pytest.raises(Refused, match="so the run was stopped"):
        backend.submit(spec)
    assert backend.find(spec) is None


def test_the_account_and_its_hours_are_told(kaggle, backend):
    assert backend.account().startswith("alice ")
    quota = backend.quota()
    assert (quota.total_h, quota.used_h, quota.left_h) == (30, 0, 30)
    assert quota.refresh is not None
    assert quota.origin == kaggle.url


def test_what_nobody_knows_is_not_found(kaggle, backend):
    with pytest.raises(NotFound):
        backend.status(Leg("alice/none"))
    with pytest.raises(NotFound):
        list(backend.logs(Leg("alice/none"), follow=True))


def test_a_rehearsal_starts_its_kaggle_when_it_is_first_needed(home, spec):
    backend = open_rehearsal(home, {"username": "bob"})
    assert dict(backend.plan(spec).rows)["kernel"].startswith("rehearsal/")
    assert daemon.find(home) is None
    try:
        assert backend.quota().total_h == 30
        assert daemon.find(home) is not None
        assert backend.find(spec) is None
    finally:
        daemon.stop(home)


def test_loading_the_backend_loads_no_client():
    heavy = "requests", "kagglesdk", "jinja2", "pydantic", "stamina"
    code = f"import sys, containerid.kaggle.backend; sys.exit(str([n for n in {heavy} if n in sys.modules] or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
