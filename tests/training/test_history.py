"""What is known of the legs before."""

from pathlib import Path
from typing import Any

from containerid.job import Past, Spec
from containerid.training import history


def lines(*epochs: tuple[int, int, float]) -> list[dict[str, Any]]:
    """Of each: leg, epoch, seconds that it took."""
    told = {1: {"hardware": "2 × Tesla T4"}, 2: {"hardware": "P100", "after": "ada/one"}}
    return [{"leg": leg, "epoch": epoch, "took": spent, **told[leg]} for leg, epoch, spent in epochs]


TWO = lines((1, 1, 10.0), (1, 2, 10.0), (1, 3, 9.0), (2, 4, 11.0), (2, 5, 11.0))


def test_seconds_are_those_of_every_epoch() -> None:
    assert history.seconds(TWO) == 29 + 22
    assert history.seconds([]) == 0


def test_a_last_leg_knows_those_before_it() -> None:
    spec = Spec(run="r1", leg=3, past=Past(kind="kernel", source="ada/two"))
    assert history.legs(TWO, spec, "CPU", 54.5) == [
        {"number": 1, "handle": "ada/one", "first": 1, "last": 3, "seconds": 29.0, "hardware": "2 × Tesla T4"},
        {"number": 2, "handle": "ada/two", "first": 4, "last": 5, "seconds": 22.0, "hardware": "P100"},
        {"number": 3, "handle": "", "first": None, "last": None, "seconds": 3.5, "hardware": "CPU"},
    ]


def test_a_leg_that_was_begun_twice_is_one() -> None:
    (one,) = history.legs(lines((1, 1, 10.0), (1, 2, 7.0)), Spec(run="r1"), "", 20)
    assert (one["first"], one["last"], one["seconds"]) == (1, 2, 20)


def test_a_handle_is_told_of_the_leg_that_was_gone_on_from_alone() -> None:
    found = history.legs(
        lines((1, 1, 10.0)), Spec(run="r1", leg=3, past=Past(kind="kernel", source="ada/two")), "CPU", 10
    )
    assert [(each["number"], each["handle"]) for each in found] == [(1, ""), (3, "")]


def test_a_folder_on_this_machine_is_no_handle() -> None:
    assert "after" not in history.note(
        Spec(run="r1", leg=2, past=Past(kind="folder", source="/home/ada/runs/r1")), "CPU"
    )


def test_without_a_line_there_is_nothing_to_know(tmp_path: Path) -> None:
    assert history.read(tmp_path) == []
    (tmp_path / "progress.jsonl").write_text('{"epoch": 1}\n{"epo')
    assert history.read(tmp_path) == []
    assert history.best_epoch([{"epoch": 1}]) is None
