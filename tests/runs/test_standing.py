from dataclasses import replace

import pytest

from containerid.job import Result
from containerid.runs.registry import Run
from containerid.runs.standing import Standing, stand


def trained(number: int, score: float, **changed) -> Run:
    result = Result(run=f"a-{number}", outcome="succeeded", phase="report", metrics={"val/mAP50": score})
    run = Run(run=f"a-{number}", backend="kaggle", project="doors", experiment="exp001", result=result)
    return replace(run, **{"created": f"2026-01-0{number}T00:00:00Z", "spec": {"run": f"a-{number}"}, **changed})


def test_a_run_stands_beside_the_best_one_before_it():
    runs = [trained(1, 0.80), trained(2, 0.89), trained(3, 0.85), trained(4, 0.91), trained(5, 0.99)]
    standing = stand(runs[3], runs)
    assert standing == Standing("val/mAP50", 0.91, 0.89, "a-2", True)
    assert str(standing) == "+0.020 against a-2, the best before"
    assert standing.document()["difference"] == 0.02


def test_the_first_run_of_an_experiment_stands_alone():
    assert stand(trained(1, 0.8), [trained(1, 0.8), trained(2, 0.9)]) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"experiment": "exp002"},
        {"project": "windows"},
        {"spec": {"run": "a-1", "quick": True}},
        {"result": None},
        {"result": Result(run="a-1", outcome="failed", phase="train", metrics={"val/mAP50": 0.9})},
        {"result": Result(run="a-1", outcome="succeeded", phase="report", metrics={"accuracy": 0.9})},
    ],
    ids=["experiment", "project", "quick", "no result", "ended on the way", "other metrics"],
)
def test_what_cannot_be_compared_does_not_count(changed):
    assert stand(trained(2, 0.8), [trained(1, 0.9, **changed)]) is None
    assert stand(trained(2, 0.8, **changed), [trained(1, 0.9)]) is None


def test_a_run_is_not_ranked_against_one_of_another_task():
    detects, larger, segments, sorts = (
        {"params": {"model": {"architecture": name}}} for name in ("yolo11n", "yolo11s", "yolo11n-seg", "yolo11n-cls")
    )
    assert stand(trained(2, 0.8, spec=detects), [trained(1, 0.9, spec=segments)]) is None
    assert stand(trained(2, 0.8, spec=detects), [trained(1, 0.9, spec=larger)]).run == "a-1"
    one, two = (trained(number, 0.0, spec=sorts) for number in (1, 2))
    told = [replace(each, result=replace(each.result, metrics={"val/accuracy_top1": 0.7})) for each in (one, two)]
    assert stand(told[1], told).metric == "val/accuracy_top1"


def test_a_run_that_missed_its_gates_was_trained_to_its_end_and_counts():
    missed = trained(1, 0.9)
    missed = replace(missed, result=replace(missed.result, outcome="failed", exit_code=7))
    assert str(stand(trained(2, 0.88), [missed])) == "-0.020 against a-1, the best before"


def test_other_data_is_said():
    one, two = ({"data": {"digest": each * 64}} for each in "ab")
    assert str(stand(trained(2, 0.9, spec=two), [trained(1, 0.8, spec=one)])).endswith(", on other data")
    assert stand(trained(2, 0.9, spec=two), [trained(1, 0.8, spec={"data": {"digest": ""}})]).same_data


def test_classifiers_are_compared_by_their_accuracy():
    runs = [trained(number, 0) for number in (1, 2)]
    for run, score in zip(runs, (0.9, 0.8), strict=True):
        run.result.metrics.clear()
        run.result.metrics["val/accuracy_top1"] = score
    assert stand(runs[1], runs) == Standing("val/accuracy_top1", 0.8, 0.9, "a-1", True)
