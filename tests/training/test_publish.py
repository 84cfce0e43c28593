import base64
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fakes import dvc as fake
from fakes.git_server import GitHost, git_host
from fakes.legs import Leg
from fakes.repositories import Project, git, project

from containerid.config import Params
from containerid.job import Code, Publish, Spec
from containerid.training.budget import Budget
from containerid.training.data import Place
from containerid.training.gates import Gate
from containerid.training.log import Log
from containerid.training.publish import publish
from containerid.training.session import Session
from containerid.training.stop import Stop

TOKEN = "github" + "_pat_" + hashlib.sha256(b"door").hexdigest()[:40]
MET, MISSED = Gate("val/mAP50", 0.5, "at least", 0.9, met=True), Gate("val/mAP50", 0.5, "at least", 0.1, met=False)
BRANCH = "refs/heads/cid/results/r1"
RUN_SHELL = '#!/bin/sh\n"{}" "$@" || exit\n'


class Far:
    """The far end of a run whose training is over: a tree without git, outputs, a remote behind a password."""

    def __init__(self, folder: Path, host: GitHost) -> None:
        self.folder, self.host = folder, host
        self.source: Project = project(folder)
        self.source.write(".dvc/config", f"[core]\n    remote = s\n['remote \"s\"']\n    url = {folder / 'models'}\n")
        self.source.write("weights/detection/.gitignore", "/old.pt")
        self.source.git("add", "-A")
        self.source.git("commit", "-q", "-m", "set up")
        self.source.git("push", "-q")
        self.sha = self.source.git("rev-parse", "HEAD")
        self.out, self.tree = folder / "out", folder / "tree"
        (self.out / "weights").mkdir(parents=True)
        for name in ("weights/best.pt", "weights/last.pt", "metadata.json"):
            (self.out / name).write_bytes(f"{name} of r1".encode())
        subprocess.run(["git", "clone", "-q", self.source.bare, self.tree], check=True)
        subprocess.run(["rm", "-r", self.tree / ".git"], check=True)
        self.times = 0

    @property
    def url(self) -> str:
        return f"http://{self.host.place}/door.git"

    def session(self, *, ref: str = "refs/heads/main", url: str = "", when: str = "always", left: float = 0) -> Session:
        self.times += 1
        code = Code(sha=self.sha, ref=ref, remote=url or self.url)
        wish = Publish(when=when, path="weights/detection")
        spec = Spec(run="r1", experiment="exp001", code=code, publish=wish, created="2026-11-30T07:03:20.123Z")
        scratch = self.folder / f"scratch{self.times}"
        scratch.mkdir()
        session = Session(
            spec, Params.from_dict({}), self.folder / "spec.json", self.out, Place(self.tree, self.folder, scratch),
            Log(self.folder / "train.log", ("report",)), Stop(), Budget(left, time.monotonic()),
        )  # fmt: skip
        session.metrics["val/mAP50"] = 0.9
        session.token = TOKEN
        return session

    def push(self, *gates: Gate, patience: float = 60, token: str = TOKEN, **asked) -> dict[str, str]:
        session = self.session(**asked)
        session.token = token
        publish(session, gates, patience)
        return session.published

    def refs(self) -> dict[str, str]:
        return self.source.remote_refs()

    def shown(self, path: str) -> str:
        return git(self.source.bare, "show", f"{BRANCH}:{path}")


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    monkeypatch.setenv("CID_DVC", str(fake.program(tmp_path)))
    with git_host(tmp_path, f"x-access-token:{TOKEN}") as host:
        yield Far(tmp_path, host)


def unpublished(far: Far, words: str, **asked) -> None:
    """It is told in one line, with no secret, and neither branch nor anything else has changed."""
    before = far.refs()
    told = far.push(**asked)
    assert set(told) == {"problem"}
    assert words in told["problem"]
    assert "\n" not in told["problem"]
    assert TOKEN not in told["problem"]
    assert far.refs() == before


