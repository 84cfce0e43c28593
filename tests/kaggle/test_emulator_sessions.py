import json
import os
import signal
import sys
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.emulator.store import read
from containerid.process import started_at

SURROUNDINGS = """
import json, os, sys
root = os.environ["CID_KAGGLE_ROOT"]
def refuses(path):
    try:
        open(path, "w").close()
    except OSError:
        return True
    return False
print(json.dumps({
    "argv": sys.argv, "cwd": os.getcwd(), "first": sys.path[0], "environment": dict(os.environ), "root": root,
    "source_is_read_only": refuses(root + "/src/new") and refuses(sys.argv[0]),
    "folders": sorted(name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))),
}))
"""
_WAITS = "import sys, time\nprint('begun', flush=True)\ntime.sleep(60)\n"


def text(entries: list[dict[str, str]], stream: str = "stdout") -> str:
    return "".join(entry["data"] for entry in entries if entry["stream_name"] == stream)


def test_a_kernel_finds_what_it_would_find_on_kaggle(kaggle: EmbeddedKaggle, alice: Wire) -> None:
    found = json.loads(text(alice.run("my-kernel", SURROUNDINGS)))
    root = found["root"]
    assert found["argv"] == [f"{root}/src/script.py"]
    assert (found["cwd"], found["first"]) == (f"{root}/working", f"{root}/src")
    assert {"input", "src", "working"} <= set(found["folders"])
    assert found["source_is_read_only"]
    environment = found["environment"]
    assert environment["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
    assert environment["KAGGLE_URL_BASE"] == environment["KAGGLE_DATA_PROXY_URL"] == kaggle.url
    assert environment["KAGGLE_CONTAINER_NAME"].endswith("-1-webtier")
    assert environment["PWD"] == found["cwd"]
    assert environment["CID_REHEARSAL"] == "1"


def test_a_kernel_sees_nothing_of_the_users_environment(
    kaggle: EmbeddedKaggle, alice: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "PYTHONPATH", "VIRTUAL_ENV", "KAGGLE_KEY", "GIT_DIR"):
        monkeypatch.setenv(name, "of-the-user")
    found = json.loads(text(alice.run("my-kernel", SURROUNDINGS)))
    assert "of-the-user" not in found["environment"].values()
    assert found["environment"]["HOME"] != os.environ["HOME"]


def test_a_kernel_imports_the_machines_packages_but_not_this_checkout(alice: Wire) -> None:
    source = """
import importlib.util, sys, sysconfig
import packaging
print(importlib.util.find_spec("containerid"), sys.prefix == sys.base_prefix)
print(importlib.util.find_spec("pip") is not None, sysconfig.get_path("purelib").startswith(sys.prefix))
"""
    assert text(alice.run("my-kernel", source)).split() == ["None", "False", "True", "True"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a process a root folder of its own")
def test_a_kernel_cannot_see_the_users_files(alice: Wire, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of the user")
    source = (
        f"import os\nprint(os.environ['CID_KAGGLE_ROOT'], os.path.exists({str(secret)!r}), sorted(os.listdir('/')))"
    )
    said = text(alice.run("my-kernel", source))
    if not said.startswith("/kaggle "):
        pytest.skip("this machine does not allow namespaces")
    assert said.startswith("/kaggle False ")
    assert "'home'" not in said


def test_without_namespaces_the_same_kernel_runs_in_place(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path / "kaggle", isolate=False) as server:
        wire = Wire(server.url)
        wire.dataset("my-data", {"a.txt": b"content"})
        source = SURROUNDINGS + "print(open(root + '/input/my-data/a.txt').read())\nopen('out.txt', 'w').close()"
        document, content = text(wire.run("my-kernel", source, datasetDataSources=["alice/my-data"])).splitlines()
    found = json.loads(document)
    assert found["root"].startswith(str(tmp_path / "kaggle"))
    assert found["cwd"] == f"{found['root']}/working"
    assert content == "content"


def test_datasets_are_mounted_read_only_in_both_layouts(alice: Wire) -> None:
    alice.dataset("my-data", {"a.txt": b"content", "b.txt": b""})
    source = """
import os
root = os.environ["CID_KAGGLE_ROOT"] + "/input/"
for folder in ("my-data", "datasets/alice/my-data"):
    print(sorted(os.listdir(root + folder)), open(root + folder + "/a.txt").read())
    try:
        open(root + folder + "/c.txt", "w")
    except OSError as error:
        print(type(error).__name__)
print([top for top, _, names in os.walk(root) if "a.txt" in names] != [])
"""
    said = text(alice.run("my-kernel", source, datasetDataSources=["alice/my-data/1"])).splitlines()
    assert said[0] == said[2] == "['a.txt', 'b.txt'] content"
    assert said[1] == said[3] == "OSError"
    assert said[4] == "True"


def test_outputs_of_a_kernel_are_mounted_in_another(alice: Wire) -> None:
    alice.run("first-leg", "open('last.txt', 'w').write('epoch 3')")
    alice.run("first-leg", "open('last.txt', 'w').write('crashed'); raise SystemExit(1)")
    source = """
import os
for folder in ("first-leg", "notebooks/alice/first-leg"):
    print(open(os.environ["CID_KAGGLE_ROOT"] + "/input/" + folder + "/last.txt").read())
"""
    assert text(alice.run("second-leg", source, kernelDataSources=["alice/first-leg"])) == "epoch 3\nepoch 3\n"


def test_a_kernel_that_ends_is_complete_and_its_log_has_both_streams(alice: Wire) -> None:
    entries = alice.run("my-kernel", "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)")
    assert alice.ended("my-kernel") == ("COMPLETE", "")
    assert [(entry["stream_name"], entry["data"]) for entry in entries] == [("stdout", "out\n"), ("stderr", "err\n")]
    assert 0 < entries[0]["time"] < entries[1]["time"] + 1


def test_an_exception_is_an_error_with_its_traceback_and_its_files(alice: Wire) -> None:
    log = alice.run("my-kernel", "open('part.txt', 'w').write('half')\nraise ValueError('no such data')")
    assert alice.ended("my-kernel") == ("ERROR", "")
    assert "ValueError: no such data" in text(log, "stderr")
    files = alice.rpc("ListKernelFiles", userName="alice", kernelSlug="my-kernel").document["files"]
    assert [(file["name"], file["size"]) for file in files] == [("part.txt", 4)]


def test_what_went_wrong_can_be_called_complete(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path / "kaggle", complete_whatever=True) as server:
        wire = Wire(server.url)
        wire.push("my-kernel", "raise SystemExit(3)")
        assert wire.ended("my-kernel") == ("COMPLETE", "")


def test_the_session_limit_cancels_with_kaggles_words(alice: Wire) -> None:
    alice.push("my-kernel", "open('kept', 'w').close()\nimport time\ntime.sleep(60)", sessionTimeoutSeconds=1)
    state = ("CANCEL_ACKNOWLEDGED", "Your notebook was stopped because it exceeded the max allowed execution duration.")
    assert alice.ended("my-kernel") == state
    names = alice.rpc("ListKernelSessionOutput", userName="alice", kernelSlug="my-kernel").document["files"]
    assert [file["fileName"] for file in names] == ["kept"]


def test_too_much_output_is_an_error(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path / "kaggle", output_bytes=1000) as server:
        wire = Wire(server.url)
        wire.push("my-kernel", "open('big', 'wb').write(bytes(1001))")
        assert wire.ended("my-kernel") == (
            "ERROR",
            "Your notebook tried to use more disk space than is available",
        )


def test_a_kernel_that_is_killed_had_no_memory_left(alice: Wire) -> None:
    alice.push("my-kernel", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    state = ("ERROR", "Your notebook tried to allocate more memory than is available.")
    assert alice.ended("my-kernel") == state


def test_a_notebook_runs_its_code_cells(alice: Wire) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# not code"},
        {"cell_type": "code", "source": "a = 1"},
        {"cell_type": "code", "source": ["b = 2\n", "print(a + b)"]},
    ]
    log = alice.run("my-notebook", json.dumps({"cells": cells}), kernelType="notebook")
    assert text(log) == "3\n"


def test_a_notebook_that_is_none_ends_in_an_error(alice: Wire) -> None:
    alice.push("my-notebook", "not json", kernelType="notebook")
    state, message = alice.ended("my-notebook")
    assert state == "ERROR"
    assert message.startswith("the session could not be started")


def test_a_running_kernel_shows_no_files_and_its_log_live_only(alice: Wire) -> None:
    alice.push("my-kernel", "open('early.txt', 'w').close()\n" + _WAITS)
    alice.begun("my-kernel")
    assert alice.status("my-kernel")["status"] == "RUNNING"
    output = alice.rpc("ListKernelSessionOutput", userName="alice", kernelSlug="my-kernel").document
    assert (output["files"], output["log"]) == ([], "")
    assert alice.rpc("ListKernelFiles", userName="alice", kernelSlug="my-kernel").document["files"] == []
    gone = alice.rpc("DownloadKernelOutput", ownerSlug="alice", kernelSlug="my-kernel", filePath="early.txt")
    assert gone.status == 404


def test_the_live_log_is_replayed_from_its_start_and_marks_its_end(alice: Wire) -> None:
    alice.push("my-kernel", "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.1)")
    live = alice.follow("my-kernel")
    assert live.headers["Content-Type"] == "text/event-stream"
    events = live.body.decode().strip().split("\n\n")
    assert events[-1] == "data: END_OF_LOG"
    assert [json.loads(event[6:])["data"] for event in events[:3]] == ["0\n", "1\n", "2\n"]
    after = alice.follow("my-kernel")
    assert after.headers["Content-Type"] == "application/json"
    assert after.document == [json.loads(event[6:]) for event in events[:-1]]


def test_a_version_in_the_path_of_the_live_log_is_not_found(alice: Wire) -> None:
    alice.run("my-kernel", "print('one')")
    alice.run("my-kernel", "print('two')")
    path = "/api/v1/kernels/logs/stream/alice/my-kernel/1"
    assert alice.ask("GET", path, Authorization=alice.auth).status == 404
    assert alice.follow("my-kernel", "v1").document[0]["data"] == "one\n"


def test_a_line_that_takes_its_time_is_logged_in_parts_and_no_character_is_torn(alice: Wire) -> None:
    source = """
import os, time
os.write(1, b"10%\\r" + "ü".encode()[:1]); time.sleep(0.6); os.write(1, "ü".encode()[1:] + b"\\n\\xff\\n")
"""
    log = alice.run("my-kernel", source)
    assert text(log) == "10%\rü\n\ufffd\n"
    assert log[0]["data"] == "10%\r"


def test_a_deleted_kernel_stops_running(kaggle: EmbeddedKaggle, alice: Wire, tmp_path: Path) -> None:
    alice.push("my-kernel", _WAITS)
    alice.begun("my-kernel")
    pid = (read(tmp_path / "kaggle/sessions/1/began.json") or {})["pid"]
    assert alice.rpc("DeleteKernel", userName="alice", kernelSlug="my-kernel").status == 200
    assert started_at(pid) is None
    assert not (tmp_path / "kaggle/sessions/1").exists()


@pytest.mark.parametrize("group", ["", ", process_group=0"], ids=["its group", "a group of its own"])
def test_what_a_kernel_started_ends_with_it(alice: Wire, group: str) -> None:
    source = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]{group})
print(child.pid, flush=True)
"""
    pid = int(text(alice.run("my-kernel", source)))
    assert started_at(pid) is None


def test_a_session_is_cancelled_by_the_id_that_only_its_kernel_knows(alice: Wire) -> None:
    alice.push("my-kernel", _WAITS)
    alice.begun("my-kernel")
    foreign = Wire(alice.url, "bob").rpc("CancelKernelSession", kernelSessionId=1)
    assert (foreign.status, foreign.problem) == (403, "Permission 'kernelSessions.cancel' was denied")
    assert alice.rpc("CancelKernelSession", kernelSessionId=99).status == 403
    assert alice.rpc("CancelKernelSession", kernelSessionId=1).document == {}
    assert alice.ended("my-kernel") == ("CANCEL_ACKNOWLEDGED", "")


def test_a_kernel_may_call_the_api_as_its_owner_and_gets_no_secret(alice: Wire) -> None:
    source = """
import json, os, urllib.error, urllib.request
base = os.environ["KAGGLE_URL_BASE"]
def ask(path, body, **headers):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
    try:
        return urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
bearer = "Bearer " + open(os.environ["KAGGLE_API_V1_TOKEN"]).read()
listed = ask("/api/v1/kernels.KernelsApiService/ListKernels", {"group": "PROFILE"}, Authorization=bearer)
print([kernel["ref"] for kernel in json.loads(listed)["kernels"]])
path = "/requests/GetUserSecretByLabelRequest"
token = "Bearer " + os.environ["KAGGLE_USER_SECRETS_TOKEN"]
print(ask(path, {"Label": "WANDB"}, **{"X-Kaggle-Authorization": token}))
print(ask(path, {"Label": "WANDB"})[:3])
"""
    listed, secret, nobody = text(alice.run("my-kernel", source)).splitlines()
    assert listed == "['alice/my-kernel']"
    assert secret.startswith("403 ")
    assert "No user secrets exist for kernel id" in secret
    assert nobody == "401"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes the network away")
def test_a_kernel_without_internet_has_no_network(alice: Wire) -> None:
    port = alice.url.rpartition(":")[2]
    source = f"""
import os, socket
try:
    socket.create_connection(("127.0.0.1", {port}), 5)
    print(os.environ["CID_KAGGLE_ROOT"], "reached")
except OSError as error:
    print(os.environ["CID_KAGGLE_ROOT"], "cut off")
"""
    root, said = text(alice.run("my-kernel", source, enableInternet=False)).split(maxsplit=1)
    if root != "/kaggle":
        pytest.skip("this machine does not allow namespaces")
    assert said == "cut off\n"
    assert text(alice.run("my-kernel", source, enableInternet=True)) == "/kaggle reached\n"


@pytest.mark.kills
@pytest.mark.skipif(sys.platform != "linux", reason="finds the keeper in /proc")
@pytest.mark.parametrize("isolate", [True, False])
def test_a_session_whose_keeper_was_killed_is_an_error_after_a_restart(tmp_path: Path, isolate: bool) -> None:
    state = tmp_path / "kaggle"
    before = EmbeddedKaggle(state, isolate=isolate).start()
    wire = Wire(before.url)
    wire.push("my-kernel", _WAITS)
    wire.begun("my-kernel")
    kernel = (read(state / "sessions/1/began.json") or {})["pid"]
    keeper = int(Path(f"/proc/{kernel}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    before.stop(end_sessions=False)
    with EmbeddedKaggle(state) as after:
        state_word, message = Wire(after.url).ended("my-kernel")
        assert Wire(after.url).ended("my-kernel") == (state_word, message)
    assert (state_word, message.startswith("The session was lost")) == ("ERROR", True)
    assert started_at(kernel) is None


def test_a_session_goes_on_while_the_server_is_away(tmp_path: Path) -> None:
    state = tmp_path / "kaggle"
    before = EmbeddedKaggle(state).start()
    wire = Wire(before.url)
    wire.push("my-kernel", "import time\nprint('begun', flush=True)\ntime.sleep(0.5)\nprint('ended')")
    wire.begun("my-kernel")
    before.stop(end_sessions=False)
    with EmbeddedKaggle(state) as after:
        again = Wire(after.url)
        assert again.ended("my-kernel") == ("COMPLETE", "")
        assert [entry["data"] for entry in again.follow("my-kernel").document[:2]] == ["begun\n", "ended\n"]


def test_a_server_that_stops_ends_what_it_runs(tmp_path: Path) -> None:
    state = tmp_path / "kaggle"
    with EmbeddedKaggle(state) as server:
        wire = Wire(server.url)
        wire.push("my-kernel", _WAITS)
        wire.begun("my-kernel")
        pid = (read(state / "sessions/1/began.json") or {})["pid"]
    assert started_at(pid) is None
    assert (read(state / "sessions/1/ended.json") or {})["state"] == "ERROR"
