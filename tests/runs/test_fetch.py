import json

import pytest

from containerid.errors import OutputsUnverified, StillRunning
from containerid.events import Caution, Fetched
from containerid.job import State, Status
from containerid.runs.fetch import fetch
from containerid.runs.find import find


@pytest.fixture
def ended(submitted, platform):
    run = submitted()
    platform.files = {"weights/best.pt": b"weights" * 1000, "results.csv": b"epoch\n1\n"}
    platform.log = ["hello", "wörld ✓"]
    platform.finish(run.run)
    return run


def test_a_fetched_run_is_whole_verified_and_filed_under_its_name(ended, home, tmp_path):
    told = []
    run = fetch(ended, home=home, tell=told.append)
    folder = tmp_path / "runs" / ended.run
    assert (run.outputs, run.verified) == (str(folder), True)
    assert (folder / "weights/best.pt").read_bytes() == b"weights" * 1000
    assert {event.name for event in told if isinstance(event, Fetched) and event.verified} == {
        "weights/best.pt",
        "results.csv",
        "result.json",
    }
    assert not list(folder.rglob("*.part"))


def test_the_log_lies_beside_as_text_and_as_records(ended, home, tmp_path):
    fetch(ended, home=home)
    folder = tmp_path / "runs" / ended.run
    assert (folder / f"{ended.run}.log").read_text(encoding="utf-8").startswith("hello\nwörld ✓\n")
    first = json.loads((folder / f"{ended.run}.log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {"time": 0.0, "stream": "stdout", "data": "hello"}


def test_to_writes_into_that_folder_and_nowhere_else(ended, home, tmp_path):
    fetch(ended, home=home, to=tmp_path / "here")
    assert (tmp_path / "here/weights/best.pt").exists()
    assert not (tmp_path / "runs").exists()


def test_a_file_that_differs_from_the_manifest_is_never_called_verified(ended, platform, home):
    platform.files["weights/best.pt"] = b"weighty" * 1000
    with pytest.raises(OutputsUnverified, match=r"1 outputs are missing or not the manifest's: weights/best.pt"):
        fetch(ended, home=home)


def test_a_file_that_the_manifest_names_and_that_is_not_there_is_missing(ended, platform, home):
    del platform.files["results.csv"]
    with pytest.raises(OutputsUnverified, match=r"results\.csv"):
        fetch(ended, home=home)


def test_a_truncated_file_is_told_and_the_rest_is_brought(ended, platform, home, tmp_path):
    platform.broken = {"results.csv"}
    told = []
    with pytest.raises(OutputsUnverified):
        fetch(ended, home=home, tell=told.append)
    assert (tmp_path / "runs" / ended.run / "weights/best.pt").exists()
    assert any("results.csv differs" in event.text for event in told if isinstance(event, Caution))


def test_a_good_file_is_not_fetched_again(ended, platform, home):
    fetch(ended, home=home)
    platform.broken = {"weights/best.pt"}
    assert fetch(find_again(home, ended), home=home).verified


def find_again(home, run):
    from containerid.runs.registry import Registry

    return find(Registry(home.registry), run.run)


@pytest.mark.parametrize(
    "name", ["../escape.txt", "/etc/passwd", "a/../../b", ".git/hooks/x", "C:\\x", "a\x00b", "con.txt", "x" * 300]
)
def test_an_unsafe_name_is_skipped_and_told_and_the_rest_is_brought(ended, platform, home, tmp_path, name):
    platform.files[name] = b"evil"
    before = {path for path in tmp_path.rglob("*") if "runs" not in path.parts and "home" not in path.parts}
    with pytest.raises(OutputsUnverified):
        fetch(ended, home=home)
    assert (tmp_path / "runs" / ended.run / "weights/best.pt").exists()
    after = {path for path in tmp_path.rglob("*") if "runs" not in path.parts and "home" not in path.parts}
    assert before == after


def test_a_link_in_the_way_is_not_followed(ended, home, tmp_path):
    folder = tmp_path / "runs" / ended.run
    folder.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (folder / "weights").symlink_to(tmp_path / "outside")
    with pytest.raises(OutputsUnverified):
        fetch(ended, home=home)
    assert not list((tmp_path / "outside").iterdir())


def test_a_running_run_has_no_outputs_yet(ended, platform, home):
    platform.says = [Status(State.RUNNING)]
    with pytest.raises(StillRunning):
        fetch(ended, home=home)


def test_a_folder_that_cannot_be_written_is_one_clear_line(ended, home, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputsUnverified, match="cannot be written"):
        fetch(ended, home=home, to=tmp_path / "file")


def test_a_foreign_kernel_is_fetched_and_never_verified(registry, platform, home, tmp_path):
    platform.files = {"out.txt": b"hello"}
    run = fetch(find(registry, "bob/his-kernel", backend="platform"), home=home, to=tmp_path / "his")
    assert (run.verified, (tmp_path / "his/out.txt").read_bytes()) == (False, b"hello")
