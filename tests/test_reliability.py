"""A third of the fault table, on every run of the tests. All of it: `python -m benchmarks.reliability`."""

from pathlib import Path

import pytest

from benchmarks.faults import FETCH, SCENES, SUBMIT, WATCH, Row, rows
from benchmarks.reliability import Cell, counts, league, page, play
from benchmarks.scenes import Verdict

ALL = rows()
THIRDS = {f"{first}": ALL[first::9] for first in (0, 3, 6)}


@pytest.mark.kills
@pytest.mark.parametrize("part", THIRDS)
def test_nothing_is_lost_nothing_is_doubled_and_a_refusal_is_one_line(part, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "")  # play sets one of its own; this takes it back
    cells = play(THIRDS[part], ["cid"], workers=3)
    bad = [(cell.row.name, cell.scene, cell.verdict.said) for cell in cells if not cell.good]
    assert bad == []
    assert all("\n" not in cell.verdict.said for cell in cells)


def test_the_catalogue_holds_what_it_promises():
    assert len({row.name for row in ALL}) == len(ALL) >= 45
    assert {scene for row in ALL for scene in row.plans} == set(SCENES)
    cells = [Cell(row, scene, "cid", Verdict("survived"), 0) for row in ALL for scene in row.plans]
    assert len(league(cells, "download")) == 25
    assert len(league(cells, "api")) == 27


def test_the_page_counts_and_names_what_went_wrong():
    row = Row("HTTP 500", {SUBMIT: (), WATCH: (), FETCH: ()}, league="api")
    verdicts = [Verdict("survived"), Verdict("refused", "no | way"), Verdict("defect", "hangs")]
    cells = [Cell(row, scene, "cid", verdict, 0) for scene, verdict in zip(row.plans, verdicts, strict=True)]
    cells += [Cell(row, scene, "kaggle", Verdict("defect", "pushed twice"), 0) for scene in row.plans]
    text = page(cells, 61)
    assert counts(cells, "cid") == (2, 3)
    assert "**cid: 2 of 3. kaggle" in text
    assert "| HTTP 500 | **survived** | pushed twice | *refused* | pushed twice | hangs | pushed twice |  |  |" in text
    assert "| HTTP 500 | watch | no \\| way |" in text


def test_the_page_that_is_kept_is_of_this_catalogue():
    text = (Path(__file__).parents[1] / "docs/reliability.md").read_text(encoding="utf-8")
    assert [row.name for row in ALL if f"| {row.name.partition(' called ')[0]}" not in text] == []
