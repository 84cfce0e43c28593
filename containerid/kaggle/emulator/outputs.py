"""A kernel's session as its owner sees it: status, log, files (kernels.KernelsApiService)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from containerid.kaggle.emulator.answers import Answer, Problem, Slice, denied, moment, page, redirect
from containerid.kaggle.emulator.archives import files, pack
from containerid.kaggle.emulator.links import Links, below
from containerid.kaggle.emulator.sessions import Session, Sessions
from containerid.kaggle.emulator.shelf import Shelf
from containerid.kaggle.emulator.store import Document

END_OF_LOG = "END_OF_LOG"


class Outputs:
    """Reads sessions. Files can be seen once a session has ended, and its log in one piece too."""

    def __init__(self, shelf: Shelf, sessions: Sessions, links: Links) -> None:
        self._shelf = shelf
        self._sessions = sessions
        self._links = links

    def _session(self, user: str, body: Mapping[str, Any], owner: str = "userName") -> Session:
        kernel = self._shelf.find(user, str(body.get(owner) or user), str(body.get("kernelSlug") or ""))
        return self._shelf.session(kernel, str(body.get("versionLabel") or ""))

    def status(self, user: str, body: Mapping[str, Any]) -> Document:
        """GetKernelSessionStatus."""
        standing = self._sessions.standing(self._session(user, body))
        return {
            "status": standing.state,
            "failureMessage": standing.message,
            "failureMessageNullable": standing.message,
            "hasFailureMessage": bool(standing.message),
        }

    def _ended(self, session: Session) -> list[str]:
        """The names of a session's files, none while it goes on."""
        return files(session.outputs) if self._sessions.standing(session).final else []

    def list_output(self, user: str, body: Mapping[str, Any]) -> Document:
        """ListKernelSessionOutput: signed links and the log as the text of a JSON array; neither while it goes on."""
        session = self._session(user, body)
        names, token = page(self._ended(session), body)
        links = [{"url": self._links.to(session.outputs / name), "fileName": name} for name in names]
        return {"files": links, "log": self._text(session), "nextPageToken": token, "hasNextPageToken": bool(token)}

    def _text(self, session: Session) -> str:
        if not self._sessions.standing(session).final:
            return ""
        entries = [json.dumps(entry) for entry in self._sessions.log(session)]
        return "[" + "\n,".join(entries) + "\n]" if entries else ""

    def list_files(self, user: str, body: Mapping[str, Any]) -> Document:
        """ListKernelFiles: names and sizes."""
        session = self._session(user, body)
        names, token = page(self._ended(session), body)
        return {"files": [_described(session.outputs, name) for name in names], "nextPageToken": token}

    def stream(self, user: str, body: Mapping[str, Any]) -> Answer:
        """GetKernelSessionLogsStream: server-sent events while the session goes on, the whole log afterwards."""
        session = self._own(user, body) if body.get("kernelSessionId") else self._session(user, body)
        if self._sessions.standing(session).final:
            return Answer(200, {"Content-Type": "application/json"}, (self._text(session) or "[]").encode())
        return Answer(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}, self._events(session))

    def _events(self, session: Session) -> Iterator[bytes]:
        for line in self._sessions.follow(session):
            yield f"data: {line}\n\n".encode()
        if not self._sessions.closing.is_set():
            yield f"data: {END_OF_LOG}\n\n".encode()

    def download(self, user: str, body: Mapping[str, Any]) -> Answer:
        """DownloadKernelOutput: on to one file, or to a zip of all."""
        number = body.get("versionNumber")
        session = self._session(user, {**body, "versionLabel": f"v{number}" if number else ""}, "ownerSlug")
        if not self._sessions.standing(session).final:
            raise Problem(404, "Not Found")
        name = str(body.get("filePath") or "")
        return redirect(self._links.to(below(session.outputs, name) if name else _zipped(session)))

    def download_zip(self, user: str, body: Mapping[str, Any]) -> Answer:
        """DownloadKernelOutputZip: the zip itself."""
        path = _zipped(self._own(user, body))
        return Answer(200, {"Content-Type": "application/zip"}, Slice(path, 0, path.stat().st_size))

    def cancel(self, user: str, body: Mapping[str, Any]) -> Document:
        """CancelKernelSession: by the session's id, which the API tells nobody but the kernel itself."""
        session = self._own(user, body, "kernelSessions.cancel")
        if not self._sessions.standing(session).final:
            self._sessions.stop(session, "CANCEL_ACKNOWLEDGED")
        return {}

    def _own(self, user: str, body: Mapping[str, Any], permission: str = "kernelSessions.get") -> Session:
        session = self._sessions.get(int(body.get("kernelSessionId") or 0))
        if session is None or session.owner != user:
            raise denied(permission)
        return session


def _described(folder: Path, name: str) -> Document:
    status = (folder / name).stat()
    return {"name": name, "size": status.st_size, "creationDate": moment(status.st_mtime)}


def _zipped(session: Session) -> Path:
    path = session.folder / f"{session.slug}.zip"
    if not path.exists():
        part = path.with_suffix(".part")
        pack(session.outputs, part)
        part.replace(path)
    return path
