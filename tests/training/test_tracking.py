import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from containerid.config import Wandb
from containerid.training import tracking


def start(folder: Path, mode: Any) -> tracking.Tracking:
    return tracking.start(Wandb(mode=mode), run="r1", project="doors", config={"epochs": 1}, folder=folder)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service that takes no key."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("WANDB_BASE_URL", url)
    yield url
    server.shutdown()
    server.server_close()


class Flaky:
    """A W&B run whose every call fails, or hangs until the test ends."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate, self.calls = gate, 0

    def log(self, *_: object, **__: object) -> None:
        self.calls += 1
        if self.gate:
            self.gate.wait(20)
        raise ConnectionError("no route to host\nat all")


def test_disabled_is_nothing_at_all(tmp_path: Path) -> None:
    nothing = start(tmp_path, "disabled")
    nothing.tell({"val/mAP50": 0.5}, 1)
    nothing.finish({}, [])
    nothing.abandon()
    assert nothing.where == {}
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.training
def test_an_offline_run_is_written_beside_the_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(tmp_path, "offline")
    run.tell({"val/mAP50": 0.5}, 1)
    run.finish({"test/mAP50": 0.4})
    folder = run.where["wandb_offline"]
    assert folder.startswith("wandb/offline-run-")
    assert list((tmp_path / folder).glob("*.wandb"))
    assert "W&B: offline" in capsys.readouterr().out


def test_online_without_a_key_is_offline_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = start(tmp_path, "online")
    run.abandon()
    assert "wandb_offline" in run.where
    assert "no WANDB_API_KEY: offline instead" in capsys.readouterr().out


@pytest.mark.training
def test_a_service_that_refuses_the_key_does_not_stop_the_run(
    tmp_path: Path, refusing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    run = start(tmp_path, "online")
    run.abandon()
    assert "wandb_offline" in run.where
    assert "caution: W&B online: " in capsys.readouterr().out


def test_a_call_that_fails_ends_the_tracking_and_not_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    broken = Flaky()
    run = tracking.Tracking(broken)
    for step in (1, 2):
        run.tell({}, step)
    assert broken.calls == 1
    assert capsys.readouterr().out == ("caution: W&B: ConnectionError: no route to host; the run goes on without it\n")


def test_a_call_that_hangs_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    gate = threading.Event()
    run = tracking.Tracking(Flaky(gate))
    run._guard(lambda it: it.log(), 0.05)
    gate.set()
    assert "no end within 0 s; the run goes on without it" in capsys.readouterr().out
