"""What Kaggle tells before a push, asked of the embedded one over real HTTP."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from fakes.places import TRAIN, Place

from containerid import runs
from containerid.errors import Refused, UsageError
from containerid.home import Home
from containerid.job import Code, Data, Spec
from containerid.kaggle.backend import open_kaggle
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.refusals import without_sources

QUOTA = "GetAcceleratorQuotaStatistics"


def lead(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    monkeypatch.chdir(place.root)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def place(tmp_path: Path, recorder: EmbeddedKaggle, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path / "place", recorder, "ada")
    lead(monkeypatch, made)
    return made


@pytest.fixture
def used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EmbeddedKaggle, Place]]:
    """A Kaggle that gives nobody an hour."""
    with EmbeddedKaggle(tmp_path / "other", run=False, weekly_hours=0) as server:
        made = Place(tmp_path / "elsewhere", server, "ada")
        lead(monkeypatch, made)
        yield server, made


def pushes(kaggle: EmbeddedKaggle) -> int:
    return [call.rpc for call in kaggle.calls].count("SaveKernel")


def test_quota_tells_hours_slots_and_what_uses_them(cid, place):
    run = cid(*TRAIN).document
    said = cid("quota", "--json").document
    assert said["gpu"].keys() == {"used_h", "reserved_h", "left_h", "total_h", "refresh"}
    gpu = said["gpu"]
    assert gpu["left_h"] == pytest.approx(gpu["total_h"] - gpu["used_h"] - gpu["reserved_h"], abs=0.01)
    assert gpu["reserved_h"] > 0
    assert gpu["refresh"].endswith("T00:00:00+00:00")
    assert said["slots"] == {"gpu": {"used": 1, "total": 2}, "cpu": {"used": 0, "total": 5}}
    assert said["sessions"] == [{"kernel": run["handle"], "kind": "gpu", "state": "queued", "run": run["run"]}]
    text = cid("quota").out
    assert run["run"] in text
    assert "1 of 2 in use" in text


def test_kernels_that_another_registry_pushed_take_slots_too(cid, place, tmp_path, monkeypatch):
    cid(*TRAIN, "--device", "cpu")
    monkeypatch.setenv("CID_HOME", str(tmp_path / "another"))
    (session,) = cid("quota", "--json").document["sessions"]
    assert (session["kind"], session["run"]) == ("cpu", None)


def test_the_third_gpu_run_is_refused_before_anything_leaves(cid, place, recorder):
    for seed in ("1", "2"):
        assert cid(*TRAIN, "--set", f"training.seed={seed}").code == 0
    place.project.write("trainer.py", "print('new')\n")
    before = place.project.remote_refs()
    said = cid(*TRAIN)
    assert said.code == 5
    assert "all 2 GPU slots are in use" in said.document["error"]["message"]
    assert "--wait" in said.document["error"]["hint"]
    assert place.project.remote_refs() == before
    assert pushes(recorder) == 2
    assert place.runs()[0].state == "refused"
    assert cid(*TRAIN, "--device", "cpu").code == 0


def test_no_hours_left_is_exit_5_with_the_day_of_the_next_ones(cid, used_up):
    kaggle, place = used_up
    said = cid(*TRAIN, "-y")
    assert said.code == 5
    assert "the week ends 20" in said.document["error"]["message"]
    assert (place.runs()[0].state, pushes(kaggle)) == ("refused", 0)


def test_a_push_that_kaggle_refuses_for_the_quota_names_the_day_too(used_up):
    home = Home(used_up[1].home.root)
    code = Code(digest=sha256(b"code").hexdigest(), holds_package=True)
    spec = Spec(run="r-1", backend="kaggle", code=code, data=Data(provider="synthetic"))
    (home.parcel("r-1") / "code.tar.xz").write_bytes(b"code")
    with pytest.raises(Refused, match="hours reached; it is filled again on 20") as no:
        open_kaggle(home).submit(spec)
    assert "cid quota" in no.value.hint


def test_a_dataset_that_is_not_there_stops_the_run_before_the_push(cid, place, recorder):
    said = cid(*TRAIN, "--dataset-source", "ada/nowhere", "-y")
    assert said.code == 5
    assert "there is no dataset ada/nowhere" in said.document["error"]["message"]
    assert "15 minutes" in said.document["error"]["hint"]
    assert pushes(recorder) == 0


def test_anothers_dataset_that_cannot_be_seen_is_a_reason_to_ask(cid, place, recorder):
    said = cid(*TRAIN, "--dataset-source", "bob/his")
    assert (said.code, pushes(recorder)) == (5, 0)
    assert "-y goes on" in said.document["error"]["hint"]
    said = cid(*TRAIN, "--dataset-source", "bob/his", "-y")
    assert (said.code, pushes(recorder)) == (5, 1)
    assert "without dataset bob/his, so the run was stopped" in said.document["error"]["message"]
    assert place.sessions() == 0


def test_a_kernel_source_that_is_not_there_stops_the_run(cid, place, recorder):
    said = cid(*TRAIN, "--kernel-source", "ada/nothing")
    assert (said.code, pushes(recorder)) == (5, 0)


NOT_ENTERED = {"ref": "doors"}
NOT_OPEN = {"ref": "doors", "userHasEntered": True, "enabledDate": "2999-01-01T00:00:00Z"}


@pytest.mark.parametrize("answer", [NOT_ENTERED, NOT_OPEN], ids=["rules not accepted", "not active yet"])
def test_a_competition_that_cannot_be_used_is_an_error_of_its_own(cid, place, recorder, answer):
    recorder.plan("GetCompetition", "answer", status=200, body=answer)
    said = cid(*TRAIN, "--competition-source", "doors", "-y")
    assert (said.code, pushes(recorder)) == (5, 0)
    error = said.document["error"]
    assert "not active, or its rules are not accepted" in error["message"]
    assert "https://www.kaggle.com/competitions/doors/rules" in error["hint"]


def test_a_competition_that_was_entered_is_shown_so(place, recorder):
    recorder.plan("GetCompetition", "answer", status=200, body={"ref": "doors", "userHasEntered": True})
    spec = Spec(run="r", backend="kaggle", data=Data(provider="synthetic"))
    (finding,) = open_kaggle(Home.of_user(), {"competition_sources": ["doors"]}).inspect(spec)
    assert (finding.value, finding.fault) == ("doors is entered", None)


def test_a_competition_that_the_push_was_refused_for_has_the_same_link():
    error = without_sources({"competition": ["doors"]}, stopped=True, url="")
    assert "without competition doors, so the run was stopped" in error.message
    assert error.hint.endswith("https://www.kaggle.com/competitions/doors/rules")


def test_wrong_credentials_are_exit_4_and_nothing_is_sent(cid, place, recorder):
    recorder.plan(
        "GetAcceleratorQuotaStatistics", "answer", status=401, body={"code": 401, "message": "Unauthenticated"}
    )
    said = cid(*TRAIN)
    assert (said.code, pushes(recorder)) == (4, 0)
    assert place.runs()[0].state == "refused"


def test_a_quota_that_kaggle_does_not_tell_is_no_reason_to_stop(cid, place, recorder):
    recorder.plan(
        "GetAcceleratorQuotaStatistics", "answer", status=404, body={"code": 404, "message": "Not Found"}, times=2
    )
    assert cid("quota", "--json").document["gpu"] is None
    said = cid(*TRAIN)
    assert said.code == 0
    assert "GPU hours      unknown" in said.err


def test_a_kept_kernel_is_searched_for_the_version_of_this_run(cid, place):
    first = cid(*TRAIN, "--slug", "cid-kept").document
    cid(*TRAIN, "--slug", "cid-kept", "--set", "training.seed=3")
    (_, run) = place.runs()
    assert run.run == first["run"]
    backend = open_kaggle(Home.of_user(), {"slug": "cid-kept"})
    found = backend.find(run.read_spec())
    assert found is not None
    assert (found.handle, found.version) == ("ada/cid-kept", "1")


def test_what_has_no_quota_says_so(own_home):
    with pytest.raises(UsageError, match="local has no quota"):
        runs.quota(Home.of_user(), backend="local")
