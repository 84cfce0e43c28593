import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from fakes.kaggle_server import Fault, KaggleServer, google

from containerid.clock import Clock
from containerid.errors import Refused, Unreachable, UsageError
from containerid.events import Event, Step
from containerid.kaggle import packing
from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.datasets import Datasets
from containerid.kaggle.origin import at
from containerid.kaggle.transport import Session

NAME = "ada/cid-data-0123456789ab"


class Moments:
    """A clock that the test reads: sleeping moves it and does nothing else."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=3):
        yield


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        yield server


@pytest.fixture
def moments() -> Moments:
    return Moments()


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """Where it is noted what was begun."""
    (tmp_path / "begun").mkdir()
    return tmp_path / "begun"


@pytest.fixture
def datasets(server: KaggleServer, moments: Moments, begun: Path) -> Datasets:
    key = Credentials(kind="key", username="ada", secret=Secret("k"), source="test")
    return Datasets(Kaggle(key, at(server.url), {}), Session({}), Clock(lambda: moments.time, moments.sleep), begun)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], list[Path]]:
    (tmp_path / "train.zip").write_bytes(b"images" * 1000)
    (tmp_path / "data.yaml").write_bytes(b"")
    return lambda: [tmp_path / "train.zip", tmp_path / "data.yaml"]


def quiet(event: Event) -> None:
    pass


def test_files_go_up_once_and_become_a_private_dataset(server, datasets, files):
    datasets.ensure(NAME, files, quiet)
    assert sorted(server.uploads.values()) == [b"", b"images" * 1000]
    (create,) = server.asked("CreateDataset")
    assert create.body["isPrivate"] is True
    assert create.body["title"] == create.body["slug"] == "cid-data-0123456789ab"
    assert [each["token"] for each in create.body["files"]] == list(server.uploads)
    assert all(call.headers["Authorization"] is None for call in server.asked("upload"))
    assert server.asked("upload")[0].headers["Content-Length"] == "6000"


def test_what_is_there_is_not_sent_again(server, datasets):
    server.datasets[NAME] = {"status": "READY"}
    told: list[Event] = []
    datasets.ensure(NAME, lambda: pytest.fail("the files were made"), told.append)
    assert [call.rpc for call in server.calls] == ["GetDatasetStatus"]
    assert told == [Step("dataset", f"{NAME} is on Kaggle already")]


def test_one_that_is_on_its_way_is_waited_for(server, datasets, moments):
    server.datasets[NAME] = {"status": "BLOBS_RECEIVED"}
    server.dataset_steps.extend(["BLOBS_RECEIVED"] * 6 + ["blobsDecompressed", "READY"])
    datasets.ensure(NAME, lambda: pytest.fail("the files were made"), quiet)
    assert moments.slept == [2, 4, 8, 16, 30, 30]


def test_a_new_one_that_kaggle_hides_for_minutes_is_waited_for(server, datasets, files, moments):
    server.fail("GetDatasetStatus", Fault(403, google(403, "Permission 'datasets.get' was denied")))
    server.dataset_steps.extend(["hidden"] * 30 + ["READY"])
    datasets.ensure(NAME, files, quiet)
    assert 700 < moments.time < 900
    assert len(server.asked("CreateDataset")) == 1


def test_after_half_an_hour_the_wait_is_over(server, datasets, moments):
    server.datasets[NAME] = {"status": "BLOBS_RECEIVED"}
    with pytest.raises(Unreachable, match="is still blobs_received") as caught:
        datasets.ensure(NAME, lambda: pytest.fail("the files were made"), quiet)
    assert caught.value.retryable
    assert moments.time == 1800


def test_one_that_kaggle_cannot_unpack_is_refused(server, datasets):
    server.datasets[NAME] = {"status": "BLOBS_RECEIVED"}
    server.dataset_steps.extend(["BLOBS_RECEIVED", "BLOBS_RECEIVED", "FAILED"])
    with pytest.raises(Refused, match="cannot unpack"):
        datasets.ensure(NAME, lambda: pytest.fail("the files were made"), quiet)


@pytest.mark.parametrize("state", ["FAILED", "DELETED"])
def test_one_that_is_broken_gets_a_new_version(server, datasets, files, state):
    server.datasets[NAME] = {"status": state}
    datasets.ensure(NAME, files, quiet)
    assert len(server.asked("CreateDatasetVersion")) == 1
    assert server.asked("CreateDataset") == []


@pytest.mark.parametrize("fault", [Fault(503), Fault(500), Fault(429), Fault(drop=True)])
def test_an_upload_that_fails_once_goes_on_under_its_token(server, datasets, files, fault):
    server.fail("upload", fault)
    datasets.ensure(NAME, files, quiet)
    tokens = [each["token"] for each in server.asked("CreateDataset")[0].body["files"]]
    assert tokens == ["blob-1-train.zip", "blob-2-data.yaml"]
    assert server.uploads["blob-1-train.zip"] == b"images" * 1000


def test_an_upload_that_breaks_off_sends_the_rest_alone(server, datasets, files):
    server.keep_of("blob-1-train.zip", 4000)
    datasets.ensure(NAME, files, quiet)
    assert server.uploads["blob-1-train.zip"] == b"images" * 1000
    spans = [call.headers["Content-Range"] for call in server.asked("upload")]
    assert spans == [None, "bytes */6000", "bytes 4000-5999/6000", None]


def test_an_upload_that_storage_has_forgotten_begins_anew(server, datasets, files):
    server.fail("upload", Fault(503), Fault(404))
    datasets.ensure(NAME, files, quiet)
    tokens = [each["token"] for each in server.asked("CreateDataset")[0].body["files"]]
    assert tokens == ["blob-2-train.zip", "blob-3-data.yaml"]


def test_another_process_goes_on_where_one_was_killed(server, datasets, begun, files):
    server.keep_of("blob-1-train.zip", 4000)
    server.fail("upload", Fault(503, done=True), *[Fault(503)] * 40)
    with pytest.raises(Unreachable):
        datasets.ensure(NAME, files, quiet)
    server.faults["upload"].clear()
    told: list[Event] = []
    datasets.ensure(NAME, files, told.append)
    assert Step("upload", "train.zip goes on at 4.0 kB") in told
    assert len(server.asked("StartBlobUpload")) == 2
    assert list(begun.iterdir()) == [], "a note was left"


def test_another_content_is_no_part_of_an_upload_that_was_begun(server, datasets, files, tmp_path):
    server.fail("upload", *[Fault(503)] * 40)
    with pytest.raises(Unreachable):
        datasets.ensure(NAME, files, quiet)
    server.faults["upload"].clear()
    (tmp_path / "train.zip").write_bytes(b"others" * 1000)
    datasets.ensure(NAME, files, quiet)
    assert server.uploads["blob-2-train.zip"] == b"others" * 1000


def test_an_upload_that_storage_declines_is_not_tried_again(server, datasets, files):
    server.fail("upload", Fault(403))
    with pytest.raises(Unreachable, match=r"train.zip was not taken \(HTTP 403\)"):
        datasets.ensure(NAME, files, quiet)
    assert len(server.asked("upload")) == 1
    assert server.asked("CreateDataset") == []


def test_bytes_go_to_no_unknown_place(server, datasets, files):
    with KaggleServer() as other:
        server.answers["StartBlobUpload"] = {"token": "t", "createUrl": f"{other.url}/upload/t"}
        with pytest.raises(Unreachable, match="a place that is not its own"):
            datasets.ensure(NAME, files, quiet)
        assert other.calls == []


def test_a_lost_answer_to_the_creation_is_no_failure(server, datasets, files):
    server.fail("CreateDataset", Fault(drop=True, done=True))
    datasets.ensure(NAME, files, quiet)
    assert len(server.asked("CreateDataset")) == 1


def test_another_cid_that_was_quicker_is_no_failure(server, datasets, files):
    def create(body: dict[str, object]) -> dict[str, object]:
        server.datasets[NAME] = {"status": "READY"}
        return {"status": "error", "error": 'The requested title "x" is already in use by a dataset'}

    server._CreateDataset = create
    datasets.ensure(NAME, files, quiet)
    assert server.datasets[NAME] == {"status": "READY"}


def test_what_another_cid_has_made_while_this_one_sent_gets_no_second_version(server, datasets, files):
    def others() -> list[Path]:
        server.datasets[NAME] = {"status": "READY"}
        return files()

    datasets.ensure(NAME, others, quiet)
    assert server.asked("CreateDataset") == server.asked("CreateDatasetVersion") == []


def test_a_creation_that_kaggle_declines_is_refused(server, datasets, files):
    server.answers["CreateDataset"] = {"status": "error", "error": "no room left"}
    with pytest.raises(Refused, match="no room left"):
        datasets.ensure(NAME, files, quiet)


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


SET = ("data.yaml", "images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt")


def test_a_set_becomes_an_archive_for_each_folder_and_its_loose_files(tmp_path):
    folder = make(tmp_path / "set", *SET)
    packed = packing.pack(folder, packing.content(folder), tmp_path)
    assert [path.name for path in packed] == ["data.yaml", "images.zip", "labels.zip"]
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert archive.namelist() == ["train/a.jpg", "val/b.jpg"]
        assert archive.read("val/b.jpg") == b"images/val/b.jpg"
        assert archive.testzip() is None


def test_splits_at_the_top_become_an_archive_each(tmp_path):
    folder = make(tmp_path / "set", "data.yaml", "train/images/a.jpg", "train/labels/a.txt", "valid/images/b.jpg")
    packed = packing.pack(folder, packing.content(folder), tmp_path)
    assert [path.name for path in packed] == ["data.yaml", "train.zip", "valid.zip"]


def test_too_many_loose_files_become_one_archive(tmp_path):
    folder = make(tmp_path / "set", *[f"{number}.csv" for number in range(51)])
    (packed,) = packing.pack(folder, packing.content(folder), tmp_path)
    with zipfile.ZipFile(packed) as archive:
        assert len(archive.namelist()) == 51


def test_the_same_content_gives_the_same_bytes_and_name(tmp_path):
    one, two = make(tmp_path / "one", *SET), make(tmp_path / "two", *SET)
    os.utime(two / SET[1], (0, 0))
    assert packing.digest(one, packing.content(one)) == packing.digest(two, packing.content(two))
    for folder in (one, two):
        (tmp_path / f"{folder.name}-packed").mkdir()
        packing.pack(folder, packing.content(folder), tmp_path / f"{folder.name}-packed")
    assert (tmp_path / "one-packed/images.zip").read_bytes() == (tmp_path / "two-packed/images.zip").read_bytes()


@pytest.mark.parametrize("change", ["content", "name"])
def test_other_content_gives_another_name(tmp_path, change):
    folder = make(tmp_path / "set", *SET)
    before = packing.digest(folder, packing.content(folder))
    if change == "content":
        (folder / SET[1]).write_bytes(b"other")
    else:
        (folder / SET[1]).rename(folder / "images/train/c.jpg")
    assert packing.digest(folder, packing.content(folder)) != before


def test_what_a_trainer_or_a_system_leaves_is_not_sent(tmp_path):
    leavings = ("labels/train.cache", "images/train/a.npy", ".DS_Store", ".git/config", "images/.hidden/x.jpg")
    folder = make(tmp_path / "set", *SET, *leavings, "features/own.npy")
    assert packing.content(folder) == sorted([*SET, "features/own.npy"])


def test_links_into_a_cache_are_followed(tmp_path):
    folder = make(tmp_path / "set", *SET)
    make(tmp_path / "cache", "ab/cdef")
    (folder / "images/train/link.jpg").symlink_to(tmp_path / "cache/ab/cdef")
    packing.pack(folder, packing.content(folder), tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert archive.read("train/link.jpg") == b"ab/cdef"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_empty_or_missing_is_a_usage_error(tmp_path, there):
    if there:
        (tmp_path / "set").mkdir()
    with pytest.raises(UsageError, match="is not there, or is empty"):
        packing.content(tmp_path / "set")
