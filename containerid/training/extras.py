"""What a run can do without: it is tried, and where it fails that is said, and the run goes on."""

from collections.abc import Callable

from containerid.training.session import Session


def attempt(session: Session, what: str, work: Callable[[], object]) -> None:
    """Do some extra work. A signal is no failure of it: that still ends the run."""
    session.stop.check()
    try:
        work()
    except Exception as error:
        session.log.caution(f"{what}: {type(error).__name__}: {error}; the run goes on without")
    session.stop.check()
