from hypothesis import given
from hypothesis import strategies as st

from containerid.replay import Replay


def read(replay, *texts, stream="stdout"):
    replay.again()
    return [text for text in texts if replay.is_new(stream, text)]


def test_what_was_read_before_is_old_and_the_rest_is_new():
    replay = Replay()
    assert read(replay, "a", "b") == ["a", "b"]
    assert read(replay, "a", "b", "c") == ["c"]
    assert replay.count == 3


def test_streams_do_not_count_for_each_other():
    replay = Replay()
    replay.again()
    assert [replay.is_new(stream, "a") for stream in ("stdout", "stderr", "stdout")] == [True, True, True]
    assert read(replay, "a", stream="stderr") == []


def test_a_lost_head_is_found_among_what_is_known():
    replay = Replay()
    read(replay, "a", "b", "a", "c")
    assert read(replay, "a", "c", "d") == ["d"]


def test_a_head_that_is_cut_in_the_middle_of_a_line_is_found_too():
    replay = Replay()
    read(replay, "one line", "two")
    assert read(replay, "line", "two", "three") == ["three"]


def test_a_line_that_has_changed_in_between_moves_nothing():
    replay = Replay()
    read(replay, "a", "b", "c")
    assert read(replay, "a", "B", "c", "d") == ["d"]


@given(st.lists(st.sampled_from(["a", "b"]), max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_readings_from_the_head_give_each_line_once(texts, cuts):
    replay, seen = Replay(), []
    for cut in [*cuts, len(texts)]:
        seen += read(replay, *texts[:cut])
    assert seen == texts
