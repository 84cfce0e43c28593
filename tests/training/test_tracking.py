import json
import socket
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fakes.wandb_server import KEY, WandbServer

from containerid.config import Wandb
from containerid.training import site, tracking


def start(folder: Path, mode: Any) -> tracking.Tracking:
    return tracking.start(Wandb(mode=mode), run="r1", project="doors", config={"epochs": 1}, folder=folder)


def tell(run: tracking.Tracking, folder: Path, *epochs: int) -> None:
    """What a training does after each epoch."""
    with (folder / tracking.PROGRESS_FILE).open("a") as file:
        for epoch in epochs:
            row = {"epoch": epoch, "metrics": {"val/mAP50": epoch / 10}, "losses": {}, "rates": {}}
            file.write(json.dumps(row) + "\n")
            run.tell({"val/mAP50": epoch / 10}, epoch)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


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


def test_a_live_run_tells_its_address_and_its_epochs_and_reports_nothing_home(
    tmp_path: Path, server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(tmp_path, "online")
    tell(run, tmp_path, 1, 2)
    run.finish({"test/mAP50": 0.4})
    assert run.where == {"wandb": f"{server.url}/ada/doors/runs/r1"}
    assert server.steps("r1") == [1, 2]
    assert not [path for path in server.paths if "otel" in path]
    assert "public" not in capsys.readouterr().out


def test_a_public_project_is_warned_about(
    tmp_path: Path, server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.access = "USER_READ"
    start(tmp_path, "online").abandon()
    assert "caution: W&B: the project ada/doors is public: anybody can see this run" in capsys.readouterr().out


def test_a_live_run_goes_on_in_the_next_leg(tmp_path: Path, server: WandbServer) -> None:
    for epochs in ((1, 2), (3, 4)):
        run = start(tmp_path, "online")
        tell(run, tmp_path, *epochs)
        run.finish({})
    assert server.steps("r1") == [1, 2, 3, 4]


def test_a_live_leg_brings_what_an_offline_one_before_it_measured(tmp_path: Path, server: WandbServer) -> None:
    for mode, epochs in (("offline", (1, 2)), ("online", (3,))):
        run = start(tmp_path, mode)
        tell(run, tmp_path, *epochs)
        run.finish({})
    assert server.steps("r1") == [1, 2, 3]
    assert not list((tmp_path / "wandb").glob("offline-run-*"))


@pytest.mark.parametrize(
    ("mode", "logged_in", "where", "expected"),
    [
        ("auto", True, {}, "wandb"),
        ("auto", False, {}, "wandb_offline"),
        ("auto", True, {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "wandb_offline"),
        ("auto", True, {"CID_REHEARSAL": "1"}, "wandb_offline"),
        ("online", True, {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, "wandb"),
        ("offline", True, {}, "wandb_offline"),
    ],
)
def test_it_is_live_where_the_user_is_logged_in_and_on_kaggle_only_if_asked(
    tmp_path: Path,
    server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    logged_in: bool,
    where: dict[str, str],
    expected: str,
) -> None:
    if not logged_in:
        monkeypatch.delenv("WANDB_API_KEY")
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    opened: list[str] = []
    monkeypatch.setattr(tracking, "_open", lambda _, mode, *__: opened.append(mode) or Flaky())
    monkeypatch.setattr(tracking, "_where", lambda *_: {})
    start(tmp_path, mode)
    assert opened == ["online" if expected == "wandb" else "offline"]


def test_a_service_that_refuses_the_key_does_not_stop_the_run(
    tmp_path: Path, server: WandbServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = True
    run = start(tmp_path, "online")
    run.abandon()
    assert "wandb_offline" in run.where
    assert "caution: W&B online: " in capsys.readouterr().out


def test_a_server_that_is_gone_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    begun = time.monotonic()
    run = start(tmp_path, "online")
    tell(run, tmp_path, 1)
    run.finish({})
    assert "wandb_offline" in run.where
    assert "does not answer: offline instead" in capsys.readouterr().out
    assert time.monotonic() - begun < 8


def test_a_server_that_hangs_is_asked_for_seconds_only(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.hangs = True
    assert site.PATIENCE + tracking._PATIENCE < 20
    monkeypatch.setattr(site.answers, "__defaults__", (0.1,))
    run = start(tmp_path, "online")
    run.abandon()
    assert "wandb_offline" in run.where


def test_a_server_that_hangs_after_its_first_answer_is_given_up(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.hangs = True
    monkeypatch.setattr(site, "answers", lambda _: True)
    monkeypatch.setattr(tracking, "_PATIENCE", 1)
    run = start(tmp_path, "online")
    run.abandon()
    assert "wandb_offline" in run.where
    assert "caution: W&B online: CommError" in capsys.readouterr().out


def test_a_login_is_found_where_wandb_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home/.netrc").write_text(f"machine api.wandb.ai\n login user\n password {KEY}\n")
    assert site.key({}) == KEY
    assert site.key({"WANDB_BASE_URL": "https://wandb.example.com"}) == ""
    (tmp_path / "home/.netrc").write_text("machine wandb.example.com\n login user\n password other\n")
    assert site.key({"WANDB_BASE_URL": "https://wandb.example.com"}) == "other"
    assert site.key({}) == "other"
    (tmp_path / "home/.netrc").write_text("not a netrc at all")
    assert site.key({}) == ""


def test_the_server_is_the_one_that_wandb_asks() -> None:
    assert site.address({}) == import_module("wandb.sdk.lib.urls").DEFAULT_BASE_URL


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
