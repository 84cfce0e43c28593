import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from containerid.errors import CredentialsError, UsageError
from containerid.home import Home
from containerid.keychain import Keychain, google, sources

VALUE = "v4lue-" + "x" * 40


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_the_file_is_never_readable_by_others(home, umask, monkeypatch):
    modes = []
    opened = os.open

    def watch(path, flags, mode=0o777, **more):
        descriptor = opened(path, flags, mode, **more)
        if flags & os.O_CREAT:
            modes.append(os.fstat(descriptor).st_mode & 0o777)
        return descriptor

    monkeypatch.setattr(os, "open", watch)
    before = os.umask(umask)
    try:
        Keychain(home).put("WANDB_API_KEY", VALUE)
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert (home.root / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert Keychain(home).get("WANDB_API_KEY") == VALUE


def test_one_that_others_can_read_is_refused_with_what_to_do(home):
    Keychain(home).put("WANDB_API_KEY", VALUE)
    (home.root / "secrets.json").chmod(0o644)
    with pytest.raises(CredentialsError, match="can be read by others") as caught:
        Keychain(home).get("WANDB_API_KEY")
    assert "chmod 600" in caught.value.hint


def test_a_link_in_its_place_is_not_followed(home, tmp_path):
    (tmp_path / "elsewhere").write_text("{}")
    home.folder()
    (home.root / "secrets.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CredentialsError, match="cannot be read"):
        Keychain(home).get("WANDB_API_KEY")


def test_what_may_be_told_holds_no_value(home):
    Keychain(home).put("WANDB_API_KEY", VALUE)
    (entry,) = Keychain(home).entries()
    assert (entry.name, entry.length, entry.days, entry.place) == ("WANDB_API_KEY", len(VALUE), 0, "file")
    assert VALUE not in repr(entry)


def test_one_is_removed(home):
    Keychain(home).put("WANDB_API_KEY", VALUE)
    assert Keychain(home).remove("WANDB_API_KEY")
    assert not Keychain(home).remove("WANDB_API_KEY")
    assert Keychain(home).get("WANDB_API_KEY") == ""
    assert VALUE not in (home.root / "secrets.json").read_text()


class Ring:
    """A keyring that keeps state; `locked` makes it raise, as a desktop's does when nobody unlocks it."""

    priority = 5

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def set_password(self, service: str, name: str, value: str) -> None:
        if self.locked:
            raise RuntimeError("locked")
        self.held[service, name] = value

    def get_password(self, service: str, name: str) -> str | None:
        return self.held.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        del self.held[service, name]


@pytest.fixture
def ring(monkeypatch) -> Ring:
    ring, module = Ring(), ModuleType("keyring")
    module.get_keyring = lambda: ring
    monkeypatch.setitem(sys.modules, "keyring", module)
    return ring


def test_a_keyring_holds_the_value_and_the_file_does_not(home, ring):
    assert Keychain(home).put("WANDB_API_KEY", VALUE).place == "keyring"
    assert VALUE not in (home.root / "secrets.json").read_text()
    assert Keychain(home).get("WANDB_API_KEY") == VALUE
    Keychain(home).remove("WANDB_API_KEY")
    assert ring.held == {}


def test_a_keyring_that_is_locked_leaves_it_to_the_file(home, ring):
    ring.locked = True
    assert Keychain(home).put("WANDB_API_KEY", VALUE).place == "file"


def test_a_keyring_that_keeps_nothing_safe_is_not_used(home, ring, monkeypatch):
    monkeypatch.setattr(Ring, "priority", 0.5)
    assert Keychain(home).put("WANDB_API_KEY", VALUE).place == "file"


def test_a_value_that_somebody_took_out_of_the_keyring_is_told(home, ring):
    Keychain(home).put("WANDB_API_KEY", VALUE)
    ring.held.clear()
    with pytest.raises(CredentialsError, match="gone from the keyring"):
        Keychain(home).get("WANDB_API_KEY")


ENV = """
# a comment
WANDB_API_KEY=plain # why
export GITHUB_TOKEN='single # quoted'
OTHER="double \\"quoted\\"
over two lines"
  SPACED = value with spaces
EMPTY=
not an assignment
"""


def test_an_env_file_is_read_as_shells_and_compose_read_it(tmp_path):
    (tmp_path / ".env").write_text(ENV)
    assert sources.of_env_file(tmp_path / ".env") == {
        "WANDB_API_KEY": "plain",
        "GITHUB_TOKEN": "single # quoted",
        "OTHER": 'double "quoted"\nover two lines',
        "SPACED": "value with spaces",
    }


def session(**changes: object) -> dict[str, object]:
    whole = {
        "access_token": "ya29." + "a" * 30,
        "client_id": "1-a.apps.example",
        "client_secret": "-".join(("GOCSPX", "s" * 20)),
        "refresh_token": "1//" + "r" * 30,
        "token_expiry": "2026-01-01T00:00:00Z",
        "token_uri": "https://oauth2.googleapis.com/token",
        "user_agent": None,
        "invalid": False,
    }
    return {name: value for name, value in {**whole, **changes}.items() if value != "gone"}


@pytest.mark.parametrize("key", list(session()))
def test_each_key_that_dvc_asks_for_is_asked_for(key):
    found = google.examine(json.dumps(session(**{key: "gone"})))
    assert found.kind == "session"
    assert key in found.faults[0]


@pytest.mark.parametrize("key", ["access_token", "token_expiry", "token_uri", "user_agent", "invalid"])
def test_what_need_not_come_from_google_is_filled_in(key):
    assert google.examine(google.complete(json.dumps(session(**{key: "gone"})), {})).faults == ()


def test_the_clients_own_keys_come_from_the_remotes_settings():
    half = json.dumps(session(client_id="gone", client_secret="gone"))
    settings = {"gdrive_client_id": "2-b.apps.example", "gdrive_client_secret": "s" * 20}
    assert json.loads(google.complete(half, settings))["client_id"] == "2-b.apps.example"
    assert google.examine(google.complete(half, {})).faults


def test_a_session_is_warned_of_and_a_dead_one_refused():
    notes = " ".join(google.examine(json.dumps(session())).notes)
    assert "whole Google Drive" in notes
    assert "after 7 days" in notes
    assert "marked as invalid" in google.examine(json.dumps(session(invalid=True))).faults[0]
    blocked = google.examine(json.dumps(session(client_id="710796635688-x.apps.example")))
    assert "which Google blocks" in blocked.notes[-1]


def test_a_service_account_needs_its_own_keys():
    whole = dict.fromkeys(("client_email", "private_key", "private_key_id", "client_id"), "x")
    assert google.examine(json.dumps({"type": "service_account", **whole})).faults == ()
    del whole["private_key_id"]
    assert "private_key_id" in google.examine(json.dumps({"type": "service_account", **whole})).faults[0]


@pytest.mark.parametrize("text", ["", "not json", "[]", '"text"'])
def test_what_is_no_credentials_document_is_refused(text):
    with pytest.raises(UsageError, match="JSON document"):
        google.examine(text)


def cache(home: Path, client: str = "1-a", name: str = "default.json") -> Path:
    path = home / ".cache/pydrive2fs" / client / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(session(token_uri="gone")))
    return path


def test_what_dvc_keeps_is_found_and_completed(own_home):
    path = cache(own_home)
    value, found = sources.of_dvc({}, {}, own_home)
    assert found == path
    assert google.examine(value).faults == ()


def test_of_several_the_one_of_the_projects_client_is_taken(own_home):
    cache(own_home)
    path = cache(own_home, "2-b")
    assert sources.of_dvc({"gdrive_client_id": "2-b"}, {}, own_home)[1] == path
    with pytest.raises(CredentialsError, match="several"):
        sources.of_dvc({}, {}, own_home)


def test_the_file_that_the_remote_names_comes_first(own_home, tmp_path):
    cache(own_home)
    (tmp_path / "mine.json").write_text(json.dumps(session()))
    settings = {"gdrive_user_credentials_file": str(tmp_path / "mine.json")}
    assert sources.of_dvc(settings, {}, own_home)[1] == tmp_path / "mine.json"


def test_a_cache_that_was_moved_is_found_and_none_is_told(own_home, tmp_path):
    with pytest.raises(CredentialsError, match="keeps no Google credentials"):
        sources.of_dvc({}, {}, own_home)
    cache(own_home).rename(tmp_path / "default.json")
    moved = tmp_path / "moved/pydrive2fs/1-a"
    moved.mkdir(parents=True)
    (tmp_path / "default.json").rename(moved / "default.json")
    assert sources.of_dvc({}, {"XDG_CACHE_HOME": str(tmp_path / "moved")}, own_home)[1] == moved / "default.json"


def make_old(home: Home, name: str, days: int) -> None:
    path = home.root / "secrets.json"
    document = json.loads(path.read_text())
    document[name]["stored"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    path.write_text(json.dumps(document))


def test_a_value_is_set_from_the_environment_and_listed_without_it(cid, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", VALUE)
    said = cid("secrets", "set", "WANDB_API_KEY")
    listed = cid("secrets", "list", "--json")
    assert (said.code, listed.document["secrets"][0]["length"]) == (0, len(VALUE))
    assert VALUE not in said.out + said.err + listed.out + cid("secrets", "list").out


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("WANDB_API_KEY", "sh0rt", "too short"),
        ("WANDB_API_KEY", "a" * 20 + " " + "b" * 20, "spaces or line ends"),
        ("HF_TOKEN", "x" * 40, "no run uses"),
        ("GDRIVE_CREDENTIALS_DATA", '{"refresh_token": "1//xxxxxxxxxxxxx"}', "client_id"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_without_being_shown(cid, monkeypatch, name, value, fault):
    monkeypatch.setenv(name, value)
    said = cid("secrets", "set", name)
    assert said.code == 2
    assert fault in said.err
    assert value not in said.err
    assert "no secrets" in cid("secrets", "list").out


def test_a_name_that_no_run_uses_is_refused_before_its_value_is_asked_for(cid):
    said = cid("secrets", "set", "HF_TOKEN")
    assert (said.code, "no run uses a secret called HF_TOKEN" in said.err) == (2, True)


def test_without_a_terminal_nobody_is_asked(cid):
    said = cid("secrets", "set", "WANDB_API_KEY")
    assert (said.code, "nobody can be asked" in said.err) == (2, True)


def test_all_that_is_known_is_taken_from_an_env_file(cid, tmp_path):
    (tmp_path / ".env").write_text(f"WANDB_API_KEY={VALUE}\nGITHUB_TOKEN={'g' * 40}\nAWS_SECRET=other\n")
    assert cid("secrets", "set", "--from-env-file", str(tmp_path / ".env")).code == 0
    names = [each["name"] for each in cid("secrets", "list", "--json").document["secrets"]]
    assert names == ["GITHUB_TOKEN", "WANDB_API_KEY"]
    assert cid("secrets", "rm", "GITHUB_TOKEN").code == 0
    assert cid("secrets", "rm", "GITHUB_TOKEN").code == 2


def test_what_dvc_keeps_is_taken_with_a_warning(cid, own_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache(own_home)
    said = cid("secrets", "set", "GDRIVE_CREDENTIALS_DATA", "--from-dvc")
    assert said.code == 0
    assert "opens the whole Google Drive" in said.err
    assert cid("secrets", "set", "WANDB_API_KEY", "--from-dvc").code == 2


@pytest.mark.parametrize(
    ("name", "days", "nags"),
    [
        ("WANDB_API_KEY", 181, 0),
        ("WANDB_API_KEY", 190, 1),
        ("GDRIVE_CREDENTIALS_DATA", 6, 0),
        ("GDRIVE_CREDENTIALS_DATA", 8, 1),
    ],
)
def test_old_ones_are_nagged_about(cid, home, own_home, tmp_path, monkeypatch, name, days, nags):
    monkeypatch.chdir(tmp_path)
    cache(own_home)
    (tmp_path / "key").write_text(VALUE + "\n")
    source = ("--from-dvc",) if name.startswith("G") else ("--from-file", str(tmp_path / "key"))
    cid("secrets", "set", name, *source)
    make_old(home, name, days)
    (listed,) = cid("secrets", "list", "--json").document["secrets"]
    assert bool(listed["nag"]) == bool(nags)


def test_the_doctor_names_what_would_fail_and_shows_no_value(cid, own_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = cache(own_home)
    path.chmod(0o644)
    cid("secrets", "set", "GDRIVE_CREDENTIALS_DATA", "--from-dvc")
    (tmp_path / "params.yaml").write_text("detection: {wandb: {mode: online}, data: {provider: synthetic}}\n")
    said = cid("secrets", "doctor", "--json")
    bad = {each["name"]: each["mend"] for each in said.document["checks"] if not each["good"]}
    assert bad == {"dvc cache": f"chmod 600 {path}", "needed here": "cid secrets set WANDB_API_KEY"}
    assert str(session()["refresh_token"]) not in said.out


@pytest.mark.parametrize("content", ["[]", '{"WANDB_API_KEY": 1}', "{"])
def test_a_file_that_holds_something_else_is_broken(home, content):
    Keychain(home).put("WANDB_API_KEY", VALUE)
    (home.root / "secrets.json").write_text(content)
    with pytest.raises(CredentialsError, match="is broken"):
        Keychain(home).entries()


@pytest.mark.parametrize(
    ("changes", "good", "found"),
    [
        ({"token_expiry": "2020-01-01T00:00:00Z"}, True, "ended 2020-01-01; the refresh token renews it"),
        ({"token_expiry": "2020-01-01T00:00:00Z", "refresh_token": ""}, False, "ended 2020-01-01, and nothing renews"),
        ({"token_expiry": "2999-01-01T00:00:00Z"}, True, "until 2999-01-01; the refresh token renews it"),
        ({"token_expiry": "soon"}, True, "its end is not known; the refresh token renews it"),
    ],
)
def test_how_long_google_credentials_last_is_told(changes, good, found):
    lasts = google.lasts(json.dumps(session(**changes)))
    assert (lasts.good, found in lasts.words) == (good, True)
