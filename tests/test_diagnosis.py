"""Each class of failure, from a log that looks like the real thing; and ordinary logs, which show none."""

import json
import re
from pathlib import Path

import pytest

from containerid.diagnosis import Diagnosis, diagnose
from containerid.diagnosis.classes import CLASSES, KILLED
from containerid.events import LogLine
from containerid.job import Result, State, Status
from containerid.kaggle.logs import read
from containerid.kaggle.refusals import read_failure
from containerid.runs.verdict import find_result

FOLDER = Path(__file__).parent / "data/logs"
RUN = "exp001-20261121-045528-3fa9c1"
FAILED = Status(State.FAILED)
SAID = {
    "host-memory.platform.json": "Your notebook tried to allocate more memory than is available.",
    "disk-full.platform.json": "Your notebook tried to use more disk space than is available",
    "verification.platform.json": "Permission 'kernelSessions.enableInternet' was denied",
    "time-limit.platform.json": "Your notebook was stopped because it exceeded the max allowed execution duration.",
    "cancelled.platform.json": "The kernel was killed due to a requested cancel.",
}
ALL = sorted(path.name for path in FOLDER.iterdir())
CLEAN = [name for name in ALL if name.startswith("clean.")]
BROKEN = [name for name in ALL if not name.startswith("clean.")]


def lines_of(name: str) -> list[LogLine]:
    return read((FOLDER / name).read_text(encoding="utf-8"))


def why(name: str) -> Diagnosis | None:
    lines = lines_of(name)
    return diagnose(lines, find_result(lines, RUN), read_failure(State.FAILED, SAID.get(name, "")))


@pytest.mark.parametrize("name", BROKEN)
def test_a_real_log_shows_its_class_of_failure(name):
    found = why(name)
    assert found is not None
    assert found.kind == name.split(".")[0]
    assert found.summary
    assert found.next


@pytest.mark.parametrize("name", sorted(set(BROKEN) - set(SAID)))
def test_the_lines_that_show_it_stand_in_the_log(name):
    text = "\n".join(line.text for line in lines_of(name))
    said = json.dumps([result.reason for result in [find_result(lines_of(name), RUN)] if result], ensure_ascii=False)
    for line in why(name).lines:
        assert line in text or json.dumps(line, ensure_ascii=False)[1:-1] in said


@pytest.mark.parametrize("name", CLEAN)
def test_an_ordinary_log_shows_none(name):
    assert diagnose(lines_of(name)) is None


@pytest.mark.parametrize("name", CLEAN)
def test_a_run_that_was_killed_after_ordinary_lines_was_killed_and_nothing_else(name):
    assert diagnose(lines_of(name), None, FAILED).kind == KILLED.kind


def test_every_class_is_proven_by_a_log():
    assert {each.kind for each in CLASSES} | {"killed", "exception"} == {name.split(".")[0] for name in BROKEN}
    assert len(CLASSES) >= 20


@pytest.mark.parametrize("outcome", ["succeeded", "paused"])
def test_a_run_that_did_not_fail_has_no_diagnosis(outcome):
    line = LogLine(0, "stderr", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1 GiB.")
    assert diagnose([line], Result(run=RUN, outcome=outcome), FAILED) is None


def test_what_the_run_says_about_its_end_counts_more_than_what_happened_on_the_way():
    lines = [LogLine(0, "stderr", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1 GiB.")]
    result = Result(run=RUN, outcome="failed", reason="gates not met: test/mAP50 0.71 < 0.88")
    assert diagnose(lines, result, FAILED).kind == "gates"


def test_the_last_exception_counts_more_than_an_earlier_one_that_was_survived():
    survived = [
        "Traceback (most recent call last):",
        "  File 'a', line 1",
        "OSError: [Errno 28] No space left on device",
    ]
    last = ["Traceback (most recent call last):", '  File "b", line 2', "ModuleNotFoundError: No module named 'doors'"]
    lines = [LogLine(0, "stderr", text) for text in [*survived, "going on", *last]]
    assert diagnose(lines, None, FAILED).kind == "module"


def test_nothing_is_known_about_a_run_that_left_nothing_but_a_strange_reason():
    assert diagnose([], Result(run=RUN, outcome="failed", reason="it went wrong"), FAILED) is None


def test_what_to_do_next_is_a_command_of_this_very_run():
    found = why("gpu-memory.ours.txt").addressed("exp001-1", "cid train --kaggle -e exp001")
    assert found.next.startswith("cid train --kaggle -e exp001 --set training.batch_size=")
    assert not re.search(r"{\w+}", found.next)


def test_a_diagnosis_goes_through_json_and_back():
    found = why("gpu-memory.ours.txt")
    assert Diagnosis.from_document(json.loads(json.dumps(found.document()))) == found


def test_escape_sequences_and_progress_bars_hide_nothing():
    text = " 50%\r100%\r\x1b[31mModuleNotFoundError: No module named 'doors'\x1b[0m"
    assert diagnose([LogLine(0, "stderr", text)], None, FAILED).kind == "module"


def test_of_a_run_that_was_cancelled_no_line_that_merely_was_the_last_is_shown():
    found = diagnose([LogLine(1, "stdout", "epoch 3/9")], None, Status(State.CANCELLED))
    assert found is not None
    assert (found.kind, found.lines) == ("cancelled", ())


def test_what_is_too_long_is_cut_between_words():
    text = f"ValueError: {'word ' * 100}"
    lines = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', text]
    found = diagnose([LogLine(1, "stderr", line) for line in lines], None, Status(State.FAILED))
    assert found is not None
    assert found.summary.endswith("word …")
    assert found.lines[-1].endswith(" word")
