import pytest
from fakes.reports import HOSTILE, Read, leave

from containerid.errors import NotFound, StillRunning, UsageError
from containerid.job import Leg, Result, Spec, State
from containerid.report import compare as pages
from containerid.report.compare import best, gap
from containerid.report.page import render
from containerid.runs.compare import compare
from containerid.runs.registry import Run
from containerid.runs.report import report


@pytest.fixture
def ran(registry, tmp_path):
    """A run of the registry, fetched unless said otherwise."""

    def make(name, *, fetched=True, experiment="exp001", epochs=6, **changes):
        registry.add(Run(run=name, backend="local", project="doors", folder=str(tmp_path), experiment=experiment))
        params = {"training": {"epochs": epochs, "learning_rate": 0.01}}
        registry.set_spec(name, Spec(run=name, experiment=experiment, params=params))
        result = Result(run=name, outcome="succeeded", metrics={"test/mAP50": 0.8, "speed/inference": 9.0})
        registry.set_result(name, result)
        registry.set_leg(name, Leg("1", name))
        registry.move(name, State.SUCCEEDED)
        if fetched:
            metadata = {"experiment": experiment, "params": params, **changes.pop("metadata", {})}
            leave(tmp_path / "runs" / name, run=name, metadata=metadata, **changes)
            registry.set_outputs(name, tmp_path / "runs" / name, verified=True)
        return registry.get(name)

    return make


def test_runs_are_compared_by_what_they_reached_and_by_what_differs(ran, home):
    ran("exp001-1")
    ran("exp001-2", epochs=9, result={"metrics": {"test/mAP50": 0.95, "speed/inference": 12.0}})
    found = compare(["exp001-1", "exp001-2"], home=home).document()
    assert [each["run"] for each in found["runs"]] == ["exp001-1", "exp001-2"]
    assert found["metrics"]["test/mAP50"] == [0.91, 0.95]
    assert found["metrics"]["test/recall"] == [0.87, None]
    assert next(iter(found["metrics"])) == "test/mAP50"
    assert found["params"] == {"training.epochs": [6, 9]}
    assert found["origins"] == {}


def test_a_run_that_was_never_fetched_is_compared_by_what_the_registry_knows(ran, home):
    ran("exp001-1")
    ran("exp002-1", fetched=False, experiment="exp002")
    found = compare(["exp001-1", "exp002-1"], home=home).document()
    assert found["metrics"]["test/mAP50"] == [0.91, 0.8]
    assert found["origins"]["experiment"] == ["exp001", "exp002"]


def test_the_same_content_that_came_another_way_is_no_difference(ran, home):
    ran("exp001-1", metadata={"code": {"sha": "a" * 40, "tree": "c" * 40, "branch": "main"}})
    ran("exp001-2", metadata={"code": {"sha": "b" * 40, "tree": "c" * 40, "branch": "next"}})
    ran("exp001-3", metadata={"code": {"sha": "b" * 40, "tree": "d" * 40, "branch": "main"}})
    found = compare(["exp001-1", "exp001-2"], home=home).document()["origins"]
    assert not {"code", "branch", "tree"} & found.keys()
    found = compare(["exp001-1", "exp001-3"], home=home).document()["origins"]
    assert found["tree"] == ["c" * 40, "d" * 40]
    assert found["code"] == ["a" * 40, "b" * 40]


def test_the_same_images_from_another_place_are_no_difference(ran, home):
    one, two = ({"data": {"provider": name, "sha256": "e" * 64}} for name in ("folder", "kaggle"))
    ran("exp001-1", metadata=one)
    ran("exp001-2", metadata=two)
    ran("exp001-3", metadata={"data": {"provider": "kaggle", "sha256": "f" * 64}})
    assert "data" not in compare(["exp001-1", "exp001-2"], home=home).document()["origins"]
    assert compare(["exp001-1", "exp001-3"], home=home).document()["origins"]["data"] == ["folder", "kaggle"]


