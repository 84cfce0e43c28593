"""Stopping what cannot be stopped the usual way: runs that wait, kernels that are kept, sessions that say nothing."""

from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid import runs
from containerid.clock import Clock
from containerid.errors import Detached, Refused, StillRunning, UsageError
from containerid.events import LogLine
from containerid.home import Home
from containerid.job import Leg, Past, Result, Spec, State, Status
from containerid.kaggle import control
from containerid.kaggle.backend import KaggleBackend
from containerid.kaggle.bootstrap import child
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.runs import legs
from containerid.runs.cancel import PATIENCE
from containerid.runs.lock import locked
from containerid.runs.registry import Registry, Run


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture
def registry(home: Home) -> Registry:
    return Registry(home.registry)


@pytest.fixture
def waiting(recorder: EmbeddedKaggle, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A Kaggle that has no machine for anybody."""
    monkeypatch.setenv("CID_KAGGLE_URL", recorder.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "alice")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    return Wire(recorder.url)


def known(registry: Registry, name: str = "exp001-1", state: State = State.QUEUED, **spec: object) -> Run:
    registry.add(Run(run=name, backend="kaggle", experiment="exp001"))
    registry.set_spec(name, Spec(run=name, backend="kaggle", **spec))
    return registry.move(name, state)


def pushed(registry: Registry, alice: Wire, slug: str = "cid-exp001-1", **spec: object) -> Run:
    alice.push(slug)
    run = known(registry, **spec)
    return registry.set_leg(run.run, Leg(f"alice/{slug}", "1", f"{alice.url}/code/alice/{slug}"))


@pytest.mark.parametrize("state", [State.CREATED, State.SYNCED, State.WAITING, State.SUBMITTING])
def test_a_run_of_which_nothing_was_sent_is_taken_back(registry, waiting, home, state):
    stopped = runs.cancel(known(registry, state=state), home=home)
    assert (stopped.how, stopped.run.state) == ("unsent", State.CANCELLED)
    assert runs.error_of(stopped.run).code == 8


def test_a_run_that_another_process_submits_is_left_to_it(registry, waiting, home):
    run = known(registry, state=State.WAITING)
    with locked(home.parcel(run.run) / "submit.lock"), pytest.raises(Refused) as caught:
        runs.cancel(run, home=home)
    assert "Ctrl-C there" in caught.value.hint
    assert registry.get(run.run).state is State.WAITING


def test_a_leg_that_was_not_sent_leaves_the_run_as_the_leg_before_did(registry, waiting, home):
    run = pushed(registry, waiting)
    registry.set_result(run.run, Result(run=run.run, outcome="paused", checkpoint={"epoch": 1, "epochs": 3}))
    run = registry.move(run.run, State.PAUSED)
    assert legs.begin(registry, run, Past(kind="kernel", source=run.handle))
    stopped = runs.cancel(registry.get(run.run), home=home)
    assert (stopped.how, stopped.run.state, stopped.run.handle) == ("unsent", State.PAUSED, run.handle)


def test_a_push_that_arrived_although_nobody_knows_is_found_before_it_is_cancelled(registry, waiting, home):
    waiting.push("cid-exp001-1", "print('exp001-1')")
    with pytest.raises(StillRunning):
        runs.cancel(known(registry, state=State.SUBMITTING), home=home)
    assert registry.get("exp001-1").handle == "alice/cid-exp001-1"


def test_a_run_in_the_queue_is_told_to_stop_as_soon_as_it_begins(registry, waiting, home, cid):
    run = pushed(registry, waiting)
    said = cid("cancel", run.run)
    assert said.code == 11
    assert "stops when it gets one: asked over the dataset alice/cid-control-" in said.err
    assert f"cid cancel {run.run} --delete" in said.err


def test_what_neither_hears_nor_says_its_id_is_refused_with_what_to_do_by_hand(registry, waiting, home, cid):
    run = pushed(registry, waiting, internet=False)
    said = cid("cancel", run.run)
    assert said.code == 5
    assert "a run without internet hears nobody" in said.err
    assert "the session did not say its id" in said.err
    assert f"cid cancel {run.run} --delete" in said.err
    assert run.url in said.err
    assert registry.get(run.run).state is State.QUEUED


def test_a_kernel_that_is_kept_for_several_runs_is_not_deleted(registry, waiting, home):
    run = pushed(registry, waiting, slug="doors")
    with pytest.raises(Refused, match="kept for several runs"):
        runs.delete(run, home=home)
    assert waiting.status("doors")["status"] == "QUEUED"


def test_a_lost_answer_to_a_deletion_is_looked_up(registry, waiting, home, recorder):
    run = pushed(registry, waiting)
    recorder.drop_answer("DeleteKernel")
    assert runs.delete(run, home=home).how == "deleted"
    assert [call.rpc for call in recorder.calls].count("DeleteKernel") == 1


def test_a_run_without_a_kernel_has_nothing_to_delete(registry, waiting, home):
    with pytest.raises(UsageError):
        runs.delete(known(registry, state=State.FAILED), home=home)


def test_each_leg_has_a_wish_of_its_own():
    assert len({control.mark("a", leg) for leg in (1, 2, 3)}) == 3
    assert len({control.dataset("ada", "a", leg) for leg in (1, 2, 3)}) == 3


def test_a_session_is_known_by_what_it_said_whatever_else_is_in_its_log():
    said = ["CID_SESSION nonsense", 'CID_SESSION {"id": 7}', "other", 'CID_SESSION {"id": 7, "hears": ["git"]}']
    told = control.listen(LogLine(0, "stdout", text) for text in said)
    assert (told.id, told.hears) == (7, ("git",))
    assert control.listen([]).hears is None


def test_a_run_has_time_to_hear_to_pause_and_to_be_seen_as_ended():
    assert control.EVERY + control.PATIENCE + child.GRACE < PATIENCE - control.EVERY


def test_a_kernel_that_does_not_exist_is_not_said_to_be_forbidden(waiting, cid):
    said = cid("cancel", "alice/nope", "--delete", "--yes")
    assert (said.code, "alice/nope" in said.err) == (2, True)


def test_whoever_leaves_after_the_wish_was_put_learns_that_it_stands(registry, waiting, home, monkeypatch):
    run = pushed(registry, waiting)

    def leave(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(KaggleBackend, "status", lambda *_: Status(State.RUNNING))
    with pytest.raises(Detached, match=f"the wish stands: {run.run} will stop"):
        runs.cancel(run, home=home, clock=Clock(sleep=leave))
