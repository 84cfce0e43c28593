"""Private datasets that are named by what they hold: sent once, and there for every later run."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.errors import NotFound, Refused, Unreachable
from containerid.events import Step
from containerid.job import Tell
from containerid.kaggle.clock import Clock
from containerid.kaggle.transport import Session, Transient, patiently
from containerid.kaggle.wire import read_answer

if TYPE_CHECKING:
    from containerid.kaggle.api import Kaggle

READY, FAILED, DELETED = "ready", "failed", "deleted"
_WAIT = 1800.0
"""Seconds: Kaggle has taken 15 minutes for 228 MB."""

_SLOW = 300.0
"""Seconds that storage may take to answer, and a full send buffer to drain, while a file is sent."""


class Datasets:
    """The user's datasets at one Kaggle.

    Args:
        api: Kaggle.
        session: for storage.
        clock: for the wait until Kaggle has unpacked a dataset.
    """

    def __init__(self, api: "Kaggle", session: Session, clock: Clock) -> None:
        self._api = api
        self._session = session
        self._clock = clock

    def ensure(self, dataset: str, files: Callable[[], Sequence[Path]], tell: Tell) -> None:
        """See to it that a dataset is there and ready.

        Args:
            dataset: `owner/slug`; its name says what it holds.
            files: makes the files; called only when they have to be sent.
            tell: gets the steps.

        Raises:
            Refused: Kaggle does not take the dataset, or cannot unpack it.
            Unreachable: it was not ready after half an hour.
        """
        state = self.state(dataset)
        if state == READY:
            tell(Step("dataset", f"{dataset} is on Kaggle already"))
            return
        if state in {"", FAILED, DELETED}:
            self._send(dataset, files(), tell, new=state == "")
        self.wait(dataset, tell)

    def state(self, dataset: str) -> str:
        """Kaggle's word for where it is, in lower case; empty when the user has no such dataset."""
        try:
            return self._api.dataset_status(dataset)
        except NotFound:
            return ""

    def wait(self, dataset: str, tell: Tell) -> None:
        """Return when the dataset is ready. Raises Refused when it cannot become so, Unreachable after half an hour.

        A dataset of one's own that is quite new looks like one that does not exist.
        """
        state = told = self.state(dataset)
        for _ in self._clock.polls(first=2, cap=30, limit=_WAIT) if state != READY else ():
            if (state := self.state(dataset)) == READY:
                break
            if state == FAILED:
                raise Refused(
                    f"Kaggle cannot unpack {dataset}",
                    hint=f"look at https://www.kaggle.com/datasets/{dataset}, delete it, and try again",
                )
            if state != told:
                tell(Step("dataset", f"{dataset} is {state or 'not to be seen yet'}"))
                told = state
        if state != READY:
            raise Unreachable(f"{dataset} is still {state or 'not to be seen'}", hint="try again later", retryable=True)
        tell(Step("dataset", f"{dataset} is ready"))

    def _send(self, dataset: str, files: Sequence[Path], tell: Tell, *, new: bool) -> None:
        tokens = []
        for path in files:
            tell(Step("upload", f"{path.name} ({path.stat().st_size / 1e6:.1f} MB)"))
            tokens.append(patiently(partial(self.upload, path)))
        try:
            if new:
                self._api.create_dataset(dataset, dataset.partition("/")[2], tokens)
            else:
                self._api.create_dataset_version(dataset, "sent again", tokens)
        except (Unreachable, Refused):
            # The answer may be lost, or another cid was quicker: what counts is whether the dataset is there.
            if self.state(dataset) in {"", FAILED, DELETED}:
                raise

    def upload(self, path: Path) -> str:
        """Send one file, streamed from disk; the token that stands for it. Raises Transient for a fault that passes."""
        token, address = self._api.start_upload(path)
        if not self._api.origin.may_hold_files(address, upload=True):
            raise Unreachable(f"Kaggle wants {path.name} sent to a place that is not its own", hint="cid doctor")
        with path.open("rb") as file:
            body = file if path.stat().st_size else b""
            response = self._session.send("PUT", address, data=body, read=_SLOW, connect=_SLOW)
        answer = read_answer(response)
        if answer.status in {200, 201}:
            return token
        lost = Unreachable(f"{path.name} was not taken (HTTP {answer.status})", hint="try again", retryable=True)
        raise Transient(lost) if answer.status == 429 or answer.status >= 500 else lost
