import pytest
from fakes.platform import Platform

from containerid.errors import NotFound, StillRunning, Unreachable
from containerid.events import Caution, Changed, LogLine, Progress
from containerid.job import State, Status
from containerid.runs.find import find
from containerid.runs.watch import Pace, look, watch

RUNNING, COMPLETE = Status(State.RUNNING), Status(State.SUCCEEDED)


def kinds(told, kind):
    return [event for event in told if isinstance(event, kind)]


def test_a_watched_run_ends_with_the_verdict_of_its_result(submitted, platform, home):
    run = submitted()
    platform.says = [Status(State.QUEUED), RUNNING, RUNNING, COMPLETE]
    platform.finish(run.run, metrics={"test/mAP50": 0.91})
    told = []
    run = watch(run, home=home, tell=told.append)
    assert run.state is State.SUCCEEDED
    assert run.result.metrics == {"test/mAP50": 0.91}
    assert [event.state for event in kinds(told, Changed)] == ["running", "succeeded"]


def test_complete_without_a_result_is_a_failed_run(submitted, platform, home):
    platform.files = {"weights/best.pt": b"weights"}
    run = watch(submitted(), home=home, tell=lambda _: None)
    assert (run.state, run.reason) == (State.FAILED, "it left no result (the platform calls it complete)")


def test_a_result_in_the_log_counts_when_the_outputs_are_lost(submitted, platform, home):
    run = submitted()
    platform.finish(run.run, in_log=True)
    assert watch(run, home=home, tell=lambda _: None).state is State.SUCCEEDED


def test_a_result_of_another_run_is_not_ours(submitted, platform, home):
    platform.finish("another-run")
    assert watch(submitted(), home=home, tell=lambda _: None).state is State.FAILED


def test_the_log_is_passed_on_without_the_marks(submitted, platform, home):
    run = submitted()
    platform.says = [RUNNING, COMPLETE]
    platform.log = [
        "[1/9] code",
        'CID_PROGRESS {"epoch": 2, "epochs": 5, "metrics": {"val/mAP50": 0.5}}',
        "CID_PROGRESS nonsense",
    ]
    platform.finish(run.run)
    told = []
    watch(run, home=home, tell=told.append)
    assert [line.text for line in kinds(told, LogLine)] == ["[1/9] code", "CID_PROGRESS nonsense"]
    assert kinds(told, Progress) == [Progress(2, 5, {"val/mAP50": 0.5}, run=run.run)]


def test_a_platform_that_does_not_answer_is_asked_again(submitted, platform, home):
    run = submitted()
    platform.says = [Unreachable("no answer"), Unreachable("no answer"), COMPLETE]
    platform.finish(run.run)
    told = []
    assert watch(run, home=home, tell=told.append).state is State.SUCCEEDED
    assert len(kinds(told, Caution)) == 1


def test_a_run_that_the_platform_forgot_is_lost(submitted, platform, home):
    platform.says = [NotFound("no such kernel")]
    assert watch(submitted(), home=home, tell=lambda _: None).state is State.LOST


def test_a_timeout_ends_the_watch_and_not_the_run(submitted, platform, home):
    platform.says = [RUNNING]
    run = submitted()
    with pytest.raises(StillRunning):
        watch(run, home=home, tell=lambda _: None, timeout=0.01)
    assert find_state(home, run.run) is State.RUNNING


def find_state(home, name):
    from containerid.runs.registry import Registry

    return Registry(home.registry).get(name).state


def test_nothing_is_asked_after_the_end(submitted, platform, home):
    run = submitted()
    platform.finish(run.run)
    run = watch(run, home=home, tell=lambda _: None)
    asked = platform.asked
    watch(run, home=home, tell=lambda _: None)
    look(run, home=home)
    assert platform.asked == asked


def test_the_waits_double_up_to_the_cap():
    waits = Pace(2, 60).waits()
    assert [next(waits) for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]


def test_a_foreign_kernel_is_looked_at_and_not_recorded(registry, platform: Platform, home):
    run = find(registry, "bob/his-kernel", backend="platform")
    assert look(run, home=home).state is State.SUCCEEDED
    assert registry.runs() == []


def test_a_foreign_kernel_that_is_not_there_is_not_found(registry, platform, home):
    platform.says = [NotFound("no such kernel")]
    with pytest.raises(NotFound):
        look(find(registry, "bob/his-kernel", backend="platform"), home=home)
