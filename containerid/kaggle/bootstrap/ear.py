"""Whether somebody asked this run to stop: looked for, now and then, where a kernel can look without a secret."""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.code import run_git
from containerid.kaggle.bootstrap.journal import one_line, say

STOP_FILE = "CID_STOP_FILE"
SESSION_MARK = "CID_SESSION "
OWN_TRAINING = "containerid.training"
RESUMABLE = "weights/resume.pt"

_API = "https://api.kaggle.com/v1"
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:")
_ANSWER_TIMEOUT = 30.0
_TRIES = 3


def session_id(environ: Mapping[str, str] = os.environ) -> int | None:
    """The id of this session, by which alone Kaggle ends one. Kaggle tells it inside the session, in a name."""
    parts = environ.get("KAGGLE_CONTAINER_NAME", "").rsplit("-", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else None


def announce(number: int | None, **more: object) -> None:
    """Tell the log, and so whoever watches it, how this session can be stopped."""
    if told := {name: value for name, value in {"id": number, **more}.items() if value is not None}:
        say(SESSION_MARK + json.dumps(told))


class Ear(threading.Thread):
    """Looks for a wish to stop until there is one, or nowhere to look.

    Where the training has a checkpoint, the stop file asks it to pause; else, or when it does not end, SIGTERM does.

    Args:
        control: of the cargo: `ref` on the code's remote, `dataset`, seconds `every` look and of `patience`.
        spec: of the run.
        out: the outputs.
        stop_file: what the training looks for.
    """

    def __init__(self, control: Mapping[str, Any], spec: Mapping[str, Any], out: Path, stop_file: Path) -> None:
        super().__init__(daemon=True)
        self._control = control
        self._spec = spec
        self._out = out
        self._stop_file = stop_file
        self._channels = self._known(spec["code"].get("remote") or "")
        self._failed = dict.fromkeys(self._channels, 0)
        self._reasons: list[str] = []

    def _known(self, remote: str) -> dict[str, Callable[[], bool]]:
        found: dict[str, Callable[[], bool]] = {}
        if remote:
            found["git"] = lambda: _ref_is_there(remote, self._control["ref"])
        if os.environ.get("KAGGLE_API_V1_TOKEN"):
            found["dataset"] = lambda: _dataset_is_there(self._control["dataset"])
        return found

    def run(self) -> None:
        """Look, tell once where a wish can be heard, and look again."""
        asked = self._look()
        announce(session_id(), hears=[name for name, failed in self._failed.items() if failed < 0])
        while not asked and self._channels:
            time.sleep(self._control["every"])
            asked = self._look()
        if asked:
            self._end(asked)

    def _look(self) -> str:
        """The channel over which the run was asked to stop; empty for none. One that never works is given up."""
        for name, is_asked in list(self._channels.items()):
            try:
                if is_asked():
                    return name
                self._failed[name] = -1  # it has worked: what fails from now on passes
            except Exception as error:  # whatever it is, the run goes on
                self._failed[name] += self._failed[name] >= 0
                if self._failed[name] >= _TRIES:
                    del self._channels[name]
                    self._reasons.append(f"over {name}: {one_line(error, 200)}")
                    if not self._channels:
                        say(f"nobody can ask this run to stop, {'; '.join(self._reasons)}")
        return ""

    def _end(self, channel: str) -> None:
        say(f"asked to stop, over {channel}")
        if self._spec["entry"] != OWN_TRAINING or (self._out / RESUMABLE).is_file():
            self._stop_file.touch()
            time.sleep(self._control["patience"])
        os.kill(os.getpid(), signal.SIGTERM)


def _ref_is_there(remote: str, ref: str) -> bool:
    return bool(run_git(Path.cwd(), "ls-remote", "--", remote, ref, timeout=_ANSWER_TIMEOUT).strip())


def _dataset_is_there(name: str) -> bool:
    """Asked with the token that Kaggle gives each session. Who may see no such dataset gets 403."""
    owner, _, slug = name.partition("/")
    token = Path(os.environ["KAGGLE_API_V1_TOKEN"]).read_text(encoding="ascii").strip()
    request = urllib.request.Request(  # noqa: S310 - one of two addresses, see `_api`
        f"{_api()}/datasets.DatasetApiService/GetDatasetStatus",
        data=json.dumps({"ownerSlug": owner, "datasetSlug": slug}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.build_opener(_Straight).open(request, timeout=_ANSWER_TIMEOUT) as answer:
            return bool(json.load(answer).get("status"))
    except urllib.error.HTTPError as error:
        if error.code in (403, 404):
            return False
        raise


def _api() -> str:
    """Kaggle's address, or the embedded one's on this machine: the token goes nowhere else."""
    base = os.environ.get("KAGGLE_URL_BASE", "")
    return f"{base}/api/v1" if base.startswith(_LOOPBACK) else _API


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would take the token along."""

    def redirect_request(self, *_: object) -> None:
        """None: the redirect is an error."""
