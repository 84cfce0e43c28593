import threading

import pytest

from containerid.crew import at_once


def test_results_come_in_the_order_of_the_items_whoever_is_first():
    second = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second.wait(5)
        second.set()
        return item * 10

    assert list(at_once(work, [0, 1, 2], 2)) == [0, 10, 20]


def test_it_begins_before_anybody_asks_for_a_result():
    begun = threading.Event()
    at_once(lambda _: begun.set(), [1], 1)
    assert begun.wait(5)


def test_an_error_comes_in_its_place_and_ends_the_rest():
    done = []

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("one")
        done.append(item)
        return item

    results = at_once(work, range(100), 1)
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)
    assert len(done) <= 99


def test_after_an_error_nothing_is_at_work_any_more():
    working, go_on = threading.Event(), threading.Event()
    ended = []

    def work(item: int) -> None:
        if item == 0:
            assert working.wait(5)
            go_on.set()
            raise ValueError("zero")
        working.set()
        assert go_on.wait(5)
        ended.append(item)

    with pytest.raises(ValueError, match="zero"):
        next(at_once(work, [0, 1], 2))
    assert ended == [1]


def test_nothing_to_do_is_done():
    assert list(at_once(str, [], 8)) == []
