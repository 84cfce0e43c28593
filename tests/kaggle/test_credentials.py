import json
import logging
from dataclasses import asdict
from pathlib import Path

import pytest

from containerid.errors import CredentialsError
from containerid.kaggle.credentials import Credentials, find

TOKEN = "KGAT_" + "a" * 32
KEY = "0123456789abcdef" * 2


def write(home: Path, name: str, text: str, mode: int = 0o600) -> Path:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def kaggle_json(name: str = "ada", key: str = KEY) -> str:
    return json.dumps({"username": name, "key": key})


def test_a_token_in_the_environment_wins(own_home):
    write(own_home, ".kaggle/access_token", "KGAT_" + "b" * 32)
    found = find({"KAGGLE_API_TOKEN": TOKEN, "KAGGLE_USERNAME": "ada", "KAGGLE_KEY": KEY}, own_home)
    assert (found.kind, found.secret.reveal(), found.source) == ("token", TOKEN, "KAGGLE_API_TOKEN")


def test_the_environment_may_name_a_token_file(own_home, tmp_path):
    path = write(tmp_path, "token", TOKEN + "\n")
    assert find({"KAGGLE_API_TOKEN": str(path)}, own_home).secret.reveal() == TOKEN


def test_a_token_too_long_for_a_file_name_is_a_token(own_home):
    assert find({"KAGGLE_API_TOKEN": "t" * 5000}, own_home).secret.reveal() == "t" * 5000


@pytest.mark.parametrize("name", ["access_token", "access_token.txt"])
def test_a_token_file_in_the_home_is_found(own_home, name):
    write(own_home, f".kaggle/{name}", TOKEN)
    found = find({}, own_home)
    assert (found.kind, found.secret.reveal(), found.source) == ("token", TOKEN, f"~/.kaggle/{name}")


def test_inside_a_kaggle_session_its_own_token_is_found(own_home, tmp_path):
    path = write(tmp_path, "v1", "session-token")
    inside = {"KAGGLE_KERNEL_RUN_TYPE": "Interactive", "KAGGLE_DATA_PROXY_URL": "http://x"}
    assert find(inside | {"KAGGLE_API_V1_TOKEN": str(path)}, own_home).secret.reveal() == "session-token"


def test_name_and_key_come_from_the_environment_before_the_file(own_home):
    write(own_home, ".kaggle/kaggle.json", kaggle_json("file"))
    found = find({"KAGGLE_USERNAME": "env", "KAGGLE_KEY": "k" * 32}, own_home)
    assert (found.kind, found.username, found.secret.reveal(), found.source) == ("key", "env", "k" * 32, "KAGGLE_KEY")


def test_the_config_folder_can_be_named(own_home, tmp_path):
    write(own_home, ".kaggle/kaggle.json", kaggle_json("wrong"))
    write(tmp_path, "elsewhere/kaggle.json", kaggle_json("right"))
    assert find({"KAGGLE_CONFIG_DIR": str(tmp_path / "elsewhere")}, own_home).username == "right"


@pytest.mark.parametrize("named", [True, False])
def test_without_a_kaggle_folder_the_xdg_one_counts(own_home, tmp_path, monkeypatch, named):
    monkeypatch.setattr("sys.platform", "linux")
    base = tmp_path / "xdg" if named else own_home / ".config"
    write(base, "kaggle/kaggle.json", kaggle_json("xdg"))
    assert find({"XDG_CONFIG_HOME": str(base)} if named else {}, own_home).username == "xdg"


def test_an_existing_kaggle_folder_hides_the_xdg_one(own_home):
    (own_home / ".kaggle").mkdir()
    write(own_home, ".config/kaggle/kaggle.json", kaggle_json("xdg"))
    with pytest.raises(CredentialsError, match="there are no Kaggle credentials"):
        find({}, own_home)


