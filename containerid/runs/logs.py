"""Read a run's log, from its platform or from where it was fetched to."""

from collections import deque
from collections.abc import Iterable, Iterator

from containerid.backends import open_backend
from containerid.errors import NotFound
from containerid.events import LogLine
from containerid.home import Home
from containerid.runs.registry import Run


def read(run: Run, *, home: Home, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
    """The lines of a run's log, the oldest first.

    Args:
        run: a run of the registry, or a foreign kernel.
        home: the user's folder.
        follow: go on until the run ends.
        tail: only the last so many lines of what is there now; with `follow`, all that come after them too.

    Raises:
        NotFound: the run never reached its platform.
    """
    if not run.handle:
        raise NotFound(f"{run.run} was never submitted ({run.state}), so it has no log", hint=f"cid show {run.run}")
    backend = open_backend(run.backend, home)
    if tail is None:
        yield from backend.logs(run.leg, follow=follow)
        return
    known = list(backend.logs(run.leg, follow=False))
    yield from _last(known, tail)
    if follow:
        yield from _after(backend.logs(run.leg, follow=True), len(known))


def _last(lines: Iterable[LogLine], count: int) -> Iterator[LogLine]:
    yield from deque(lines, maxlen=count)


def _after(lines: Iterable[LogLine], count: int) -> Iterator[LogLine]:
    for number, line in enumerate(lines):
        if number >= count:
            yield line
