"""A training that does not fit into the memory goes on from its last checkpoint with half the batch."""

from collections.abc import Callable

from containerid.errors import RunFailed
from containerid.job import Metrics
from containerid.training import checkpoint, memory
from containerid.training.log import say
from containerid.training.session import Session

_HALVINGS = 2
"""How many times: over all legs, on however many GPUs."""


def train(session: Session, once: Callable[[], Metrics]) -> Metrics:
    """Train; where the memory does not do, again, twice at most.

    Args:
        session: `past` is what is gone on from, `batch` what the attempt has used.
        once: trains from there; holds nothing once it has ended.

    Raises:
        RunFailed: the memory is too small all the same.
    """
    while True:
        try:
            return once()
        except RuntimeError as error:
            if not (left(session) and memory.is_out(error) and session.batch > 1):
                raise explained(error) from error
        # Not before here: the error's frames held what the attempt had in the GPU's memory.
        memory.free()
        halve(session, session.batch)


def left(session: Session) -> int:
    """How many times it may still be halved."""
    return max(_HALVINGS - len(session.extras.get("halved", ())), 0)


def halve(session: Session, batch: int) -> None:
    """Have the next attempt go on after the last complete epoch, with half of this batch."""
    session.past = checkpoint.last(session.spec, session.out) or session.past
    after = session.past.epoch if session.past else 0
    session.log.caution(f"out of memory with batch_size {batch}: it goes on after epoch {after} with {batch // 2}")
    session.extras.setdefault("halved", []).append({"after_epoch": after, "from": batch, "to": batch // 2})


def batch(session: Session) -> dict[str, int]:
    """The batch by Ultralytics' name for it, where it was halved."""
    halvings = session.extras.get("halved")
    return {"batch": halvings[-1]["to"]} if halvings else {}


def regrouped(session: Session, before: int) -> bool:
    """Whether the batch is another one than `before`, the one of what is gone on from."""
    return batch(session).get("batch", before) != before


def explained(error: RuntimeError) -> Exception:
    """What to tell about an error of PyTorch's; the error itself where nothing is known."""
    text = str(error)
    if memory.is_out(error):
        return RunFailed("the GPU's memory is too small for it", hint="halve training.batch_size, or lower imgsz")
    if "DataLoader worker" in text and "killed" in text:
        say(text)
        return RunFailed("a data loading process was killed, often for host memory", hint="lower training.workers")
    return error