def test_an_oauth_session_is_the_last_resort(own_home):
    stored = {
        "refresh_token": "r",
        "access_token": "at",
        "access_token_expiration": "2026-11-21T10:00:00",
        "username": "ada",
    }
    write(own_home, ".kaggle/credentials.json", json.dumps(stored))
    found = find({}, own_home)
    assert (found.kind, found.username, found.secret.reveal()) == ("oauth", "ada", "at")
    assert found.refresh is not None
    assert found.expires is not None
    assert found.expires.isoformat() == "2026-11-21T10:00:00+00:00"
    write(own_home, ".kaggle/kaggle.json", kaggle_json("key"))
    assert find({}, own_home).kind == "key"


def test_none_tells_two_ways_to_get_some(own_home):
    with pytest.raises(CredentialsError) as caught:
        find({}, own_home)
    assert "https://www.kaggle.com/settings" in caught.value.hint
    assert "kaggle auth login" in caught.value.hint


def test_half_a_pair_is_named(own_home):
    with pytest.raises(CredentialsError, match="there is a key without its user name"):
        find({"KAGGLE_KEY": KEY}, own_home)


@pytest.mark.parametrize("text", ["{", "[]", '"a"'])
def test_a_broken_file_is_named(own_home, text):
    write(own_home, ".kaggle/kaggle.json", text)
    with pytest.raises(CredentialsError, match=r"~/.kaggle/kaggle.json is not a JSON object"):
        find({}, own_home)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_a_caution(own_home, mode):
    write(own_home, ".kaggle/kaggle.json", kaggle_json(), mode)
    assert find({}, own_home).cautions == (
        "~/.kaggle/kaggle.json can be read by other users of this machine: chmod 600 ~/.kaggle/kaggle.json",
    )


def test_a_private_file_is_none(own_home):
    write(own_home, ".kaggle/access_token", TOKEN)
    assert find({}, own_home).cautions == ()


@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_token_in_place_of_a_key_is_explained(own_home, where):
    environ = {"KAGGLE_USERNAME": "ada"}
    if where == "environment":
        environ["KAGGLE_KEY"] = TOKEN
    else:
        write(own_home, ".kaggle/kaggle.json", kaggle_json(key=TOKEN))
    with pytest.raises(CredentialsError, match="is an API token") as caught:
        find(environ, own_home)
    assert "KAGGLE_API_TOKEN" in caught.value.hint
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "käse"])
def test_what_no_header_can_carry_is_refused_without_showing_it(own_home, value):
    with pytest.raises(CredentialsError) as caught:
        find({"KAGGLE_API_TOKEN": value}, own_home)
    assert value not in caught.value.message


def test_another_origin_gets_nothing_from_files(own_home, tmp_path):
    for name, text in {"access_token": TOKEN, "kaggle.json": kaggle_json(), "credentials.json": "{}"}.items():
        write(own_home, f".kaggle/{name}", text)
    elsewhere = {"CID_KAGGLE_URL": "http://127.0.0.1:1"}
    named = {"KAGGLE_API_TOKEN": str(write(tmp_path, "token", TOKEN)), "KAGGLE_CONFIG_DIR": str(own_home / ".kaggle")}
    with pytest.raises(CredentialsError, match="KAGGLE_API_TOKEN names a file") as caught:
        find(elsewhere | named, own_home)
    assert "environment" in caught.value.hint
    found = find(elsewhere | {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "k"}, own_home)
    assert (found.username, found.secret.reveal()) == ("me", "k")


def test_a_secret_does_not_show_itself(own_home, caplog):
    found: Credentials = find({"KAGGLE_USERNAME": "ada", "KAGGLE_KEY": KEY}, own_home)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").warning("%s %r %s", found, found, asdict(found))
    assert KEY not in f"{found} {found!r} {found.secret} {found.secret!r} {asdict(found)} {caplog.text}"
    with pytest.raises(TypeError):
        json.dumps(asdict(found))
