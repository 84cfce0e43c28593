import pytest

from containerid.errors import Refused, RunCancelled, RunFailed, RunPaused
from containerid.events import LogLine
from containerid.job import RESULT_MARK, Result, State, Status
from containerid.runs.registry import Run
from containerid.runs.verdict import error_of, find_result, judge, read_result

OURS = Run(run="a-1", backend="kaggle", spec={"run": "a-1"})
FOREIGN = Run(run="a-1", backend="kaggle")
COMPLETE = Status(State.SUCCEEDED)


def test_complete_without_a_result_is_a_failed_run():
    state, reason = judge(OURS, COMPLETE, None)
    assert state is State.FAILED
    assert reason == "it left no result (the platform calls it complete)"


def test_the_result_beats_what_the_platform_says():
    failed = Result(run="a-1", outcome="failed", reason="it broke")
    assert judge(OURS, COMPLETE, failed) == (State.FAILED, "it broke")
    assert judge(OURS, Status(State.FAILED), Result(run="a-1", outcome="succeeded"))[0] is State.SUCCEEDED


def test_a_success_with_an_exit_code_is_none():
    assert judge(OURS, COMPLETE, Result(run="a-1", outcome="succeeded", exit_code=1))[0] is State.FAILED


def test_an_unknown_outcome_is_a_failure():
    assert judge(OURS, COMPLETE, Result(run="a-1", outcome="splendid"))[0] is State.FAILED


def test_a_cancel_without_a_result_stays_a_cancel():
    assert judge(OURS, Status(State.CANCELLED, "stopped"), None) == (State.CANCELLED, "stopped")


def test_a_foreign_kernel_is_as_its_platform_says():
    assert judge(FOREIGN, Status(State.SUCCEEDED, ""), None) == (State.SUCCEEDED, "")


def test_a_result_of_another_run_does_not_count(tmp_path):
    (tmp_path / "result.json").write_text('{"run": "b-2", "outcome": "succeeded"}')
    assert read_result(tmp_path / "result.json", "a-1") is None
    assert read_result(tmp_path / "result.json", "b-2") is not None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"outcome": 3}', '{"run": "a-1", "outcome": "succeeded", "extra": 1}', "null"]
)
def test_a_broken_result_is_no_result(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    assert read_result(tmp_path / "result.json", "a-1") is None
    assert find_result([LogLine(0, "stdout", RESULT_MARK + text)], "a-1") is None


def test_the_last_result_of_a_log_counts():
    lines = [
        LogLine(0, "stdout", f'{RESULT_MARK}{{"run": "a-1", "outcome": "{word}"}}') for word in ("failed", "succeeded")
    ]
    found = find_result([*lines, LogLine(0, "stdout", "nbconvert noise")], "a-1")
    assert found is not None
    assert found.outcome == "succeeded"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.FAILED, RunFailed),
        (State.LOST, RunFailed),
        (State.CANCELLED, RunCancelled),
        (State.PAUSED, RunPaused),
        (State.REFUSED, Refused),
    ],
)
def test_every_bad_end_has_its_exit_code(state, kind):
    assert type(error_of(Run(run="a-1", backend="kaggle", state=state))) is kind


def test_a_success_is_no_error():
    assert error_of(Run(run="a-1", backend="kaggle", state=State.SUCCEEDED)) is None
