from dataclasses import replace

import pytest

from containerid.errors import NotFound, UsageError
from containerid.job import Leg, Spec, State
from containerid.runs.find import find, name_of
from containerid.runs.registry import Run


@pytest.fixture(autouse=True)
def outside(tmp_path, monkeypatch):
    """Nobody stands in a project."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def two(registry):
    for name, experiment in (("exp001-20260101-000000-aaaaaa", "exp001"), ("exp002-20260102-000000-bbbbbb", "exp002")):
        registry.add(Run(run=name, backend="kaggle", experiment=experiment, created=f"{name[7:11]}-01-01T00:00:00Z"))
        registry.set_leg(name, Leg(f"ada/cid-{name}", "1", f"https://www.kaggle.com/code/ada/cid-{name}"))
    return registry


@pytest.mark.parametrize(
    "name",
    [
        "exp001-20260101-000000-aaaaaa",
        "exp001-2",
        "exp001",
        "cid-exp001-20260101-000000-aaaaaa",
        "ada/cid-exp001-20260101-000000-aaaaaa",
        "https://www.kaggle.com/code/ada/cid-exp001-20260101-000000-aaaaaa",
        "https://www.kaggle.com/code/ada/cid-exp001-20260101-000000-aaaaaa?scriptVersionId=1",
    ],
)
def test_a_run_answers_to_every_name_it_has(two, name):
    assert find(two, name).run == "exp001-20260101-000000-aaaaaa"


def test_no_name_means_the_latest_run(two):
    assert find(two).experiment == "exp002"


def test_an_experiment_means_its_latest_run(two):
    two.add(Run(run="exp001-later", backend="kaggle", experiment="exp001", created="2027-01-01T00:00:00Z"))
    assert find(two, "exp001").run == "exp001-later"


def test_a_start_that_fits_several_runs_is_refused_with_their_names(two):
    with pytest.raises(UsageError, match=r"start of 2 runs: exp002.*, exp001"):
        find(two, "exp0")


@pytest.fixture
def projects(registry, tmp_path):
    """Two projects: p1 has the latest run, p2 an older one of the same experiment; p3 has none."""
    for number, name in enumerate(("p2", "p1", "p3")):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "params.yaml").touch()
        if name != "p3":
            made = Run(run=f"exp001-{name}", backend="local", project=name, folder=str(tmp_path / name))
            registry.add(replace(made, experiment="exp001", created=f"202{number}-01-01T00:00:00Z"))
    return tmp_path


@pytest.mark.parametrize("name", ["", "exp001"])
@pytest.mark.parametrize("place", ["p2", "p2/src", "link"])
def test_in_a_project_the_latest_run_is_that_projects(registry, projects, name, place):
    (projects / "link").symlink_to(projects / "p2")
    told = []
    assert find(registry, name, here=projects / place, tell=told.append).run == "exp001-p2"
    assert told == [], "nothing is told about what lies here"


def test_a_project_without_a_run_says_so_and_takes_no_other_projects(registry, projects):
    with pytest.raises(NotFound, match=r"no run of the project in .*p3 yet") as caught:
        find(registry, here=projects / "p3")
    assert caught.value.hint.startswith("cid ls")


@pytest.mark.parametrize(("name", "place"), [("", ""), ("exp001", ""), ("exp001", "p3")])
def test_a_run_of_another_project_that_was_not_named_by_itself_is_told_with_its_folder(registry, projects, name, place):
    told = []
    assert find(registry, name, here=projects / place, tell=told.append).run == "exp001-p1"
    assert [event.detail for event in told] == [f"exp001-p1, of p1 in {projects / 'p1'}"]
    assert find(registry, "exp001-p1", here=projects / "p2", tell=told.append).project == "p1"
    assert len(told) == 1, "who names a run knows which it is"


def test_a_project_ends_where_its_repository_does(registry, projects):
    (projects / "p2/src/.git").mkdir()
    assert find(registry, here=projects / "p2/src").run == "exp001-p1"


def test_of_many_runs_with_one_start_four_are_named_and_the_rest_is_owned_to(registry):
    for number in range(6):
        registry.add(Run(run=f"exp001-{number}", backend="kaggle", created=f"2026-01-0{number + 1}T00:00:00Z"))
    with pytest.raises(UsageError, match=r"start of 6 runs: (exp001-\d, ){4}…$"):
        find(registry, "exp001-")


def test_an_unknown_kernel_is_foreign_and_not_recorded(two):
    run = find(two, "bob/some-kernel")
    assert (run.handle, run.run, run.ours) == ("bob/some-kernel", "some-kernel", False)
    assert len(two.runs()) == 2


def test_an_unknown_name_is_not_found(two):
    with pytest.raises(NotFound, match="nothing-like-it"):
        find(two, "nothing-like-it")


def test_without_any_run_the_first_command_is_named(registry):
    with pytest.raises(NotFound) as caught:
        find(registry)
    assert "cid train" in caught.value.hint


def test_a_version_of_a_kernel_can_be_named(registry):
    found = find(registry, "ada/cid-exp001-1/2")
    assert (found.handle, found.version, found.ours) == ("ada/cid-exp001-1", "2", False)


def test_a_run_that_never_reached_its_platform_is_not_the_latest(two):
    two.add(Run(run="exp002-mistyped", backend="kaggle", experiment="exp002", created="2027-01-01T00:00:00Z"))
    assert find(two).run == "exp002-mistyped", "it may still go on"
    two.move("exp002-mistyped", State.REFUSED, "there is no such slug")
    for name in ("", "exp002"):
        assert find(two, name).run == "exp002-20260102-000000-bbbbbb"
    assert find(two, "exp002-mistyped").state is State.REFUSED


def test_a_name_that_is_shown_is_one_that_is_found(two):
    for name in ("bob/some-kernel", "exp001-20260101-000000-aaaaaa"):
        two.set_spec("exp001-20260101-000000-aaaaaa", Spec(run="exp001-20260101-000000-aaaaaa"))
        assert name_of(find(two, name)) == name
    assert name_of(find(two, "bob/some-kernel/3")) == "bob/some-kernel/3"
