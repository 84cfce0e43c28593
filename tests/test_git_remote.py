"""Which remote, who may read it, and that no credential in its URL goes further."""

from pathlib import Path

import pytest
from fakes.git_server import git_host
from fakes.repositories import Project, project
from fakes.secrets import ALNUM, drawer

from containerid.errors import GitError, UsageError
from containerid.git import Pushed, Remote, Repository, anonymously_readable, public_url


@pytest.fixture
def door(tmp_path: Path) -> Project:
    return project(tmp_path)


def chosen(door: Project, preferred: str = "", **environ: str) -> Remote:
    remote = Repository.open(door.root).remote(preferred, environ)
    assert remote
    return remote


def test_the_upstream_comes_first_then_the_setting_then_origin_then_the_only_one(door: Project) -> None:
    door.git("remote", "add", "fork", "https://github.com/ada/fork.git")
    door.git("remote", "add", "mirror", "https://github.com/ada/mirror.git")
    assert chosen(door, "mirror").name == "origin"
    door.git("branch", "--unset-upstream")
    assert chosen(door, "mirror").name == "mirror"
    assert chosen(door).name == "origin"
    door.git("remote", "remove", "origin")
    with pytest.raises(GitError, match="several remotes and no choice: fork, mirror"):
        chosen(door)
    door.git("remote", "remove", "mirror")
    assert chosen(door).name == "fork"
    with pytest.raises(GitError, match="names the remote 'mirror', which this repository does not have"):
        chosen(door, "mirror")
    door.git("remote", "remove", "fork")
    assert Repository.open(door.root).remote() is None


def test_the_branch_there_may_have_another_name(door: Project) -> None:
    door.git("checkout", "-q", "-b", "mine", "--track", "origin/main")
    assert chosen(door).branch == "main"
    door.git("branch", "--unset-upstream")
    assert chosen(door).branch == "mine"
    door.git("checkout", "-q", "--detach")
    assert chosen(door).branch == ""


def test_the_environment_overrides_place_and_branch(door: Project) -> None:
    remote = chosen(door, REPO_URL="https://github.com/ada/door.git", GIT_BRANCH="runs")
    assert (remote.name, remote.url, remote.branch) == ("", "https://github.com/ada/door.git", "runs")
    assert chosen(door, GIT_BRANCH="origin/dev").branch == "dev"
    assert chosen(door, GIT_BRANCH="refs/heads/dev").branch == "dev"
    with pytest.raises(UsageError, match="cannot be the name of a branch"):
        chosen(door, GIT_BRANCH="a..b")


def test_a_push_goes_where_the_environment_says(door: Project, tmp_path: Path) -> None:
    other = project(tmp_path / "other")
    door.write("new.py")
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    remote = repository.remote("", {"REPO_URL": str(other.bare), "GIT_BRANCH": "runs"})
    assert repository.push(snapshot, run="r", mode="branch", remote=remote) == Pushed("refs/heads/runs", moved=True)
    assert other.remote_refs()["refs/heads/runs"] == snapshot.sha == door.git("rev-parse", "main")


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://github.com/ada/door.git", "https://github.com/ada/door.git"),
        ("https://ada@github.com/ada/door.git", "https://github.com/ada/door.git"),
        (
            "https://x-access-token:t0ken@github.com:8443/ada/door.git?a=t0ken#t0ken",
            "https://github.com:8443/ada/door.git",
        ),
        ("git@github.com:ada/door.git", "https://github.com/ada/door.git"),
        ("github.com:ada/door", "https://github.com/ada/door"),
        ("ssh://git@gitlab.com:2222/ada/door.git", "https://gitlab.com/ada/door.git"),
        ("ssh://ada:t0ken@gitlab.com/ada/door.git", "https://gitlab.com/ada/door.git"),
        ("git@my-alias:ada/door.git", ""),
        ("git://example.org/door.git", "git://example.org/door.git"),
        ("http://[::1]:80/door.git", "http://[::1]:80/door.git"),
        ("/srv/git/door.git", "file:///srv/git/door.git"),
        ("../door.git", "file:///work/door.git"),
        ("file://ada:t0ken@host/srv/door.git", "file:///srv/door.git"),
        ("https://host:port/door.git", ""),
        ("ext::sh -c door", ""),
        ("rsync://host/door", ""),
        ("", ""),
    ],
)
def test_a_public_url_holds_no_credentials(url: str, public: str) -> None:
    assert public_url(url, Path("/work/here")) == public
    assert "t0ken" not in public


