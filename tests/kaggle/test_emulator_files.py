import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle

MAKES = """
import os
os.makedirs("weights/deep")
open("weights/deep/best.pt", "wb").write(bytes(range(256)) * 4)
open("a name.txt", "w").write("text")
os.symlink("/etc/passwd", "outside")
"""


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[EmbeddedKaggle]:
    """One whose kernel `alice/my-kernel` has run."""
    with EmbeddedKaggle(tmp_path_factory.mktemp("kaggle"), clock=clock, link_seconds=600) as server:
        Wire(server.url).run("my-kernel", MAKES)
        yield server


@pytest.fixture
def user(server: EmbeddedKaggle) -> Wire:
    return Wire(server.url)


def links(user: Wire, **paging: object) -> dict[str, str]:
    listed = user.rpc("ListKernelSessionOutput", userName="alice", kernelSlug="my-kernel", **paging).document
    return {file["fileName"]: file["url"] for file in listed["files"]}


def test_outputs_keep_their_folders_and_links_that_lead_out_are_left(user: Wire) -> None:
    assert sorted(links(user)) == ["a name.txt", "weights/deep/best.pt"]
    files = user.rpc("ListKernelFiles", userName="alice", kernelSlug="my-kernel").document["files"]
    assert [(file["name"], file["size"]) for file in files] == [("a name.txt", 4), ("weights/deep/best.pt", 1024)]


def test_outputs_come_in_pages(user: Wire) -> None:
    first = user.rpc("ListKernelSessionOutput", userName="alice", kernelSlug="my-kernel", pageSize=1).document
    assert [file["fileName"] for file in first["files"]] == ["a name.txt"]
    rest = links(user, pageSize=1, pageToken=first["nextPageToken"])
    assert list(rest) == ["weights/deep/best.pt"]


def test_a_link_needs_no_credentials_and_ends_in_the_files_name(user: Wire) -> None:
    url = links(user)["weights/deep/best.pt"]
    assert urlsplit(url).path.endswith("/best.pt")
    reply = user.fetch(url)
    assert (reply.status, reply.body) == (200, bytes(range(256)) * 4)
    assert reply.headers["Content-Length"] == "1024"
    assert {"ETag", "Last-Modified"} <= set(reply.headers)


def test_a_range_is_answered_if_the_file_is_still_the_same(user: Wire) -> None:
    url = links(user)["weights/deep/best.pt"]
    etag = user.fetch(url).headers["ETag"]
    part = user.fetch(url, Range="bytes=1000-", If_Range=etag)
    assert (part.status, len(part.body)) == (206, 24)
    assert part.headers["Content-Range"] == "bytes 1000-1023/1024"
    assert user.fetch(url, Range="bytes=0-9").body == bytes(range(10))
    assert user.fetch(url, Range="bytes=-2").body == b"\xfe\xff"
    changed = user.fetch(url, Range="bytes=1000-", If_Range='"another"')
    assert (changed.status, len(changed.body)) == (200, 1024)
    assert user.fetch(url, Range="bytes=x-y").status == 200
    beyond = user.fetch(url, Range="bytes=1024-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */1024")


def test_a_link_expires_and_a_new_listing_gives_a_good_one(user: Wire, clock: Clock) -> None:
    url = links(user)["a name.txt"]
    clock.now += 601
    expired = user.fetch(url)
    assert (expired.status, expired.headers["Content-Type"]) == (403, "application/xml; charset=UTF-8")
    assert b"<Code>ExpiredToken</Code>" in expired.body
    assert user.fetch(links(user)["a name.txt"]).body == b"text"


@pytest.mark.parametrize(("old", "new"), [("Signature=", "Signature=0"), ("Expires=1", "Expires=9")])
def test_a_link_that_was_tampered_with_is_refused(user: Wire, old: str, new: str) -> None:
    reply = user.fetch(links(user)["a name.txt"].replace(old, new))
    assert (reply.status, b"SignatureDoesNotMatch" in reply.body) == (403, True)
    assert user.ask("GET", "/files/nonsense").status == 403


def test_a_head_request_has_no_body(user: Wire) -> None:
    parts = urlsplit(links(user)["a name.txt"])
    reply = user.ask("HEAD", f"{parts.path}?{parts.query}")
    assert (reply.status, reply.headers["Content-Length"], reply.body) == (200, "4", b"")


def test_one_output_is_downloaded_by_its_path(user: Wire) -> None:
    asked = {"ownerSlug": "alice", "kernelSlug": "my-kernel", "versionNumber": 1}
    reply = user.rpc("DownloadKernelOutput", **asked, filePath="a name.txt")
    assert reply.status == 302
    assert user.fetch(reply.headers["Location"]).body == b"text"
    for hostile in ("../../session.json", "/etc/passwd", "weights", "outside", "nothing"):
        assert user.rpc("DownloadKernelOutput", **asked, filePath=hostile).status == 404


def test_all_outputs_are_downloaded_as_a_zip(user: Wire) -> None:
    reply = user.rpc("DownloadKernelOutput", ownerSlug="alice", kernelSlug="my-kernel")
    names = ["a name.txt", "weights/deep/best.pt"]
    assert zipfile.ZipFile(io.BytesIO(user.fetch(reply.headers["Location"]).body)).namelist() == names
    direct = user.rpc("DownloadKernelOutputZip", kernelSessionId=1)
    assert zipfile.ZipFile(io.BytesIO(direct.body)).namelist() == names
    assert Wire(user.url, "bob").rpc("DownloadKernelOutputZip", kernelSessionId=1).status == 403


def test_links_are_good_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path, run=False) as before:
        Wire(before.url).dataset("my-data", {"a.txt": b"content"})
        asked = {"ownerSlug": "alice", "datasetSlug": "my-data", "fileName": "a.txt"}
        url = Wire(before.url).rpc("DownloadDataset", **asked).headers["Location"]
    with EmbeddedKaggle(tmp_path, run=False) as after:
        assert Wire(after.url).fetch(url).body == b"content"


def test_a_deleted_kernels_links_lead_nowhere(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path) as server:
        user = Wire(server.url)
        user.run("my-kernel", "open('a.txt', 'w').close()")
        url = links(user)["a.txt"]
        user.rpc("DeleteKernel", userName="alice", kernelSlug="my-kernel")
        gone = user.fetch(url)
    assert (gone.status, b"NoSuchKey" in gone.body) == (404, True)
