import json
import os
import shutil
from pathlib import Path

import pytest
from fakes.repositories import project
from fakes.sets import sort_crops, write_set

from containerid.errors import GitError, Refused, Unreachable, UsageError
from containerid.events import Caution
from containerid.job import Code, Spec, State
from containerid.runs import gc as cleaning
from containerid.runs import trees
from containerid.runs.fetch import fetch
from containerid.runs.leftovers import Leftovers
from containerid.runs.registry import Registry, Run
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
    write_set(place.root / "data/doors")
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
    place.write("data/doors/images/train/train0.jpg", b"another")
    with pytest.raises(UsageError, match="is not what it was"):
        again(before, home)
    assert len(platform.pushed) == 1
    assert len(place.git("worktree", "list").splitlines()) == 1


def test_a_classifier_is_made_again_of_its_folders(place, platform, home):
    sort_crops(place.root / "data/doors").rename(place.root / "data/sorted")
    asked = Request(
        backend="platform", folder=place.root, overrides=("model.architecture=yolo11n-cls",), data="data/sorted"
    )
    platform.ending = "succeeded"
    run = fetch(watch(submit(asked, home=home), home=home, tell=lambda _: None), home=home)
    again(run, home)
    assert platform.pushed[-1].data == platform.pushed[0].data
    next(place.root.glob("data/sorted/train/door/*")).unlink()
    with pytest.raises(UsageError, match="is not what it was"):
        again(run, home)


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


def test_a_submit_that_was_cut_short_keeps_its_work_tree_for_the_resume(before, place, platform, home):
    platform.answer, platform.arrives = Unreachable("no answer"), False
    with pytest.raises(Unreachable):
        again(before, home)
    (tree,) = (home.root / "again").iterdir()
    cut_short = Registry(home.registry).runs()[0]
    assert cut_short.run != before.run
    assert look(home) == {tree.name: f"{cut_short.run} is submitting"}
    outputs = tree / "runs" / cut_short.run
    registry = Registry(home.registry)
    registry.set_outputs(cut_short.run, outputs, verified=True)
    registry.move(cut_short.run, State.SUCCEEDED)
    assert look(home) == {tree.name: f"the outputs of {cut_short.run} are in it"}


def look(home) -> dict[str, str]:
    """Tree to the reason why it stays; empty for what goes."""
    items = Leftovers(Registry(home.registry).runs(), home).trees()
    return {item.name: "" if item.goes else item.why for item in items}


def sweep(home, folder) -> list[str]:
    items = tuple(Leftovers(Registry(home.registry).runs(), home).trees())
    cleaning.sweep(cleaning.Survey(items, folder, "rehearsal"), items, home=home)
    return [item.name for item in items]


def test_a_work_tree_stays_while_its_run_goes_on_and_goes_with_the_next_clean_up(before, place, platform, home):
    made = again(before, home)
    assert look(home) == {made.folder.name: f"{made.run.run} is queued"}
    sweep(home, place.root)
    assert made.folder.is_dir()
    platform.finish(made.run.run, metrics={})
    watch(made.run, home=home, tell=lambda _: None)
    assert look(home) == {made.folder.name: ""}
    sweep(home, place.root)
    assert list((home.root / "again").iterdir()) == []
    assert len(place.git("worktree", "list").splitlines()) == 1


def test_a_work_tree_whose_project_is_gone_goes_all_the_same(before, place, platform, home):
    made = again(before, home)
    platform.finish(made.run.run, metrics={})
    watch(made.run, home=home, tell=lambda _: None)
    shutil.rmtree(place.root)
    sweep(home, home.root)
    assert not made.folder.exists()


def test_a_work_tree_of_a_reproduction_that_was_killed_goes_a_day_later(before, home):
    tree = trees.place(home, before)
    tree.mkdir()
    assert look(home) == {tree.name: "it is of today"}
    os.utime(tree, (0, 0))
    assert look(home) == {tree.name: ""}


def test_a_work_tree_of_a_run_that_another_registry_knows_stays(before, home):
    tree = trees.place(home, before)
    tree.mkdir()
    os.utime(tree, (0, 0))
    trees.note(home, tree, "exp001-9")
    assert look(home) == {tree.name: "of exp001-9, which is no run of this registry"}


def test_what_works_in_a_tree_keeps_it_even_without_a_note(before, registry, home):
    tree = trees.place(home, before)
    (tree / "sub").mkdir(parents=True)
    os.utime(tree, (0, 0))
    registry.add(Run(run="here-1", backend="local", state=State.RUNNING))
    registry.set_spec("here-1", Spec(run="here-1", backend="local", code=Code(folder=str(tree / "sub"))))
    assert look(home) == {tree.name: "here-1 is running"}


def test_a_project_below_the_root_of_its_repository_leaves_no_work_tree(place, platform, home):
    platform.ending = "succeeded"
    for name in ("params.yaml", ".gitignore"):
        place.write(f"sub/{name}", (place.root / name).read_text())
    shutil.copytree(place.root / "data", place.root / "sub/data")
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "below")
    asked = Request(backend="platform", folder=place.root / "sub", experiment="exp001")
    run = fetch(watch(submit(asked, home=home), home=home, tell=lambda _: None), home=home)
    made = again(run, home)
    assert made.folder.name == "sub"
    follow(made, home=home)
    assert list((home.root / "again").iterdir()) == []


def test_parameters_that_the_old_code_cannot_have_are_named(before, registry, home):
    params = {**before.spec["params"], "gates": {"no/such": {"deep": 1}}}
    registry.set_spec(before.run, Spec.from_dict({**before.spec, "params": params}))
    with pytest.raises(UsageError):
        again(registry.get(before.run), home)


def test_a_run_that_was_out_of_memory_is_made_again_with_the_batch_that_fitted(before, platform, home):
    halved = [{"after_epoch": 3, "from": 16, "to": 8}]
    (Path(before.outputs) / "metadata.json").write_text(json.dumps({"run": before.run, "halved": halved, "batch": 8}))
    told = []
    again(before, home, tell=told.append)
    assert [spec.params["training"]["batch_size"] for spec in platform.pushed] == [16, 8]
    assert "halved to 8 after epoch 3, and is 8 from the start" in "".join(
        each.text for each in told if isinstance(each, Caution)
    )


def test_of_many_packages_that_differ_those_that_count_are_named_and_the_others_counted():
    from containerid.runs import reproduce as module

    before = {"torch": "1", "timm": "1", **{f"small{n}": "1" for n in range(8)}, "kept": "1"}
    now = {**dict.fromkeys(before, "2"), "kept": "1"}
    told = list(module._apart(before, now, "there"))
    assert told == [
        "torch was 1, and is 2 there",
        "timm was 1, and is 2 there",
        "8 more of 11 packages are not the same there: small0, small1, small2, small3, small4 …",
    ]


def test_another_version_here_is_told_and_is_no_obstacle(before, home, monkeypatch):
    from containerid.report.outputs import Doc, Outputs
    from containerid.runs import reproduce as module

    environment = {"versions": {"jinja2": "0.1", "no-such-package": "9"}}
    outputs = Outputs(folder=home.root, result=Doc({"environment": environment}))
    told = list(module._cautions(outputs, "local"))
    assert told[0].startswith("jinja2 was 0.1, and is ")
    assert told[1] == "no-such-package was 9, and is not installed here"
    assert not list(module._cautions(outputs, "kaggle"))
    told = list(module._cautions(Outputs(folder=home.root, result=Doc({"environment": {"python": "3.0"}})), "local"))
    assert told[0].startswith("python was 3.0, and is 3.")
    assert Caution(told[0]).text
