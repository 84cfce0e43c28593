"""What runs leave is cleaned up: shown first, deleted when it is safe, and every case that is not safe is refused."""

import hashlib
import json
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes.repositories import project
from fakes.wire import Wire

from containerid.home import Home
from containerid.job import Code, Data, Leg, Past, Result, Spec, State
from containerid.kaggle import control
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.handover import carrier
from containerid.kaggle.scratch import scratch
from containerid.runs import gc as cleaning
from containerid.runs import legs
from containerid.runs.ghosts import find_ghosts, glance
from containerid.runs.registry import Registry, Run


@dataclass
class Past24:
    """Runs that have been, on a Kaggle that only keeps the books."""

    alice: Wire
    home: Home
    folder: Path
    sessions: int = 0
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        self.registry = Registry(self.home.registry)

    def push(self, slug: str, run: str, *, ends: bool = True) -> None:
        """A session of a kernel whose source holds this run."""
        cargo = json.dumps({"spec": {"run": run}})
        self.alice.push(slug, f"import json\nCARGO = json.loads({cargo!r})\n")
        self.sessions += 1
        if ends:
            assert self.alice.rpc("CancelKernelSession", kernelSessionId=self.sessions).document == {}

    def run(self, name: str = "exp001-1", state: State = State.SUCCEEDED, *, ends: bool = True, **spec: Any) -> Run:
        """A run with its kernel, fetched and verified when it succeeded."""
        self.push(f"cid-{name}", name, ends=ends)
        self.registry.add(Run(run=name, backend="kaggle", created="2026-01-01T00:00:00Z", folder=str(self.folder)))
        self.registry.set_spec(name, Spec(run=name, backend="kaggle", **spec))
        self.registry.set_leg(name, Leg(f"alice/cid-{name}", "1"))
        (self.home.parcel(name) / "kernel.py").write_text("")
        self.registry.move(name, state)
        return self.fetched(name) if state is State.SUCCEEDED else self.registry.get(name)

    def fetched(self, name: str) -> Run:
        outputs = self.folder / "runs" / name
        outputs.mkdir(parents=True)
        (outputs / "best.pt").write_bytes(b"model")
        files = [{"path": "best.pt", "size": 5, "sha256": hashlib.sha256(b"model").hexdigest()}]
        (outputs / "manifest.json").write_text(json.dumps({"version": 1, "run": name, "files": files}))
        return self.registry.set_outputs(name, outputs, verified=True)

    def look(self) -> dict[str, str]:
        """Name to the reason why it stays; empty for what goes."""
        items = cleaning.survey(self.folder, home=self.home).items
        return {item.name: "" if item.goes else item.why for item in items}

    @property
    def kernels(self) -> list[str]:
        return [each["slug"] for each in self.alice.rpc("ListKernels", group="PROFILE").document["kernels"]]


