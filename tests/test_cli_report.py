"""report, compare and reproduce as commands: documents, exit codes, help, and a run that really is made again."""

import json
import stat
import sys
from pathlib import Path

import pytest
from fakes.reports import leave
from fakes.repositories import project

from containerid.home import Home
from containerid.job import Leg, Spec, State
from containerid.runs.registry import Registry, Run

TRAINER = """
import json, os, pathlib
pathlib.Path(os.environ["CID_OUT"], "metrics.json").write_text(json.dumps({"val/accuracy": 0.75}))
"""
PARAMS = """
project: own
detection:
  training: {entry: trainer, epochs: 1}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
"""


@pytest.fixture
def ran(own_home, tmp_path):
    registry = Registry(Home.of_user().registry)

    def make(name, **changes):
        registry.add(Run(run=name, backend="local", project="doors", folder=str(tmp_path)))
        registry.set_spec(name, Spec(run=name))
        registry.set_outputs(name, leave(tmp_path / "runs" / name, run=name, **changes), verified=True)
        registry.set_leg(name, Leg("1", name))
        return registry.move(name, State.FAILED)

    return make


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A browser that writes down what it was asked to show."""
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n', encoding="utf-8")
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.delitem(sys.modules, "webbrowser", raising=False)  # it reads BROWSER once
    return seen


def test_report_says_where_the_page_is_and_makes_it_once(ran, cid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran("exp001-1")
    page = tmp_path / "runs/exp001-1/report.html"
    first = cid("report", "exp001-1", "--json").document
    assert first == {"run": "exp001-1", "report": str(page), "made": True, "opened": False}
    assert cid("report", "exp001-1", "--json").document["made"] is False
    assert cid("report").out.strip() == str(page)


def test_report_opens_the_page_in_the_browser_that_the_user_has(ran, cid, opened, tmp_path):
    ran("exp001-1")
    said = cid("report", "exp001-1", "--open", "--json")
    assert said.document["opened"] is True
    assert opened.read_text() == (tmp_path / "runs/exp001-1/report.html").as_uri()


def test_report_of_outputs_that_are_not_here_names_the_command_that_brings_them(cid, own_home):
    registry = Registry(Home.of_user().registry)
    registry.add(Run(run="exp001-1", backend="local", state=State.SUCCEEDED))
    registry.set_leg("exp001-1", Leg("1", "exp001-1"))
    said = cid("report", "exp001-1", "--json")
    assert said.code == 2
    assert said.document["error"]["hint"] == "cid fetch exp001-1"


def test_compare_shows_metrics_side_by_side_and_what_differs(ran, cid):
    ran("exp001-1")
    ran("exp001-2", result={"metrics": {"test/mAP50": 0.95}}, metadata={"params": {"training": {"epochs": 9}}})
    said = cid("compare", "exp001-1", "exp001-2")
    assert said.code == 0
    assert "A  exp001-1  failed, 1 × Tesla T4" in said.out
    row = next(line for line in said.out.splitlines() if line.startswith("test mAP50 "))
    assert row.split() == ["test", "mAP50", "0.910", "0.950", "*", "+0.0400"]
    assert "training.epochs" in said.out
    document = cid("compare", "exp001-1", "exp001-2", "--json").document
    assert document["metrics"]["test/mAP50"] == [0.91, 0.95]
    assert document["page"] == ""


def test_compare_marks_no_speed_of_other_hardware(ran, cid):
    ran("exp001-1")
    slower = {"metrics": {"speed/inference": 12.0}}
    ran("exp001-2", result=slower, evaluation={"speed": {"hardware": "CPU", "imgsz": 640}})
    rows = {line.split("  ")[0]: line for line in cid("compare", "exp001-1", "exp001-2").out.splitlines()}
    assert "*" not in rows["inference"]


def test_compare_writes_a_page_where_it_is_told_to(ran, cid, tmp_path, opened, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran("exp001-1")
    ran("exp001-2")
    document = cid("compare", "exp001-1", "exp001-2", "--html", "both.html", "--open", "--json").document
    assert document["page"] == str(tmp_path / "both.html")
    assert "2 runs compared" in (tmp_path / "both.html").read_text(encoding="utf-8")
    assert opened.read_text() == (tmp_path / "both.html").as_uri()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("compare", "exp001-1"), "two different runs"),
        (("compare",), "missing argument"),
        (("compare", "exp001-1", "none"), "none"),
        (("compare", "exp001-1", "exp001-1", "--open"), "--html FILE"),
        (("reproduce", "exp001-1", "--kaggle", "--local"), "say where once"),
        (("reproduce", "exp001-1"), "from no commit"),
        (("reproduce", "none"), "none"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_2(ran, cid, arguments, told):
    ran("exp001-1")
    said = cid(*arguments)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("name", ["report", "compare", "reproduce"])
def test_help_gives_an_example(cid, name):
    said = cid(name, "--help")
    assert said.code == 0
    assert f"Example: cid {name}" in " ".join(said.out.split())


@pytest.mark.training
def test_a_run_is_trained_reported_made_again_and_compared(cid, tmp_path, monkeypatch, own_home):
    place = project(tmp_path / "work")
    place.write(".gitignore", "runs/\n.cid/\n")
    place.write("trainer.py", TRAINER)
    place.commit("params.yaml", PARAMS)
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "all")
    monkeypatch.chdir(place.root)
    first = cid("train", "--local", "-e", "exp001", "--set", "training.epochs=3", "--yes", "--json").document
    assert first["state"] == "succeeded"
    page = cid("report", "--json").document
    assert page["made"] is False  # the run itself has left it
    told = Path(page["report"]).read_text(encoding="utf-8")
    assert "val accuracy" in told
    assert f"git checkout {first['sha']}\ncid train --local -e exp001 --set training.epochs=3</code>" in told
    place.write("trainer.py", "raise SystemExit('another code')\n")
    said = cid("reproduce", first["run"], "--yes", "--json")
    assert said.code == 0, said.err
    assert said.document["of"] == first["run"]
    assert said.document["sha"] == first["sha"]
    assert said.document["difference"]["val/accuracy"] == {"before": 0.75, "after": 0.75, "difference": 0.0}
    assert list((Home.of_user().root / "again").iterdir()) == []
    both = cid("compare", first["run"], said.document["run"], "--json").document
    assert both["params"] == {}
    assert "code" not in both["origins"]
    assert json.loads((place.root / "runs" / said.document["run"] / "manifest.json").read_text())["run"]
