from pathlib import Path

import pytest

from containerid.backends.local import LocalBackend
from containerid.errors import CredentialsError
from containerid.events import Event
from containerid.home import Home
from containerid.job import Code, Data, Publish, Spec
from containerid.keychain import Keychain
from containerid.runs import sealing

KEY = "k" * 20 + "0123456789" * 2
ONLINE = {"wandb": {"mode": "online"}}


class Elsewhere:
    """A platform that closes secrets in its own way: backwards."""

    def seal(self, spec, values, tell):
        from dataclasses import replace

        return replace(spec, secrets={name: value[::-1] for name, value in values.items()})


@pytest.fixture
def on_drive(tmp_path: Path) -> Path:
    (tmp_path / "project/.dvc").mkdir(parents=True)
    config = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = gdrive://folder\n"
    (tmp_path / "project/.dvc/config").write_text(config)
    return tmp_path / "project"


def quiet(event: Event) -> None:
    pass


def seal(spec: Spec, backend: object, home: Home, folder: Path) -> Spec:
    return sealing.seal(spec, backend, quiet, home=home, folder=folder)


@pytest.mark.parametrize(
    ("params", "data", "names"),
    [
        ({}, Data(), []),
        ({"wandb": {"mode": "offline"}}, Data(provider="kaggle", source="a/b"), []),
        (ONLINE, Data(), ["WANDB_API_KEY"]),
        ({}, Data(provider="dvc", source="doors.dvc"), ["GDRIVE_CREDENTIALS_DATA"]),
        (ONLINE, Data(provider="dvc", source="doors.dvc"), ["GDRIVE_CREDENTIALS_DATA", "WANDB_API_KEY"]),
    ],
)
def test_a_run_needs_what_it_uses_and_nothing_else(on_drive, params, data, names):
    assert sealing.needed(Spec(run="r1", params=params, data=data), on_drive) == names


@pytest.mark.parametrize(
    ("when", "ref", "names"),
    [
        ("always", "refs/heads/main", ["GDRIVE_CREDENTIALS_DATA", "GITHUB_TOKEN"]),
        ("always", "", []),
        ("never", "refs/heads/main", []),
    ],
)
def test_a_run_that_pushes_its_model_needs_what_both_pushes_need(home, on_drive, when, ref, names):
    spec = Spec(run="r1", code=Code(ref=ref), publish=Publish(when=when, path="weights/detection"))
    assert sealing.needed(spec, on_drive) == names
    if names:
        with pytest.raises(CredentialsError) as caught:
            seal(spec, Elsewhere(), home, on_drive)
        without = "or versioning.from_kernel: never"
        assert caught.value.hint == (
            f"cid secrets set GDRIVE_CREDENTIALS_DATA --from-dvc; {without}; cid secrets set GITHUB_TOKEN; {without}"
        )


def test_a_remote_that_is_not_on_drive_needs_nothing(on_drive):
    (on_drive / ".dvc/config").write_text("[core]\n    remote = s\n['remote \"s\"']\n    url = /srv/dvc\n")
    assert sealing.needed(Spec(run="r1", data=Data(provider="dvc", source="doors.dvc")), on_drive) == []


def test_a_missing_one_is_refused_with_the_command_and_a_way_without(home, on_drive):
    spec = Spec(run="r1", params=ONLINE, data=Data(provider="dvc", source="doors.dvc"))
    with pytest.raises(CredentialsError, match="GDRIVE_CREDENTIALS_DATA and WANDB_API_KEY") as caught:
        seal(spec, Elsewhere(), home, on_drive)
    for part in ("cid secrets set WANDB_API_KEY", "--from-dvc", "wandb.mode=offline", "cid data push"):
        assert part in caught.value.hint


def test_the_environment_comes_before_the_keychain(home, tmp_path, monkeypatch):
    Keychain(home).put("WANDB_API_KEY", KEY)
    assert seal(Spec(run="r1", params=ONLINE), Elsewhere(), home, tmp_path).secrets == {"WANDB_API_KEY": KEY[::-1]}
    monkeypatch.setenv("WANDB_API_KEY", "e" * 40)
    assert seal(Spec(run="r1", params=ONLINE), Elsewhere(), home, tmp_path).secrets == {"WANDB_API_KEY": "e" * 40}


def test_what_is_not_needed_is_not_sealed(home, tmp_path):
    Keychain(home).put("WANDB_API_KEY", KEY)
    assert seal(Spec(run="r1", secrets={"OLD": "x"}), Elsewhere(), home, tmp_path).secrets == {}


def test_a_run_here_is_handed_its_secret_in_the_environment_alone(home, tmp_path, monkeypatch):
    Keychain(home).put("WANDB_API_KEY", KEY)
    started = []

    class Process:
        pid = 1

        def __init__(self, command, **options):
            started.append((command, options))

    monkeypatch.setattr("containerid.backends.local.subprocess.Popen", Process)
    backend = LocalBackend(home)
    spec = seal(Spec(run="r1", params=ONLINE), backend, home, tmp_path)
    assert spec.secrets == {"WANDB_API_KEY": ""}
    backend.submit(spec)
    ((command, options),) = started
    assert options["env"]["WANDB_API_KEY"] == KEY
    assert KEY not in " ".join(command)
    assert not [path for path in home.parcel("r1").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_run_here_goes_on_without(home, tmp_path):
    assert seal(Spec(run="r1", params=ONLINE), LocalBackend(home), home, tmp_path).secrets == {}
