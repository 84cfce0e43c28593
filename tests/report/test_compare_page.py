"""The page about a comparison: what differs first, and a mark only where it says something."""

import pytest
from fakes.reports import Read, leave

from containerid.report.compare import compare, compose
from containerid.report.outputs import read
from containerid.report.page import GOOD, More, Table, render

METRICS = {"test/mAP50": 0.8, "speed/inference": 20.4}
BETTER = {"test/mAP50": 0.9, "speed/inference": 18.5}


@pytest.fixture
def page(tmp_path):
    """Write two runs, the second with changes, and compose their page."""

    def make(**changes):
        first = leave(tmp_path / "a", run="a-1", result={"metrics": METRICS})
        second = leave(tmp_path / "b", run="b-1", **{"result": {"metrics": BETTER}, **changes})
        return compose(compare([read(first), read(second)]))

    return make


def metrics(page):
    table = next(each for each in page.sections if each.title == "Metrics").blocks[0]
    assert isinstance(table, Table)
    return table, {row[0].text: [cell.tone for cell in row[1:3]] for row in table.cells}


def test_what_differs_stands_before_metrics_and_curves_and_no_heading_is_said_twice(page):
    titles = [each.title for each in page().shown]
    assert titles == ["Runs", "What differs", "Metrics", "Curves"]
    captions = [block.caption for each in page().shown for block in each.blocks if isinstance(block, Table)]
    assert not {each.casefold() for each in titles} & {each.casefold() for each in captions}


def test_the_best_is_marked_where_runs_can_be_compared(page):
    table, marks = metrics(page())
    assert marks == {"test mAP50": ["", GOOD], "inference": ["", GOOD]}
    assert table.note == ""


@pytest.mark.parametrize("speed", [{"hardware": "CPU", "imgsz": 640}, {"hardware": "1 × Tesla T4", "imgsz": 320}])
def test_a_time_of_other_hardware_or_of_smaller_images_is_no_better_one(page, speed):
    table, marks = metrics(page(evaluation={"speed": speed}))
    assert marks == {"test mAP50": ["", GOOD], "inference": ["", ""]}
    assert "hardware or image size were not the same" in table.note


def test_metrics_of_other_images_are_not_marked(page):
    _, marks = metrics(page(metadata={"data": {"sha256": "9" * 64}}))
    assert marks == {"test mAP50": ["", ""], "inference": ["", GOOD]}


def test_values_that_look_the_same_are_the_same(page):
    _, marks = metrics(page(result={"metrics": {"test/mAP50": 0.80004, "speed/inference": 20.41}}))
    assert marks == {"test mAP50": ["", ""], "inference": ["", ""]}


def test_hashes_are_short_in_the_columns_and_whole_below(page):
    made = page(metadata={"code": {"sha": "9" * 40}})
    text = Read(render(made)).text
    assert text.count("9" * 40) == 1
    assert text.count("9" * 12) >= 2
    assert isinstance(next(each for each in made.shown if each.title == "What differs").blocks[-1], More)


def test_a_run_that_missed_a_gate_is_told_to_have_missed_it(page):
    assert Read(render(page())).text.count("1 gate not met") == 2
