"""What a submit does when the platform refuses, is silent, or is asked twice. The platform is one in memory."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.platform import Platform, PlatformBackend
from fakes.repositories import git

from containerid import backends, runs
from containerid.clock import Clock
from containerid.errors import CredentialsError, Refused, StillRunning, Throttled, Unreachable, UsageError
from containerid.events import Doubt, Event, Planned
from containerid.home import Home
from containerid.job import Leg, Result, Spec, State, Status
from containerid.outlook import Finding, Hours, Outlook, Session
from containerid.runs import Registry, Request, Run
from containerid.runs.submit import submit

PARAMS = """
detection:
  model: {architecture: yolo11n, pretrained: false}
  data: {provider: synthetic, images: 400}
  training: {epochs: 100}
experiments:
  exp001: {}
  exp002: {}
"""
FULL = Refused("all slots are in use", hint="--wait", retryable=True)


@dataclass
class Account:
    """What a metered platform says of itself; `places` is how many are free, one answer after another."""

    left: float = 30
    places: list[int] = field(default_factory=lambda: [2])
    findings: list[Finding] = field(default_factory=list)
    asked: int = 0


class MeteredBackend(PlatformBackend):
    """The platform with a quota."""

    account = Account()

    def outlook(self, own: Mapping[str, str]) -> Outlook:
        account = MeteredBackend.account
        free = account.places[min(account.asked, len(account.places) - 1)]
        account.asked += 1
        refresh = datetime.now(UTC) + timedelta(days=3, minutes=5)
        taken = tuple(Session(f"ada/other{n}", "gpu", "running") for n in range(2 - free))
        return Outlook("ada (key)", Hours(30 - account.left, 0, 30, refresh), {"gpu": 2, "cpu": 5}, taken)

    def inspect(self, spec: Spec) -> Iterator[Finding]:
        return iter(MeteredBackend.account.findings)


@pytest.fixture
def account(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Account:
    MeteredBackend.account = Account()
    row = backends.Entry("test_submit:MeteredBackend", git="snapshot", first=0.001, cap=0.002, billed=True)
    monkeypatch.setitem(backends.TABLE, "metered", row)
    return MeteredBackend.account


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return tmp_path


class Time:
    """A clock that jumps; `then` happens when so many seconds have passed."""

    def __init__(self) -> None:
        self.now, self.then = 0.0, {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [moment for moment in self.then if moment <= self.now]:
            self.then.pop(moment)()

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def time() -> Time:
    return Time()


def request(folder: Path, backend: str = "platform", **more: Any) -> Request:
    return Request(backend=backend, folder=folder, **{"experiment": "exp001", "options": {"gpu": True}, **more})


def test_a_run_stays_one_when_the_same_is_submitted_again_before_it_has_arrived(platform, home, folder, registry):
    platform.answer, platform.arrives = Unreachable("no answer"), False
    with pytest.raises(Unreachable, match="no answer") as failure:
        submit(request(folder), home=home)
    assert "cid resume" in failure.value.hint
    (before,) = registry.runs()
    assert (before.state, before.reason) == (State.SUBMITTING, "no answer")
    platform.answer, platform.arrives = None, True
    run = submit(request(folder), home=home)
    assert (run.run, run.state) == (before.run, State.QUEUED)
    assert [spec.run for spec in platform.pushed] == [run.run]
    assert len(registry.runs()) == 1


def test_without_git_nobody_knows_the_code_and_the_same_submit_is_another_run(platform, home, folder, registry):
    first, second = submit(request(folder), home=home), submit(request(folder), home=home)
    assert first.run != second.run
    assert len(platform.pushed) == 2


@pytest.fixture
def pinned(folder, platform):
    """The project in git, on a platform where runs go on until the test ends them."""
    (folder / ".gitignore").write_text("/home/\n", encoding="utf-8")
    git(folder, "init", "-q")
    git(folder, "add", "params.yaml", ".gitignore")
    git(folder, "commit", "-q", "-m", "begin")
    platform.says = [Status(State.RUNNING)]
    return folder


def test_the_same_submit_follows_the_run_that_is_under_way(platform, home, pinned):
    told = []
    first = submit(request(pinned), home=home)
    again = submit(request(pinned, wait=True), home=home, tell=told.append)
    assert (again.run, again.state, len(platform.pushed)) == (first.run, State.RUNNING, 1)
    assert any(f"{first.run} is running" in getattr(event, "detail", "") for event in told)
    platform.says = [Status(State.SUCCEEDED)]
    assert submit(request(pinned), home=home).run != first.run, "the first one has ended"
    platform.says = [Status(State.RUNNING)]
    assert submit(request(pinned, new=True), home=home).run != first.run
    assert len(platform.pushed) == 3


@pytest.mark.parametrize("file", ["params.yaml", "train.py"])
def test_a_changed_file_is_another_run_than_the_one_under_way(platform, home, pinned, file):
    first = submit(request(pinned), home=home)
    with (pinned / file).open("a", encoding="utf-8") as text:
        text.write("\n# changed\n")
    assert submit(request(pinned), home=home).run != first.run
    assert submit(request(pinned, overrides=("training.epochs=3",)), home=home).run != first.run
    assert len(platform.pushed) == 3


def test_a_run_under_way_of_which_nothing_is_heard_is_not_started_twice(platform, home, pinned):
    submit(request(pinned), home=home)
    platform.says = [Unreachable("the network is gone")]
    with pytest.raises(Unreachable):
        submit(request(pinned), home=home)
    assert len(platform.pushed) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"experiment": "exp002"},
        {"overrides": ("training.epochs=3",)},
        {"quick": True},
        {"device": "cpu"},
        {"options": {"accelerator": "NvidiaL4"}},
        {"new": True},
    ],
)
def test_what_differs_is_another_run(platform, home, folder, registry, other):
    platform.answer, platform.arrives = Unreachable("no answer"), False
    for asked in (request(folder), request(folder, **other)):
        with pytest.raises(Unreachable):
            submit(asked, home=home)
    assert len(registry.runs()) == 2


def test_a_push_whose_answer_is_late_is_found_within_the_grace_time(platform, home, folder, time, monkeypatch):
    monkeypatch.setenv("CID_SUBMIT_GRACE", "60")
    platform.answer, platform.arrives = Unreachable("the answer was lost"), False
    spec = Spec(run="", backend="platform")

    def arrive() -> None:
        (name,) = (run.run for run in Registry(home.registry).runs())
        platform.pushed.append(Spec(run=name, backend="platform"))

    time.then[40] = arrive
    run = submit(request(folder), home=home, clock=time.clock)
    assert run.state is State.QUEUED
    assert [each.run for each in platform.pushed] == [run.run]
    assert 40 <= time.now <= 60
    assert spec.run == ""


def test_nothing_is_pushed_again_before_the_grace_time_is_over(platform, home, folder, time, monkeypatch):
    monkeypatch.setenv("CID_SUBMIT_GRACE", "60")
    platform.answer, platform.arrives = Unreachable("no answer"), False
    pushed_at: list[float] = []
    platform.before["submit"] = lambda _: pushed_at.append(time.now)
    with pytest.raises(Unreachable):
        submit(request(folder), home=home, clock=time.clock)
    assert pushed_at == [0, 60, 120]


def asks_for_less(after: float = 0) -> Throttled:
    error = Throttled("Kaggle asks for fewer requests", retryable=True)
    error.after = after
    return error


def test_a_push_that_was_put_off_is_made_again_after_the_pause_that_was_asked_for(
    platform, home, folder, time, monkeypatch
):
    monkeypatch.setenv("CID_SUBMIT_GRACE", "60")
    pushed_at: list[float] = []

    def put_off(_: Spec) -> None:
        pushed_at.append(time.now)
        if len(pushed_at) < 6:
            raise asks_for_less(after=20 if len(pushed_at) == 1 else 0)

    platform.before["submit"] = put_off
    told: list[Event] = []
    run = submit(request(folder), home=home, clock=time.clock, tell=told.append)
    assert run.state is State.QUEUED
    assert len(platform.pushed) == 1
    assert pushed_at == [0, 20, 22, 26, 34, 50], "nobody had to ask whether one of them had arrived"
    assert len([event for event in told if "fewer requests" in str(event)]) == 1, "it is said once"


@pytest.mark.parametrize("after", [0.0, 7.0, 3600.0])
def test_a_push_that_is_put_off_again_and_again_is_given_up(platform, home, folder, registry, time, after):
    platform.answer, platform.arrives = asks_for_less(after), False
    with pytest.raises(Throttled, match="fewer requests") as failure:
        submit(request(folder), home=home, clock=time.clock)
    assert failure.value.code == 6
    assert "cid resume" in failure.value.hint
    assert (time.now == 0) if after > 300 else (200 < time.now <= 300)
    assert registry.runs()[0].state is State.SUBMITTING
    platform.answer, platform.arrives = None, True
    assert submit(request(folder), home=home, clock=time.clock).state is State.QUEUED
    assert len(platform.pushed) == 1


def test_a_grace_time_that_is_no_number_is_refused(platform, home, folder, monkeypatch):
    monkeypatch.setenv("CID_SUBMIT_GRACE", "soon")
    platform.answer = Unreachable("no answer")
    with pytest.raises(UsageError, match="CID_SUBMIT_GRACE is 'soon'"):
        submit(request(folder), home=home)
    assert not platform.pushed, "it is known before anything is sent"


def test_a_push_is_not_called_refused_because_nobody_may_ask_whether_it_arrived(platform, home, folder, registry):
    def denied(_: Spec) -> None:
        raise CredentialsError("the token has run out", hint="cid doctor")

    platform.answer = Unreachable("no answer")
    platform.before["find"] = denied
    for _ in range(2):
        with pytest.raises(Unreachable, match="the token has run out"):
            submit(request(folder), home=home)
        assert registry.runs()[0].state is State.SUBMITTING
    platform.before.clear()
    assert submit(request(folder), home=home).state is State.QUEUED
    assert len(platform.pushed) == 1


@pytest.mark.parametrize("error", [CredentialsError("no"), UsageError("no"), Refused("no")])
def test_a_definite_no_is_a_state_and_nothing_is_left_hanging(platform, home, folder, registry, error):
    platform.answer, platform.arrives = error, False
    with pytest.raises(type(error)):
        submit(request(folder), home=home)
    (run,) = registry.runs()
    assert (run.state, run.reason) == (State.REFUSED, "no")


def test_resume_goes_on_with_a_run_that_may_have_arrived(platform, home, folder, registry):
    platform.answer, platform.arrives = Unreachable("no answer"), False
    with pytest.raises(Unreachable):
        submit(request(folder), home=home)
    platform.answer, platform.arrives = None, True
    run = runs.resume(registry.runs()[0], home=home)
    assert run.state is State.QUEUED
    platform.says = [Status(State.RUNNING)]
    with pytest.raises(StillRunning, match="nothing to resume"):
        runs.resume(run, home=home)


def test_what_another_process_has_submitted_meanwhile_is_joined(platform, home, folder, registry, monkeypatch):
    platform.answer, platform.arrives = Unreachable("no answer"), False
    with pytest.raises(Unreachable):
        submit(request(folder), home=home)
    (run,) = registry.runs()
    registry.set_leg(run.run, Leg("ada/x", "1"))
    registry.move(run.run, State.QUEUED)
    assert runs.resume(run, home=home).handle == "ada/x"
    assert platform.pushed == []


def test_full_slots_refuse_a_run_unless_somebody_says_go_on(account, platform, home, folder, registry):
    account.places = [0]
    with pytest.raises(Refused, match="all 2 GPU slots are in use: ada/other0, ada/other1") as failure:
        submit(request(folder, "metered"), home=home)
    assert "--wait" in failure.value.hint
    assert failure.value.retryable
    assert registry.runs()[0].state is State.REFUSED
    assert submit(request(folder, "metered"), home=home, ask=lambda _: True).state is State.QUEUED


def test_a_run_that_waits_starts_when_a_slot_is_free(account, platform, home, folder, registry, time):
    account.places = [0, 0, 0, 1]
    run = submit(request(folder, "metered", wait=True), home=home, clock=time.clock)
    assert run.state is State.QUEUED
    assert [state for state, _, _ in registry.transitions(run.run)] == [
        "created",
        "synced",
        "waiting",
        "submitting",
        "queued",
    ]
    assert time.now == 30 + 60 + 120
    assert len(platform.pushed) == 1


def test_a_slot_that_somebody_else_was_quicker_to_take_is_waited_for_again(account, platform, home, folder, time):
    platform.answer, platform.arrives = FULL, False

    def free() -> None:
        platform.answer, platform.arrives = None, True

    time.then[100] = free
    run = submit(request(folder, "metered", wait=True), home=home, clock=time.clock)
    assert run.state is State.QUEUED
    assert len(platform.pushed) == 1


def test_no_hours_left_refuse_a_run_and_name_the_day_on_which_there_are_more(account, home, folder, registry):
    account.left = 0
    with pytest.raises(Refused, match=r"quota is used up .* the week ends \d{4}-\d\d-\d\d .*in 3 days"):
        submit(request(folder, "metered"), home=home, ask=lambda _: True)
    assert registry.runs()[0].state is State.REFUSED


def test_a_cpu_run_needs_no_hours(account, home, folder):
    account.left = 0
    assert submit(request(folder, "metered", device="cpu"), home=home).state is State.QUEUED


def earlier(registry: Registry, folder: Path, hours: float, epochs: int = 100) -> None:
    spec = Spec(run="e1", experiment="exp001", project=folder.name, backend="metered", gpu=True)
    training = {"training": {"epochs": epochs, "imgsz": 640}}
    registry.add(Run(run="e1", backend="metered", project=folder.name, experiment="exp001"))
    registry.set_spec("e1", Spec.from_dict(spec.to_dict() | {"params": training}))
    registry.set_result("e1", Result(run="e1", outcome="succeeded", timeline={"train": hours * 3600}))
    registry.move("e1", State.SUCCEEDED)


def test_a_run_is_refused_by_what_earlier_ones_took_not_by_the_session_limit(account, home, folder, registry):
    account.left = 5
    earlier(registry, folder, hours=6)
    with pytest.raises(Refused, match=r"takes 6.1 h, as e1 took, and 5.0 GPU hours are left"):
        submit(request(folder, "metered"), home=home, ask=lambda _: True)
    again = request(folder, "metered", overrides=("training.epochs=50",), options={"gpu": True, "session_limit": 43200})
    assert submit(again, home=home).state is State.QUEUED


def test_a_guess_is_a_reason_to_ask_and_none_to_refuse_when_the_answer_is_yes(account, home, folder):
    account.left = 0.1
    with pytest.raises(Refused, match=r"a guess: 100 epochs × 400 images") as failure:
        submit(request(folder, "metered"), home=home)
    assert "-y goes on" in failure.value.hint
    asked: list[str] = []
    assert submit(request(folder, "metered"), home=home, ask=lambda q: not asked.append(q)).state is State.QUEUED
    assert len(asked) == 1
    assert "a guess" in asked[0]
    assert isinstance(asked[0], Doubt), "who only presses Enter has not said yes"


def test_a_plan_that_is_declined_leaves_no_trace(account, platform, home, folder, registry):
    with pytest.raises(UsageError, match="nothing was sent"):
        submit(request(folder, "metered"), home=home, ask=lambda _: False)
    assert registry.runs() == []
    assert platform.pushed == []
    assert list(home.folder("parcels").iterdir()) == []


def test_the_plan_of_a_rehearsal_leaves_out_what_it_takes_from_nobody(account, home, folder, monkeypatch):
    told: list[Event] = []
    monkeypatch.setitem(backends.TABLE, "rehearsal", backends.TABLE["metered"])
    submit(request(folder, "rehearsal"), home=home, tell=told.append)
    account.places, account.asked = [0], 0
    with pytest.raises(Refused, match="slots are in use"):
        submit(request(folder, "rehearsal", new=True), home=home, tell=told.append)
    first, second = (dict(event.rows) for event in told if isinstance(event, Planned))
    assert not {"account", "in use", "GPU hours"} & set(first)
    assert "2 of 2" in second["in use"], "what is against the run is told"


def test_the_plan_is_one_table_and_is_asked_once(account, home, folder):
    told: list[Event] = []
    asked: list[str] = []
    account.findings = [Finding("dataset", "ada/doors is ready")]
    submit(request(folder, "metered"), home=home, tell=told.append, ask=lambda q: not asked.append(q))
    (table,) = (event for event in told if isinstance(event, Planned))
    rows = dict(table.rows)
    assert rows["account"] == "ada (key)"
    assert rows["GPU hours"] == "30.0 h left of 30 (0.0 used, 0.0 reserved)"
    assert rows["in use"] == "0 of 2 GPU sessions"
    assert "a guess" in rows["estimate"]
    assert rows["dataset"] == "ada/doors is ready"
    assert len(asked) == 1
    assert not isinstance(asked[0], Doubt)


def test_what_speaks_against_a_run_is_not_put_to_the_vote(account, platform, home, folder):
    account.findings = [Finding("dataset", "NOT there", Refused("there is no dataset ada/doors"))]
    with pytest.raises(Refused, match="no dataset ada/doors"):
        submit(request(folder, "metered"), home=home, ask=lambda _: True)
    assert platform.pushed == []


def test_hours_that_running_sessions_reserve_are_not_left():
    assert Hours(used=10, reserved=12, total=30).left == 8


def test_data_that_is_not_on_the_dvc_remote_stops_the_run(account, platform, home, folder, registry):
    pytest.importorskip("dvc")

    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], cwd=folder, check=True, capture_output=True)

    dvc("init", "--no-scm")
    dvc("remote", "add", "-d", "storage", str(folder / "storage"))
    (folder / "doors").mkdir()
    (folder / "doors/data.yaml").write_text("names: [door]\n", encoding="utf-8")
    dvc("add", "doors")
    asked = request(folder, "metered", data="doors.dvc")
    with pytest.raises(UsageError, match=r"the DVC remote does not hold doors/") as failure:
        submit(asked, home=home)
    assert failure.value.hint == "dvc push doors.dvc"
    assert platform.pushed == []
    assert registry.runs()[0].state is State.REFUSED
    dvc("push")
    shutil.rmtree(folder / "doors")
    assert submit(asked, home=home).state is State.QUEUED


def test_what_dvc_cannot_tell_is_no_fault(account, home: Home, folder):
    (folder / "doors.dvc").write_text("outs: [{path: doors}]\n", encoding="utf-8")
    told: list[Event] = []
    submit(request(folder, "metered", data="doors.dvc"), home=home, tell=told.append)
    (table,) = (event for event in told if isinstance(event, Planned))
    assert "could not be checked" in dict(table.rows)["DVC"]