def test_a_model_is_one_commit_on_top_of_the_runs_and_no_other_ref_moves(far):
    before = far.refs()
    told = far.push(MET)
    assert far.refs() == before | {BRANCH: told["sha"]}
    assert (told["branch"], told["storage"]) == ("cid/results/r1", str(far.folder / "models"))
    assert git(far.source.bare, "rev-parse", f"{BRANCH}^") == far.sha
    assert git(far.source.bare, "show", "--name-status", "--format=%an <%ae>", BRANCH).split("\n") == [
        "cid <cid@localhost>",
        "",
        "M\tweights/detection/.gitignore",
        "A\tweights/detection/best.pt.dvc",
        "A\tweights/detection/last.pt.dvc",
        "A\tweights/detection/metadata.json.dvc",
    ]
    assert far.shown("weights/detection/.gitignore") == "/old.pt\n/best.pt\n/last.pt\n/metadata.json"
    md5 = hashlib.md5(b"weights/best.pt of r1").hexdigest()
    assert md5 in far.shown("weights/detection/best.pt.dvc")
    assert (far.folder / "models/files/md5" / md5[:2] / md5[2:]).read_bytes() == b"weights/best.pt of r1"
    message = git(far.source.bare, "log", "-1", "--format=%B", BRANCH).strip().splitlines()
    assert git(far.source.bare, "log", "-1", "--format=%at %ct", BRANCH) == "1796022200 1796022200"
    assert message[0] == "Results of r1"
    assert {"experiment: exp001", f"code: {far.sha}", "val/mAP50: 0.9000", "gates: met"} <= set(message)
    assert not list(far.tree.glob(".cid-promotion-*"))


def test_another_try_finds_its_own_commit_and_is_a_success(far):
    first = far.push(MET)
    assert far.push(MET) == first
    assert git(far.source.bare, "rev-list", "--count", BRANCH, f"^{far.sha}") == "1"


def test_the_same_files_in_another_commit_are_a_success_too(far):
    first = far.push(MET)
    again = git(far.source.bare, "commit-tree", f"{BRANCH}^{{tree}}", "-p", far.sha, "-m", "by hand")
    git(far.source.bare, "update-ref", BRANCH, again)
    assert far.push(MET) == first | {"sha": again}
    assert far.refs()[BRANCH] == again


def test_a_branch_with_other_files_is_left_alone(far):
    far.push(MET)
    (far.out / "weights/best.pt").write_bytes(b"another model")
    unpublished(far, "cid/results/r1 is there already, with other files")


@pytest.mark.parametrize(
    ("when", "gates", "pushed"),
    [
        ("never", [MET], False),
        ("on-pass", [MET], True),
        ("on-pass", [MET, MISSED], False),
        ("on-pass", [], False),
        ("always", [MISSED], True),
        ("always", [], True),
    ],
)
def test_gates_decide_where_they_are_asked(far, when, gates, pushed):
    assert bool(far.push(*gates, when=when)) is pushed
    assert (BRANCH in far.refs()) is pushed
    if pushed and gates == [MISSED]:
        assert "gates: missed" in git(far.source.bare, "log", "-1", "--format=%B", BRANCH)


def test_a_wrong_token_is_told_and_not_shown(far):
    wrong = TOKEN[:-4] + "0000"
    unpublished(far, "127.0.0.1 does not take GITHUB_TOKEN", token=wrong)
    assert wrong not in (far.push(token=wrong)["problem"])
    unpublished(far, "127.0.0.1 does not take GITHUB_TOKEN", token="")


def test_a_token_may_name_its_user(far):
    far.host.password = f"ada:{TOKEN}"
    assert far.push(token=f"ada:{TOKEN}")["sha"] == far.refs()[BRANCH]


def test_a_remote_that_is_gone_is_told(far):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        unpublished(far, "git fetch: ", url=f"http://127.0.0.1:{taken.getsockname()[1]}/door.git")


def test_a_remote_that_never_answers_is_given_up(far):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/door.git"
        unpublished(far, "git fetch did not end within", url=url, patience=1.5)


def test_a_dvc_that_does_not_end_is_given_up(far, monkeypatch):
    hanging = far.folder / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("CID_DVC", str(hanging))
    unpublished(far, "dvc add did not end within 1 s", patience=0)


