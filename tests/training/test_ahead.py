"""A set in DVC is pulled ahead, by a process of its own; the data phase goes on with what that has done."""

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.remotes import Remote, dvc_project, served
from fakes.sets import write_set

from containerid import dvc as programs
from containerid.errors import CidError, CredentialsError, RunFailed
from containerid.job import Data, Spec
from containerid.training import ahead, apart, data, dvc, sealed

SET = Data(provider="dvc", source="data/doors.dvc")
HERE = Data(provider="dvc", source="data/doors")
"""For a DVC that only says that all is well."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> data.Place:
    """A project's folder to stand in, and one in which a pull is begun, as the bootstrap makes it."""
    for name in ("project/.dvc", "scratch", "ahead"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ahead/pull.lock").touch()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("CID_AHEAD", str(tmp_path / "ahead"))
    return data.Place(tmp_path / "project", tmp_path / "input", tmp_path / "scratch", 60, tmp_path / "ahead")


@pytest.fixture
def remote(place: data.Place, tmp_path: Path) -> Iterator[Remote]:
    """A set that lies at a server alone."""
    write_set(place.project / "data/doors", {"train": 2, "val": 1})
    with served(tmp_path / "storage") as server:
        server.files = dvc_project(place.project, "data/doors", tmp_path / "storage", server.url)
        yield server


def begin(place: data.Place, *more: str, **asked: object) -> None:
    """Run the command to its end."""
    spec = Spec(**{"run": "r1", "data": SET, **asked})
    file = place.scratch / "spec.json"
    file.write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    assert ahead.main(["--spec", str(file), "--input", str(place.mounts), *more]) == 0


@pytest.mark.training
def test_what_was_pulled_ahead_is_taken_and_not_asked_for_again(place, remote, capsys):
    begin(place)
    taken = dict(remote.taken)
    assert len(remote.files) == 5, "three images, data.yaml, and the labels, which are all the same"
    assert [taken[path] for path in remote.files] == [1] * 5
    capsys.readouterr()
    assert data.provide(SET, place) == place.project / "data/doors"
    assert (place.project / "data/doors/images/train/train1.jpg").is_file()
    assert dict(remote.taken) == taken
    said = capsys.readouterr().out
    assert said.startswith("dvc: data/doors.dvc was pulled beside the other phases, in ")
    assert ahead.read(place.ahead).seconds > 0


@pytest.mark.training
def test_what_failed_ahead_is_pulled_again_and_fails_with_the_same_words(place, remote, tmp_path):
    alone = data.Place(place.project, place.mounts, place.scratch, 60)
    subprocess.run(["rm", "-r", str(tmp_path / "storage/files")], check=True)
    with pytest.raises(CidError) as now:
        begin(place)
    with pytest.raises(RunFailed) as then:
        data.provide(SET, place)
    with pytest.raises(RunFailed, match=r"dvc pull data/doors\.dvc failed: ") as without:
        data.provide(SET, alone)
    assert str(now.value) == str(then.value) == str(without.value)


@pytest.mark.training
def test_what_failed_ahead_and_is_there_now_is_no_failure(place, remote, tmp_path, capsys):
    (tmp_path / "storage/files").rename(tmp_path / "storage/later")
    with pytest.raises(CidError):
        begin(place)
    (tmp_path / "storage/later").rename(tmp_path / "storage/files")
    assert data.provide(SET, place) == place.project / "data/doors"
    assert "dvc pull data/doors.dvc\n" in capsys.readouterr().out


def slow_dvc(place: data.Place) -> Path:
    """A DVC whose pull does not end; every pull is written down."""
    record = place.scratch / "pulls"
    text = f"import sys, time\nif sys.argv[1] == 'pull':\n    print(1, file=open({str(record)!r}, 'a'), flush=True)\n"
    (place.project / "dvc.py").write_text(f"{text}    time.sleep(60)\nsys.exit(1)\n", encoding="utf-8")
    return record


def test_a_pull_that_ran_out_of_its_time_is_not_given_as_much_again(place, monkeypatch):
    pulls = slow_dvc(place)
    monkeypatch.setattr(ahead, "TIMEOUT", 3.0)
    with pytest.raises(dvc.TooLong):
        begin(place)
    with pytest.raises(RunFailed, match=r"^dvc pull data/doors\.dvc did not end within 3 s$"):
        data.provide(SET, place)
    assert pulls.read_text() == "1\n"


def test_a_pull_that_goes_on_is_waited_for(place):
    order = []
    with (place.ahead / "pull.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def release() -> None:
            order.append("waiting")
            (place.ahead / "pull.json").write_text('{"done": true, "seconds": 7200.5}')
            held.close()

        assert ahead.wait(place.ahead, release) == ahead.Pull(done=True, seconds=7200.5)
    assert ahead.wait(place.ahead, release).done
    assert order == ["waiting"]


@pytest.mark.parametrize("note", [None, "", "[]", '{"done": true, "seconds": 1, "more": 2}'])
def test_a_pull_that_was_killed_has_not_done_it(place, note):
    if note is not None:
        (place.ahead / "pull.json").write_text(note)
    assert ahead.wait(place.ahead, pytest.fail) == ahead.Pull()


def test_where_none_was_begun_none_is_looked_for():
    assert ahead.folder({}) is None
    assert ahead.folder({"CID_AHEAD": "/there"}) == Path("/there")


# --- which DVC


def environments(place: data.Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv whose environments hold a DVC that has everything; it writes down what it is told."""
    tools, log = place.scratch / "tools", place.scratch / "log"
    tools.mkdir()
    program = tools / "uv"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> "{log}"\n'
        'case "$1" in venv) mkdir -p "$5/bin" ;; '
        'pip) p="$(dirname "$5")/dvc"; printf "#!/bin/sh\\necho {}\\n" > "$p"; chmod +x "$p" ;; esac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("CID_DVC", "")
    return log


def test_a_dvc_that_may_be_half_installed_is_not_touched_and_its_environment_is_made_once(place, monkeypatch):
    log = environments(place, monkeypatch)
    write_set(place.project / "data/doors", {"train": 1, "val": 1})
    touched = place.scratch / "touched"
    (place.project / "dvc.py").write_text(f"open({str(touched)!r}, 'w')\nraise SystemExit(3)\n", encoding="utf-8")
    begin(place, "--apart", data=HERE)
    assert not touched.exists()
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["venv", "pip"]
    apart.provide(place.scratch, drive=True, here=False)
    assert programs.command() == [str(place.ahead / "dvc-environment/bin/dvc")]
    assert len(log.read_text().splitlines()) == 2


def test_an_environment_that_was_not_finished_is_made_anew(place, monkeypatch):
    log = environments(place, monkeypatch)
    (place.ahead / "dvc-environment/bin").mkdir(parents=True)
    (place.ahead / "dvc-environment/bin/dvc").write_text("half of it")
    apart.provide(place.ahead, drive=False, here=False)
    assert len(log.read_text().splitlines()) == 2
    assert "half" not in (place.ahead / "dvc-environment/bin/dvc").read_text()


# --- secrets


def on_drive(place: data.Place) -> None:
    config = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = gdrive://1AbC\n"
    (place.project / ".dvc/config").write_text(config, encoding="utf-8")


def test_drive_without_credentials_fails_ahead_without_a_pull(place, monkeypatch):
    on_drive(place)
    refuses = place.scratch / "refuses"
    refuses.write_text('#!/bin/sh\ntest "$1" = pull && touch pulled\nexit 1\n')
    refuses.chmod(0o755)
    monkeypatch.setenv("CID_DVC", str(refuses))
    with pytest.raises(CredentialsError, match=r"no credentials for the DVC remote gdrive://1AbC"):
        begin(place)
    assert not ahead.read(place.ahead).done
    assert not (place.project / "pulled").exists()


def test_the_pull_gets_the_secret_that_it_needs_and_no_other(place, monkeypatch, capfd):
    on_drive(place)
    write_set(place.project / "data/doors", {"train": 1, "val": 1})
    key = os.urandom(32)
    (place.mounts / "datasets/ada/cid-vault").mkdir(parents=True)
    file = place.mounts / "datasets/ada/cid-vault" / sealed.key_file(sealed.key_id(key))
    file.write_bytes(base64.b64encode(key))
    value = json.dumps({"refresh_token": "1//" + "0g" * 20})
    closed = {
        name: str(sealed.seal(text, name=name, run="r1", key=key, dataset="ada/cid-vault"))
        for name, text in {"GDRIVE_CREDENTIALS_DATA": value, "WANDB_API_KEY": "w" * 40}.items()
    }
    program = place.scratch / "telling"
    got = place.scratch / "got"
    program.write_text(f'#!/bin/sh\nenv > "{got}"\nenv\necho "{{}}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("CID_DVC", str(program))
    for name in closed:
        monkeypatch.setenv(name, "")
    begin(place, secrets=closed, data=HERE)
    assert f"GDRIVE_CREDENTIALS_DATA={value}" in got.read_text().splitlines()
    assert "w" * 40 not in got.read_text()
    out, err = capfd.readouterr()
    assert "0g0g" not in out + err + (place.ahead / "pull.json").read_text()
