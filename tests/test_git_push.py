"""A snapshot reaches the remote, or the next best place; the branch and the index follow, or stay byte for byte."""

import subprocess
import threading
from pathlib import Path

import pytest
from fakes.repositories import Project, git, project

from containerid.doctor import _repository
from containerid.errors import GitError
from containerid.git import Pushed, Repository, Snapshot
from containerid.git.snapshot import index_lock


@pytest.fixture
def door(tmp_path: Path) -> Project:
    return project(tmp_path)


def dirty(door: Project) -> None:
    door.write("train.py", "epochs = 2\n")
    door.git("add", "train.py")
    door.write("train.py", "epochs = 3\n")
    door.write("new.py", "new\n")


def ship(door: Project, mode: str = "branch", run: str = "exp001-a1") -> tuple[Snapshot, Pushed]:
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("run exp001", mode=mode)  # type: ignore[arg-type]
    pushed = repository.push(snapshot, run=run, mode=mode, remote=repository.remote())  # type: ignore[arg-type]
    return snapshot, pushed


def test_the_branch_moves_once_the_remote_has_it_and_the_next_commit_undoes_nothing(door: Project) -> None:
    dirty(door)
    snapshot, pushed = ship(door)
    assert pushed == Pushed("refs/heads/main", moved=True, cautions=())
    assert door.remote_refs() == {"refs/heads/main": snapshot.sha}
    assert door.git("rev-parse", "HEAD") == door.git("rev-parse", "origin/main") == snapshot.sha
    assert door.status() == ""
    assert door.git("reflog", "-1", "--format=%gs", "main") == "cid: run exp001-a1"
    door.commit("next.py")
    assert door.git("diff", "--name-status", snapshot.sha, "HEAD") == "A\tnext.py"
    assert not (door.root / ".git/index.lock").exists()


def test_the_installed_index_has_the_age_by_which_git_trusts_it(door: Project) -> None:
    dirty(door)
    snapshot, _ = ship(door)
    assert snapshot.index
    assert (door.root / ".git/index").stat().st_mtime_ns == snapshot.index.modified


def test_a_lock_that_somebody_else_took_after_ours_is_left_alone(tmp_path: Path) -> None:
    with index_lock(tmp_path / "index") as lock:
        assert lock
        lock.replace(tmp_path / "index")
        lock.write_bytes(b"theirs")
    assert lock.read_bytes() == b"theirs"


def test_the_snapshot_mode_pushes_to_a_ref_of_the_runs_own_and_nothing_moves(door: Project) -> None:
    dirty(door)
    before = door.held()
    snapshot, pushed = ship(door, "snapshot")
    assert pushed == Pushed("refs/cid/runs/exp001-a1")
    assert door.remote_refs()["refs/cid/runs/exp001-a1"] == snapshot.sha
    assert door.held() == before
    git(door.root.parent, "clone", "-q", str(door.bare), "copy")
    assert "new.py" not in [file.name for file in (door.root.parent / "copy").iterdir()]


def test_what_the_remote_holds_already_is_not_pushed(door: Project) -> None:
    head = door.git("rev-parse", "HEAD")
    door.protect()
    for mode in ("branch", "snapshot", "clean"):
        snapshot, pushed = ship(door, mode)
        assert (snapshot.sha, pushed) == (head, Pushed("refs/heads/main"))
    assert door.remote_refs() == {"refs/heads/main": head}


def test_the_clean_mode_pushes_the_branch_when_the_remote_lacks_head(door: Project) -> None:
    head = door.commit("new.py")
    snapshot, pushed = ship(door, "clean")
    assert (snapshot.sha, pushed) == (head, Pushed("refs/heads/main"))
    assert door.remote_refs() == {"refs/heads/main": head}


def test_a_commit_below_the_tip_of_another_branch_is_on_the_remote(door: Project) -> None:
    head = door.commit("one.py")
    door.git("checkout", "-q", "-b", "later")
    door.commit("two.py")
    door.git("push", "-q", "origin", "later")
    door.git("checkout", "-q", "main")
    assert ship(door) == (ship(door)[0], Pushed("refs/heads/later"))
    assert "refs/heads/main" in door.remote_refs()
    assert door.remote_refs()["refs/heads/main"] != head