def test_a_token_does_not_follow_a_redirect(far):
    asked = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"{far.url}{self.path.removeprefix('/moved.git')}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        unpublished(far, "sends on to another address", url=f"http://127.0.0.1:{server.server_address[1]}/moved.git")
        server.shutdown()
    assert asked
    assert far.host.seen == []


def test_a_branch_that_the_remote_denies_is_told_in_its_words(far):
    far.source.hook("pre-receive", "echo 'GH006: no such branches here' >&2; exit 1\n", remote=True)
    unpublished(far, "git push: pre-receive hook declined: GH006: no such branches here")


def test_a_push_that_the_remote_forgets_is_not_claimed(far):
    far.source.hook("post-update", f"git update-ref -d {BRANCH}\n", remote=True)
    unpublished(far, "the remote took the push, but does not show the commit")


def test_what_dvc_cannot_push_no_branch_points_to(far, monkeypatch):
    monkeypatch.setenv("FAKE_DVC_FAILS", "push")
    unpublished(far, "dvc push failed: push: no such bucket")


def test_without_git_it_is_told(far, monkeypatch):
    (far.folder / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(far.folder / "nothing"))
    told = far.push()
    assert told == {"problem": "git is not installed there"}


def test_a_commit_that_was_never_pushed_has_nothing_to_stand_on(far):
    unpublished(far, "the run's commit could not be pushed to the remote", ref="")
    assert far.host.seen == []


def test_a_commit_whose_branch_has_moved_on_is_found_by_its_id(far):
    far.source.commit("more.py")
    far.source.git("push", "-q")
    assert far.push()["sha"] == far.refs()[BRANCH]
    assert git(far.source.bare, "rev-parse", f"{BRANCH}^") == far.sha


def test_a_commit_that_is_gone_is_told(far):
    far.source.git("commit", "-q", "--amend", "-m", "rewritten")
    far.source.git("push", "-q", "--force")
    git(far.source.bare, "gc", "-q", "--prune=now")
    unpublished(far, "git fetch: ")


def test_a_model_that_git_tracks_is_not_pushed(far):
    far.sha = far.source.commit("weights/detection/metadata.json", "{}")
    far.source.git("push", "-q")
    unpublished(far, "git tracks weights/detection/metadata.json, so DVC cannot")


def test_a_run_without_a_model_has_nothing_to_push(far):
    (far.out / "weights/best.pt").unlink()
    unpublished(far, "the run left no weights/best.pt")


def test_a_tree_that_is_no_dvc_project_is_told(far):
    (far.tree / ".dvc/config").unlink()
    (far.tree / ".dvc").rmdir()
    unpublished(far, "tree is no DVC project")


def test_what_is_left_of_a_session_is_not_spent_on_it(far):
    unpublished(far, "s left, which do not suffice", left=70)
    assert far.host.seen == []


def test_a_model_with_a_known_secret_in_it_does_not_leave(far):
    (far.out / "weights/last.pt").write_bytes(b"\0\xff" + TOKEN.encode())
    session = far.session()
    session.log.redactor.add(TOKEN)
    publish(session, [])
    assert session.published == {"problem": "last.pt held a secret"}
    assert BRANCH not in far.refs()


def test_a_signal_still_ends_the_run(far):
    session = far.session()
    session.stop.signal = "SIGTERM"
    with pytest.raises(BaseException, match="SIGTERM"):
        publish(session, [])
    assert BRANCH not in far.refs()


@pytest.mark.kills
def test_killed_between_the_two_pushes_it_is_completed_by_another_try(far, monkeypatch):
    deadly = far.folder / "deadly"
    whole = os.environ["CID_DVC"]
    deadly.write_text(RUN_SHELL.format(whole) + 'if [ "$1" = push ]; then kill -9 $PPID; fi\n')
    deadly.chmod(0o755)
    monkeypatch.setenv("CID_DVC", str(deadly))
    child = os.fork()
    if not child:
        far.push()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert BRANCH not in far.refs()
    assert list((far.folder / "models").rglob("files/md5/*/*"))
    monkeypatch.setenv("CID_DVC", whole)
    subprocess.run(["rm", "-r", *far.folder.glob("scratch*")], check=True)
    assert far.push()["sha"] == far.refs()[BRANCH]


