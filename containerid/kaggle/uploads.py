"""Files on their way to Kaggle: sent once, gone on with where they broke off, also after the process was killed.

The protocol is that of resumable uploads: a PUT of an empty body with `Content-Range: bytes */<size>` is answered with
308 and the bytes that have arrived, with 200 when they all have, with 404 when the upload is forgotten.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerid.errors import Unreachable
from containerid.events import Step
from containerid.home import keep
from containerid.job import Tell
from containerid.kaggle.scratch import LASTS
from containerid.kaggle.source import persistently
from containerid.kaggle.transport import Session, Transient, retry_after
from containerid.kaggle.wire import read_answer
from containerid.text import size

if TYPE_CHECKING:
    from containerid.kaggle.api import Kaggle

_SLOW = 300.0
"""Seconds that storage may take to answer, and a full send buffer to drain, while a file is sent."""

_ARRIVED = re.compile(r"bytes=0-(\d+)")


class Uploads:
    """Sends files.

    Args:
        api: Kaggle, which gives each file a token and an address.
        session: for storage.
        folder: where it is noted what was begun; None notes nothing.
    """

    def __init__(self, api: "Kaggle", session: Session, folder: Path | None = None) -> None:
        self._api = api
        self._session = session
        self._folder = folder

    def send(self, path: Path, tell: Tell) -> str:
        """Send one file, streamed from disk.

        Returns:
            The token that stands for it, once.

        Raises:
            Unreachable: it did not get through; the same call goes on with it.
        """
        upload = _Upload(self, path, tell)
        persistently(upload.attempt, lambda: upload.arrived)
        return upload.token

    def forget(self, paths: Iterable[Path]) -> None:
        """These files are where they belong, or will never be: a later upload of the same content begins anew."""
        for note in filter(None, map(self.note, paths)):
            note.unlink(missing_ok=True)

    def begin(self, path: Path) -> tuple[str, str]:
        """Announce a file: its token and the address that takes it."""
        token, address = self._api.start_upload(path)
        self.check(address, path.name)
        return token, address

    def check(self, address: str, name: str) -> None:
        """Raises Unreachable for an address that is not Kaggle's."""
        if not self._api.origin.may_hold_files(address, upload=True):
            raise Unreachable(f"Kaggle wants {name} sent to a place that is not its own", hint="cid doctor")

    def put(self, address: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        """One PUT: the answer's status and headers. Raises Transient when none comes."""
        response = self._session.send("PUT", address, data=body, headers=headers, read=_SLOW, connect=_SLOW)
        answer = read_answer(response)
        return answer.status, answer.headers

    def note(self, path: Path) -> Path | None:
        """Where it is noted that this very content is on its way."""
        if self._folder is None:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        place = hashlib.sha256(f"{self._api.origin.api} {path.name} {digest}".encode()).hexdigest()
        return self._folder / f"{place[:32]}.json"


class _Upload:
    """One file, over as many connections as it takes."""

    def __init__(self, uploads: Uploads, path: Path, tell: Tell) -> None:
        self._uploads, self._path, self._tell = uploads, path, tell
        self._size = path.stat().st_size
        self._note = uploads.note(path)
        self._address = ""
        self.token = ""
        self.arrived = 0
        self._recall()

    def attempt(self) -> None:
        """From wherever it stands to the end. Raises Transient for what passes."""
        if self._address and not self._ask():
            return
        if not self._address:
            self._begin()
        with self._path.open("rb") as file:
            file.seek(self.arrived)
            last = f"bytes {self.arrived}-{self._size - 1}/{self._size}"
            headers = {"Content-Range": last} if self.arrived else {}
            self._judge(*self._uploads.put(self._address, file if self._size else b"", headers))

    def _begin(self) -> None:
        self.token, self._address = self._uploads.begin(self._path)
        self.arrived = 0
        self._tell(Step("upload", f"{self._path.name} ({size(self._size)})"))
        if self._note:
            document = {"token": self.token, "address": self._address, "begun": time.time()}
            keep(self._note, json.dumps(document).encode())

    def _ask(self) -> bool:
        """Ask storage how far it came. Returns whether anything is left to be sent."""
        probe = {"Content-Range": f"bytes */{self._size}"}
        status, headers = self._uploads.put(self._address, b"", probe)
        if status == 404:
            self.forget()
            return True
        if status in {200, 201}:
            return False
        if status != 308:
            self._judge(status, headers)
        match = _ARRIVED.fullmatch(headers.get("Range", ""))
        self.arrived = int(match[1]) + 1 if match else 0
        if self.arrived:
            self._tell(Step("upload", f"{self._path.name} goes on at {size(self.arrived)}"))
        return True

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if status in {200, 201}:
            return
        lost = Unreachable(f"{self._path.name} was not taken (HTTP {status})", hint="try again", retryable=True)
        if status in {308, 429} or status >= 500:
            raise Transient(lost, retry_after(headers))
        self.forget()
        raise lost

    def _recall(self) -> None:
        if self._note is None:
            return
        with suppress(OSError, ValueError, KeyError):
            document = json.loads(self._note.read_bytes())
            if time.time() - document["begun"] < LASTS:
                self._uploads.check(document["address"], self._path.name)
                self.token, self._address = document["token"], document["address"]

    def forget(self) -> None:
        """Nothing of it is gone on with any more."""
        self._address, self.arrived = "", 0
        if self._note:
            self._note.unlink(missing_ok=True)
