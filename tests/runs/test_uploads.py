import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.platform import Platform
from fakes.wandb_server import KEY, WandbServer

from containerid.config import Wandb
from containerid.console import Screen
from containerid.events import Caution, Event, Step
from containerid.home import Home
from containerid.job import Result
from containerid.keychain import Keychain
from containerid.runs import tracking
from containerid.runs.fetch import fetch
from containerid.runs.registry import Registry, Run
from containerid.runs.uploads import seen_at
from containerid.training import tracking as far_side
from containerid.views import show_run

NAME = "exp001-1"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a session without a key left behind."""
    folder = tmp_path_factory.mktemp("outputs")
    run = far_side.start(Wandb(mode="offline"), run=NAME, project="doors", config={}, folder=folder)
    for epoch in (1, 2):
        run.tell({"val/mAP50": epoch / 10}, epoch)
    run.finish({})
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    with WandbServer() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        yield server


@pytest.fixture
def ended(submitted: Callable[..., Run], platform: Platform, recorded: Path) -> Run:
    run = submitted(NAME)
    files = [path for path in recorded.glob("wandb/offline-run-*/*") if path.is_file()]
    platform.files = {path.relative_to(recorded).as_posix(): path.read_bytes() for path in files}
    platform.finish(run.run, tracking={"wandb_offline": "wandb/offline-run"})
    return run


def steps(told: list[Event]) -> list[str]:
    return [each.detail for each in told if isinstance(each, Step) and each.name == "W&B"]


def cautions(told: list[Event]) -> list[str]:
    return [each.text for each in told if isinstance(each, Caution)]


def test_a_fetch_sends_what_was_recorded_offline_once(
    ended: Run, server: WandbServer, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    told: list[Event] = []
    run = fetch(ended, home=home, tell=told.append)
    url = f"{server.url}/ada/doors/runs/{NAME}"
    assert steps(told) == [url]
    assert server.steps(NAME) == [1, 2]
    assert run.document()["tracking"] == {"wandb": url}
    show_run(Screen(), Registry(home.registry).get(NAME))
    assert url in capsys.readouterr().out
    assert not list(Path(run.outputs).rglob("*.synced")), "the outputs are as they came"
    asked = len(server.paths)
    assert fetch(run, home=home, tell=told.append).uploaded == url
    assert len(server.paths) == asked


def test_a_public_project_is_warned_about(
    ended: Run, server: WandbServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.access = "USER_READ"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    told: list[Event] = []
    fetch(ended, home=home, tell=told.append)
    assert cautions(told) == ["W&B: the project ada/doors is public: anybody can see this run"]


def test_the_key_may_lie_in_the_keychain(ended: Run, server: WandbServer, home: Home) -> None:
    Keychain(home).put("WANDB_API_KEY", KEY)
    assert fetch(ended, home=home).uploaded


def test_without_a_key_one_line_says_how(ended: Run, server: WandbServer, home: Home, tmp_path: Path) -> None:
    told: list[Event] = []
    run = fetch(ended, home=home, tell=told.append)
    (line,) = steps(told)
    assert line == f"recorded offline; wandb login, then: cid fetch {NAME}"
    assert (run.uploaded, run.verified, server.paths) == (None, True, [])


def test_nothing_is_sent_when_nobody_wants_that(
    ended: Run, server: WandbServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    told: list[Event] = []
    assert fetch(ended, home=home, upload=False, tell=told.append).uploaded is None
    assert (steps(told), server.paths) == ([], [])


def test_a_server_that_refuses_leaves_a_fetched_run_and_the_command(
    ended: Run, server: WandbServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refuses = True
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    told: list[Event] = []
    run = fetch(ended, home=home, tell=told.append)
    (caution,) = cautions(told)
    assert "W&B: not uploaded (" in caution
    assert caution.endswith(f"; later: cid fetch {NAME}")
    assert (run.verified, run.uploaded) == (True, None)


def test_an_upload_that_hangs_is_ended(
    ended: Run, server: WandbServer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.hangs = True
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(tracking.site, "answers", lambda _: True)
    monkeypatch.setattr(tracking, "_PATIENCE", 0.5)
    told: list[Event] = []
    assert fetch(ended, home=home, tell=told.append).verified
    assert cautions(told)[0].startswith("W&B: not uploaded (no end within 0 s)")


def test_without_wandb_one_line_says_what_to_install(ended: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    told: list[Event] = []
    fetch(ended, home=home, tell=told.append)
    assert steps(told)[0] == f"recorded offline; pip install wandb, then: cid fetch {NAME}"


def test_what_was_to_be_live_and_is_not_is_said_with_the_run():
    result = Result(run=NAME, outcome="succeeded", tracking={"wandb_offline": "wandb/offline-run-1"})
    for mode, said in (("online", True), ("auto", False)):
        run = Run(run=NAME, backend="local", result=result, spec={"params": {"wandb": {"mode": mode}}})
        assert ("although wandb.mode is online" in seen_at(run)["wandb_offline"]) is said
        assert run.document()["tracking"] == {"wandb_offline": "wandb/offline-run-1"}
