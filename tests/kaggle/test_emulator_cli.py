"""Kaggle's own command line, unmodified, against the embedded Kaggle."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle

KAGGLE = Path(sys.executable).with_name("kaggle")
SCRIPT = """
import os, time
print("hello from", os.environ["KAGGLE_KERNEL_RUN_TYPE"], flush=True)
time.sleep(0.3)
os.makedirs("plots")
open("plots/loss.txt", "w").write("0.5")
open("best.pt", "w").write("weights")
"""


@dataclass(frozen=True)
class Cli:
    """`kaggle` as a user of this server runs it, in a folder of his own."""

    server: EmbeddedKaggle
    folder: Path

    def __call__(self, *arguments: str, code: int = 0) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KAGGLE_USERNAME": "alice",
            "KAGGLE_KEY": "0" * 32,
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": self.server.url,
            "TMPDIR": str(self.folder),
        }
        ran = subprocess.run(
            [str(KAGGLE), *arguments], env=environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def write(self, folder: str, files: dict[str, str]) -> str:
        for name, content in files.items():
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return folder

    def kernel(self, slug: str, source: str, **fields: object) -> str:
        metadata = {"id": f"alice/{slug}", "title": slug, "code_file": "main.py", "language": "python"}
        document = json.dumps({**metadata, "kernel_type": "script", "is_private": "true", **fields})
        return self.write(slug, {"kernel-metadata.json": document, "main.py": source})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKaggle]:
    """One where alice's kernel `finished-run` has run."""
    with EmbeddedKaggle(tmp_path_factory.mktemp("kaggle")) as server:
        Wire(server.url).run("finished-run", SCRIPT, isPrivate=True, enableGpu=True)
        yield server


@pytest.fixture
def kaggle_cli(server: EmbeddedKaggle, tmp_path: Path) -> Callable[..., str]:
    return Cli(server, tmp_path)


def test_push_status_and_live_log(kaggle_cli: Cli, server: EmbeddedKaggle) -> None:
    folder = kaggle_cli.kernel("my-kernel", SCRIPT, enable_gpu=True, machine_shape="NvidiaTeslaT4")
    said = kaggle_cli("kernels", "push", "-p", folder)
    assert f"Kernel version 1 successfully pushed.  Please check progress at {server.url}/code/alice/my-kernel" in said
    followed = kaggle_cli("kernels", "logs", "-f", "alice/my-kernel")
    assert followed.startswith("hello from Batch\n")
    assert kaggle_cli("kernels", "status", "alice/my-kernel") == (
        'alice/my-kernel has status "KernelWorkerStatus.COMPLETE"\n'
    )


def test_a_log_in_one_piece(kaggle_cli: Cli) -> None:
    entries = json.loads(kaggle_cli("kernels", "logs", "alice/finished-run"))
    assert (entries[0]["stream_name"], entries[0]["data"]) == ("stdout", "hello from Batch\n")


def test_output_with_its_folders_and_log(kaggle_cli: Cli) -> None:
    kaggle_cli("kernels", "output", "alice/finished-run", "-p", "out")
    found = {path.relative_to(kaggle_cli.folder / "out").as_posix() for path in kaggle_cli.folder.rglob("out/**/*.*")}
    assert found == {"best.pt", "plots/loss.txt", "finished-run.log"}
    assert (kaggle_cli.folder / "out/plots/loss.txt").read_text() == "0.5"


def test_list_and_files(kaggle_cli: Cli) -> None:
    assert "alice/finished-run" in kaggle_cli("kernels", "list", "-m")
    lines = kaggle_cli("kernels", "files", "alice/finished-run").splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["best.pt", "7"], ["plots/loss.txt", "3"]]


def test_pull_with_metadata(kaggle_cli: Cli) -> None:
    kaggle_cli("kernels", "pull", "alice/finished-run", "-p", "pulled", "-m")
    assert (kaggle_cli.folder / "pulled/finished-run.py").read_text() == SCRIPT
    metadata = json.loads((kaggle_cli.folder / "pulled/kernel-metadata.json").read_text())
    assert (metadata["id"], metadata["enable_gpu"], metadata["is_private"]) == ("alice/finished-run", True, True)


def test_quota(kaggle_cli: Cli) -> None:
    row = next(line for line in kaggle_cli("quota").splitlines() if line.startswith("GPU"))
    assert row.split()[1:4] == ["0.00h", "30.00h", "30.00h"]


def test_delete(kaggle_cli: Cli) -> None:
    kaggle_cli("kernels", "push", "-p", kaggle_cli.kernel("short-lived", "import time; time.sleep(60)"))
    assert "deleted" in kaggle_cli("kernels", "delete", "alice/short-lived", "-y")
    denied = kaggle_cli("kernels", "status", "alice/short-lived", code=1)
    assert "Permission 'kernels.get' was denied" in denied


def test_a_refused_push_ends_with_code_0_and_says_why_on_stdout(kaggle_cli: Cli) -> None:
    folder = kaggle_cli.kernel("finished-run", "{}", kernel_type="notebook")
    assert kaggle_cli("kernels", "push", "-p", folder) == "Kernel push error: You cannot change the editor type\n"


def test_a_failed_kernel_has_its_message_in_status(kaggle_cli: Cli) -> None:
    folder = kaggle_cli.kernel("too-long-run", "import time; time.sleep(60)")
    kaggle_cli("kernels", "push", "-p", folder, "-t", "1")
    kaggle_cli("kernels", "logs", "-f", "alice/too-long-run")
    said = kaggle_cli("kernels", "status", "alice/too-long-run")
    assert '"KernelWorkerStatus.CANCEL_ACKNOWLEDGED"' in said
    assert "exceeded the max allowed execution duration" in said


def test_the_life_of_a_dataset(kaggle_cli: Cli) -> None:
    metadata = {"id": "alice/my-data-set", "title": "My Data Set", "licenses": [{"name": "CC0-1.0"}]}
    files = {"dataset-metadata.json": json.dumps(metadata), "a.txt": "content", "images/1.txt": "1"}
    folder = kaggle_cli.write("data", files)
    assert "private Dataset is being created" in kaggle_cli("datasets", "create", "-p", folder, "-r", "zip")
    assert kaggle_cli("datasets", "status", "alice/my-data-set").strip() == "ready"
    assert "already in use" in kaggle_cli("datasets", "create", "-p", folder)
    assert "Dataset version is being created" in kaggle_cli("datasets", "version", "-p", folder, "-m", "2", "-r", "tar")
    listed = kaggle_cli("datasets", "files", "alice/my-data-set")
    assert [line.split()[0] for line in listed.splitlines()[2:4]] == ["a.txt", "images/1.txt"]
    kaggle_cli("datasets", "download", "alice/my-data-set", "-p", "got", "--unzip")
    assert (kaggle_cli.folder / "got/images/1.txt").read_text() == "1"
    kaggle_cli("datasets", "download", "alice/my-data-set", "-f", "a.txt", "-p", "one")
    assert (kaggle_cli.folder / "one/a.txt").read_text() == "content"
    assert "alice/my-data-set" in kaggle_cli("datasets", "list", "-m")
    assert "deleted" in kaggle_cli("datasets", "delete", "alice/my-data-set", "-y")