@pytest.fixture
def past(recorder: EmbeddedKaggle, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Past24:
    monkeypatch.setenv("CID_KAGGLE_URL", recorder.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "alice")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Past24(Wire(recorder.url), Home.of_user(), folder)


def test_nothing_is_deleted_before_it_was_looked_at(past, cid):
    past.run()
    said = cid("gc", "--json")
    assert said.code == 0, said.err
    assert {(item["kind"], item["goes"], item["deleted"]) for item in said.document["items"]} == {
        ("kernel", True, False),
        ("parcel", True, False),
    }
    assert past.kernels == ["cid-exp001-1"]


def test_the_kernel_and_the_parcel_of_a_verified_run_go(past, cid):
    past.run()
    said = cid("gc", "--yes", "--json")
    assert all(item["deleted"] for item in said.document["items"])
    assert past.kernels == []
    assert not (past.home.root / "parcels" / "exp001-1").exists()
    assert "deleted by cid gc" in cid("show", "exp001-1").out
    assert (past.folder / "runs/exp001-1/best.pt").read_bytes() == b"model"


def _running(past: Past24) -> None:
    past.run(ends=False)


def _foreign(past: Past24) -> None:
    past.push("cid-exp001-1", "of another machine")


def _by_hand(past: Past24) -> None:
    past.alice.push("cid-exp001-1", "print('mine')")
    past.alice.rpc("CancelKernelSession", kernelSessionId=1)


def _named_like_another(past: Past24) -> None:
    past.run("exp002-1")
    past.push("cid-exp001-1", "exp002-1")


def _not_fetched(past: Past24) -> None:
    past.run(state=State.FAILED)


def _changed(past: Past24) -> None:
    run = past.run()
    (Path(run.outputs) / "best.pt").write_bytes(b"other")


def _gone(past: Past24) -> None:
    run = past.run()
    (Path(run.outputs) / "best.pt").unlink()


def _paused(past: Past24) -> None:
    past.run(state=State.PAUSED)
    past.fetched("exp001-1")


def _failed_with_a_checkpoint(past: Past24) -> None:
    past.run(state=State.FAILED)
    past.fetched("exp001-1")
    past.registry.set_result("exp001-1", Result(run="exp001-1", outcome="failed", checkpoint={"epoch": 1}))


def _goes_on_in_another_leg(past: Past24) -> None:
    run = past.run(state=State.PAUSED)
    past.fetched("exp001-1")
    assert legs.begin(past.registry, run, Past(kind="kernel", source=run.handle))


def _several_versions(past: Past24) -> None:
    past.run()
    past.push("cid-exp001-1", "exp001-1")


UNSAFE = {
    _running: "version 1 is queued",
    _foreign: "of no run of this registry",
    _by_hand: "of no run of this registry",
    _named_like_another: "exp002-1 has no such leg",
    _not_fetched: "its outputs were not fetched",
    _changed: "its outputs here are not whole",
    _gone: "its outputs here are not whole",
    _paused: "cid resume exp001-1 needs it",
    _failed_with_a_checkpoint: "cid resume exp001-1 needs it",
    _goes_on_in_another_leg: "exp001-1 is synced",
    _several_versions: "it holds 2 versions",
}


@pytest.mark.parametrize("make", UNSAFE, ids=lambda make: make.__name__.strip("_"))
def test_a_kernel_that_may_be_needed_stays(past, cid, make):
    make(past)
    assert UNSAFE[make] in past.look()["alice/cid-exp001-1"]
    assert cid("gc", "--yes").code == 0
    assert "cid-exp001-1" in past.kernels


def test_a_kernel_that_began_again_after_the_look_stays(past):
    past.run()
    surveyed = cleaning.survey(past.folder, home=past.home)
    past.push("cid-exp001-1", "exp001-1", ends=False)
    gone = cleaning.sweep(surveyed, [item for item in surveyed.items if item.kind == "kernel"], home=past.home)
    assert gone == []
    assert past.kernels == ["cid-exp001-1"]


def test_force_needs_somebody_who_types_the_slug(past, cid, monkeypatch):
    past.run(state=State.FAILED)
    assert cid("gc", "--force").code == 2
    monkeypatch.setattr("containerid.console.Screen.asks", True)
    for typed, left in (("", ["cid-exp001-1"]), ("cid-exp001", ["cid-exp001-1"]), ("cid-exp001-1", [])):
        monkeypatch.setattr("typer.prompt", lambda *_, typed=typed, **__: typed)
        assert cid("gc", "--force").code == 0
        assert past.kernels == left


def test_datasets_go_when_no_run_needs_them(past):
    wish = control.dataset("alice", "exp001-1", 1)
    sets = [f"cid-data-00000000000{number}" for number in (1, 2, 3)]
    for name in (*sets, "cid-vault", "cid-code-000000000001", wish[6:], "cid-control-ffffffffffff", "mine"):
        past.alice.dataset(name, {"a.txt": b"a"})
    code = Code(dataset="alice/cid-code-000000000001", transport="dataset")
    past.run("exp001-1", code=code, data=Data(provider="kaggle", source="alice/cid-data-000000000001"))
    past.run("exp002-1", State.PAUSED, data=Data(provider="kaggle", source="alice/cid-data-000000000002"))
    found = past.look()
    goes = {name for name, why in found.items() if not why and "/cid-exp" not in name and "/" in name}
    assert goes == {"alice/cid-data-000000000001", "alice/cid-code-000000000001", wish}
    assert found["alice/cid-vault"] == "the key of your secrets"
    assert found["alice/cid-data-000000000002"] == "cid resume exp002-1 needs it"
    assert (
        found["alice/cid-data-000000000003"] == found["alice/cid-control-ffffffffffff"] == "of no run of this registry"
    )
    assert "alice/mine" not in found


def test_what_carried_a_checkpoint_to_the_next_leg_stays_until_the_run_is_done(past, cid):
    names = {run: carrier("alice", run, 1) for run in ("exp001-1", "exp002-1", "exp003-1", "other-1")}
    for name in names.values():
        past.alice.dataset(name[6:], {"resume.pt": b"state"})
    past.run("exp001-1", leg=2, past=Past(kind="dataset", source=names["exp001-1"]))
    past.run("exp002-1", State.RUNNING, leg=2, past=Past(kind="dataset", source=names["exp002-1"]))
    past.run("exp003-1", State.PAUSED)
    found = past.look()
    assert [found[names[run]] for run in names] == [
        "",
        "exp002-1 is running",
        "cid resume exp003-1 needs it",
        "of no run of this registry",
    ]
    assert cid("gc", "--yes").code == 0
    left = {each["ref"] for each in past.alice.rpc("ListDatasets", group="MY").document["datasets"]}
    assert left == {name for run, name in names.items() if run != "exp001-1"}


def test_what_a_killed_upload_has_left_goes_and_what_is_being_sent_stays(past, cid):
    def upload() -> None:
        with scratch(past.home) as folder:
            (folder / "key-1.txt").write_text("secret")
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=upload)
    process.start()
    process.join()
    (killed,) = past.home.folder("uploads").iterdir()
    for name, age in (("tmp-old", 2), ("tmp-new", 0), ("old.json", 7), ("new.json", 5)):
        path = past.home.folder("uploads") / name
        path.touch() if "json" in name else path.mkdir()
        then = time.time() - age * 86400
        os.utime(path, (then, then))
    with scratch(past.home) as sending:
        assert past.look() == {
            killed.name: "",
            sending.name: f"process {os.getpid()} is sending it",
            "tmp-old": "",
            "tmp-new": "it is of today",
            "old.json": "",
            "new.json": "an upload that broke off goes on with it",
        }
        assert cid("gc", "--yes").code == 0
        left = {path.name for path in past.home.folder("uploads").iterdir()}
    assert left == {sending.name, "tmp-new", "new.json"}


