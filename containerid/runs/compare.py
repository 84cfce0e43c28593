"""Put runs side by side: what they reached, and in what they differ."""

from collections.abc import Sequence
from pathlib import Path

from containerid.errors import UsageError
from containerid.home import Home
from containerid.report.compare import Comparison
from containerid.report.compare import compare as weigh
from containerid.report.outputs import Doc, Outputs, read
from containerid.runs.ending import must_have_ended
from containerid.runs.find import find
from containerid.runs.registry import Registry, Run


def outputs_of(run: Run) -> Outputs:
    """All that is known about a run: what was fetched, and what the registry has even of one that was not."""
    found = read(Path(run.outputs or "."), spec=run.spec, legs=run.legs) if run.outputs else None
    known = Doc(run.result.to_dict() if run.result else {"run": run.run})
    if found is None or found.run != run.run:
        return Outputs(folder=Path(run.run), result=known, spec=Doc(run.spec), legs=[Doc(leg) for leg in run.legs])
    return found


def compare(names: Sequence[str], *, home: Home) -> Comparison:
    """Compare runs.

    Args:
        names: as `find` takes them.
        home: the user's folder.

    Raises:
        UsageError: fewer than two different runs.
        NotFound: there is no such run, or one never reached its platform.
        StillRunning: one goes on, and nothing of it is here.
    """
    registry = Registry(home.registry)
    runs = {(run := find(registry, name)).run: run for name in names if name}
    if len(runs) < 2:
        raise UsageError("a comparison takes two different runs", hint="cid ls, then cid compare RUN RUN")
    for run in runs.values():
        if not run.result and not run.outputs:
            must_have_ended(run)
    return weigh([outputs_of(run) for run in runs.values()])
