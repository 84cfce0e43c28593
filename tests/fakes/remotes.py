"""A folder that is given out over HTTP, as DVC reads a remote, and remembers what was taken."""

import hashlib
import http.server
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fakes.lines import Line


class Remote:
    """What a served folder knows.

    Attributes:
        url: where it is.
        taken: path to how often it was given out.
        open: cleared, nothing is given out until it is set again.
        files: paths that are files of a set.
        line: to it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.taken: Counter[str] = Counter()
        self.open = threading.Event()
        self.open.set()
        self.files: set[str] = set()
        self.line = Line()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, remote: Remote, **more: Any) -> None:
        self._remote = remote
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        self._remote.open.wait()
        self._remote.taken[self.path] += 1
        super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        self._remote.line.carry(source.read(), outputfile)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[Remote]:
    """Give a folder out until the end."""
    remote = Remote()
    handler = partial(_Handler, remote=remote, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        remote.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield remote
        finally:
            remote.open.set()
            server.shutdown()


def dvc_project(project: Path, data: str, storage: Path, url: str) -> set[str]:
    """Make a folder of a project one that DVC knows and that lies in its remote alone, as `dvc add` and `push` do.

    Returns:
        The paths under which the remote has the files.
    """
    folder = project / data
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = [
        {"md5": _keep(path.read_bytes(), storage), "relpath": path.relative_to(folder).as_posix()} for path in files
    ]
    whole = _keep(json.dumps(listed, sort_keys=True).encode(), storage, ".dir")
    shutil.rmtree(folder)
    text = f"outs:\n- md5: {whole}\n  nfiles: {len(listed)}\n  hash: md5\n  path: {folder.name}\n"
    folder.with_name(f"{folder.name}.dvc").write_text(text, encoding="utf-8")
    (project / ".dvc").mkdir(exist_ok=True)
    config = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n"
    (project / ".dvc/config").write_text(config, encoding="utf-8")
    return {f"/files/md5/{each['md5'][:2]}/{each['md5'][2:]}" for each in listed}


def _keep(content: bytes, storage: Path, suffix: str = "") -> str:
    md5 = hashlib.md5(content).hexdigest()
    path = storage / "files/md5" / md5[:2] / (md5[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5 + suffix
