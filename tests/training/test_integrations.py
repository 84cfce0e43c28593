from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from containerid.config import Params
from containerid.training import integrations
from containerid.training.log import Log


def session(tmp_path: Path, **asked: bool) -> Any:
    params = Params.from_dict({"tracking": asked})
    spec = SimpleNamespace(project="doors", run="r1")
    return SimpleNamespace(params=params, spec=spec, out=tmp_path, phase="train", log=Log(tmp_path / "log", ()))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mlflow", "tensorboard"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "packages")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_everything_is_off_even_where_it_is_installed(tmp_path: Path, installed: None) -> None:
    from ultralytics.utils import SettingsManager

    found = integrations.switches(session(tmp_path))
    assert not any(found.values())
    defaults = SettingsManager(tmp_path / "settings.json").defaults
    assert {name for name, usual in defaults.items() if type(usual) is bool} <= set(found)


def test_what_is_asked_for_is_on_and_writes_beside_the_outputs(
    tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    found = integrations.switches(session(tmp_path, mlflow=True, tensorboard=True))
    assert {name for name, on in found.items() if on} == {"mlflow", "tensorboard"}
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
    assert (os.environ["MLFLOW_EXPERIMENT_NAME"], os.environ["MLFLOW_RUN"]) == ("doors", "r1")


def test_a_server_that_the_environment_names_is_used(
    tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.com")
    integrations.switches(session(tmp_path, mlflow=True))
    assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example.com"


def test_one_that_is_not_installed_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(integrations, "find_spec", lambda _: None)
    found = integrations.switches(session(tmp_path, tensorboard=True))
    assert not found["tensorboard"]
    assert "caution: tracking.tensorboard: it is not installed here" in capsys.readouterr().out
