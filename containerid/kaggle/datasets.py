"""Private datasets that are named by what they hold: sent once, and there for every later run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.clock import Clock
from containerid.errors import NotFound, Refused, Unreachable
from containerid.events import Step
from containerid.job import Tell
from containerid.kaggle.transport import Session
from containerid.kaggle.uploads import Uploads

if TYPE_CHECKING:
    from containerid.kaggle.api import Kaggle

READY, FAILED, DELETED = "ready", "failed", "deleted"
_GONE = frozenset({"", FAILED, DELETED})
_WAIT = 1800.0
"""Seconds: Kaggle has taken 15 minutes for 228 MB."""

_PAGE = 200
_PAGES = 20

_PAUSES = (2.0, 5.0, 10.0)
"""Seconds before a dataset is asked for again, whose files are all there; a longer wait that Kaggle asks for counts."""


class Datasets:
    """The user's datasets at one Kaggle.

    Args:
        api: Kaggle.
        session: for storage.
        clock: for the wait until Kaggle has unpacked a dataset.
        begun: a folder that notes which uploads were begun, so that another process can go on with them.
    """

    def __init__(self, api: "Kaggle", session: Session, clock: Clock, begun: Path | None = None) -> None:
        self._api = api
        self._clock = clock
        self._uploads = Uploads(api, session, begun)

    def ensure(self, dataset: str, files: Callable[[], Sequence[Path]], tell: Tell, notes: str = "") -> bool:
        """See to it that a dataset is there and ready.

        Args:
            dataset: `owner/slug`; its name says what it holds.
            files: makes the files; called only when they have to be sent.
            tell: gets the steps.
            notes: what it is to say about itself.

        Returns:
            Whether anything was sent.

        Raises:
            Refused: Kaggle does not take the dataset, or cannot unpack it.
            Unreachable: it was not ready after half an hour.
        """
        state = self.state(dataset)
        if state == READY:
            tell(Step("dataset", f"{dataset} is on Kaggle already"))
            return False
        if missing := state in _GONE:
            self.put(dataset, files(), tell, notes=notes, once=True)
        self.wait(dataset, tell)
        return missing

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

    def put(
        self, dataset: str, files: Sequence[Path], tell: Tell, *, notes: str, last: bool = False, once: bool = False
    ) -> None:
        """Send files as a dataset that is new, or as a new version of one, and wait for nothing.

        Args:
            dataset: `owner/slug`.
            files: of the version, all of them.
            tell: gets the steps.
            notes: what the version says about itself.
            last: no older version is left.
            once: its name says what it holds: of two that send it at once, the second adds nothing.

        Raises:
            Refused: Kaggle does not take it.
            Unreachable: it did not get through; the same call goes on with the files that were not sent whole.
        """
        tokens = [self._uploads.send(path, tell) for path in files]
        try:
            state = self.state(dataset)
            if once and state not in _GONE:
                return
            if state:
                self._api.create_dataset_version(dataset, notes, tokens, last=last)
            else:
                self._create(dataset, tokens, notes)
        finally:
            self._uploads.forget(files)

    def _create(self, dataset: str, tokens: list[str], notes: str) -> None:
        """Make a dataset of what was sent. After an error what counts is whether it is there: an answer may be lost."""
        for pause in (*_PAUSES, None):
            try:
                self._api.create_dataset(dataset, dataset.partition("/")[2], tokens, notes)
            except (Unreachable, Refused) as error:
                if self.state(dataset) not in _GONE:
                    return
                if pause is None or isinstance(error, Refused):
                    raise
                self._clock.sleep(max(pause, error.after or 0))
            else:
                return

    def files(self, dataset: str) -> set[str]:
        """The names of the files at the top of the newest version. Raises NotFound when there is no such dataset."""
        owner, _, slug = dataset.partition("/")
        body = {"ownerSlug": owner, "datasetSlug": slug, "pageSize": _PAGE}
        answer = self._api.wire.call("datasets.DatasetApiService/ListDatasetFiles", body)
        return {str(each.get("name", "")) for each in answer.get("datasetFiles") or ()}

    def delete(self, dataset: str) -> None:
        """Delete a dataset, all its versions. Raises NotFound when there is none, Refused when Kaggle does not."""
        owner, _, slug = dataset.partition("/")
        body = {"ownerSlug": owner, "datasetSlug": slug}
        answer = self._api.wire.call("datasets.DatasetApiService/DeleteDataset", body, again=False)
        if said := answer.get("error"):
            raise Refused(f"Kaggle does not delete {dataset}: {said}")

    def mine(self, words: str) -> list[str]:
        """`owner/slug` of the user's own datasets whose title holds these words."""
        found: list[str] = []
        token = ""
        for _ in range(_PAGES):
            body = {"group": "MY", "search": words, "pageSize": _PAGE, "pageToken": token}
            answer = self._api.wire.call("datasets.DatasetApiService/ListDatasets", body)
            found += [str(each["ref"]) for each in answer.get("datasets") or () if each.get("ref")]
            token = str(answer.get("nextPageToken") or "")
            if not token:
                break
        return list(dict.fromkeys(found))