def test_a_protected_branch_sends_the_run_to_its_own_ref_and_leaves_the_user_alone(door: Project) -> None:
    door.protect()
    door.write("stashed.py")
    door.git("stash", "-q", "-u")
    dirty(door)
    before = door.held()
    snapshot, pushed = ship(door)
    assert (pushed.ref, pushed.moved) == ("refs/cid/runs/exp001-a1", False)
    assert pushed.cautions[0] == (
        "origin refused main (pre-receive hook declined: GH006: protected): your branch stays where it is; "
        "the run goes on from refs/cid/runs/exp001-a1"
    )
    assert pushed.cautions[1].startswith(
        "by hand: git add -A && git commit -m 'run exp001' && git push origin HEAD:main"
    )
    assert door.held() == before
    assert door.remote_refs()["refs/cid/runs/exp001-a1"] == snapshot.sha


def test_a_diverged_branch_is_told_to_rebase(door: Project, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(door.bare), "colleague")
    colleague = Project(tmp_path / "colleague", door.bare)
    theirs = colleague.commit("theirs.py")
    colleague.git("push", "-q")
    dirty(door)
    before = door.held()
    snapshot, pushed = ship(door)
    assert (pushed.ref, pushed.moved) == ("refs/cid/runs/exp001-a1", False)
    assert "(fetch first)" in pushed.cautions[0]
    assert "git pull --rebase origin main" in pushed.cautions[1]
    assert door.held() == before
    assert door.remote_refs() == {"refs/heads/main": theirs, "refs/cid/runs/exp001-a1": snapshot.sha}


def test_a_detached_head_moves_no_branch(door: Project) -> None:
    door.git("checkout", "-q", "--detach")
    dirty(door)
    before = door.held()
    _, pushed = ship(door)
    assert pushed.ref == "refs/cid/runs/exp001-a1"
    assert pushed.cautions == ("HEAD is detached: no branch moves; the run goes on from refs/cid/runs/exp001-a1",)
    assert door.held() == before


def test_a_branch_without_upstream_is_pushed_under_its_own_name(door: Project) -> None:
    door.git("checkout", "-q", "-b", "idea/one")
    dirty(door)
    snapshot, pushed = ship(door)
    assert pushed == Pushed("refs/heads/idea/one", moved=True)
    assert door.remote_refs()["refs/heads/idea/one"] == snapshot.sha


def test_the_first_commit_ever_makes_the_branch(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "young.git")
    git(tmp_path, "clone", "-q", "young.git", "young")
    young = Project(tmp_path / "young", tmp_path / "young.git")
    young.write("train.py")
    snapshot, pushed = ship(young)
    assert pushed == Pushed("refs/heads/main", moved=True)
    assert young.git("rev-parse", "HEAD") == snapshot.sha
    assert young.status() == ""


def test_a_remote_that_takes_nothing_leaves_the_archive(door: Project) -> None:
    door.hook("pre-receive", "exit 1\n", remote=True)
    dirty(door)
    before = door.held()
    _, pushed = ship(door)
    assert (pushed.ref, pushed.moved) == ("", False)
    assert pushed.cautions[-1] == (
        "nothing could be pushed to origin (pre-receive hook declined): the code travels in the archive alone"
    )
    assert door.held() == before


def test_a_remote_that_is_gone_and_no_remote_at_all_leave_the_archive(door: Project) -> None:
    door.bare.rename(door.bare.with_name("moved.git"))
    dirty(door)
    before = door.held()
    _, pushed = ship(door)
    assert pushed.ref == ""
    assert "does not appear to be a git repository" in pushed.cautions[-1]
    assert door.held() == before
    door.git("remote", "remove", "origin")
    before = door.held()
    assert ship(door)[1] == Pushed("", cautions=("there is no remote: the code travels in the archive alone",))
    assert door.held() == before


