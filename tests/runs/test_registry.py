import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import typer

from containerid.command import speaking
from containerid.console import Manner
from containerid.errors import CidError
from containerid.job import Leg, Result, Spec, State
from containerid.runs.registry import Registry, Run


def test_a_run_is_read_back_as_it_was_written(registry):
    registry.add(Run(run="a-1", backend="local", experiment="a"))
    registry.set_spec("a-1", Spec(run="a-1"))
    registry.set_leg("a-1", Leg("ada/cid-a-1", "2", "https://example.com"))
    registry.set_plan("a-1", (("gpu", "T4"),))
    run = registry.set_result("a-1", Result(run="a-1", outcome="succeeded", metrics={"test/mAP50": 0.9}))
    assert run.leg == Leg("ada/cid-a-1", "2", "https://example.com")
    assert run.plan == (("gpu", "T4"),)
    assert run.document()["metrics"] == {"test/mAP50": 0.9}
    assert run.read_spec() == Spec(run="a-1")


def test_every_transition_has_its_time_and_an_unchanged_state_is_none(registry):
    registry.add(Run(run="a-1", backend="local"))
    registry.move("a-1", State.RUNNING)
    registry.move("a-1", State.RUNNING)
    registry.move("a-1", State.FAILED, "it broke")
    assert [(state, reason) for state, reason, _ in registry.transitions("a-1")] == [
        ("created", ""),
        ("running", ""),
        ("failed", "it broke"),
    ]
    assert all(at.endswith("Z") for *_, at in registry.transitions("a-1"))


def test_another_shell_sees_the_run_at_once(registry, home):
    registry.add(Run(run="a-1", backend="local"))
    assert [run.run for run in Registry(home.registry).runs()] == ["a-1"]


def test_many_shells_write_at_once_and_nothing_is_lost(home):
    def write(number: int) -> None:
        registry = Registry(home.registry)
        for count in range(5):
            registry.add(Run(run=f"r-{number}-{count}", backend="local"))
            registry.move(f"r-{number}-{count}", State.RUNNING)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Registry(home.registry).runs()) == 30


def test_a_run_id_cannot_be_taken_twice(registry):
    registry.add(Run(run="a-1", backend="local"))
    with pytest.raises(sqlite3.IntegrityError):
        registry.add(Run(run="a-1", backend="local"))


def test_a_registry_of_a_newer_cid_is_not_touched(registry, home):
    with sqlite3.connect(home.registry) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(CidError, match="newer cid"):
        Registry(home.registry)


def test_a_broken_registry_is_one_clear_line(tmp_path: Path):
    (tmp_path / "registry.db").write_bytes(b"this is not a database at all, only words" * 100)
    with pytest.raises(CidError, match="cannot be opened"):
        Registry(tmp_path / "registry.db")


def test_consent_is_kept_per_folder_and_branch(registry):
    registry.agree("/work", "main")
    registry.agree("/work", "main")
    assert registry.agreed("/work", "main")
    assert not registry.agreed("/work", "dev")
    assert not registry.agreed("/elsewhere", "main")


def test_a_registry_that_cannot_be_written_is_made_writable_and_not_moved_away(home, registry, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(
        "sqlite3.connect", lambda path, **more: connect(f"file:{path}?mode=ro&immutable=1", uri=True, **more)
    )
    with pytest.raises(CidError, match="readonly") as failure:
        Registry(home.registry)
    assert failure.value.hint == f"chmod u+w {home.registry}, or point CID_HOME elsewhere"


def said(capfd) -> dict[str, Any]:
    return json.loads(capfd.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("pragma", "words", "hint"),
    [
        ("max_page_count = 1", "database or disk is full", "make room"),
        ("query_only = 1", "attempt to write a readonly database", "chmod u+w"),
    ],
)
def test_a_registry_that_takes_no_more_is_one_line_and_no_defect(home, capfd, pragma, words, hint):
    registry = Registry(home.registry)
    registry.add(Run(run="a-1", backend="local"))
    with registry.writing() as database:
        pass
    database.execute(f"PRAGMA {pragma}")
    with pytest.raises(typer.Exit) as ended, speaking(Manner(as_json=True)):
        registry.set_plan("a-1", (("label", "value" * 10_000),))
    error = said(capfd)
    assert ended.value.exit_code == 1
    assert error["message"] == f"the registry {home.registry} cannot be used: {words}"
    assert error["hint"].startswith(hint)
    database.execute(f"PRAGMA {pragma.replace('= 1', '= 0' if 'only' in pragma else '= 99999')}")
    assert registry.move("a-1", State.QUEUED).plan == ()


def test_a_registry_that_another_process_holds_too_long_is_named(home, capfd):
    registry = Registry(home.registry)
    with registry.writing() as database:
        pass
    database.execute("PRAGMA busy_timeout = 0")
    with Registry(home.registry).writing(), pytest.raises(typer.Exit), speaking(Manner(as_json=True)):
        registry.add(Run(run="a-1", backend="local"))
    assert said(capfd)["hint"] == "another cid holds it: wait for that one, then the same command"


def test_a_mistake_of_ours_in_the_database_stays_a_defect(registry):
    registry.add(Run(run="a-1", backend="local"))
    with pytest.raises(sqlite3.IntegrityError), speaking(Manner()):
        registry.add(Run(run="a-1", backend="local"))
    assert registry.get("a-1").state is State.CREATED
