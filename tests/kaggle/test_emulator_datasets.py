import io
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle

ASKED = {"ownerSlug": "alice", "datasetSlug": "my-data"}


@pytest.fixture
def user(recorder: EmbeddedKaggle) -> Wire:
    return Wire(recorder.url)


def zipped(**files: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(name: str, content: bytes, mode: str = "w:gz") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:  # type: ignore[call-overload]
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def names(user: Wire, **asked: object) -> list[str]:
    listed = user.rpc("ListDatasetFiles", **{**ASKED, **asked}).document["datasetFiles"]
    return [file["name"] for file in listed]


def test_a_dataset_is_ready_as_soon_as_it_is_made(user: Wire) -> None:
    made = user.dataset("my-data", {"a.txt": b"content", "empty": b""})
    assert (made["status"], made["url"]) == ("ok", f"{user.url}/datasets/alice/my-data")
    assert user.rpc("GetDatasetStatus", **ASKED).document == {"status": "READY"}
    described = user.rpc("GetDataset", **ASKED).document
    assert (described["currentVersionNumber"], described["totalBytes"], described["isPrivate"]) == (1, 7, True)


def test_archives_are_unpacked_also_inside_archives(user: Wire) -> None:
    inner = tarred("deep/x.txt", b"x")
    files = {"images.zip": zipped(**{"1.txt": b"1", "more.tar.gz": inner}), "code.bin": b"not an archive"}
    user.dataset("my-data", files)
    assert names(user) == ["code.bin", "images/1.txt", "images/more/deep/x.txt"]


def test_an_archive_that_cannot_be_read_makes_no_dataset(user: Wire) -> None:
    token = user.upload("broken.zip", b"no zip")
    reply = user.rpc("CreateDataset", ownerSlug="alice", slug="my-data", title="my-data", files=[{"token": token}])
    assert (reply.status, reply.problem) == (400, "broken.zip is not an archive that can be unpacked")
    assert user.rpc("GetDatasetStatus", **ASKED).status == 403


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt"])
def test_an_archive_cannot_write_outside_its_folder(user: Wire, name: str, tmp_path: Path) -> None:
    token = user.upload("a.tar", tarred(name, b"evil", "w"))
    reply = user.rpc("CreateDataset", ownerSlug="alice", slug="my-data", title="my-data", files=[{"token": token}])
    assert reply.status == 400 or names(user) == ["a/tmp/evil.txt"]
    assert not Path("/tmp/evil.txt").exists()
    assert not list(tmp_path.rglob("evil.txt")) or reply.status == 200


def test_a_taken_name_is_said_in_kaggles_words(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b""})
    again = user.dataset("my-data", {"a.txt": b""}, title="My Data")
    message = 'The requested title "My Data" is already in use by a dataset. Please choose another title.'
    assert (again["status"], again["error"]) == ("error", message)


def test_a_new_version_stands_in_place_of_the_old_one(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b"old", "b.txt": b""})
    body = {"versionNotes": "second", "files": [{"token": user.upload("a.txt", b"new")}]}
    assert user.rpc("CreateDatasetVersion", **ASKED, body=body).document["status"] == "ok"
    assert names(user) == ["a.txt"]
    assert names(user, datasetVersionNumber=1) == ["a.txt", "b.txt"]
    link = user.rpc("DownloadDataset", **ASKED, fileName="a.txt").headers["Location"]
    old = user.rpc("DownloadDataset", **ASKED, fileName="a.txt", datasetVersionNumber=1).headers["Location"]
    assert (user.fetch(link).body, user.fetch(old).body) == (b"new", b"old")
    assert user.rpc("DownloadDataset", **ASKED, datasetVersionNumber=3).status == 404


def test_old_versions_go_when_that_is_asked_for(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b"old"})
    number = user.rpc("GetDataset", **ASKED).document["id"]
    user.rpc("DownloadDataset", **ASKED)
    body = {"deleteOldVersions": True, "files": [{"token": user.upload("a.txt", b"new")}]}
    assert user.rpc("CreateDatasetVersionById", id=number, body=body).document["status"] == "ok"
    assert user.rpc("ListDatasetFiles", **ASKED, datasetVersionNumber=1).status == 404
    assert [each["versionNumber"] for each in user.rpc("GetDataset", **ASKED).document["versions"]] == [2]


def test_folders_can_be_uploaded_as_they_are(user: Wire) -> None:
    inner = {"name": "val", "files": [{"token": user.upload("2.txt", b"2")}]}
    folder = {"name": "images", "files": [{"token": user.upload("1.txt", b"1")}], "directories": [inner]}
    user.rpc("CreateDataset", ownerSlug="alice", slug="my-data", title="my-data", directories=[folder])
    assert names(user) == ["images/1.txt", "images/val/2.txt"]


