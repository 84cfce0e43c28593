import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.legs import TINY, Leg, of_folder
from fakes.sets import write_set

from containerid.job import Code, Data
from containerid.training.__main__ import main


@pytest.fixture
def leg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Leg(tmp_path)


def verify(leg: Leg) -> None:
    """Every file is in the manifest, and is what the manifest says."""
    files = {path.relative_to(leg.out).as_posix(): path for path in leg.out.rglob("*") if path.is_file()}
    assert set(files) - {"manifest.json"} == set(leg.manifest())
    assert all(
        path.stat().st_size == leg.manifest()[name]["size"] for name, path in files.items() if name in leg.manifest()
    )


def test_data_that_is_not_there_is_one_clear_reason(leg: Leg, capsys: pytest.CaptureFixture[str]) -> None:
    result = leg.run(data=Data(source="data/doors"), code=Code(sha="a" * 40, tree="b" * 40))
    assert leg.code == result.exit_code == 7
    assert (result.outcome, result.phase) == ("failed", "data")
    assert result.reason.startswith("the data folder data/doors is not there; ")
    assert (result.sha, result.tree, result.proof) == ("a" * 40, "b" * 40, "CPU")
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last.removeprefix("CID_RESULT ")) == result.to_dict()
    verify(leg)


def test_a_second_leg_in_the_same_folder_lists_no_manifest(leg: Leg) -> None:
    for _ in range(2):
        leg.run(data=Data(source="none"))
        verify(leg)
    assert leg.log().count("[2/6] data\n") == 2


def test_bad_labels_stop_the_run_before_it_trains(leg: Leg) -> None:
    folder = write_set(leg.folder / "doors")
    (folder / "labels/val/val2.txt").write_text("0 0.5 0.5 0.4 0.4\n3 0.5 0.5 0.4 0.4\n")
    result = leg.run(data=of_folder(folder))
    assert (result.outcome, result.phase, leg.code) == ("failed", "validate", 7)
    assert result.reason == "the data cannot be used: labels/val/val2.txt:2: error: class 3 is none of 0 to 0"
    assert "labels/val/val2.txt:2: error: class 3" in leg.log()


def test_a_data_yaml_that_would_run_code_is_refused(leg: Leg) -> None:
    folder = write_set(leg.folder / "doors", yaml="train: images/train\nval: images/val\nnames: [door]\ndownload: x\n")
    result = leg.run(data=of_folder(folder))
    assert "data.yaml:4: error: `download:` would be executed" in result.reason


def test_data_without_a_data_yaml_is_refused(leg: Leg) -> None:
    (leg.folder / "doors").mkdir()
    assert leg.run(data=of_folder(leg.folder / "doors")).reason.startswith("the data holds no data.yaml")


def test_many_findings_are_counted_and_some_are_shown(leg: Leg) -> None:
    folder = write_set(leg.folder / "doors", {"train": 30, "val": 1, "test": 1}, label="9 0.5 0.5 0.4 0.4\n")
    assert leg.run(data=of_folder(folder)).reason.endswith("(and 31 more errors)")
    assert "… and 12 more\n" in leg.log()
    assert leg.log().count("error: class 9") == 21


def test_a_missing_gpu_is_told_in_the_first_phase(leg: Leg) -> None:
    result = leg.run(device="cuda")
    assert (result.outcome, result.phase) == ("failed", "environment")
    assert "a GPU was asked for, and there is none" in result.reason


def test_an_architecture_that_does_not_exist_is_refused_by_name(leg: Leg) -> None:
    result = leg.run(params={"model": {"architecture": "yolov11s"}})
    assert "no model is called `yolov11s` (did you mean `yolo11s`?)" in result.reason
    assert "\n" not in result.reason


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "r1", "surprise": 1}', '{"run": "r1", "version": 99}'])
def test_a_spec_that_cannot_be_read_still_leaves_a_result(leg: Leg, text: str) -> None:
    (leg.folder / "spec.json").write_text(text, encoding="utf-8")
    result = leg.run_file()
    assert (result.outcome, leg.code) == ("failed", 7)
    assert "spec" in result.reason
    verify(leg)


