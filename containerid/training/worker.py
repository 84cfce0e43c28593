"""`python -m containerid.training.worker PLAN`: one of the processes that train together, as the launcher starts it.

The first of them, which has the rank 0, keeps the checkpoint, validates, and tells how far it is. Each tells how it
ended.
"""

import json
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from containerid.config import Params
from containerid.errors import RunPaused
from containerid.training import asked, budget, checkpoint, data, memory, records, stop, together, train, yolo
from containerid.training.hardware import Hardware
from containerid.training.log import Log
from containerid.training.session import Session
from containerid.training.together import Ending, Plan


def main(plan_file: Path) -> int:
    """Train. Returns 0, or another number: the launcher ends the other processes as soon as one of them does so."""
    plan = Plan(**json.loads(plan_file.read_text(encoding="utf-8")))
    rank = int(os.environ["RANK"])
    with stop.stop_signals() if not rank else nullcontext(stop.Stop()) as stopping:
        session = _session(plan, rank, stopping)
        ending = _train(session, rank)
    records.write(together.ending_file(plan.scratch, rank), json.dumps(asdict(ending)))
    # Whichever fails, the others wait for it: in a step that it will never take, for twenty minutes.
    return 9 if ending.paused else 7 if ending.error else 0


def _session(plan: Plan, rank: int, stopping: stop.Stop) -> Session:
    spec, out = asked.read(Path(plan.spec)), Path(plan.out)
    scratch = Path(plan.scratch, str(rank))
    scratch.mkdir(exist_ok=True)
    place = data.Place(Path(plan.project), Path(plan.mounts), scratch)
    # The log is the parent's: it hears all that is said here.
    log, time_left = Log(out / "train.log", ("train",)), budget.Budget(spec.budget, budget.began())
    session = Session(spec, Params.from_dict(spec.params), Path(plan.spec), out, place, log, stopping, time_left)
    session.phase, session.view = "train", Path(plan.view)
    session.hardware = Hardware(plan.kind, plan.proof, (), tuple(plan.indices))
    session.report.counts = plan.counts
    if plan.halved:
        session.extras["halved"] = plan.halved
    session.past = checkpoint.read(spec, out) if plan.past else None
    return session


def _train(session: Session, rank: int) -> Ending:
    with yolo.ultralytics(session) as package:
        model = train.load(session, package)
        try:
            session.metrics = train.attempt(session, model, first=not rank) or {}
            return _ending(session)
        except RunPaused as error:
            return _ending(session, paused=error.message)
        except Exception as error:
            session.batch = session.batch if memory.is_out(error) else 0
            return _ending(session, error=f"{type(error).__name__}: {error}"[:500])


def _ending(session: Session, *, paused: str = "", error: str = "") -> Ending:
    usage = session.extras.get("usage", {})
    first = session.budget.first_batch
    at = time.monotonic()
    return Ending(session.metrics, session.epochs, session.checkpoint, usage, paused, error, session.batch, first, at)


if __name__ == "__main__":
    ended_with = main(Path(sys.argv[1]))
    sys.stdout.flush()
    # No other process is waited for: it may hang in the middle of a step that this one will never take.
    os._exit(ended_with)
