import errno
import fcntl
import json
import os
import threading
from types import SimpleNamespace

import pytest

from containerid.errors import NotFound, OutputsUnverified, StillRunning
from containerid.events import Caution, Fetched, Step
from containerid.job import PACKED_FILES, State, Status
from containerid.runs.fetch import fetch
from containerid.runs.find import find
from containerid.runs.paths import PARTS_FOLDER
from containerid.runs.registry import Run
from containerid.runs.verify import verify


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


def test_packages_that_are_for_the_next_leg_stay_where_they_are(ended, platform, home, tmp_path):
    """They are written after the manifest; a run without them is whole."""
    name = PACKED_FILES.replace("*", "0" * 64)
    platform.files[name] = b"wheels"
    run = fetch(ended, home=home)
    folder = tmp_path / "runs" / ended.run
    assert run.verified
    assert not (folder / name).exists()
    assert verify(run, home=home).verified
    fetch(ended, home=home, include=["cid-packages-*"])
    assert (folder / name).read_bytes() == b"wheels", "who asks for them gets them"
    assert verify(run, home=home).verified


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
    assert any(
        "results.csv did not arrive: it differs from the manifest" in event.text
        for event in told
        if isinstance(event, Caution)
    )


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


def test_what_was_asked_for_alone_is_fetched_and_that_is_no_failure(ended, home, registry, tmp_path):
    told = []
    run = fetch(ended, home=home, include=["weights"], tell=told.append)
    folder = tmp_path / "runs" / ended.run
    assert (folder / "weights/best.pt").exists()
    assert not (folder / "results.csv").exists()
    assert any(event.name == "verified" for event in told if isinstance(event, Step))
    assert not run.verified, "the run as a whole is not here"
    assert fetch(run, home=home).verified
    assert fetch(registry.get(run.run), home=home, exclude=["*.csv"]).verified, "what was known is kept"


def test_what_was_asked_for_and_is_not_good_is_a_failure_still(ended, platform, home):
    platform.files["weights/best.pt"] = b"weighty" * 1000
    with pytest.raises(OutputsUnverified, match=r"weights/best\.pt"):
        fetch(ended, home=home, include=["*.pt"])
    fetch(ended, home=home, include=["*.csv"])


def test_a_wish_that_nothing_fits_is_said(ended, platform, home):
    del platform.files["manifest.json"]
    with pytest.raises(OutputsUnverified, match="no output"):
        fetch(ended, home=home, include=["*.onnx"])


def test_a_wish_that_nothing_fits_is_said_of_a_run_with_a_manifest_too(ended, home):
    with pytest.raises(OutputsUnverified, match="no output"):
        fetch(ended, home=home, include=["*.onnx"])
    assert fetch(ended, home=home, include=["manifest.json"]).outputs


def test_a_run_that_was_never_submitted_has_no_outputs(registry, home, tmp_path):
    registry.add(Run(run="exp001-0", backend="kaggle", folder=str(tmp_path), state=State.REFUSED))
    with pytest.raises(NotFound, match=r"was never submitted \(refused\)"):
        fetch(registry.get("exp001-0"), home=home)
    assert not (tmp_path / "runs").exists()


def test_a_disk_without_room_is_known_before_the_first_byte(ended, home, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=(64 << 20) + 7000))
    with pytest.raises(OutputsUnverified, match=r"0 MB are to be fetched, and .* has 67 MB free"):
        fetch(ended, home=home)
    assert not list((tmp_path / "runs" / ended.run).iterdir())
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=(64 << 20) + 70000))
    assert fetch(ended, home=home).verified
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=(64 << 20) + 1000))
    assert fetch(ended, home=home).verified, "what is there needs no room"


def test_more_than_any_kernel_leaves_is_a_trick(ended, home, monkeypatch):
    monkeypatch.setattr("containerid.runs.transfer._MOST", 7000)
    with pytest.raises(OutputsUnverified, match="more than any kernel leaves"):
        fetch(ended, home=home)


def test_an_old_file_stays_when_its_successor_is_not_good(ended, platform, home, tmp_path):
    path = tmp_path / "runs" / ended.run / "weights/best.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    platform.broken = {"weights/best.pt"}
    with pytest.raises(OutputsUnverified):
        fetch(ended, home=home)
    assert path.read_bytes() == b"old"


def test_an_output_with_the_logs_name_does_not_replace_the_log(ended, platform, home, tmp_path):
    platform.files[f"{ended.run}.log"] = b"mine"
    with pytest.raises(OutputsUnverified, match=r"exp001-1\.log"):
        fetch(ended, home=home)
    assert (tmp_path / "runs" / ended.run / f"{ended.run}.log").read_text().startswith("hello")


def test_a_file_where_a_folder_should_be_is_told_and_the_rest_is_brought(ended, platform, home, tmp_path):
    platform.files |= {"a": b"file", "a/b": b"below"}
    with pytest.raises(OutputsUnverified, match="1 outputs"):
        fetch(ended, home=home)
    assert (tmp_path / "runs" / ended.run / "weights/best.pt").exists()


def test_the_command_takes_globs(ended, cid, tmp_path):
    said = cid("fetch", ended.run, "--include", "*.csv", "--exclude", "weights", "--to", str(tmp_path / "here"))
    assert said.code == 0
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "results.csv",
        "manifest.json",
        f"{ended.run}.log",
        f"{ended.run}.log.jsonl",
    }


def test_two_fetches_at_once_do_not_meet(ended, home, platform, tmp_path):
    held = os.open(_made(tmp_path / "runs" / ended.run), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    told = []
    other = threading.Thread(target=lambda: fetch(ended, home=home, tell=told.append))
    other.start()
    while not any(isinstance(event, Step) and event.name == "waiting" for event in told):
        threading.Event().wait(0.005)
    assert not (tmp_path / "runs" / ended.run / "results.csv").exists()
    os.close(held)
    other.join(10)
    assert (tmp_path / "runs" / ended.run / "results.csv").exists()


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def test_a_newer_time_stamp_saves_no_file_that_is_another_one(ended, home, tmp_path):
    path = tmp_path / "runs" / ended.run / "weights/best.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"WEIGHTS" * 1000)
    os.utime(path, (4e9, 4e9))
    assert fetch(ended, home=home).verified
    assert path.read_bytes() == b"weights" * 1000


def test_every_unsafe_name_is_named(ended, platform, home):
    platform.files |= {f"../{number}": b"evil" for number in range(9)}
    told: list[Caution] = []
    with pytest.raises(OutputsUnverified):
        fetch(ended, home=home, tell=told.append)
    (said,) = [event.text for event in told if isinstance(event, Caution)]
    assert all(f"'../{number}'" in said for number in range(9))


def test_a_disk_that_fills_up_is_named(ended, home, platform, tmp_path):
    def full(output, to):
        if PARTS_FOLDER in to.parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    platform.before["download"] = full
    with pytest.raises(OutputsUnverified, match=f"the disk of {tmp_path}/runs/{ended.run} is full") as failure:
        fetch(ended, home=home)
    assert "make room" in failure.value.hint


def test_the_document_of_a_fetch_lists_its_files(ended, cid):
    files = cid("fetch", ended.run, "--json").document["files"]
    assert {"name": "weights/best.pt", "size": 7000, "verified": True} in files
    assert [each["name"] for each in files] == sorted(each["name"] for each in files)
    assert f"files           {len(files)}, " in cid("fetch", ended.run).out
