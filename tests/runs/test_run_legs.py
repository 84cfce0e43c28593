"""A run of several sessions: how legs are chained, recorded, refused. The platform is one in memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes.platform import Platform, PlatformBackend

from containerid import backends, runs
from containerid.errors import CidError, Refused, RunFailed, UsageError
from containerid.job import Leg, Past, Spec, State, Tell
from containerid.outlook import Finding, Hours, Outlook
from containerid.runs import Registry, Request, Run

PARAMS = """
detection:
  data: {provider: synthetic}
experiments: {exp001: {}}
"""


class SessionsBackend(PlatformBackend):
    """Each leg is a kernel of its own, that ends as `endings` says: an outcome and what it tells of its checkpoint."""

    endings: ClassVar[list[tuple[str, dict[str, Any]]]] = []
    left: ClassVar[float] = 30.0
    handed: ClassVar[list[str]] = []

    def submit(self, spec: Spec) -> Leg:
        super().submit(spec)
        outcome, kept = self.endings[spec.leg - 1]
        began, ended = f"2026-11-21T0{spec.leg}:00:00+00:00", f"2026-11-21T0{spec.leg}:30:00+00:00"
        self.platform.finish(spec.run, outcome=outcome, started=began, ended=ended, checkpoint=kept)
        return Leg(f"ada/cid-{spec.run}-l{spec.leg}", "1")

    def hand_over(self, spec: Spec, leg: Leg, tell: Tell) -> Past:
        self.handed.append(leg.handle)
        return Past(kind="kernel", source=leg.handle)

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
    monkeypatch.setattr(backend, "left", 30.0)
    monkeypatch.setattr(backend, "handed", [])

    def submit(*endings: tuple[str, dict[str, Any]], **options: Any) -> Run:
        monkeypatch.setattr(backend, "endings", list(endings))
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
    said = cid("resume", begun.run, "--json")
    assert said.code == 2, "it has not been looked at yet: it is queued"
    assert cid("status", begun.run, "--exit-code").code == 9
    run.backend.left = 0.1
    assert cid("resume", begun.run, "--until-done").code == 5
    run.backend.left = 30.0
    said = cid("resume", begun.run, "--until-done", "--json")
    assert (said.code, said.document["state"]) == (0, "succeeded"), said.err
    assert [leg["state"] for leg in said.document["legs"]] == ["paused", "paused", "succeeded"]


def test_a_registry_of_before_gets_its_legs(home, registry, submitted):
    run = submitted()
    with registry.writing() as database:
        for statement in ("DROP TRIGGER legs_follow", "DROP TABLE legs"):
            database.execute(statement)
        from containerid.runs import registry as module
        from containerid.runs.legs import SCHEMA

        database.execute(f"PRAGMA user_version = {module._MIGRATIONS.index(SCHEMA)}")
    found = Registry(home.registry).get(run.run)
    assert [(leg["number"], leg["handle"], leg["state"], leg["hours"]) for leg in found.legs] == [
        (1, run.handle, "queued", None)
    ]


def test_every_error_of_a_leg_is_one_of_ours(home, run, platform):
    before = runs.watch(run(paused(2), DONE), home=home, tell=silent)
    with pytest.raises(CidError):
        runs.resume(runs.Registry(home.registry).move(before.run, State.LOST), home=home)
