"""Calls about datasets: ours beside those of Kaggle's own client, field by field, both on the embedded Kaggle."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fakes.wire import Wire

from containerid.clock import Clock
from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.datasets import Datasets
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.origin import at
from containerid.kaggle.transport import Session

# One process, since the client takes half a second to load.
RUN = """
import sys
for line in sys.stdin:
    sys.argv = ["kaggle", *line.split()]
    from kaggle.cli import main
    main()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKaggle]:
    with EmbeddedKaggle(tmp_path_factory.mktemp("kaggle"), run=False) as server:
        for name in ("my-data-one", "my-data-two"):
            Wire(server.url).dataset(name, {"a.txt": b"a", "b.txt": b"b"})
        yield server


def bodies(server: EmbeddedKaggle, rpc: str, act: Callable[[], object]) -> list[Any]:
    before = len(server.calls)
    act()
    return [call.body for call in server.calls[before:] if call.rpc == rpc]


@pytest.fixture
def kaggle(server: EmbeddedKaggle, tmp_path: Path) -> Callable[[str], str]:
    def run(command: str) -> str:
        own = {"HOME": str(tmp_path), "KAGGLE_USERNAME": "alice", "KAGGLE_KEY": "0" * 32, "PATH": os.environ["PATH"]}
        line = [sys.executable, "-c", RUN]
        environ = {**own, "KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": server.url}
        done = subprocess.run(
            line, input=command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout

    return run


@pytest.fixture
def datasets(server: EmbeddedKaggle) -> Datasets:
    key = Credentials(kind="key", username="alice", secret=Secret("0" * 32), source="test")
    return Datasets(Kaggle(key, at(server.url), {}), Session({}), Clock())


def test_a_datasets_files_are_asked_for_as_kaggles_client_does(server, kaggle, datasets):
    ours = bodies(server, "ListDatasetFiles", lambda: datasets.files("alice/my-data-one"))
    theirs = bodies(server, "ListDatasetFiles", lambda: kaggle("datasets files alice/my-data-one --page-size 200"))
    # An empty token means the first page, as none does.
    assert [{**body, "pageToken": ""} for body in ours] == theirs


def test_a_dataset_is_deleted_as_kaggles_client_does(server, kaggle, datasets):
    ours = bodies(server, "DeleteDataset", lambda: datasets.delete("alice/my-data-one"))
    theirs = bodies(server, "DeleteDataset", lambda: kaggle("datasets delete alice/my-data-two -y"))
    assert [{**body, "datasetSlug": ""} for body in ours] == [{**body, "datasetSlug": ""} for body in theirs]
    assert datasets.mine("") == []


def test_metadata_and_one_file_are_what_was_sent(server, kaggle, tmp_path):
    Wire(server.url).dataset("my-data-three", {"a.txt": b"content", "b.txt": b"b"})
    kaggle("datasets metadata alice/my-data-three -p .\ndatasets download alice/my-data-three -f a.txt -p .")
    assert '"my-data-three"' in (tmp_path / "dataset-metadata.json").read_text()
    assert (tmp_path / "a.txt").read_bytes() == b"content"


def test_an_answer_that_is_changed_is_what_kaggles_client_reads(server, kaggle):
    Wire(server.url).push("my-kernel", "1")
    server.plan("GetKernelSessionStatus", "alter", body={"status": "RUNNING"})
    assert 'has status "KernelWorkerStatus.RUNNING"' in kaggle("kernels status alice/my-kernel")
    assert not server.faults.left


def test_a_link_states_the_checksum_of_what_is_behind_it(server):
    wire = Wire(server.url)
    wire.dataset("my-data-four", {"a.txt": b"content"})
    link = wire.rpc("DownloadDataset", ownerSlug="alice", datasetSlug="my-data-four", fileName="a.txt").headers[
        "Location"
    ]
    got = requests.get(link, timeout=10)
    assert got.headers["x-goog-hash"] == "md5=mgNkuembtIDdJeHwKEyFVQ=="
