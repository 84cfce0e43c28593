"""What every test gets: a closed network, a home of its own, no credentials of the person who runs it."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from containerid.redaction import HIDDEN

# The same examples every time: what a new example would find is looked for by hand, with --hypothesis-profile=default.
settings.register_profile("steady", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("steady")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FOREIGN = ("KAGGLE_", "WANDB_", "GDRIVE_", "GITHUB_", "CID_", "GIT_", "AWS_", "HF_")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, a git identity and a cid home that belong to this test alone."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n name = Ada Tester\n email = ada@example.com\n[init]\n defaultBranch = main\n", encoding="utf-8"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("CID_HOME", str(home / "cid"))
    monkeypatch.setenv("CID_SUBMIT_GRACE", "0")
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    return home


@pytest.fixture(autouse=True)
def nothing_hidden() -> Iterator[None]:
    """A secret that one test used is an ordinary word in the next."""
    kept = dict(vars(HIDDEN))
    yield
    vars(HIDDEN).update(kept)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only loopback can be reached."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and str(host) not in _LOOPBACK:
            raise OSError(f"this test tried to reach {host}: the network is closed")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Stdout, which must be one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@pytest.fixture
def cid(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run the command line in this process, as `cid(…)` would in a shell that is no terminal."""

    def run(*arguments: str) -> Said:
        from containerid.__main__ import main

        monkeypatch.setattr(sys, "argv", ["cid", *arguments])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run