def test_the_token_lies_in_no_file_and_on_no_command_line(far, monkeypatch):
    seen = far.folder / "seen"
    watching = f'#!/bin/sh\nfor each in /proc/[0-9]*/cmdline; do cat $each >>"{seen}" 2>/dev/null; done; exit 0\n'
    hook = far.source.hook("pre-receive", "", remote=True)
    hook.write_text(watching)
    far.push()
    lines = seen.read_bytes()
    assert b"push\0--porcelain" in lines, "the push was not seen"
    files = [path.read_bytes() for path in far.folder.rglob("*") if path.is_file()]
    for form in (TOKEN.encode(), base64.b64encode(f"x-access-token:{TOKEN}".encode())):
        assert form not in lines
        assert not [content for content in files if form in content]


OWN = """
import json, os, pathlib
out = pathlib.Path(os.environ["CID_OUT"])
(out / "weights").mkdir()
(out / "weights/best.pt").write_bytes(b"a model")
(out / "metrics.json").write_text(json.dumps({"val/mAP50": 0.9}))
print("sees", sorted(name for name in os.environ if "TOKEN" in name))
"""


@pytest.fixture
def leg(far: Far, monkeypatch: pytest.MonkeyPatch) -> Leg:
    (far.tree / "own.py").write_text(OWN)
    monkeypatch.chdir(far.tree)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    made = Leg(far.folder / "leg")
    made.folder.mkdir()
    return made


def asked(far: Far, **changes) -> dict:
    spec = far.session().spec
    params = {"training": {"entry": "own"}, "gates": {"val/mAP50": changes.pop("gate", 0.5)}}
    return {"entry": "own", "params": params, "code": spec.code, "publish": replace(spec.publish, **changes)}


def test_a_run_says_what_became_of_its_model_everywhere_but_in_what_is_published(far, leg):
    result = leg.run(**asked(far, when="on-pass"))
    assert result.outcome == "succeeded"
    assert result.published["sha"] == far.refs()[BRANCH]
    line = f"cid/results/r1 ({result.published['sha'][:12]}), model in {far.folder / 'models'}"
    assert f"published: {line}\n" in leg.log()
    assert f"| published | {line} |" in (leg.out / "summary.md").read_text()
    assert line in (leg.out / "report.html").read_text().replace("<wbr>", "")
    assert "sees []\n" in leg.log(), "whatever trains needs no token"
    listed = far.shown("weights/detection/metadata.json.dvc")
    assert hashlib.md5((leg.out / "metadata.json").read_bytes()).hexdigest() in listed
    assert "last.pt" not in git(far.source.bare, "ls-tree", "-r", "--name-only", BRANCH)


def test_a_model_that_could_not_be_pushed_costs_the_run_nothing(far, leg):
    far.host.password = "x-access-token:another"
    result = leg.run(**asked(far, when="on-pass"))
    assert (result.outcome, leg.code) == ("succeeded", 0)
    assert result.published["problem"].startswith("127.0.0.1 does not take GITHUB_TOKEN")
    assert "caution: published: no: 127.0.0.1 does not take" in leg.log()
    assert "cid promote r1" in leg.log()
    everything = b"".join(path.read_bytes() for path in leg.out.rglob("*") if path.is_file())
    assert TOKEN.encode() not in everything


def test_a_leg_that_pauses_leaves_it_to_the_one_that_ends(far, leg):
    (far.tree / "own.py").write_text(f"{OWN}raise SystemExit(9)\n")
    result = leg.run(**asked(far, when="always"))
    assert (result.outcome, result.published) == ("paused", {})
    assert BRANCH not in far.refs()


def test_a_run_that_missed_its_gates_is_pushed_where_always_is_asked(far, leg):
    result = leg.run(**asked(far, when="always", gate=0.95))
    assert (result.outcome, leg.code) == ("failed", 7)
    assert result.published["sha"] == far.refs()[BRANCH]
