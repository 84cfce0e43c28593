"""Work that waits for others, done many at once. Ctrl-C waits for none of it: the threads are daemons."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Place(Generic[R]):
    """Where one result, or one error, will be."""

    def __init__(self) -> None:
        self._there = threading.Event()
        self._result: list[R] = []
        self._error: BaseException | None = None

    def fill(self, work: Callable[[], R]) -> None:
        try:
            self._result.append(work())
        except BaseException as error:
            self._error = error
        self._there.set()

    def take(self) -> R:
        self._there.wait()
        if self._error is not None:
            raise self._error
        return self._result.pop()


def at_once(work: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """Begin at once; the results in the order of the items, each as soon as it and all before it are there.

    An error comes in its place and ends the rest: what has begun is finished, and nothing new is begun. The same
    happens when the iterator is given up.
    """
    places: list[_Place[R]] = [_Place() for _ in items]
    todo = deque(zip(places, items, strict=True))

    def labour() -> None:
        while todo:
            try:
                place, item = todo.popleft()
            except IndexError:
                return
            place.fill(lambda item=item: work(item))  # type: ignore[misc]

    crew = [threading.Thread(target=labour, daemon=True) for _ in range(min(workers, len(items)))]
    for each in crew:
        each.start()
    return _gather(places, todo, crew)


def _gather(places: list[_Place[R]], todo: deque[Any], crew: list[threading.Thread]) -> Iterator[R]:
    try:
        for place in places:
            yield place.take()
    except Exception:
        # What the work writes to may be closed by whoever sees the error.
        todo.clear()
        for each in crew:
            each.join()
        raise
    finally:
        todo.clear()
