"""A run of several sessions: how legs are chained, recorded, refused. The platform is one in memory."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes.platform import Platform, PlatformBackend

from containerid import backends, runs
from containerid.errors import CidError, NoCheckpoint, Refused, RunFailed, SourcesRefused, UsageError
from containerid.events import Caution, Event
from containerid.job import NOT_ATTACHED, Leg, Past, Spec, State, Status, Tell
from containerid.outlook import Finding, Hours, Outlook
from containerid.runs import Registry, Request, Run
from containerid.runs.leftovers import needs

TIME_UP = "Your notebook exceeded the max allowed execution duration."

PARAMS = """
detection:
  data: {provider: synthetic}
experiments: {exp001: {}}
"""


class SessionsBackend(PlatformBackend):
    """Each leg is a kernel of its own, that ends as `endings` says: an outcome and what it tells of its checkpoint."""

    endings: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    left: ClassVar[float] = 30.0
    reason: ClassVar[str] = ""
    handed: ClassVar[list[str]] = []
    empty: ClassVar[set[str]] = set()
    unattachable: ClassVar[list[SourcesRefused]] = []

    @classmethod
    def forget(cls) -> None:
        """As if it had never been asked for anything."""
        cls.endings, cls.handed, cls.unattachable, cls.empty = [], [], [], set()
        cls.left, cls.reason = 30.0, ""

    def submit(self, spec: Spec) -> Leg:
        if spec.past.kind == "kernel" and self.unattachable:
            error = self.unattachable[0]
            error.missing = error.missing or frozenset({spec.past.source})
            raise error
        super().submit(spec)
        outcome, kept = self.endings[spec.leg - 1]
        if outcome == "killed":
            return self._killed(spec, **kept)
        began, ended = f"2026-11-21T0{spec.leg}:00:00+00:00", f"2026-11-21T0{spec.leg}:30:00+00:00"
        self.platform.says = [Status(State.SUCCEEDED)]
        reason = self.reason if outcome == "failed" else ""
        told = {"started": began, "ended": ended, "checkpoint": kept, "reason": reason}
        self.platform.finish(spec.run, outcome=outcome, **told)
        return Leg(f"ada/cid-{spec.run}-l{spec.leg}", "1")

    def hand_over(self, spec: Spec, leg: Leg, tell: Tell, *, carried: bool = False) -> Past:
        if leg.handle in self.empty:
            raise NoCheckpoint(f"leg {spec.leg} left no checkpoint")
        self.handed.append(leg.handle)
        return Past(kind="dataset" if carried else "kernel", source=leg.handle)

    def _killed(self, spec: Spec, epochs: int, *, checkpoint: bool = True, says: str = TIME_UP) -> Leg:
        """No result is left, and what the epochs so far have written; the checkpoint with them."""
        lines = (json.dumps({"epoch": number, "epochs": 6}) + "\n" for number in range(1, epochs + 1))
        self.platform.files = {"progress.jsonl": "".join(lines).encode() + b'{"epoch": 9'}
        self.platform.files |= {"weights/resume.pt": b"state"} if checkpoint else {}
        self.platform.log = []
        self.platform.says = [Status(State.FAILED, says)]
        return Leg(f"ada/cid-{spec.run}-l{spec.leg}", "1")

    def outlook(self, own: Mapping[str, str]) -> Outlook:
        return Outlook("ada", Hours(30 - SessionsBackend.left, 0, 30), {"gpu": 2})

    def inspect(self, spec: Spec) -> Iterator[Finding]:
        return iter(())


@pytest.fixture
def run(home: runs.Home, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Submit a run whose legs will end like this."""
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    row = backends.Entry("test_run_legs:SessionsBackend", git="snapshot", first=0.001, cap=0.002, limit=3600)
    monkeypatch.setitem(backends.TABLE, "sessions", row)
    import test_run_legs

    backend = test_run_legs.SessionsBackend
    backend.forget()

    def submit(*endings: tuple[str, dict[str, Any]], **options: Any) -> Run:
        backend.endings = list(endings)
        request = Request(backend="sessions", folder=tmp_path, options=options, device="gpu")
        return runs.submit(request, home=home, ask=lambda _: True)

    submit.backend = backend  # type: ignore[attr-defined]
    return submit