def test_an_upload_goes_on_where_it_broke_off(user: Wire) -> None:
    started = user.rpc("StartBlobUpload", type="DATASET", name="a.bin", contentLength=10).document
    path = urlsplit(started["createUrl"]).path
    probe = {"Content_Range": "bytes */10", "Content_Length": "0"}
    nothing = user.ask("PUT", path, **probe)
    assert (nothing.status, "Range" in nothing.headers) == (308, False)
    assert user.ask("PUT", path, b"0123", Content_Range="bytes 0-3/10").status == 308
    assert user.ask("PUT", path, **probe).headers["Range"] == "bytes=0-3"
    early = user.rpc("CreateDataset", ownerSlug="alice", slug="my-data", title="t", files=[{"token": started["token"]}])
    assert early.status == 400
    assert user.ask("PUT", path, b"89", Content_Range="bytes 8-9/10").headers["Range"] == "bytes=0-3"
    assert user.ask("PUT", path, b"456789", Content_Range="bytes 4-9/10").status == 200
    assert user.ask("PUT", path, **probe).status == 200
    files = [{"token": started["token"]}]
    assert user.rpc("CreateDataset", ownerSlug="alice", slug="my-data", title="my-data", files=files).status == 200
    link = user.rpc("DownloadDataset", **ASKED, fileName="a.bin").headers["Location"]
    assert user.fetch(link).body == b"0123456789"


def test_an_upload_that_nobody_began_has_expired(user: Wire) -> None:
    assert user.ask("PUT", "/upload/never", b"x").status == 404
    user.push("my-kernel")
    assert user.ask("PUT", "/upload/../counters", b"x").status == 404


def test_what_arrived_of_a_broken_upload_stays(recorder: EmbeddedKaggle, user: Wire) -> None:
    recorder.plan("upload", "drop")
    started = user.rpc("StartBlobUpload", type="DATASET", name="a.bin", contentLength=10).document
    path = urlsplit(started["createUrl"]).path
    with pytest.raises(ConnectionError):
        user.ask("PUT", path, b"01234", Content_Range="bytes 0-4/10")
    assert user.ask("PUT", path, Content_Range="bytes */10").headers["Range"] == "bytes=0-4"


def test_a_dataset_is_downloaded_whole_as_a_zip_of_its_name(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b"content", "b.txt": b"more"})
    location = user.rpc("DownloadDataset", **ASKED).headers["Location"]
    assert urlsplit(location).path.endswith("/my-data.zip")
    assert zipfile.ZipFile(io.BytesIO(user.fetch(location).body)).namelist() == ["a.txt", "b.txt"]
    assert user.rpc("DownloadDataset", **ASKED, fileName="../1.zip").status == 404


def test_a_private_dataset_is_denied_to_others(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b""})
    bob = Wire(user.url, "bob")
    for method in ("GetDataset", "GetDatasetStatus", "ListDatasetFiles", "DownloadDataset", "DeleteDataset"):
        reply = bob.rpc(method, **ASKED)
        assert (reply.status, reply.problem) == (403, "Permission 'datasets.get' was denied")
    assert bob.rpc("CreateDatasetVersion", **ASKED, body={}).status == 403
    assert bob.rpc("CreateDataset", ownerSlug="alice", slug="other").status == 403
    assert bob.push("my-kernel", datasetDataSources=["alice/my-data"])["invalidDatasetSources"] == ["alice/my-data"]


def test_metadata_that_leaves_out_private_makes_the_dataset_public(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b""}, licenseName="CC0-1.0")
    info = user.rpc("GetDatasetMetadata", **ASKED).document["info"]
    assert (info["isPrivate"], info["licenses"]) == (True, [{"name": "CC0-1.0"}])
    assert user.rpc("UpdateDatasetMetadata", **ASKED, settings={"title": "New"}).document == {"errors": []}
    bob = Wire(user.url, "bob")
    assert bob.rpc("GetDataset", **ASKED).document["title"] == "New"
    assert bob.rpc("UpdateDatasetMetadata", **ASKED, settings={}).status == 403
    assert bob.rpc("DeleteDataset", **ASKED).status == 403


def test_datasets_are_listed_to_those_who_may_see_them(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b""})
    user.dataset("public-data", {"a.txt": b""}, isPrivate=False)
    bob = Wire(user.url, "bob")
    assert [each["ref"] for each in bob.rpc("ListDatasets").document["datasets"]] == ["alice/public-data"]
    assert len(user.rpc("ListDatasets", group="MY").document["datasets"]) == 2
    assert user.rpc("ListDatasets", search="public", pageSize=1).document["nextPageToken"] == ""


def test_a_deleted_dataset_is_gone(user: Wire) -> None:
    user.dataset("my-data", {"a.txt": b""})
    assert user.rpc("DeleteDataset", **ASKED).document == {}
    assert user.rpc("GetDatasetStatus", **ASKED).status == 403
    assert user.dataset("my-data", {"a.txt": b""})["status"] == "ok"
