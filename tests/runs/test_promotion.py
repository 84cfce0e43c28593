import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import dvc as fake
from fakes.models import Studio

from containerid import runs
from containerid.errors import GitError, NotFound, OutputsUnverified, RunFailed, SecretFound, UsageError
from containerid.events import Caution
from containerid.job import State
from containerid.runs import promotion
from containerid.runs.registry import Registry
from containerid.runs.stage import Storage, storage
from containerid.runs.standing import versions
from containerid.runs.versions import Version, following
from containerid.versioned import with_lines


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("CID_DVC", str(fake.program(tmp_path)))
    return Studio(tmp_path / "studio")


def promote(studio: Studio, run, **options):
    return runs.promote(run, home=studio.home, **options)


def refused(studio: Studio, run, kind, words: str, **options):
    before = studio.picture()
    with pytest.raises(kind, match=words) as error:
        promote(studio, run, **options)
    assert studio.picture() == before
    assert studio.stages() == []
    return error.value


def test_a_model_becomes_a_version_and_what_the_user_does_stays_as_it_is(studio):
    run = studio.run()
    studio.mess()
    status = studio.project.status()
    made = promote(studio, run)
    assert made.version.startswith("detection_v1.0_2")
    assert made.version.endswith("_exp001")
    assert studio.project.status() == status
    assert studio.project.git("rev-parse", "main", f"{made.version}^{{commit}}").split() == [made.sha] * 2
    assert studio.project.git("cat-file", "-t", made.version) == "tag"
    changed = studio.project.git("show", "--name-only", "--format=", made.sha).split()
    assert changed == [
        ".dvc/.gitignore",
        ".dvc/config",
        "weights/detection/.gitignore",
        "weights/detection/best.pt.dvc",
        "weights/detection/last.pt.dvc",
        "weights/detection/metadata.json.dvc",
    ]
    refs = studio.project.remote_refs()
    assert refs["refs/heads/main"] == made.sha
    assert refs[f"refs/tags/{made.version}"] == studio.project.git("rev-parse", made.version)
    assert (studio.root / "weights/detection/best.pt").read_bytes() == b"weights"
    assert studio.stages() == []


def test_its_tag_says_where_it_came_from(studio):
    made = promote(studio, studio.run())
    (listed,) = runs.models(studio.root)
    assert (listed.version, listed.commit) == (made.version, made.sha)
    assert listed.facts["run"] == "exp001-1"
    assert listed.facts["val/mAP50"] == "0.9100"
    assert listed.facts["gates"] == "none"


def test_a_run_is_promoted_once_and_major_begins_a_new_number(studio):
    run = studio.run()
    first = promote(studio, run)
    again = promote(studio, run)
    assert (again.version, again.created) == (first.version, False)
    third = promote(studio, run, major=True)
    assert third.version.startswith("detection_v2.0_")
    assert third.sha == first.sha  # the same files: no commit that changes nothing
    other = promote(studio, studio.run("exp001-2", content=b"others"))
    assert other.version.startswith("detection_v2.1_")
    assert studio.project.git("rev-parse", f"{other.sha}^") == first.sha


def test_numbers_are_counted_over_the_tags_of_the_remote_too(studio):
    studio.project.git("push", "-q", "origin", "main:refs/tags/detection_v1.6_20260101_exp009")
    assert promote(studio, studio.run()).version.startswith("detection_v1.7_")


