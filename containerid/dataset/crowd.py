"""The same work on many files, in processes of this Python where that pays.

They are started as modules of ours, so that the program around us is not imported or forked with its threads.
"""

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

from containerid.crew import at_once

Task = Callable[..., Any]


def processors() -> int:
    """How many processes may run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    task: str, items: Sequence[str], options: dict[str, Any], *, chunk: int, pays: int, processes: int | None = None
) -> Iterator[Any]:
    """Do a task of `TASKS` on chunks of items; the results in their order.

    Args:
        task: its name.
        items: paths.
        options: what the task gets besides; plain JSON types.
        chunk: items that are done at once.
        pays: items from which processes are started.
        processes: at most so many; None takes one for each processor.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    workers = min(processors() if processes is None else processes, len(chunks))
    if len(items) < pays or workers < 2:
        for each in chunks:
            yield run(task, each, options)
        return
    with ExitStack() as stack:
        idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(_start(stack))
        yield from at_once(lambda each: _ask(idle, task, each, options), chunks, workers)


def _start(stack: ExitStack) -> "subprocess.Popen[str]":
    path = os.pathsep.join(each for each in sys.path if each)
    worker = subprocess.Popen(
        [sys.executable, "-m", "containerid.dataset.crowd"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="ascii",
        env={**os.environ, "PYTHONPATH": path},
    )
    stack.enter_context(worker)
    stack.callback(worker.kill)
    return worker


def _ask(idle: "queue.SimpleQueue[subprocess.Popen[str]]", task: str, items: Sequence[str], options: Any) -> Any:
    worker = idle.get()
    try:
        stdin, stdout = cast("IO[str]", worker.stdin), cast("IO[str]", worker.stdout)
        stdin.write(json.dumps([task, items, options]) + "\n")
        stdin.flush()
        answer = stdout.readline()
    except OSError:
        answer = ""
    finally:
        idle.put(worker)
    # A worker that died, for want of memory perhaps, leaves its work to us.
    return json.loads(answer) if answer.endswith("\n") else run(task, items, options)


def run(task: str, items: Sequence[str], options: dict[str, Any]) -> Any:
    """Do a task in this process."""
    return TASKS[task](items, **options)


def _examine(items: Sequence[str], **options: Any) -> Any:
    from containerid.dataset.pairs import examine, pack

    return pack(examine(items, **options))


def _decode(items: Sequence[str], *, kept: str = "", marker: str = "") -> list[tuple[str, str, str]]:
    """Of each image the content, empty where nothing is kept; what is wrong with it; its fingerprint."""
    from containerid.dataset.kept import content_of, recalling
    from containerid.dataset.pixels import decode

    found = []
    with recalling(kept) as recall:
        for path in items:
            try:
                data = Path(path).read_bytes()
            except OSError:
                # The look at its structure has said so already.
                found.append(("", "", ""))
                continue
            # Of the very bytes that are decoded: the file may change meanwhile.
            content = content_of(data, marker.encode()) if kept else b""
            fault, seen = (recall(content) if kept else None) or decode(data)
            found.append((content.hex(), fault, seen.hex()))
    return found


TASKS: dict[str, Task] = {"examine": _examine, "decode": _decode}


def main() -> None:
    """Take chunks from stdin, a line of JSON each, and answer each with one line."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        task, items, options = json.loads(line)
        answers.write(json.dumps(run(task, items, options)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