def test_a_token_in_a_url_works_and_is_shown_nowhere(door: Project, tmp_path: Path) -> None:
    token = "ghp" + "_" + drawer("url")(36, ALNUM)
    door.git("-C", str(door.bare), "config", "http.receivepack", "true")
    with git_host(tmp_path, f"ada:{token}") as host:
        secret, public = f"http://ada:{token}@{host.place}/door.git", f"http://{host.place}/door.git"
        door.git("remote", "set-url", "origin", secret)
        remote = chosen(door)
        assert (remote.url, remote.public, remote.local) == (secret, public, False)
        door.write("new.py")
        repository = Repository.open(door.root)
        snapshot = repository.snapshot("m")
        pushed = repository.push(snapshot, run="r", mode="branch", remote=remote)
        assert pushed == Pushed("refs/heads/main", moved=True)
        door.write("newer.py")
        door.protect()
        refused = repository.push(repository.snapshot("m"), run="r", mode="branch", remote=remote)
        by_url = repository.remote("", {"REPO_URL": secret.replace("door.git", "missing.git")})
        assert by_url
        missing = repository.push(repository.snapshot("m"), run="r", mode="snapshot", remote=by_url)
        with pytest.raises(GitError) as caught:
            repository.branch_of(by_url, snapshot.sha)
        door.hook("pre-push", 'echo "to $2: no" >&2; exit 1\n')
        quoted = repository.push(repository.snapshot("m"), run="r", mode="snapshot", remote=remote)
    assert "to http://127.0.0.1" in quoted.cautions[0]
    shown = [quoted, remote, by_url, pushed, refused, missing, caught.value, caught.value.hint, caught.value.__cause__]
    assert refused.cautions
    assert missing.cautions
    assert token not in " ".join(map(repr, shown)) + " ".join(map(str, shown))


def test_anonymously_readable_means_without_anything_of_the_user(
    door: Project, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_home / ".netrc").write_text("machine 127.0.0.1 login ada password pw\n", encoding="utf-8")
    (own_home / ".netrc").chmod(0o600)
    with git_host(tmp_path) as host, git_host(tmp_path, "ada:pw") as closed:
        (own_home / ".gitconfig").write_text(
            f'[http "http://{closed.place}/"]\n extraHeader = "Authorization: Basic YWRhOnB3"\n', encoding="utf-8"
        )
        monkeypatch.setenv("GIT_ASKPASS", "echo")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own_home / ".gitconfig"))
        assert anonymously_readable(f"http://{host.place}/door.git")
        assert not anonymously_readable(f"http://{host.place}/missing.git")
        assert not anonymously_readable(f"http://{closed.place}/door.git")
        assert set(closed.seen) == {""}
        door.git("remote", "set-url", "origin", f"http://{closed.place}/door.git")
        assert chosen(door).public == f"http://{closed.place}/door.git"
        closed.seen.clear()
        door.git("ls-remote", "origin")
        assert set(closed.seen) != {""}
    assert anonymously_readable(door.bare.as_uri())
    assert not anonymously_readable("ssh://git@127.0.0.1/door.git")
    assert not anonymously_readable("--upload-pack=x")
    assert not anonymously_readable("")


def test_a_path_of_this_machine_is_known_as_such(door: Project) -> None:
    remote = chosen(door)
    assert remote.local
    assert remote.public == door.bare.as_uri()
    assert anonymously_readable(remote.public)