def test_images_that_were_used_lately_stay(past):
    past.alice.dataset("cid-data-000000000001", {"a.txt": b"a"})
    past.registry.add(Run(run="exp001-1", backend="kaggle"))
    data = Data(provider="kaggle", source="alice/cid-data-000000000001")
    past.registry.set_spec("exp001-1", Spec(run="exp001-1", data=data))
    past.registry.move("exp001-1", State.SUCCEEDED)
    assert "used 0 days ago" in past.look()["alice/cid-data-000000000001"]


def test_deleted_datasets_are_gone(past, cid):
    past.alice.dataset("cid-code-000000000001", {"a.txt": b"a"})
    past.run(code=Code(dataset="alice/cid-code-000000000001", transport="dataset"))
    assert cid("gc", "--yes").code == 0
    assert past.alice.rpc("ListDatasets", group="MY").document["datasets"] == []


def test_refs_go_unless_they_alone_hold_the_code_of_a_good_run(past, monkeypatch, cid):
    doors = project(past.folder / "repositories")
    monkeypatch.chdir(doors.root)
    past.folder = doors.root
    alone = doors.git("commit-tree", "-m", "aside", "HEAD^{tree}")
    head = doors.git("rev-parse", "HEAD")
    for run, state in {
        "good-1": State.SUCCEEDED,
        "merged-1": State.SUCCEEDED,
        "bad-1": State.CANCELLED,
        "kept-1": State.PAUSED,
    }.items():
        past.registry.add(Run(run=run, backend="local", state=state))
        doors.git("push", "-q", "origin", f"{head if run == 'merged-1' else alone}:refs/cid/runs/{run}")
    for ref in (control.mark("bad-1", 1), control.mark("other-1", 1), "refs/cid/runs/other-1"):
        doors.git("push", "-q", "origin", f"{alone}:{ref}")
    assert cid("gc", "--yes").code == 0
    left = {ref.removeprefix("refs/cid/") for ref in doors.remote_refs() if ref.startswith("refs/cid/")}
    assert left == {"runs/good-1", "runs/kept-1", "runs/other-1", "ctl/other-1"}
    assert doors.remote_refs()["refs/heads/main"] == head


