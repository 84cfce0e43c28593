import json
from pathlib import Path

import pytest
import yaml
from fakes.legs import Leg, of_folder
from fakes.sets import content_of, write_set

TELLS = """
import json, os, pathlib
seen = {name: value for name, value in os.environ.items() if name.startswith("CID_")}
out = pathlib.Path(os.environ["CID_OUT"])
(out / "seen.json").write_text(json.dumps(seen))
yaml = os.environ["CID_DATA_YAML"] and pathlib.Path(os.environ["CID_DATA_YAML"]).read_text()
(out / "seen.yaml").write_text(yaml)
(out / "metrics.json").write_text(json.dumps({"loss": 0.25, "note": "text", "sure": True}))
print("hello from the project")
"""


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path)


def own(leg: Leg, source: str) -> str:
    (leg.folder / "project/trainer.py").write_text(source, encoding="utf-8")
    return "trainer"


def test_a_projects_own_trainer_gets_what_it_needs_and_its_metrics_count(leg: Leg) -> None:
    folder = write_set(leg.folder / "doors")
    before = content_of(folder)
    result = leg.run(entry=own(leg, TELLS), data=of_folder(folder), budget=90)
    assert (leg.code, result.outcome, result.metrics) == (0, "succeeded", {"loss": 0.25})
    seen = json.loads((leg.out / "seen.json").read_text())
    assert seen["CID_SPEC"] == str(leg.folder / "spec.json")
    assert seen["CID_DATA"] == str(folder)
    assert seen["CID_OUT"] == str(leg.out)
    assert 60 < int(seen["CID_BUDGET"]) < 85, "less what was used, and what is kept for the end"
    assert (seen["CID_DEVICE"], seen["CID_PAST"]) == ("cpu", "")
    view = yaml.safe_load((leg.out / "seen.yaml").read_text())
    assert view["names"] == {0: "door"}
    assert view["path"] != str(folder)
    assert content_of(folder) == before
    assert "hello from the project\n" in leg.log()
    assert "seen.json" in leg.manifest()


def test_data_without_a_data_yaml_is_the_projects_business(leg: Leg) -> None:
    (leg.folder / "crops").mkdir()
    assert leg.run(entry=own(leg, TELLS), data=of_folder(leg.folder / "crops")).outcome == "succeeded"
    assert json.loads((leg.out / "seen.json").read_text())["CID_DATA_YAML"] == ""


def test_a_data_yaml_that_cannot_be_used_is_told_and_left_alone(leg: Leg) -> None:
    folder = write_set(leg.folder / "doors", yaml="names: [door]\n")
    assert leg.run(entry=own(leg, TELLS), data=of_folder(folder)).outcome == "succeeded"
    assert "caution: data.yaml: there is no `train:`" in leg.log()


def test_a_trainer_may_need_no_data_and_leave_no_metrics(leg: Leg) -> None:
    result = leg.run(entry=own(leg, "print('done')"))
    assert (result.outcome, result.metrics) == ("succeeded", {})


@pytest.mark.parametrize(
    ("source", "outcome", "reason"),
    [
        ("raise ValueError('bad labels')", "failed", "trainer ended with exit code 1: ValueError: bad labels"),
        ("raise SystemExit(9)", "paused", "trainer paused"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "failed",
            "trainer was killed by SIGKILL (often host memory)",
        ),
    ],
)
def test_how_it_ends_is_how_the_run_ends(leg: Leg, source: str, outcome: str, reason: str) -> None:
    result = leg.run(entry=own(leg, source))
    assert (result.outcome, result.phase, result.reason) == (outcome, "train", reason)
    assert leg.code == result.exit_code == {"failed": 7, "paused": 9}[outcome]


def test_its_error_is_in_the_log(leg: Leg) -> None:
    leg.run(entry=own(leg, "raise ValueError('bad labels')"))
    assert "ValueError: bad labels" in leg.log()


def test_metrics_that_cannot_be_read_are_told(leg: Leg) -> None:
    source = "import os, pathlib; pathlib.Path(os.environ['CID_OUT'], 'metrics.json').write_text('{')"
    assert leg.run(entry=own(leg, source)).metrics == {}
    assert "caution: metrics.json cannot be read" in leg.log()


def test_gates_hold_for_it_too(leg: Leg) -> None:
    params = {"gates": {"loss": 0.9}, "training": {"entry": "trainer"}}
    result = leg.run(entry=own(leg, TELLS), params=params)
    assert (result.outcome, result.phase, result.reason) == ("failed", "report", "gates not met: loss 0.25 < 0.9")
