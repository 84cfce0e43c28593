"""Whether a platform can be reached: told once when it is lost, and once when it is back."""

from collections.abc import Callable

from containerid.errors import CidError, CredentialsError
from containerid.events import Caution, Step
from containerid.job import Tell


class Connection:
    """What all watched runs on one platform share.

    Args:
        name: the platform's.
        tell: gets a Caution and a Step for each loss, however often it is asked in between.
        now: seconds.
    """

    def __init__(self, name: str, tell: Tell, now: Callable[[], float]) -> None:
        self._name = name
        self._tell = tell
        self._now = now
        self._since = 0.0
        self._lost: type[CidError] | None = None
        self._proven = False

    @property
    def lost(self) -> bool:
        """It did not answer, or not take the credentials, when it was asked last."""
        return self._lost is not None

    def lose(self, error: CidError) -> None:
        """It could not be asked. Raises the error when that never worked: then it is no loss, but a wrong start."""
        if isinstance(error, CredentialsError) and not self._proven:
            raise error
        if self._lost is None:
            self._since = self._now()
        if self._lost is not type(error):
            self._tell(Caution(_words(error)))
        self._lost = type(error)

    def find(self) -> None:
        """It has answered."""
        self._proven = True
        if self._lost is not None:
            self._tell(Step(self._name, f"answers again, after {round(self._now() - self._since)} s"))
            self._lost = None


def _words(error: CidError) -> str:
    if isinstance(error, CredentialsError):
        mend = f"; {error.hint}" if error.hint else ""
        return f"{error.message}; what runs goes on, and new credentials are taken up when they are there{mend}"
    return f"{error.message}; what runs goes on, and is looked at again when the connection is back"