def test_a_branch_that_a_run_pushed_goes_once_the_remote_has_its_version(past, monkeypatch, cid):
    doors = project(past.folder / "repositories")
    monkeypatch.chdir(doors.root)
    code = doors.git("commit-tree", "-m", "code", "HEAD^{tree}", "-p", "HEAD")
    model = doors.git("commit-tree", "-m", "model", "HEAD^{tree}", "-p", code)
    for number, run in enumerate(("promoted-1", "here-1", "lone-1")):
        past.registry.add(Run(run=run, backend="local", state=State.SUCCEEDED))
        doors.git("push", "-q", "origin", f"{code}:refs/cid/runs/{run}", f"{model}:refs/heads/cid/results/{run}")
        if run != "lone-1":
            doors.git(
                "tag", "-a", f"detection_v1.{number}_20260101_x", "-m", f"x\n\nrun: {run}\npath: weights/detection"
            )
    doors.git("push", "-q", "origin", f"{model}:refs/heads/cid/results/other-1", "detection_v1.0_20260101_x")
    assert "promoted-1 was promoted to detection_v1.0_20260101_x" in cid("gc").out
    assert cid("gc", "--yes").code == 0
    left = {ref.removeprefix("refs/") for ref in doors.remote_refs()}
    models = {f"heads/cid/results/{run}" for run in ("here-1", "lone-1", "other-1")}
    codes = {f"cid/runs/{run}" for run in ("promoted-1", "here-1", "lone-1")}
    assert left == {"heads/main", "tags/detection_v1.0_20260101_x"} | models | codes


def test_without_credentials_what_is_here_is_still_cleaned(past, monkeypatch, cid):
    past.run()
    monkeypatch.delenv("KAGGLE_KEY")
    said = cid("gc", "--yes")
    assert said.code == 0
    assert said.err.count("not looked at") == 1
    assert not (past.home.root / "parcels" / "exp001-1").exists()


def test_a_local_run_keeps_its_outputs_until_they_are_fetched(past):
    past.registry.add(Run(run="here-1", backend="local", state=State.SUCCEEDED))
    past.registry.set_leg("here-1", Leg("1", "here-1"))
    past.home.parcel("here-1")
    assert "not fetched" in past.look()["here-1"]


# --- ghosts


def test_a_session_that_nobody_waits_for_is_found(past):
    past.push("cid-lost-1", "lost-1", ends=False)
    past.push("other", "not of cid", ends=False)
    past.run("seen-1", State.RUNNING, ends=False)
    past.run("over-1", State.FAILED)
    (ghost,) = find_ghosts(past.home)
    assert (ghost.handle, ghost.version, ghost.why) == ("alice/cid-lost-1", "1", "it is no run of this registry")


def test_a_run_that_is_over_here_and_goes_on_there_is_a_ghost(past):
    past.run("exp001-1", State.LOST, ends=False)
    (ghost,) = find_ghosts(past.home)
    assert (ghost.run, ghost.why, ghost.mend) == ("exp001-1", "the registry calls it lost", "cid cancel exp001-1")


def test_an_older_version_that_goes_on_is_a_ghost(past):
    past.push("cid-exp001-1", "exp001-1", ends=False)
    past.run("exp001-1", State.RUNNING, ends=False)
    past.registry.set_leg("exp001-1", Leg("alice/cid-exp001-1", "2"))
    (ghost,) = find_ghosts(past.home)
    assert (ghost.version, ghost.mend) == ("1", "cid cancel alice/cid-exp001-1/1")


def test_ghosts_are_shown_by_ls_and_by_doctor(past, cid):
    past.push("cid-lost-1", "lost-1", ends=False)
    assert "alice/cid-lost-1 version 1 is queued and billed" in cid("ls").out
    assert [each["handle"] for each in cid("ls", "--ghosts", "--json").document["ghosts"]] == ["alice/cid-lost-1"]
    (found,) = [each for each in cid("doctor", "--json").document["checks"] if each["name"] == "ghosts"]
    assert (found["good"], found["mend"]) == (False, "cid cancel alice/cid-lost-1/1")


def test_ls_asks_for_ghosts_once_in_ten_minutes_and_not_without_credentials(past, cid, recorder, monkeypatch):
    for _ in range(3):
        assert cid("ls").code == 0
    assert [call.rpc for call in recorder.calls].count("ListKernels") == 1
    monkeypatch.delenv("KAGGLE_KEY")
    (past.home.root / "ghosts.json").unlink()
    assert cid("ls").code == 0
    assert [call.rpc for call in recorder.calls].count("ListKernels") == 1


def test_a_list_does_not_wait_for_a_kaggle_that_is_silent(past, recorder):
    past.push("cid-lost-1", "lost-1", ends=False)
    recorder.plan("ListKernels", "stall", times=1)
    assert glance(past.home, seconds=0.05) == []
