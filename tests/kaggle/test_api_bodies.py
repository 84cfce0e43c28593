"""Our requests beside those of Kaggle's own client, field by field."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fakes.kaggle_server import Call, KaggleServer, Kept

from containerid.kaggle.api import Kaggle
from containerid.kaggle.credentials import Credentials, Secret
from containerid.kaggle.origin import at

SOURCE = "print('hi')  # ✓\n"
PLAIN = {
    "id": "ada/my-kernel",
    "title": "my-kernel",
    "code_file": "kernel.py",
    "language": "python",
    "kernel_type": "script",
    "is_private": True,
    "enable_gpu": True,
    "enable_tpu": False,
    "enable_internet": True,
    "machine_shape": "NvidiaTeslaT4",
    "dataset_sources": ["ada/my-data"],
    "competition_sources": [],
    "kernel_sources": [],
    "model_sources": [],
    "keywords": [],
}
FULL = PLAIN | {
    "id_no": 12,
    "is_private": "true",
    "enable_gpu": False,
    "enable_internet": "false",
    "machine_shape": "",
    "competition_sources": ["titanic"],
    "kernel_sources": ["ada/other"],
    "model_sources": ["google/bert/pyTorch/base/1"],
    "keywords": ["gpu"],
    "docker_image_pinning_type": "original",
    "docker_image": "gcr.io/kaggle-images/python@sha256:abc",
}
BARE = {key: PLAIN[key] for key in ("id", "title", "code_file", "language", "kernel_type")}
PUSHES = {"plain": (PLAIN, None), "full": (FULL, 600), "bare": (BARE, None)}
DATASET = {"id": "ada/my-data", "title": "my-data", "licenses": [{"name": "other"}]}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Call]]:
    """What Kaggle's own client sends, by command."""
    root = tmp_path_factory.mktemp("cli")
    commands = {
        "status": ["kernels", "status", "ada/my-kernel"],
        "logs": ["kernels", "logs", "ada/my-kernel"],
        "files": ["kernels", "files", "ada/my-kernel", "--page-size", "200"],
        "output": ["kernels", "output", "ada/my-kernel", "-p", str(root / "out"), "--page-size", "200"],
        "list": ["kernels", "list", "-m", "--sort-by", "dateRun", "--page-size", "100"],
        "pull": ["kernels", "pull", "ada/my-kernel", "-p", str(root / "pull")],
        "delete": ["kernels", "delete", "ada/my-kernel", "-y"],
        "quota": ["quota"],
        "dataset": ["datasets", "status", "ada/my-data"],
        "create": ["datasets", "create", "-p", str(dataset_folder(root, "new"))],
        "version": ["datasets", "version", "-p", str(dataset_folder(root, "old")), "-m", "sent again"],
    }
    for name, (metadata, limit) in PUSHES.items():
        folder = root / name
        folder.mkdir()
        (folder / "kernel-metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        (folder / "kernel.py").write_text(SOURCE, encoding="utf-8")
        commands[name] = ["kernels", "push", "-p", str(folder), *(["-t", str(limit)] if limit else [])]
    return dict(zip(commands, run_all(list(commands.values()), root), strict=True))


def dataset_folder(root: Path, name: str) -> Path:
    folder = root / f"dataset-{name}"
    folder.mkdir()
    (folder / "dataset-metadata.json").write_text(
        json.dumps(DATASET | {"id": "ada/new-data"} if name == "new" else DATASET), encoding="utf-8"
    )
    (folder / "train.bin").write_bytes(b"123456")
    os.utime(folder / "train.bin", (1_790_000_000, 1_790_000_000))
    return folder


def run_all(commands: list[list[str]], root: Path) -> list[list[Call]]:
    """One process for all, since the client takes half a second to load; a server for each, to know what is whose."""
    servers = [filled(KaggleServer()) for _ in commands]
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        plan = json.dumps([[server.url, command] for server, command in zip(servers, commands, strict=True)])
        done = subprocess.run(
            [sys.executable, "-c", RUN, plan], env=environment(root), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert all(server.calls for server in servers), done.stdout
    return [server.calls for server in servers]


RUN = """
import json, os, sys
for url, command in json.loads(sys.argv[1]):
    os.environ["http_proxy"] = url
    sys.argv = ["kaggle", *command]
    from kaggle.cli import main
    main()
"""


def environment(root: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "TMPDIR": str(root),
        "KAGGLE_USERNAME": "ada",
        "KAGGLE_KEY": "k" * 32,
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
    }


def filled(server: KaggleServer) -> KaggleServer:
    server.kernels["ada/my-kernel"] = Kept(
        pushes=[
            {"slug": "ada/my-kernel", "newTitle": "my-kernel", "text": SOURCE, "isPrivate": True, "enableGpu": True}
        ],
        status={"status": "COMPLETE"},
        log="[]",
        files={"a.txt": b"a"},
    )
    server.datasets["ada/my-data"] = {"status": "READY"}
    return server


@pytest.fixture
def server() -> Iterator[KaggleServer]:
    with filled(KaggleServer()) as server:
        yield server


@pytest.fixture
def api(server: KaggleServer) -> Kaggle:
    key = Credentials(kind="key", username="ada", secret=Secret("k" * 32), source="test")
    return Kaggle(key, at(server.url), {})


def bodies(calls: list[Call], rpc: str) -> list[object]:
    return [call.body for call in calls if call.rpc == rpc]


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_is_what_kaggles_client_pushes(theirs, server, api, name):
    metadata, limit = PUSHES[name]
    api.push(metadata, SOURCE, session_limit=limit)
    assert bodies(server.calls, "SaveKernel") == bodies(theirs[name], "SaveKernel")
    assert "kernelExecutionType" not in server.asked("SaveKernel")[0].body


@pytest.mark.parametrize(
    ("command", "rpc", "ask"),
    [
        ("status", "GetKernelSessionStatus", lambda api: api.status("ada/my-kernel")),
        ("logs", "ListKernelSessionOutput", lambda api: api.log("ada/my-kernel")),
        ("output", "ListKernelSessionOutput", lambda api: api.outputs("ada/my-kernel")),
        ("files", "ListKernelFiles", lambda api: api.sizes("ada/my-kernel")),
        ("list", "ListKernels", lambda api: api.mine()),
        ("pull", "GetKernel", lambda api: api.get("ada/my-kernel")),
        ("delete", "DeleteKernel", lambda api: api.delete("ada/my-kernel")),
        ("quota", "GetAcceleratorQuotaStatistics", lambda api: api.quota()),
        ("dataset", "GetDatasetStatus", lambda api: api.dataset_status("ada/my-data")),
        ("create", "CreateDataset", lambda api: api.create_dataset("ada/new-data", "my-data", ["blob-1-train.bin"])),
        (
            "version",
            "CreateDatasetVersion",
            lambda api: api.create_dataset_version("ada/my-data", "sent again", ["blob-1-train.bin"]),
        ),
    ],
)
def test_a_request_is_what_kaggles_client_sends(theirs, server, api, command, rpc, ask):
    ask(api)
    assert bodies(server.calls, rpc) == bodies(theirs[command], rpc)


def test_an_upload_is_announced_as_kaggles_client_does_it(theirs, server, api, tmp_path):
    path = dataset_folder(tmp_path, "x") / "train.bin"
    assert api.start_upload(path) == ("blob-1-train.bin", f"{server.url}/upload/blob-1-train.bin")
    assert bodies(server.calls, "StartBlobUpload") == bodies(theirs["create"], "StartBlobUpload")


def test_the_key_goes_out_as_kaggles_client_sends_it(theirs, server, api):
    api.quota()
    ours, their = server.calls[0].headers, theirs["quota"][0].headers
    assert ours["Authorization"] == their["Authorization"]
    assert ours["Content-Type"] == their["Content-Type"]


def test_the_version_goes_along_as_a_label(server, api):
    server.kernels["ada/my-kernel"].pushes *= 3
    for ask in (api.status, api.log, api.outputs, api.sizes, api.get):
        ask("ada/my-kernel", "3")
    assert {call.body["versionLabel"] for call in server.calls} == {"v3"}