def test_a_section_that_is_empty_in_one_run_is_told_by_what_it_holds_in_the_other(ran, home):
    ran("exp001-1", metadata={"params": {"gates": {"test/mAP50": 0.9}, "none": {}}})
    ran("exp001-2", metadata={"params": {"gates": {}, "none": 1}})
    found = compare(["exp001-1", "exp001-2"], home=home).document()["params"]
    assert found == {"gates.test/mAP50": [0.9, None], "none": [{}, 1]}


def test_a_run_that_was_refused_or_goes_on_is_not_compared(ran, home, registry):
    ran("exp001-1")
    registry.add(Run(run="exp002-1", backend="kaggle", experiment="exp002", state=State.REFUSED))
    with pytest.raises(NotFound, match="never submitted"):
        compare(["exp001-1", "exp002-1"], home=home)
    registry.add(Run(run="exp003-1", backend="kaggle", experiment="exp003", state=State.WAITING))
    with pytest.raises(StillRunning):
        compare(["exp001-1", "exp003-1"], home=home)


def test_outputs_of_another_run_in_its_folder_are_not_its_own(ran, home, tmp_path):
    ran("exp001-1")
    ran("exp001-2")
    leave(tmp_path / "runs/exp001-2", run="somebody-else")
    assert compare(["exp001-1", "exp001-2"], home=home).document()["metrics"]["test/mAP50"] == [0.91, 0.8]


@pytest.mark.parametrize("names", [[], ["exp001-1"], ["exp001-1", "exp001-1"], ["exp001-1", "exp001"]])
def test_one_run_alone_cannot_be_compared(ran, home, names):
    ran("exp001-1")
    with pytest.raises(UsageError, match="two different runs"):
        compare(names, home=home)


def test_a_run_that_does_not_exist_is_named(ran, home):
    ran("exp001-1")
    with pytest.raises(NotFound, match="nonsense"):
        compare(["exp001-1", "nonsense"], home=home)


def test_the_best_is_the_highest_but_for_times_and_nobody_when_all_are_alike():
    assert best("test/mAP50", [0.5, 0.7, None, 0.7]) == {1, 3}
    assert best("speed/inference", [9.0, 7.0]) == {1}
    assert best("test/mAP50", [0.5, 0.5]) == set()
    assert (gap("test/mAP50", [0.5, 0.25]), gap("speed/x", [5.0, 7.0]), gap("x", [None, 1])) == (
        "-0.2500",
        "+2.0 ms",
        "",
    )


def test_the_page_overlays_the_curves_and_names_everybody(ran, home):
    ran("exp001-1")
    ran("exp001-2", epochs=9, metadata={"architecture": HOSTILE, "experiment": HOSTILE})
    html = render(pages.compose(compare(["exp001-1", "exp001-2"], home=home)))
    page = Read(html)
    assert "2 runs compared" in page.text
    assert "training.epochs" in page.text
    assert "<script" not in html
    curve = next(each["aria-label"] for each in page.tags["svg"] if each["aria-label"].startswith("mAP50 of"))
    assert "A ends at" in curve
    assert "B ends at" in curve


def test_runs_without_curves_have_a_page_too(ran, home):
    ran("exp001-1", fetched=False)
    ran("exp001-2", fetched=False)
    page = Read(render(pages.compose(compare(["exp001-1", "exp001-2"], home=home))))
    assert "None of the runs has left a results.csv" in page.text
    assert "All parameters are the same." in page.text


def test_the_page_of_a_run_is_the_one_that_it_left(ran):
    run = ran("exp001-1")
    page, made = report(run)
    assert made
    page.write_text("its own", encoding="utf-8")
    assert report(run) == (page, False)
    assert page.read_text(encoding="utf-8") == "its own"


def test_a_run_whose_outputs_are_not_here_has_no_page(ran, tmp_path, registry):
    with pytest.raises(UsageError, match="are not here") as caught:
        report(ran("exp001-1", fetched=False))
    assert caught.value.hint == "cid fetch exp001-1"
    registry.set_outputs("exp001-1", tmp_path / "gone", verified=True)
    with pytest.raises(UsageError, match="are not here"):
        report(registry.get("exp001-1"))
