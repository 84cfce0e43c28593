from pathlib import Path

from containerid.job import Code, Data, Spec
from containerid.runs.intents import claim, forget, mark, request_of
from containerid.runs.registry import Registry, Run
from containerid.runs.request import Request

HERE = Path("/work/doors")
SPEC = Spec(run="a-1", params={"training": {"epochs": 3}}, created="2026-11-21T00:00:00Z", cid="1")


def test_ids_times_commits_and_versions_do_not_make_two_submits_differ():
    other = Spec(run="a-2", params=SPEC.params, created="2026-11-22T00:00:00Z", cid="2", code=Code(sha="b" * 40))
    assert mark(SPEC, "tree", HERE, {}) == mark(other, "tree", HERE, {})


def test_code_folder_settings_and_parameters_do():
    other = Spec(run="a-1", params={"training": {"epochs": 4}})
    marks = [
        mark(SPEC, "tree", HERE, {}),
        mark(SPEC, "tree2", HERE, {}),
        mark(SPEC, "tree", Path("/work/doors2"), {}),
        mark(SPEC, "tree", HERE, {"accelerator": "NvidiaL4"}),
        mark(other, "tree", HERE, {}),
    ]
    assert len(set(marks)) == len(marks)


def test_data_that_was_brought_to_the_platform_meanwhile_is_the_same_data():
    here = Spec(run="a-1", data=Data(provider="folder", source="/work/doors/data", digest="d" * 64))
    there = Spec(run="a-1", data=Data(provider="kaggle", source="ada/cid-data-dddd", digest="d" * 64))
    other = Spec(run="a-1", data=Data(provider="folder", source="/work/doors/data", digest="e" * 64))
    assert mark(here, "", HERE, {}) == mark(there, "", HERE, {}) != mark(other, "", HERE, {})
    here = Spec(run="a-1", data=Data(provider="dvc", source="data.dvc", options={"hash": "f" * 32}))
    there = Spec(run="a-1", data=Data(provider="kaggle", source="ada/cid-set-ffff", options={"dvc": "f" * 32}))
    assert mark(here, "", HERE, {}) == mark(there, "", HERE, {})


def test_a_request_is_read_back_as_it_was_asked(registry: Registry):
    options = {"dataset_sources": ("ada/doors",), "session_limit": 600.0}
    request = Request(backend="kaggle", folder=HERE, overrides=("training.epochs=3",), options=options, wait=True)
    run = claim(registry, Run(run="a-1", backend="kaggle", project="doors"), "m", request)
    read = request_of(registry, run)
    assert read == Request(backend="kaggle", folder=HERE, overrides=("training.epochs=3",), options=options)


def test_only_a_run_of_which_nothing_was_pushed_can_be_taken_back(registry: Registry):
    request = Request(backend="kaggle", folder=HERE)
    for name in ("a-1", "a-2"):
        claim(registry, Run(run=name, backend="kaggle", project="doors"), name, request)
    registry.move("a-2", "submitting")
    for name in ("a-1", "a-2"):
        forget(registry, name)
    assert [run.run for run in registry.runs()] == ["a-2"]