def test_an_error_of_our_own_is_a_traceback_in_the_log_and_one_line_in_the_result(leg: Leg) -> None:
    options = {"images": "many"}
    result = leg.run(data=Data(provider="synthetic", options=options))
    assert result.reason == "ValueError: invalid literal for int() with base 10: 'many'"
    assert "Traceback (most recent call last)" in leg.log()


def test_dvc_data_without_a_project_stops(leg: Leg) -> None:
    assert "is no DVC project" in leg.run(data=Data(provider="dvc", source="doors.dvc")).reason


def test_secrets_never_reach_the_result(leg: Leg, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "w" * 40
    monkeypatch.setenv("WANDB_API_KEY", key)
    result = leg.run(data=Data(source=f"data/{key}"))
    assert "data/[redacted]" in result.reason
    assert key not in leg.log() + (leg.out / "result.json").read_text()


def test_phases_are_numbered_after_the_bootstraps(leg: Leg) -> None:
    leg.before = {"CID_PHASES_BEFORE": "3"}
    leg.run(data=Data(source="none"))
    assert "[4/9] environment\n" in leg.log()
    assert "[5/9] data\n" in leg.log()


def test_help_needs_nothing_else() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "containerid.training", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for word in ("--spec", "--out", "--input", "result.json", "CID_REHEARSAL", "exit"):
        assert word in done.stdout
    assert not any(name in done.stderr for name in (" torch", " pydantic", " yaml", " ultralytics"))


def test_the_far_side_imports_nothing_of_the_laptop() -> None:
    barred = ["typer", "rich", "kagglesdk", "git", "jinja2", "requests", "torch", "ultralytics", "wandb", "dvc"]
    code = f"import sys\nimport containerid.training.run\nprint([n for n in {barred} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_passes_its_options_on(leg: Leg) -> None:
    (leg.folder / "spec.json").write_text(json.dumps({"run": "r1", "device": "cpu", "data": {"source": "x"}}))
    assert main(["--spec", str(leg.folder / "spec.json"), "--out", str(leg.out)]) == 7
    assert leg.result().run == "r1"


SLEEPER = "import time, pathlib, os\npathlib.Path(os.environ['CID_OUT'], 'up').touch()\ntime.sleep(60)\n"


@pytest.mark.kills
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_result(leg: Leg, number: signal.Signals) -> None:
    (leg.folder / "project/trainer.py").write_text(SLEEPER)
    (leg.folder / "spec.json").write_text(
        json.dumps({"run": "r1", "device": "cpu", "entry": "trainer", "params": TINY})
    )
    command = [sys.executable, "-m", "containerid.training", "--spec", leg.folder / "spec.json", "--out", leg.out]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            if line.startswith("$ python -m trainer"):
                process.send_signal(number)
    assert process.returncode == 8
    result = leg.result()
    assert (result.outcome, result.reason, result.exit_code) == ("cancelled", f"stopped by {number.name} in train", 8)
    assert lines[-1].startswith("CID_RESULT ")
    verify(leg)


def test_the_phases_before_this_process_are_in_the_timeline(leg: Leg) -> None:
    leg.before = {"CID_TIMELINE": '{"code": 1.5, "hardware": 4, "packages": 9.25}'}
    timeline = leg.run(data=Data(source="none")).timeline
    assert list(timeline) == ["code", "hardware", "packages", "environment", "data"]
    assert (timeline["code"], timeline["packages"]) == (1.5, 9.25)


@pytest.mark.parametrize("told", ["", "no JSON", "[1]", '{"code": null}', '{"code": "long"}'])
def test_phases_that_nobody_can_read_are_left_out(leg: Leg, told: str) -> None:
    leg.before = {"CID_TIMELINE": told}
    assert list(leg.run(data=Data(source="none")).timeline) == ["environment", "data"]