def test_commit_hooks_do_not_run_and_the_pre_push_hook_does(door: Project) -> None:
    for name in ("pre-commit", "commit-msg", "post-commit"):
        door.hook(name, f"touch {door.root.parent}/{name}-ran; exit 1\n")
    door.hook("pre-push", f"cat > {door.root.parent}/pushed\n")
    dirty(door)
    snapshot, pushed = ship(door)
    assert pushed.moved
    assert f"{snapshot.sha} refs/heads/main" in (door.root.parent / "pushed").read_text(encoding="utf-8")
    assert not list(door.root.parent.glob("*-ran"))


def test_a_pre_push_hook_that_says_no_is_quoted(door: Project) -> None:
    door.hook("pre-push", "echo 'no pushes on Fridays' >&2; exit 1\n")
    dirty(door)
    before = door.held()
    _, pushed = ship(door)
    assert pushed.ref == ""
    assert "(no pushes on Fridays)" in pushed.cautions[0]
    assert door.held() == before


@pytest.mark.parametrize("mode", ["branch", "snapshot"])
def test_a_push_that_the_remote_does_not_show_is_not_believed(door: Project, tmp_path: Path, mode: str) -> None:
    git(tmp_path, "init", "-q", "--bare", "inbox.git")
    door.git("remote", "set-url", "--push", "origin", str(tmp_path / "inbox.git"))
    dirty(door)
    _, pushed = ship(door, mode)
    assert pushed.ref == ""
    assert pushed.cautions == ("origin took the push, but does not show the commit: the archive carries the code",)


