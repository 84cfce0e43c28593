"""The page about a run: where it lies, made from the fetched outputs where the run left none."""

from pathlib import Path

from containerid.errors import UsageError
from containerid.report import run as pages
from containerid.report.run import REPORT_FILE
from containerid.runs.ending import must_have_ended
from containerid.runs.registry import Run


def report(run: Run) -> tuple[Path, bool]:
    """The page about a run, and whether it had to be made.

    Raises:
        StillRunning: it has not ended.
        NotFound: it never reached its platform.
        UsageError: its outputs are not here.
    """
    folder = Path(run.outputs) if run.outputs else None
    if folder is None or not folder.is_dir():
        must_have_ended(run)
    if folder is None or not folder.is_dir():
        raise UsageError(f"the outputs of {run.run} are not here", hint=f"cid fetch {run.run}")
    page = folder / REPORT_FILE
    if page.is_file():
        return page, False
    return pages.write(folder, spec=run.spec, legs=run.legs), True