def test_two_at_once_are_one_after_the_other(studio):
    rows = [studio.run(f"exp001-{number}", content=bytes([number])) for number in (1, 2)]
    threads = [threading.Thread(target=promote, args=(studio, run)) for run in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [listed.version.split("_")[1] for listed in runs.models(studio.root)]
    assert sorted(names) == ["v1.0", "v1.1"]
    assert studio.project.status() == ""


def test_without_a_remote_or_told_not_to_push_everything_stays_here(studio):
    made = promote(studio, studio.run(), push=False)
    assert (made.remote, made.storage) == ("", "")
    assert list(studio.project.remote_refs()) == ["refs/heads/main"]
    studio.project.git("remote", "remove", "origin")
    other = promote(studio, studio.run("exp001-2", content=b"others"))
    assert other.remote == ""
    assert other.storage.endswith("/storage/doors")


def test_what_was_not_pushed_is_pushed_when_the_run_is_promoted_again(studio):
    run = studio.run()
    made = promote(studio, run, push=False)
    assert made.later == f"git push origin main {made.version}"
    studio.project.commit("later.py", "later = 1\n")
    told, asked = [], []
    again = promote(studio, run, tell=told.append, ask=lambda question: not asked.append(question))
    assert (again.version, again.created, again.remote) == (made.version, False, "origin")
    assert asked == [f"push {made.version} to origin?"]
    refs = studio.project.remote_refs()
    assert refs["refs/heads/main"] == made.sha, "what the user has committed since stays here"
    assert refs[f"refs/tags/{made.version}"] == studio.project.git("rev-parse", made.version)
    assert any(getattr(event, "name", "") == "dvc push" for event in told)
    assert promote(studio, run, ask=lambda _: pytest.fail("there is nothing to push")).remote == ""


def test_a_commit_that_the_remote_has_already_needs_its_tag_alone(studio):
    run = studio.run()
    made = promote(studio, run, push=False)
    studio.project.commit("later.py", "later = 1\n")
    studio.project.git("push", "-q")
    before = studio.project.remote_refs()
    assert promote(studio, run).remote == "origin"
    assert {*studio.project.remote_refs().items()} - {*before.items()} == {
        (f"refs/tags/{made.version}", studio.project.git("rev-parse", made.version))
    }


def test_another_model_in_its_place_is_not_pushed_for_the_one_that_was_not(studio):
    run = studio.run()
    made = promote(studio, run, push=False)
    promote(studio, studio.run("exp001-2", content=b"others"), push=False)
    with pytest.raises(GitError, match="another model by now") as error:
        promote(studio, run)
    assert error.value.hint == f"dvc push --all-tags, then git push origin {made.version}"


def test_what_was_never_pushed_is_said_with_the_remotes_own_name(studio, cid, monkeypatch):
    monkeypatch.setenv("CID_HOME", str(studio.home.root))
    monkeypatch.chdir(studio.root)
    studio.run()
    studio.project.git("remote", "rename", "origin", "upstream")
    said = cid("promote", "exp001-1", "-y", "--no-push")
    assert "or git push upstream main detection_v1.0_" in said.out
    assert "elsewhere" not in said.err
    studio.project.git("remote", "remove", "upstream")
    studio.run("exp001-2", content=b"others")
    said = cid("promote", "exp001-2", "-y")
    assert "git has no remote" in said.out
    assert "elsewhere" not in said.err


def test_a_promotion_in_another_repository_names_it_and_what_comes_next_works_from_here(
    studio, cid, monkeypatch, tmp_path
):
    monkeypatch.setenv("CID_HOME", str(studio.home.root))
    monkeypatch.chdir(tmp_path)
    run, asked = studio.run(), []
    with pytest.raises(UsageError, match="not promoted"):
        promote(studio, run, ask=asked.append)
    assert asked[0].endswith(f" in {studio.root}?")
    said = cid("promote", "exp001-1", "-y")
    assert f"  repository  {studio.root}\n" in said.err
    assert f"next: cd {studio.root} && cid model detection_v1.0_" in said.err
    monkeypatch.chdir(studio.root)
    studio.run("exp001-2", content=b"others")
    said = cid("promote", "exp001-2", "-y")
    assert "repository" not in said.err
    assert "next: cid model detection_v1.1_" in said.err


def test_the_same_weights_again_and_a_model_that_found_nothing_are_said_in_the_plan(studio):
    run, told = studio.run(), []
    first = promote(studio, run)
    Registry(studio.home.registry).set_result(run.run, replace(run.result, metrics={"val/mAP50": 0.0}))
    promote(studio, Registry(studio.home.registry).get(run.run), major=True, tell=told.append)
    cautions = [event.text for event in told if isinstance(event, Caution)]
    assert f"exp001-1 is {first.version} already" in cautions[0]
    assert cautions[1] == "no gate has looked at this model, and its val/mAP50 is 0"


def test_what_the_user_has_added_to_the_ignore_file_is_kept_and_not_committed(studio):
    studio.project.commit("weights/detection/.gitignore", "/old.pt\n")
    studio.project.write("weights/detection/.gitignore", "/old.pt\n/mine.pt")
    made = promote(studio, studio.run(), push=False)
    ours = "/best.pt\n/last.pt\n/metadata.json\n"
    assert studio.project.git("show", f"{made.sha}:weights/detection/.gitignore") == f"/old.pt\n{ours}".strip()
    kept = (studio.root / "weights/detection/.gitignore").read_text()
    assert kept == f"/old.pt\n/mine.pt\n{ours}"
    assert studio.project.git("diff", "--numstat") == "1\t0\tweights/detection/.gitignore"


def test_what_was_staged_in_the_settings_of_dvc_stays_staged_and_is_not_committed(studio):
    studio.project.write(".dvc/config", "[core]\n    autostage = true\n")
    studio.project.git("add", ".dvc/config")
    made = promote(studio, studio.run(), push=False)
    committed = studio.project.git("show", f"{made.sha}:.dvc/config")
    assert "storage" in committed
    assert "autostage" not in committed
    assert "+    autostage = true" in studio.project.git("diff", "--cached", "--", ".dvc/config")


@pytest.mark.parametrize("step", ["add", "push"])
def test_when_dvc_fails_nothing_has_happened(studio, monkeypatch, step):
    studio.mess()
    monkeypatch.setenv("FAKE_DVC_FAILS", step)
    error = refused(studio, studio.run(), GitError, f"dvc {step} failed: {step}: no such bucket")
    assert error.hint


def test_a_push_that_git_refuses_undoes_the_whole(studio):
    studio.project.protect()
    studio.mess()
    error = refused(studio, studio.run(), GitError, "origin did not take main and detection_v1.0_")
    assert "--no-push" in error.hint


def test_a_remote_that_cannot_be_reached_undoes_the_whole(studio, monkeypatch):
    run = studio.run()
    before = studio.picture()
    made = []

    def away(*arguments):
        made.append(studio.project.bare.rename(studio.project.bare.with_suffix(".away")))
        raise GitError("no route")

    monkeypatch.setattr(promotion.Repository, "publish", away)
    with pytest.raises(GitError, match="no route"):
        promote(studio, run)
    made[0].rename(studio.project.bare)
    assert studio.picture() == before
    assert studio.stages() == []


def test_secrets_in_commits_that_were_never_pushed_do_not_leave_with_the_model(studio):
    studio.project.commit("key.py", "token = '" + "ghp_" + "a1B2c3D4" * 4 + "e5F6'\n")
    refused(studio, studio.run(), SecretFound, "key.py")


def test_a_branch_that_moves_meanwhile_is_left_where_it_is(studio, monkeypatch):
    run = studio.run()
    real = promotion.Repository.publish

    def slow(self, *arguments):
        real(self, *arguments)
        studio.project.commit("more.py")

    monkeypatch.setattr(promotion.Repository, "publish", slow)
    told = []
    made = promote(studio, run, tell=told.append)
    assert studio.project.git("log", "-1", "--format=%s") == "add more.py"
    assert studio.project.remote_refs()["refs/heads/main"] == made.sha
    assert any("git pull brings" in getattr(event, "text", "") for event in told)
    assert studio.project.status() == ""


@pytest.mark.parametrize(
    ("state", "reason", "kind", "words"),
    [
        (State.FAILED, "gates not met: val/mAP50 0.5 < 0.9", RunFailed, "gates not met"),
        (State.FAILED, "killed by SIGKILL", UsageError, "only a run that succeeded"),
        (State.PAUSED, "", UsageError, "only a run that succeeded"),
    ],
)
def test_only_a_run_that_passed_is_promoted(studio, state, reason, kind, words):
    studio.run()
    run = Registry(studio.home.registry).move("exp001-1", state, reason)
    refused(studio, run, kind, words)


def test_a_missed_gate_is_promoted_when_it_is_meant_and_the_tag_says_so(studio):
    studio.run()
    run = Registry(studio.home.registry).move("exp001-1", State.FAILED, "gates not met: val/mAP50 0.5 < 0.9")
    promote(studio, run, force=True)
    assert runs.models(studio.root)[0].facts["gates"] == "missed"


def test_a_quick_run_is_no_model(studio):
    refused(studio, studio.run(quick=True), UsageError, "was a quick run")


def test_a_file_that_was_changed_after_the_fetch_is_refused(studio):
    run = studio.run()
    (studio.root / "runs/exp001-1/weights/best.pt").write_bytes(b"swapped")
    refused(studio, run, OutputsUnverified, r"weights/best\.pt")


def test_a_run_that_was_not_fetched_is_refused(studio):
    studio.run()
    (studio.root / "runs").rename(studio.root.parent / "away")
    refused(studio, Registry(studio.home.registry).get("exp001-1"), NotFound, "is gone")


def test_a_model_that_dvc_does_not_know_is_not_written_over(studio):
    studio.project.write("weights/detection/best.pt", b"trained elsewhere")
    error = refused(studio, studio.run(), GitError, r"best\.pt is there, and is not what DVC has")
    assert error.hint.startswith("dvc add ")


def test_a_promoted_model_that_was_changed_is_not_to_be_added(studio):
    promote(studio, studio.run())
    studio.project.write("weights/detection/best.pt", b"changed")
    error = refused(studio, studio.run("exp001-2", content=b"others"), GitError, r"is not what DVC has")
    assert error.hint.startswith(f"dvc checkout --force {studio.root}/weights/detection/best.pt.dvc")


def test_a_model_that_git_tracks_is_refused(studio):
    studio.project.write("weights/detection/last.pt", b"tracked")
    studio.project.git("add", "-f", "weights/detection/last.pt")
    refused(studio, studio.run(), GitError, r"git tracks weights/detection/last\.pt")


def test_a_pointer_with_changes_of_its_own_is_refused(studio):
    promote(studio, studio.run())
    pointer = studio.root / "weights/detection/best.pt.dvc"
    pointer.write_text(pointer.read_text() + "desc: mine\n")
    refused(studio, studio.run("exp001-2", content=b"others"), GitError, r"best\.pt\.dvc has changes of its own")


def test_a_folder_that_git_ignores_is_refused(studio):
    studio.project.commit(".gitignore", "weights/\n")
    refused(studio, studio.run(), GitError, r"git ignores weights/detection/best\.pt\.dvc")


def test_a_detached_head_and_an_open_merge_are_refused(studio):
    run = studio.run()
    studio.project.git("checkout", "-q", "--detach")
    refused(studio, run, GitError, "HEAD is detached")
    studio.project.git("checkout", "-q", "main")
    (studio.root / ".git/MERGE_HEAD").write_text(studio.project.git("rev-parse", "HEAD") + "\n")
    refused(studio, run, GitError, "a merge is in progress")


def test_an_index_that_somebody_holds_is_told_and_left_alone(studio, monkeypatch):
    run, told = studio.run(), []
    lock = studio.root / ".git/index.lock"
    real = promotion.Repository.adopt

    def adopt(self, made):
        lock.touch()
        return real(self, made)

    monkeypatch.setattr(promotion.Repository, "adopt", adopt)
    promote(studio, run, tell=told.append)
    assert any("git reset -q" in getattr(event, "text", "") for event in told)
    assert lock.exists()


def test_the_answer_no_changes_nothing(studio):
    asked = []
    refused(studio, studio.run(), UsageError, "not promoted", ask=lambda words: bool(asked.append(words)))
    assert asked[0].startswith("make detection_v1.0_")


def test_a_project_in_a_subfolder_keeps_its_model_there(studio):
    studio.project.commit("apps/doors/params.yaml", "project: doors\nversioning: {path: models/segment}\n")
    run = studio.run()
    registry = Registry(studio.home.registry)
    with registry.writing() as database:
        database.execute("UPDATE runs SET folder = ?", (str(studio.root / "apps/doors"),))
    made = promote(studio, registry.get(run.run))
    assert made.version.startswith("segment_v1.0_")
    assert made.path == "apps/doors/models/segment"
    assert (studio.root / "apps/doors/models/segment/best.pt.dvc").is_file()
    assert studio.project.status() == ""


def test_a_faulty_experiment_keeps_no_model_from_being_promoted(studio):
    text = "default_experiment: gone\nversioning: {path: models/doors}\nexperiments: {bad: {training: {epochs: 0}}}\n"
    studio.project.commit("params.yaml", text)
    assert promote(studio, studio.run()).version.startswith("doors_v1.0_")


def on_pass(studio: Studio, name: str = "exp001-1", **spec):
    studio.project.commit("params.yaml", "project: doors\nversioning: {promote: on-pass}\n")
    run = studio.run(name, params={"gates": {"val/mAP50": 0.5}}, **spec)
    told = []
    return promotion.after_fetch(run, studio.home, told.append), told


def test_a_run_that_met_its_gates_is_promoted_after_the_fetch_where_that_is_wanted(studio):
    made, _ = on_pass(studio)
    assert made.version.startswith("detection_v1.0_")
    assert runs.models(studio.root)[0].facts["gates"] == "met"


def test_nothing_is_promoted_by_itself_without_gates_or_without_being_asked(studio):
    assert promotion.after_fetch(studio.run(params={"gates": {"val/mAP50": 0.5}}), studio.home, print) is None
    assert on_pass(studio, "exp001-3", quick=True)[0] is None
    assert not promotion.passed(studio.run("exp001-2"))


def test_a_promotion_that_fails_after_a_fetch_is_told_and_is_no_failure(studio, monkeypatch):
    monkeypatch.setenv("FAKE_DVC_FAILS", "push")
    made, told = on_pass(studio)
    assert made is None
    assert "was not promoted: dvc push failed" in told[-1].text


def dvc_settings(studio: Studio, text: str) -> Storage:
    studio.project.write(".dvc/config", text)
    from containerid.git import Repository

    return storage(Repository.open(studio.root), studio.root, Path("/home/ada/storage"))


def test_a_remote_that_dvc_has_is_used(studio):
    found = dvc_settings(studio, "[core]\n    remote = s3\n['remote \"s3\"']\n    url = s3://doors\n")
    assert (found.url, dict(found.edits)) == ("s3://doors", {})


def test_where_dvc_has_no_remote_a_folder_is_named_beside_what_is_set(studio):
    found = dvc_settings(studio, "[core]\n    analytics = false\n")
    edit = found.edits[".dvc/config"]
    assert edit(b"[core]\n    analytics = false\n").decode() == (
        "[core]\n    remote = storage\n    analytics = false\n['remote \"storage\"']\n    url = /home/ada/storage\n"
    )


def test_several_dvc_remotes_and_no_choice_are_refused(studio):
    with pytest.raises(GitError, match="none is the default one"):
        dvc_settings(studio, "['remote \"a\"']\n    url = /a\n['remote \"b\"']\n    url = /b\n")


def test_lines_are_added_once():
    assert with_lines(None, ("/a", "/b")) == b"/a\n/b\n"
    assert with_lines(b"/b\n# x", ("/a", "/b")) == b"/b\n# x\n/a\n"


@pytest.mark.parametrize(
    ("names", "major", "expected"),
    [
        ((), False, "v1.0"),
        ((), True, "v1.0"),
        (("detection_v1.0_20260101_a", "detection_v1.9_20260101_b", "segment_v3.0_20260101_a"), False, "v1.10"),
        (("detection_v1.9_20260101_a", "v7", "detection_v2.1_20260101_a"), False, "v2.2"),
        (("detection_v1.9_20260101_a",), True, "v2.0"),
    ],
)
def test_versions_count(names, major, expected):
    version = following(names, "detection", "exp 001..lock", "20261121", major=major)
    assert str(version).startswith(f"detection_{expected}_20261121_exp-001-")
    assert Version.read(str(version)) == version


def test_the_command_tells_in_json_what_it_made(studio, cid, monkeypatch):
    studio.run()
    monkeypatch.setenv("CID_HOME", str(studio.home.root))
    monkeypatch.chdir(studio.root)
    said = cid("promote", "exp001", "-y", "--json")
    assert said.code == 0, said
    assert said.document["version"].startswith("detection_v1.0_")
    assert said.document["remote"] == "origin"
    assert "on this machine alone" in said.err
    listed = cid("model", "--json")
    assert [each["version"] for each in listed.document["models"]] == [said.document["version"]]
    assert said.document["version"] in cid("model").out
    assert "already" in cid("promote", "exp001").out
    assert cid("show", "exp001", "--json").document["versions"] == [said.document["version"]]
    assert f"promoted to     {said.document['version']}\n" in cid("show", "exp001").out


def test_nothing_is_promoted_unasked_where_nobody_can_be_asked(studio, cid, monkeypatch):
    studio.run()
    monkeypatch.setenv("CID_HOME", str(studio.home.root))
    monkeypatch.chdir(studio.root)
    before = studio.picture()
    said = cid("promote", "exp001")
    assert (said.code, "try: cid promote exp001-1 -y" in said.err) == (2, True)
    assert "nobody can be asked here: nothing was committed or pushed" in said.err
    assert (studio.picture(), studio.stages()) == (before, [])


def test_a_classifier_is_a_version_of_its_own_kind_beside_the_detectors(studio):
    promote(studio, studio.run())
    params = {"model": {"architecture": "timm/test_resnet"}}
    made = promote(studio, studio.run("exp001-2", content=b"classifier", params=params))
    assert made.version.startswith("classification_v1.0_")
    assert (studio.root / "weights/classification/best.pt").read_bytes() == b"classifier"
    assert (studio.root / "weights/detection/best.pt").read_bytes() == b"weights"
    studio.project.commit("params.yaml", "project: doors\nversioning: {path: models/segment}\n")
    third = promote(studio, studio.run("exp001-3", content=b"third", params=params))
    assert third.version.startswith("segment_v1.0_")


def test_a_run_that_was_not_promoted_names_no_version_and_git_is_asked_only_in_a_repository(studio, monkeypatch):
    promote(studio, studio.run())
    other = studio.run("exp002-1")
    assert versions(other) == []
    shutil.rmtree(studio.root / ".git")
    monkeypatch.setattr("containerid.git.Repository.open", None)
    assert versions(other) == []


def test_a_clone_without_models_says_how_to_make_one(studio, cid, monkeypatch):
    monkeypatch.chdir(studio.root)
    assert "cid promote" in cid("model").out
    assert cid("model", "v9").code == 2
    assert json.loads(cid("model", "weights/none.pt", "--json").out)["error"]["code"] == 2


def test_a_tag_by_hand_is_no_promoted_model(studio):
    studio.project.git("tag", "-a", "detection_v1.0_20260101_x", "-m", "by hand")
    assert runs.models(studio.root) == []
