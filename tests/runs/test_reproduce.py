import shutil

import pytest
from fakes.repositories import project

from containerid.errors import GitError, Refused, UsageError
from containerid.events import Caution
from containerid.job import Spec
from containerid.runs.fetch import fetch
from containerid.runs.registry import Registry
from containerid.runs.reproduce import follow, reproduce
from containerid.runs.request import Request
from containerid.runs.submit import submit
from containerid.runs.watch import watch

PARAMS = """
project: doors
default_experiment: exp002
detection:
  model: {architecture: yolo11n}
  training: {epochs: 4, seed: 3}
  data: {provider: folder, path: data/doors}
experiments:
  exp001: {training: {patience: 7}}
  exp002: {}
"""


@pytest.fixture
def place(tmp_path):
    place = project(tmp_path / "work")
    place.write("params.yaml", PARAMS)
    place.write(".gitignore", "data/\nruns/\n.cid/\n")
    place.write("data/doors/data.yaml", "names: [door]\n")
    place.write("data/doors/images/a.jpg", b"picture")
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "params")
    return place


@pytest.fixture
def before(place, platform, home):
    """A run with an override of its own that has ended, been fetched, and left behind by its project."""
    platform.ending = "succeeded"
    asked = Request(backend="platform", folder=place.root, experiment="exp001", overrides=("training.epochs=9",))
    run = fetch(watch(submit(asked, home=home), home=home, tell=lambda _: None), home=home)
    place.commit("params.yaml", PARAMS.replace("epochs: 4", "epochs: 400"))
    return run


def again(run, home, **more):
    return reproduce(run, home=home, backend="platform", **more)


def test_a_run_is_made_again_of_the_same_code_parameters_and_data(before, place, platform, home):
    head, status = place.git("rev-parse", "HEAD"), place.status()
    made = again(before, home)
    first, second = platform.pushed
    assert second.run != first.run
    assert second.code.sha == first.code.sha
    assert second.params == first.params
    assert second.params["training"]["epochs"] == 9
    assert second.experiment == "exp001"
    assert second.data.digest == first.data.digest
    assert made.folder.is_dir()
    assert (place.git("rev-parse", "HEAD"), place.status()) == (head, status)


def test_when_it_has_ended_its_outputs_lie_in_the_project_and_its_work_tree_is_gone(before, place, platform, home):
    made = again(before, home)
    platform.finish(made.run.run, metrics={"test/mAP50": 0.875})
    after = follow(made, home=home)
    assert after.run.outputs == str(place.root / "runs" / after.run.run)
    assert not made.folder.exists()
    assert len(place.git("worktree", "list").splitlines()) == 1
    assert after.metrics()["test/mAP50"] == {"before": 0.9, "after": 0.875, "difference": pytest.approx(-0.025)}
    assert after.document()["of"] == before.run
    assert Registry(home.registry).get(after.run.run).folder == str(place.root)


def test_the_same_run_can_be_made_again_twice_at_once(before, home):
    first, second = again(before, home), again(before, home)
    assert first.folder != second.folder
    assert first.run.run != second.run.run


def test_data_that_has_changed_is_refused_before_anything_starts(before, place, platform, home):
    place.write("data/doors/images/a.jpg", b"another")
    with pytest.raises(UsageError, match="is not what it was"):
        again(before, home)
    assert len(platform.pushed) == 1
    assert len(place.git("worktree", "list").splitlines()) == 1


def test_data_that_is_gone_is_refused(before, place, platform, home):
    shutil.rmtree(place.root / "data")
    with pytest.raises(UsageError, match="is gone"):
        again(before, home)
    assert len(platform.pushed) == 1


def test_data_that_was_moved_is_found_where_the_parameters_say(before, place, registry, platform, home):
    spec = {**before.spec, "data": {**before.spec["data"], "source": "/gone/doors"}}
    registry.set_spec(before.run, Spec.from_dict(spec))
    again(registry.get(before.run), home)
    assert platform.pushed[-1].data.source == str(place.root / "data/doors")


def test_a_commit_that_is_gone_is_refused(before, place, registry, platform, home):
    spec = {**before.spec, "code": {**before.spec["code"], "sha": "f" * 40}}
    registry.set_spec(before.run, Spec.from_dict(spec))
    with pytest.raises(GitError, match=r"the commit ffffffffffff of .* is gone"):
        again(registry.get(before.run), home)
    assert len(platform.pushed) == 1


def test_a_commit_that_only_the_remote_holds_is_fetched_from_there(before, place, registry, platform, home):
    sha, ref = before.spec["code"]["sha"], "refs/cid/runs/x"
    place.git("push", "-q", "origin", f"{sha}:{ref}")
    shutil.rmtree(place.root / ".git")
    place.git("init", "-q")
    place.commit("params.yaml", PARAMS)
    code = {**before.spec["code"], "remote": place.bare.as_uri(), "ref": ref}
    registry.set_spec(before.run, Spec.from_dict({**before.spec, "code": code}))
    again(registry.get(before.run), home)
    assert platform.pushed[-1].code.sha == sha
    assert "refs/cid" not in place.git("for-each-ref")


def test_a_run_from_no_commit_cannot_be_made_again(before, registry, home):
    registry.set_spec(before.run, Spec.from_dict({**before.spec, "code": {}}))
    with pytest.raises(UsageError, match="from no commit"):
        again(registry.get(before.run), home)


def test_a_submit_that_is_refused_leaves_no_work_tree(before, place, platform, home):
    platform.answer, platform.arrives = Refused("no place is free"), False
    with pytest.raises(Refused):
        again(before, home)
    assert len(place.git("worktree", "list").splitlines()) == 1
    assert list((home.root / "again").iterdir()) == []


def test_parameters_that_the_old_code_cannot_have_are_named(before, registry, home):
    params = {**before.spec["params"], "gates": {"no/such": {"deep": 1}}}
    registry.set_spec(before.run, Spec.from_dict({**before.spec, "params": params}))
    with pytest.raises(UsageError):
        again(registry.get(before.run), home)


def test_another_version_here_is_told_and_is_no_obstacle(before, home, monkeypatch):
    from containerid.report.outputs import Doc, Outputs
    from containerid.runs import reproduce as module

    environment = {"versions": {"jinja2": "0.1", "no-such-package": "9"}}
    outputs = Outputs(folder=home.root, result=Doc({"environment": environment}))
    told = list(module._cautions(outputs, "local"))
    assert told[0].startswith("jinja2 was 0.1, and is ")
    assert told[1] == "no-such-package was 9, and is not installed here"
    assert not list(module._cautions(outputs, "kaggle"))
    assert Caution(told[0]).text
