"""Faults that come from a file, and answers that are real but for one thing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.errors import UsageError
from containerid.kaggle.emulator import EmbeddedKaggle
from containerid.kaggle.emulator.script import read_plan
from containerid.kaggle.transport import Session, Transient

GOOD = """
- {rpc: SaveKernel, effect: drop}
- rpc: file
  effect: alter
  headers: {Content-Length: "99"}
  flip: true
  times: 0
- {rpc: GetKernel, effect: answer, status: 429, headers: {Retry-After: "7"}, match: {kernelSlug: mine}, skip: 1}
"""
OUTPUTS = "open('a.txt', 'w').write('content')\nopen('b.txt', 'w').write('other')\n"


def plan(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plan_is_read_in_its_order(tmp_path):
    planned = read_plan(plan(tmp_path, GOOD))
    assert [str(fault) for fault in planned.left] == ["SaveKernel: drop", "GetKernel: answer 429"]
    assert planned.take("GetKernel", {"kernelSlug": "mine"}) is None
    assert planned.take("GetKernel", {"kernelSlug": "mine"}).headers == {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {rpc: SaveKernel, effect: explode}", ":1: effect: explode is none of answer, drop"),
        ("- {rpc: SaveColonel, effect: drop}", ":1: rpc: Kaggle has no SaveColonel"),
        ("- {rpc: SaveKernel,\n   effect: drop, timse: 2}", ":2: timse: unknown, one of rpc, effect"),
        ("- {rpc: SaveKernel, effect: drop, times: -1}", ":1: times: is -1, not a whole number from 0"),
        ("- {rpc: SaveKernel, effect: drop, flip: 1}", ":1: flip: is 1, not true or false"),
        ("- {rpc: file, effect: alter, headers: {a: 1}}", ":1: headers: is {'a': 1}, not text to text"),
        ("- {rpc: file, effect: alter, ignore: Range}", ":1: ignore: is 'Range', not a list of texts"),
        ("-\n  effect: drop", "rpc is missing"),
        ("- drop", ":1: a fault is 'drop'"),
        ("rpc: file", "this is no list of faults"),
        ("- {rpc: file, rpc: file}", ":1:"),
        ("- [", "not valid YAML"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(tmp_path, text, said):
    with pytest.raises(UsageError) as caught:
        read_plan(plan(tmp_path, text))
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_wrong_plan_serves_nothing(cid, tmp_path):
    said = cid("emulator", "serve", "--faults", str(plan(tmp_path, "- {effect: drop}")), "--json")
    assert (said.code, said.document["error"]["code"]) == (2, 2)
    missing = cid("emulator", "serve", "--faults", str(tmp_path / "none.yaml"), "--json")
    assert "cannot be read" in missing.document["error"]["message"]


@pytest.mark.kills
def test_what_was_planned_and_never_met_is_told_at_the_end(tmp_path):
    text = "- {rpc: GetKernel, effect: answer, status: 503}\n- {rpc: SaveKernel, effect: drop, times: 2}\n"
    command = [sys.executable, "-m", "containerid", "emulator", "serve", "--state", str(tmp_path / "state")]
    command += ["--faults", str(plan(tmp_path, text)), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        record = tmp_path / "state/server.json"
        deadline = time.monotonic() + 30
        while not record.exists() and time.monotonic() < deadline:
            assert process.poll() is None
        user = Wire(json.loads(record.read_text())["url"])
        assert user.rpc("GetKernel", userName="alice", kernelSlug="mine").status == 503
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert "planned and never met: SaveKernel: drop, 2 times" in told
    assert "GetKernel" not in told


@pytest.fixture
def ended(kaggle: EmbeddedKaggle, alice: Wire) -> Wire:
    alice.run("my-kernel", OUTPUTS)
    return alice


def listed(user: Wire) -> list:
    return user.rpc("ListKernelSessionOutput", userName="alice", kernelSlug="my-kernel").document["files"]


def test_a_file_gets_a_name_that_no_kernel_could_write(kaggle, ended):
    kaggle.plan("ListKernelSessionOutput", "alter", names={"a.txt": "../../escape.txt"})
    names = [file["fileName"] for file in listed(ended)]
    assert names == ["../../escape.txt", "b.txt"]
    assert ended.fetch(listed(ended)[0]["url"]).body == b"content"


def test_a_field_of_an_answer_is_another_one(kaggle, ended):
    kaggle.plan("GetKernelSessionStatus", "alter", body={"status": "PREEMPTED"})
    assert ended.status("my-kernel") == {**ended.status("my-kernel"), "status": "PREEMPTED"}
    kaggle.plan("ListKernelSessionOutput", "alter", body={"nextPageToken": "0"}, times=2)
    asked = {"userName": "alice", "kernelSlug": "my-kernel"}
    first = ended.rpc("ListKernelSessionOutput", **asked).document
    assert ended.rpc("ListKernelSessionOutput", **asked, pageToken=first["nextPageToken"]).document == first


def test_one_bit_of_a_file_flips_and_its_checksum_does_not(kaggle, ended):
    (link, _) = (file["url"] for file in listed(ended))
    good = ended.fetch(link)
    kaggle.plan("file", "alter", flip=True)
    bad = ended.fetch(link)
    assert sum((one ^ other).bit_count() for one, other in zip(good.body, bad.body, strict=True)) == 1
    assert bad.headers["x-goog-hash"] == good.headers["x-goog-hash"].strip()


def test_a_length_is_a_lie_and_the_connection_ends(kaggle, ended):
    link = listed(ended)[0]["url"]
    kaggle.plan("file", "alter", headers={"Content-Length": "3"})
    assert ended.fetch(link).body == b"con"
    kaggle.plan("file", "truncate", keep=4, headers={"Content-Length": "", "x-goog-hash": ""})
    cut = ended.fetch(link)
    assert (cut.body, cut.headers.get("Content-Length"), cut.headers.get("x-goog-hash")) == (b"cont", None, None)


def test_a_range_can_be_ignored_and_credentials_can_expire(kaggle, ended):
    kaggle.plan("file", "alter", ignore=["Range"])
    whole = ended.fetch(listed(ended)[0]["url"], Range="bytes=2-")
    assert (whole.status, whole.body) == (200, b"content")
    kaggle.plan("GetKernelSessionStatus", "alter", ignore=["Authorization"])
    assert ended.rpc("GetKernelSessionStatus", userName="alice", kernelSlug="my-kernel").status == 401


def test_a_line_is_slow_and_far_away(kaggle, ended):
    link = listed(ended)[0]["url"]
    kaggle.plan("file", "delay", seconds=0.05, rate=70)
    began = time.monotonic()
    assert ended.fetch(link).body == b"content"
    assert time.monotonic() - began > 0.1


def test_a_reset_can_come_in_the_middle(kaggle, ended):
    kaggle.plan("file", "reset", keep=3)
    with pytest.raises(ConnectionResetError):
        ended.fetch(listed(ended)[0]["url"])


def test_a_dataset_is_hidden_then_in_processing_then_ready(tmp_path):
    now = [1000.0]
    with EmbeddedKaggle(tmp_path, run=False, dataset_seconds=10, clock=lambda: now[0]) as server:
        user = Wire(server.url)
        user.dataset("my-data", {"a.txt": b"a"})
        asked = {"ownerSlug": "alice", "datasetSlug": "my-data"}
        assert user.rpc("GetDatasetStatus", **asked).problem == "Permission 'datasets.get' was denied"
        now[0] += 6
        assert user.rpc("GetDatasetStatus", **asked).document == {"status": "INDIVIDUAL_BLOBS_COMPRESSED"}
        pushed = user.push("my-kernel", "1", datasetDataSources=["alice/my-data"])
        assert pushed["invalidDatasetSources"] == ["alice/my-data"]
        now[0] += 5
        assert user.rpc("GetDatasetStatus", **asked).document == {"status": "READY"}
        assert not user.push("my-kernel", "1", datasetDataSources=["alice/my-data"])["invalidDatasetSources"]


def test_a_silence_is_borne_for_as_long_as_the_environment_says(kaggle):
    kaggle.plan("ListKernels", "stall", seconds=60, commit=False)
    url = f"{kaggle.url}/api/v1/kernels.KernelsApiService/ListKernels"
    began = time.monotonic()
    with pytest.raises(Transient, match="did not answer in time"):
        Session({"CID_TIMEOUT": "0.1"}).send("POST", url, json={})
    assert time.monotonic() - began < 5
    for wrong in ("soon", "0", "-1", "nan"):
        with pytest.raises(UsageError, match="CID_TIMEOUT"):
            Session({"CID_TIMEOUT": wrong})
