"""What a kernel does to hear that it should stop, and what it never does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fakes.kernels import Machine, embedded, write_tree
from fakes.repositories import git, project
from fakes.stoppable import PROJECT

from containerid.job import Data, Spec
from containerid.kaggle import control, kernel
from containerid.kaggle.bootstrap import ear
from containerid.training import stop

TOKEN = "t" * 24
CONTROL = {"ref": "refs/cid/ctl/exp001-1", "dataset": "ada/cid-control-1", "every": 0.05, "patience": 0.5}


class Host(ThreadingHTTPServer):
    """Answers as it is told: a status, headers and a document; remembers who asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.headers, self.document = 403, {}, {}
        self.asked: list[tuple[str, str, dict]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(self.server.status)
        for name, text in self.server.headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.document).encode())

    do_GET = do_POST  # noqa: N815 - the name of the parent

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def host() -> Iterator[Host]:
    server = Host()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("KAGGLE_API_V1_TOKEN", str(tmp_path / "token"))
    with host() as server:
        monkeypatch.setenv("KAGGLE_URL_BASE", server.url)
        yield server


def kernel_of(folder: Path, behave: str, **code: str) -> str:
    code, archive = embedded(write_tree(folder / "code", PROJECT), **code)
    spec = Spec(run="exp001-1", params={"behave": behave}, code=code, data=Data(provider="synthetic"), gpu=False)
    return kernel.render(spec, code=archive, control=CONTROL)


def test_both_ends_use_the_same_words():
    assert ear.STOP_FILE == stop.STOP_FILE
    assert ear.SESSION_MARK == control.SESSION_MARK
    assert control.EVERY >= 30, "asking more often than twice a minute would not be polite"


@pytest.mark.parametrize("name", ["", "kaggle", "a-b", "a-b-c-d", "kaggle_x--webtier", "kaggle_x-12a-webtier"])
def test_a_container_without_a_number_in_its_name_has_no_session_id(name):
    assert ear.session_id({"KAGGLE_CONTAINER_NAME": name}) is None


def test_the_session_id_is_said_and_nothing_else_of_the_name(capsys):
    ear.announce(ear.session_id({"KAGGLE_CONTAINER_NAME": f"kaggle_{TOKEN}-1-x-48151623-webtier"}))
    assert capsys.readouterr().out == 'CID_SESSION {"id": 48151623}\n'


def test_a_dataset_that_is_not_there_is_no_wish(kaggle):
    assert not ear._dataset_is_there("ada/cid-control-1")
    ((path, authorization, body),) = kaggle.asked
    assert path == "/api/v1/datasets.DatasetApiService/GetDatasetStatus"
    assert authorization == f"Bearer {TOKEN}"
    assert body == {"ownerSlug": "ada", "datasetSlug": "cid-control-1"}


def test_a_dataset_that_is_there_is_one_also_while_it_is_unpacked(kaggle):
    kaggle.status, kaggle.document = 200, {"status": "BLOBS_RECEIVED"}
    assert ear._dataset_is_there("ada/cid-control-1")


@pytest.mark.parametrize("status", [302, 307])
def test_the_token_follows_no_redirect(kaggle, status):
    with host() as elsewhere:
        kaggle.status, kaggle.headers = status, {"Location": f"{elsewhere.url}/api"}
        with pytest.raises(OSError, match=str(status)):
            ear._dataset_is_there("ada/cid-control-1")
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "base", ["http://evil.example", "https://evil.example", "http://127.0.0.1.evil.example:80", ""]
)
def test_the_token_goes_to_kaggle_or_to_this_machine(monkeypatch, base):
    monkeypatch.setenv("KAGGLE_URL_BASE", base)
    assert ear._api() == "https://api.kaggle.com/v1"


def test_a_channel_that_does_not_work_is_no_news_while_another_does(tmp_path, capsys):
    def fail() -> bool:
        raise OSError("no such remote")

    heard = ear.Ear(CONTROL, {"code": {}}, tmp_path, tmp_path / "stop")
    heard.__dict__.update(_channels={"git": fail, "dataset": lambda: False}, _failed={"git": 0, "dataset": 0})
    assert [heard._look() for _ in range(5)] == [""] * 5
    assert capsys.readouterr().out == ""
    heard.__dict__.update(_channels={"dataset": fail}, _failed={"dataset": 0})
    assert [heard._look() for _ in range(5)] == [""] * 5
    assert capsys.readouterr().out.count("nobody can ask this run to stop") == 1


@pytest.mark.training
def test_a_kernel_that_hears_nobody_says_so_and_goes_on(tmp_path):
    machine = Machine(tmp_path / "kaggle", environment={"KAGGLE_API_V1_TOKEN": str(tmp_path / "gone")})
    source = kernel_of(tmp_path, "checkpoint", remote=f"file://{tmp_path}/gone.git")
    process = machine.start(source)
    said = b""
    while b"over git" not in said or b"over dataset" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    assert b'CID_SESSION {"hears": []}\n' in said
    process.terminate()
    assert machine.end(process, said).result.outcome == "cancelled"


@pytest.mark.training
def test_a_wish_that_was_there_before_the_run_stops_it_at_once(tmp_path):
    doors = project(tmp_path / "repositories")
    git(doors.bare, "update-ref", CONTROL["ref"], "refs/heads/main")
    source = kernel_of(tmp_path, "early", remote=doors.bare.as_uri())
    ran = Machine(tmp_path / "kaggle").run(source)
    assert "asked to stop, over git" in ran.lines
    assert (ran.result.outcome, ran.code != 0) == ("cancelled", True)