def paused(epoch: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "paused", {"epoch": epoch, "epochs": 6, **more}


DONE: tuple[str, dict[str, Any]] = ("succeeded", {})


def silent(_: object) -> None:
    pass


def test_legs_are_chained_until_the_training_is_done(home, run, platform):
    begun = run(paused(2), paused(4), DONE, session_limit=1800)
    ended = runs.until_done(begun, home=home, tell=silent)
    assert ended.state is State.SUCCEEDED
    assert [(spec.leg, spec.past, spec.budget) for spec in platform.pushed] == [
        (1, Past(), 1800),
        (2, Past(kind="kernel", source=f"ada/cid-{begun.run}-l1"), 1800),
        (3, Past(kind="kernel", source=f"ada/cid-{begun.run}-l2"), 1800),
    ]
    document = ended.document()
    assert [(leg["number"], leg["handle"][-2:], leg["state"], leg["hours"]) for leg in document["legs"]] == [
        (1, "l1", "paused", 0.5), (2, "l2", "paused", 0.5), (3, "l3", "succeeded", 0.5)
    ]  # fmt: skip
    assert document["hours"] == 1.5
    assert [each.run for each in Registry(home.registry).runs()] == [begun.run], "one run, whatever its legs"


def test_one_leg_is_resumed_and_no_more(home, run, platform):
    begun = runs.watch(run(paused(2), paused(4), DONE), home=home, tell=silent)
    again = runs.resume(begun, home=home)
    assert (again.state, again.handle[-2:], again.result) == (State.QUEUED, "l2", None)
    assert len(platform.pushed) == 2


def test_a_session_lasts_as_long_as_the_platform_lets_it(run, platform):
    run(DONE)
    assert platform.pushed[0].budget == 3600


def test_a_pause_that_somebody_asked_for_is_not_undone(home, run, platform):
    ended = runs.until_done(run(paused(2, asked=True), DONE), home=home, tell=silent)
    assert (ended.state, len(platform.pushed)) == (State.PAUSED, 1)


def test_a_leg_that_gets_no_further_ends_the_chain(home, run, platform):
    with pytest.raises(RunFailed, match="no further than epoch 2: one epoch does not fit"):
        runs.until_done(run(paused(2), paused(2), DONE), home=home, tell=silent)
    assert len(platform.pushed) == 2


def test_a_leg_that_the_hours_left_do_not_suffice_for_is_not_begun(home, run, platform):
    begun = run(paused(2), DONE)
    run.backend.left = 0.9
    with pytest.raises(Refused, match=r"takes about 1.0 h, and 0.9 GPU hours are left"):
        runs.until_done(begun, home=home, tell=silent)
    assert Registry(home.registry).get(begun.run).state is State.PAUSED
    assert len(platform.pushed) == 1


def test_a_leg_that_the_platform_refuses_leaves_the_run_as_it_was(home, run, platform):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    platform.answer, platform.arrives = Refused("all slots are in use"), False
    with pytest.raises(Refused):
        runs.resume(before, home=home)
    after = Registry(home.registry).get(before.run)
    assert (after.state, after.handle, after.result, after.spec) == (
        State.PAUSED, before.handle, before.result, before.spec
    )  # fmt: skip
    assert after.reason == "leg 2 was refused: all slots are in use"
    platform.answer, platform.arrives = None, True
    assert runs.until_done(runs.resume(after, home=home), home=home, tell=silent).state is State.SUCCEEDED


def test_a_leg_that_was_killed_is_gone_on_with(home, run, platform):
    begun = runs.watch(run(("cancelled", {"epoch": 2, "epochs": 6}), DONE), home=home, tell=silent)
    assert begun.state is State.CANCELLED
    assert runs.until_done(runs.resume(begun, home=home), home=home, tell=silent).state is State.SUCCEEDED
    assert run.backend.handed == [f"ada/cid-{begun.run}-l1"]


def killed(epochs: int, **more: Any) -> tuple[str, dict[str, Any]]:
    return "killed", {"epochs": epochs, **more}


def test_a_leg_that_its_platform_has_killed_for_its_time_is_gone_on_with(home, run, platform):
    told: list[Event] = []
    ended = runs.until_done(run(killed(2), killed(4), DONE), home=home, tell=told.append)
    assert ended.state is State.SUCCEEDED
    assert [(leg["state"], leg["epoch"]) for leg in ended.legs] == [("failed", 2), ("failed", 4), ("succeeded", None)]
    assert all(leg["hours"] is not None for leg in ended.legs), "what it took counts, although it told nothing"
    said = [event.text for event in told if isinstance(event, Caution) and "ended for its time" in event.text]
    assert [each.rpartition("epoch ")[2] for each in said] == ["2 is done again", "4 is done again"]


def test_a_killed_leg_says_what_goes_on_from_it_and_is_kept(home, run):
    ended = runs.watch(run(killed(2), DONE), home=home, tell=silent)
    assert (ended.state, ended.diagnosis.kind) == (State.FAILED, "time-limit")
    assert ended.diagnosis.next.startswith(f"cid resume {ended.run} --until-done")
    assert needs(ended) == f"cid resume {ended.run} needs it"
    assert runs.resume(ended, home=home).handle.endswith("-l2")


@pytest.mark.parametrize("first", [killed(2, checkpoint=False), killed(0), killed(2, says="trouble")])
def test_without_a_checkpoint_or_for_another_reason_a_killed_leg_is_the_end(home, run, platform, first):
    ended = runs.until_done(run(first, DONE), home=home, tell=silent)
    assert (ended.state, len(platform.pushed)) == (State.FAILED, 1)


@pytest.mark.parametrize("second", [killed(2), paused(2)])
def test_two_legs_in_a_row_without_an_epoch_gained_end_the_chain(home, run, platform, second):
    begun = runs.watch(run(killed(2), second, DONE), home=home, tell=silent)
    with pytest.raises(RunFailed, match="no further than epoch 2"):
        runs.until_done(runs.resume(begun, home=home), home=home, tell=silent)
    assert len(platform.pushed) == 2, "also when another command began the second"


def refused_sources(*, stopped: bool = True, missing: str = "") -> SourcesRefused:
    error = SourcesRefused("started without its sources")
    error.stopped, error.missing = stopped, frozenset(filter(None, [missing]))
    return error


def carried(told: list[Event]) -> int:
    """How often it was said."""
    return len([event for event in told if "a private dataset carries" in str(event)])


def test_a_kernel_that_is_refused_as_a_source_is_carried_by_a_dataset(home, run, platform):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    run.backend.unattachable.append(refused_sources())
    told: list[Event] = []
    again = runs.resume(before, home=home, tell=told.append)
    assert (again.state, platform.pushed[-1].past) == (State.QUEUED, Past(kind="dataset", source=before.handle))
    assert [spec.leg for spec in platform.pushed] == [1, 2]
    assert carried(told) == 1


@pytest.mark.parametrize("error", [refused_sources(stopped=False), refused_sources(missing="ada/doors")])
def test_a_leg_that_goes_on_or_lacks_something_else_is_not_pushed_again(home, run, platform, error):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    run.backend.unattachable.append(error)
    with pytest.raises(SourcesRefused):
        runs.resume(before, home=home)
    assert len(platform.pushed) == 1
    assert Registry(home.registry).get(before.run).state is State.PAUSED


FAILED: tuple[str, dict[str, Any]] = ("failed", {})


def test_a_kernel_that_does_not_mount_is_carried_by_a_dataset(home, run, platform):
    run.backend.reason = f"{NOT_ATTACHED} (kernel ada/cid-1)"
    begun = run(paused(2), FAILED, DONE)
    run.backend.empty.add(f"ada/cid-{begun.run}-l2")
    told: list[Event] = []
    assert runs.until_done(begun, home=home, tell=told.append).state is State.SUCCEEDED
    first = f"ada/cid-{begun.run}-l1"
    assert [spec.past for spec in platform.pushed[1:]] == [Past(kind=k, source=first) for k in ("kernel", "dataset")]
    assert carried(told) == 1


def test_a_dataset_that_does_not_mount_either_is_the_end(home, run, platform):
    run.backend.reason = f"{NOT_ATTACHED} (a source)"
    begun = run(paused(2), FAILED, FAILED, DONE)
    run.backend.empty |= {f"ada/cid-{begun.run}-l{leg}" for leg in (2, 3)}
    assert runs.until_done(begun, home=home, tell=silent).state is State.FAILED
    assert len(platform.pushed) == 3


def test_a_leg_that_left_nothing_is_begun_again_from_what_the_one_before_it_left(home, run, platform):
    begun = run(paused(2), FAILED, DONE)
    ended = runs.until_done(begun, home=home, tell=silent)
    assert ended.state is State.FAILED, "another failure than that is nothing to go on from by itself"
    run.backend.empty.add(f"ada/cid-{begun.run}-l2")
    assert needs(ended) == f"cid resume {begun.run} needs it"
    assert runs.until_done(runs.resume(ended, home=home), home=home, tell=silent).state is State.SUCCEEDED
    assert platform.pushed[-1].past == Past(kind="kernel", source=f"ada/cid-{begun.run}-l1")


def test_a_run_that_is_done_has_nothing_to_resume(home, run):
    ended = runs.watch(run(DONE), home=home, tell=silent)
    with pytest.raises(UsageError, match="is succeeded: there is nothing to resume"):
        runs.resume(ended, home=home)


def test_two_that_resume_at_once_begin_one_leg(home, run, platform):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    runs.resume(before, home=home)
    runs.resume(before, home=home)  # as it was read before the other one began
    assert [spec.leg for spec in platform.pushed] == [1, 2]


def test_until_done_and_the_exit_codes_on_the_command_line(cid, run, platform, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    begun = run(paused(2), paused(4), DONE)
    assert cid("status", begun.run, "--exit-code").code == 9
    run.backend.left = 0.1
    assert cid("resume", begun.run, "--until-done").code == 5
    run.backend.left = 30.0
    said = cid("resume", begun.run, "--until-done", "--json")
    assert (said.code, said.document["state"]) == (0, "succeeded"), said.err
    assert [leg["state"] for leg in said.document["legs"]] == ["paused", "paused", "succeeded"]


def test_a_registry_of_before_gets_its_legs(home, monkeypatch):
    from containerid.runs import registry as module
    from containerid.runs.legs import SCHEMA

    with monkeypatch.context() as before:
        before.setattr(module, "_MIGRATIONS", module._MIGRATIONS[: module._MIGRATIONS.index(SCHEMA)])
        old = Registry(home.registry)
        with old.writing() as database:
            old.write(Run(run="r1", backend="kaggle", state=State.QUEUED))
            database.execute("UPDATE runs SET handle = 'ada/r1', version = '1'")
        old.close()
    found = Registry(home.registry).get("r1")
    assert [(leg["number"], leg["handle"], leg["state"], leg["hours"]) for leg in found.legs] == [
        (1, "ada/r1", "queued", None)
    ]


def test_every_error_of_a_leg_is_one_of_ours(home, run, platform):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    with pytest.raises(CidError):
        runs.resume(runs.Registry(home.registry).move(before.run, State.LOST), home=home)
