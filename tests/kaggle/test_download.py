import errno
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from fakes.kaggle_server import Fault, KaggleServer, Kept

from containerid.errors import Unreachable
from containerid.job import Output
from containerid.kaggle.download import Storage
from containerid.kaggle.origin import KAGGLE, at
from containerid.kaggle.source import Expired, Measures

DATA = bytes(range(256)) * 4096


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=4):
        yield


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        server.kernels["ada/run"] = Kept(files={"best.pt": DATA, "empty": b""})
        yield server


@pytest.fixture
def url(server: KaggleServer) -> str:
    return f"{server.url}/files/ada/run/best.pt?sig=1"


@pytest.fixture
def storage(server: KaggleServer) -> Storage:
    return Storage(at(server.url), {})


def fetch(storage: Storage, url: str, folder: Path, size: int | None = None, sha256: str = "") -> str:
    """Over a link that is never renewed, to the file `a`."""
    return storage.fetch(lambda _: url, Output("a", size, "", sha256), folder / "a")


def test_a_file_arrives_whole(storage, url, tmp_path):
    fetch(storage, url, tmp_path, len(DATA))
    assert (tmp_path / "a").read_bytes() == DATA


def test_an_empty_file_is_a_file(storage, url, tmp_path):
    fetch(storage, url.replace("best.pt", "empty"), tmp_path, 0)
    assert (tmp_path / "a").read_bytes() == b""


def test_storage_gets_no_credentials_and_no_wish_for_compression(server, storage, url, tmp_path, own_home):
    (own_home / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n", encoding="utf-8")
    fetch(storage, url, tmp_path)
    headers = server.calls[0].headers
    assert headers["Authorization"] is None
    assert headers["Accept-Encoding"] == "identity"


ONCE = {
    "429": Fault(429, headers={"Retry-After": "1"}),
    "500": Fault(500),
    "502": Fault(502, "<html>", kind="text/html"),
    "503": Fault(503),
    "504": Fault(504),
    "a reset": Fault(drop=True),
    "a body that breaks off": Fault(cut=1000),
}


@pytest.mark.parametrize("name", ONCE)
def test_one_fault_is_survived(server, storage, url, tmp_path, name):
    server.fail("file", ONCE[name])
    fetch(storage, url, tmp_path, len(DATA))
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.parametrize("name", ONCE)
def test_a_fault_that_stays_leaves_nothing_behind(server, storage, url, tmp_path, name):
    server.fail("file", *[ONCE[name]] * 9)
    with pytest.raises(Unreachable):
        fetch(storage, url, tmp_path, len(DATA))
    assert list(tmp_path.glob("*")) == [tmp_path / "home"]
    assert len(server.asked("file")) == 4


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_a_file_of_another_size_than_kaggle_lists_is_not_taken(storage, url, tmp_path, size):
    with pytest.raises(Unreachable, match="are listed"):
        fetch(storage, url, tmp_path, size)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("fault", [Fault(400), Fault(403, "<Error/>", kind="application/xml"), Fault(404), Fault(410)])
def test_a_link_that_has_run_out_is_renewed_and_not_tried_twice(server, storage, url, tmp_path, fault):
    server.fail("file", fault)
    asked = []
    links = iter([url, url.replace("?", "?new=1&")])
    storage.fetch(lambda expired: asked.append(expired) or next(links), Output("a", len(DATA), ""), tmp_path / "a")
    assert asked == ["", url]
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_new_link_that_somebody_else_got_long_ago_is_renewed_too(server, storage, url, tmp_path):
    server.fail("file", Fault(403), Fault(403))
    links = [url, url.replace("?", "?old=1&"), url.replace("?", "?new=1&")]
    given, asked = iter(links), []
    storage.fetch(lambda expired: asked.append(expired) or next(given), Output("a", len(DATA), ""), tmp_path / "a")
    assert asked == ["", *links[:2]]
    assert (tmp_path / "a").read_bytes() == DATA


def test_links_that_never_work_are_no_endless_matter(server, storage, url, tmp_path):
    server.fail("file", *[Fault(403)] * 9)
    with pytest.raises(Expired):
        fetch(storage, url, tmp_path)
    assert len(server.asked("file")) == 3
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("status", [206, 204, 418])
def test_an_answer_that_is_no_file_is_none(server, storage, url, tmp_path, status):
    server.fail("file", Fault(status))
    with pytest.raises(Unreachable, match=f"HTTP {status}"):
        fetch(storage, url, tmp_path)


def test_a_redirect_to_another_host_is_not_followed(server, storage, url, tmp_path):
    with KaggleServer() as other:
        server.fail("file", Fault(302, headers={"Location": f"{other.url}/files/x"}))
        with pytest.raises(Unreachable, match="redirect to another host"):
            fetch(storage, url, tmp_path)
        assert other.calls == []


def test_a_redirect_on_the_same_host_is_followed(server, storage, url, tmp_path):
    server.fail("file", Fault(302, headers={"Location": "/files/ada/run/best.pt?sig=1"}))
    fetch(storage, url.replace("sig=1", "sig=9"), tmp_path)
    assert (tmp_path / "a").read_bytes() == DATA


def test_a_redirect_in_circles_ends(server, storage, url, tmp_path):
    server.fail("file", *[Fault(302, headers={"Location": url})] * 9)
    with pytest.raises(Unreachable, match="in circles"):
        fetch(storage, url, tmp_path)


def test_links_that_lead_elsewhere_are_not_touched(server, url, tmp_path):
    with pytest.raises(Unreachable, match=r"not Kaggle's"):
        fetch(Storage(KAGGLE, {}), url, tmp_path)
    assert server.calls == []


def test_a_full_disk_is_no_matter_for_another_try(server, storage, url, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            fetch(storage, url, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert not (tmp_path / "a").exists()
    assert len(server.asked("file")) == 1


def serving(answer: bytes, *, hold: bool) -> tuple[str, Callable[[], None]]:
    """A server of raw bytes, which closes after its answer or holds the line."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.recv(65536)
            peer.sendall(answer)
            peers.append(peer) if hold else peer.close()

    threading.Thread(target=serve, daemon=True).start()

    def close() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for peer in peers:
            peer.close()

    return f"http://127.0.0.1:{listener.getsockname()[1]}", close


def test_a_body_that_ends_too_early_is_noticed_by_its_listed_size(tmp_path: Path):
    url, close = serving(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf", hold=False)
    with pytest.raises(Unreachable, match="4 of 8 bytes"):
        fetch(Storage(at(url), {}), f"{url}/a", tmp_path, 8)
    close()


def test_a_stall_in_the_middle_is_not_waited_for(tmp_path: Path):
    url, close = serving(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", hold=True)
    with pytest.raises(Unreachable, match=r"in time|failed"):
        fetch(Storage(at(url), {}, Measures(stall=0.05)), f"{url}/a", tmp_path, 100)
    close()