def test_an_index_that_was_changed_meanwhile_is_left_alone(door: Project) -> None:
    dirty(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    door.write("meanwhile.py")
    door.git("add", "meanwhile.py")
    index = (door.root / ".git/index").read_bytes()
    pushed = repository.push(snapshot, run="r", mode="branch", remote=repository.remote())
    assert (pushed.ref, pushed.moved) == ("refs/heads/main", True)
    assert "git reset -q" in pushed.cautions[0]
    assert (door.root / ".git/index").read_bytes() == index
    door.git("reset", "-q")
    assert door.status() == "?? meanwhile.py"


def test_a_refreshed_index_counts_as_unchanged(door: Project) -> None:
    dirty(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    (door.root / "params.yaml").touch()
    door.git("update-index", "-q", "--refresh")
    pushed = repository.push(snapshot, run="r", mode="branch", remote=repository.remote())
    assert (pushed.moved, pushed.cautions) == (True, ())
    assert door.status() == ""


def test_an_edit_after_the_snapshot_is_still_an_edit(door: Project) -> None:
    dirty(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    door.write("train.py", "epochs = 4\n")
    repository.push(snapshot, run="r", mode="branch", remote=repository.remote())
    assert door.git("status", "--porcelain") == "M train.py".rjust(11)
    assert door.git("diff", "--stat").splitlines()[0].split() == ["train.py", "|", "2", "+-"]


def test_a_locked_index_is_left_alone(door: Project) -> None:
    dirty(door)
    lock = door.root / ".git/index.lock"
    lock.write_bytes(b"somebody else's")
    _, pushed = ship(door)
    assert (pushed.ref, pushed.moved) == ("refs/heads/main", True)
    assert "index was changed or locked" in pushed.cautions[0]
    assert lock.read_bytes() == b"somebody else's"


def test_a_branch_that_moved_meanwhile_stays_where_it_is(door: Project) -> None:
    dirty(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    mine = door.commit("mine.py")
    pushed = repository.push(snapshot, run="r", mode="branch", remote=repository.remote())
    assert (pushed.ref, pushed.moved) == ("refs/heads/main", False)
    assert "moved while" in pushed.cautions[0]
    assert "git pull" in pushed.cautions[0]
    assert door.git("rev-parse", "HEAD") == mine
    assert not (door.root / ".git/index.lock").exists()


def test_a_user_who_switched_branches_meanwhile_keeps_that_ones_index(door: Project) -> None:
    door.write("new.py", "new\n")
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("m")
    door.git("checkout", "-q", "-b", "elsewhere")
    index = (door.root / ".git/index").read_bytes()
    pushed = repository.push(snapshot, run="r", mode="branch", remote=repository.remote())
    assert (pushed.moved, pushed.cautions) == (True, ())
    assert door.git("rev-parse", "main") == snapshot.sha
    assert (door.root / ".git/index").read_bytes() == index


def test_of_two_at_once_one_gets_the_branch_and_both_get_their_code_out(door: Project) -> None:
    dirty(door)
    done: dict[str, tuple[Snapshot, Pushed]] = {}
    shots = {run: Repository.open(door.root).snapshot(run) for run in ("one", "two")}

    def push(run: str) -> None:
        repository = Repository.open(door.root)
        done[run] = shots[run], repository.push(shots[run], run=run, mode="branch", remote=repository.remote())

    both = [threading.Thread(target=push, args=(run,)) for run in shots]
    for each in both:
        each.start()
    for each in both:
        each.join()
    refs = door.remote_refs()
    assert sorted(pushed.moved for _, pushed in done.values()) == [False, True]
    for run, (snapshot, pushed) in done.items():
        assert pushed.ref == ("refs/heads/main" if pushed.moved else f"refs/cid/runs/{run}")
        assert refs[pushed.ref] == snapshot.sha
    assert door.status() == ""
    assert not (door.root / ".git/index.lock").exists()


def test_an_index_that_a_kill_kept_from_following_its_branch_is_seen(door: Project) -> None:
    repository = Repository.open(door.root)
    dirty(door)
    before = (door.root / ".git/index").read_bytes()
    assert not repository.lags(), "what the user has staged is no matter of ours"
    ship(door)
    assert not repository.lags()
    (door.root / ".git/index").write_bytes(before)
    assert repository.lags()
    (said,) = [check for check in _repository(door.root) if check.name == "index"]
    assert (said.good, said.mend[:12]) == (False, "git reset -q")
    door.write("other.py", "the user goes on\n")
    assert repository.lags()
    door.write("train.py", "epochs = 4\n")
    door.git("add", "-A")
    assert not repository.lags(), "it is what the user wants to commit"
    door.git("commit", "-qm", "next")
    assert not repository.lags()


def test_the_remote_proves_what_it_holds(door: Project) -> None:
    repository = Repository.open(door.root)
    remote = repository.remote()
    assert remote
    first = door.git("rev-parse", "HEAD")
    second = door.commit("b.py")
    assert repository.branch_of(remote, first)
    assert not repository.branch_of(remote, second)
    assert not repository.branch_of(remote, "0" * 40)
    door.git("push", "-q")
    assert repository.branch_of(remote, first)
    assert repository.branch_of(remote, second)
    door.bare.rename(door.bare.with_name("gone.git"))
    with pytest.raises(GitError, match="origin cannot be read") as caught:
        repository.branch_of(remote, first)
    assert caught.value.retryable


def test_no_name_is_taken_for_an_option(door: Project) -> None:
    dirty(door)
    repository = Repository.open(door.root)
    snapshot = repository.snapshot("--amend\n-F /etc/passwd", mode="snapshot")
    assert door.git("log", "-1", "--format=%s", snapshot.sha) == "--amend -F /etc/passwd"
    for name in ("a..b", "x y", "-", "../../heads/main", "a.lock"):
        if name != "-":
            with pytest.raises(GitError, match="cannot be the name of a ref"):
                repository.push(snapshot, run=name, mode="snapshot", remote=None)
    evil = repository.remote(environ={"REPO_URL": "--upload-pack=touch pwned"})
    pushed = repository.push(snapshot, run="r", mode="snapshot", remote=evil)
    assert pushed.ref == ""
    runs = repository.remote(environ={"REPO_URL": f"ext::touch {door.root}/pwned"})
    assert repository.push(snapshot, run="r", mode="snapshot", remote=runs).ref == ""
    door.git("config", "protocol.ext.allow", "always")
    assert repository.push(snapshot, run="r", mode="snapshot", remote=runs).ref == ""
    assert not list(door.root.rglob("pwned"))


def test_git_itself_would_have_run_it(door: Project) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        door.git("-c", "protocol.ext.allow=always", "ls-remote", f"ext::touch {door.root}/pwned")
    assert (door.root / "pwned").exists()
