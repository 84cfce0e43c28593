"""The main job from end to end: a real repository, the real wire, a real kernel on the embedded Kaggle."""

import json
from pathlib import Path

import pytest
from fakes.repositories import Project, project

from containerid.kaggle.emulator import EmbeddedKaggle

PARAMS = """
project: doors
detection:
  training: {entry: trainer, epochs: 4}
  data: {provider: synthetic, images: 6, imgsz: 32}
experiments:
  exp001: {}
"""
TRAINER = """
import json, os, pathlib, signal
(pathlib.Path(os.environ["CID_OUT"]) / "metrics.json").write_text(json.dumps({"test/mAP50": 0.75}))
print("trained")
"""
TRAIN = ("train", "--kaggle", "--experiment", "exp001", "--json")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = project(tmp_path)
    made.write("params.yaml", PARAMS)
    made.write("trainer.py", TRAINER)
    made.write(".gitignore", "/runs/\n")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "first")
    made.git("push", "-q", "-u", "origin", "main")
    monkeypatch.chdir(made.root)
    return made


def serve(kaggle: EmbeddedKaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CID_KAGGLE_URL", kaggle.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kaggle that calls every kernel complete, however it ended: one of the real one's habits."""
    with EmbeddedKaggle(tmp_path / "kaggle", complete_whatever=True) as server:
        serve(server, monkeypatch)
        yield server
    assert not server.faults.left


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A Kaggle that takes pushes and never starts them."""
    with EmbeddedKaggle(tmp_path / "kaggle", run=False) as server:
        serve(server, monkeypatch)
        yield server


def pushes(kaggle: EmbeddedKaggle) -> list[dict]:
    return [call.body for call in kaggle.calls if call.rpc == "SaveKernel"]


@pytest.mark.training
def test_an_uncommitted_edit_is_what_runs_and_what_the_record_names(cid, kaggle, repository):
    repository.write("trainer.py", TRAINER.replace("0.75", "0.5").replace('"trained"', '"edited"'))
    repository.write("notes.txt", "untracked\n")
    said = cid(*TRAIN)
    document = said.document
    assert (said.code, document["state"], document["metrics"]) == (0, "succeeded", {"test/mAP50": 0.5})
    assert document["proof"] == "rehearsed on CPU"
    sha = document["sha"]
    result = json.loads((Path(document["outputs"]) / "result.json").read_text())
    assert result["sha"] == sha == repository.remote_refs()["refs/heads/main"] == repository.git("rev-parse", "HEAD")
    assert repository.status() == ""
    repository.commit("notes.txt", "the user goes on\n")
    assert repository.git("show", "--stat", "--format=", "HEAD").splitlines()[0].split()[0] == "notes.txt"
    assert "edited" in cid("logs", document["run"]).out


@pytest.mark.training
@pytest.mark.kills
@pytest.mark.parametrize(
    ("last_words", "reason"),
    [
        ("raise RuntimeError('out of luck')", "out of luck"),
        ("os.kill(os.getppid(), signal.SIGKILL)", "SIGKILL"),
        (
            "script = int(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1])\n"
            "os.kill(script, signal.SIGKILL)\n"
            "signal.pause()",  # until the kernel's end takes it along; else it might be done before that
            "left no result",
        ),
    ],
    ids=["raises after training", "training killed", "kernel killed, no result"],
)
def test_a_kernel_that_ended_badly_is_a_failed_run_although_kaggle_calls_it_complete(
    cid, kaggle, repository, last_words, reason
):
    repository.write("trainer.py", TRAINER + last_words + "\n")
    said = cid(*TRAIN)
    document = said.document
    assert (said.code, document["state"]) == (7, "failed")
    assert reason in document["reason"]
    assert "\n" not in document["reason"]


def test_the_one_push_of_a_default_submit_is_what_kaggle_should_get(cid, recorder, repository):
    said = cid(*TRAIN, "--detach")
    document = said.document
    (push,) = pushes(recorder)
    assert (push["isPrivate"], push["enableGpu"], push["enableInternet"]) == (True, True, True)
    assert (push["machineShape"], push["kernelType"], push["language"]) == ("NvidiaTeslaT4", "script", "python")
    assert push["slug"] == f"ada/{push['newTitle']}" == document["handle"]
    assert document["sha"] in push["text"]
    assert len(push["text"].encode()) < 1_000_000
    compile(push["text"], "kernel.py", "exec")


def test_a_cpu_run_asks_for_no_gpu(cid, recorder, repository):
    cid(*TRAIN, "--detach", "--device", "cpu")
    (push,) = pushes(recorder)
    assert push["enableGpu"] is False
    assert push["machineShape"] == ""


def test_the_push_is_built_from_the_metadata_that_is_kept(cid, recorder, repository, own_home):
    run = cid(*TRAIN, "--detach").document["run"]
    kept = json.loads((own_home / "cid/parcels" / run / "kernel-metadata.json").read_text())
    (push,) = pushes(recorder)
    assert (own_home / "cid/parcels" / run / "kernel.py").read_text() == push["text"]
    assert (kept["id"], kept["title"]) == (push["slug"], push["newTitle"])
    for key, sent in (
        ("is_private", "isPrivate"),
        ("enable_gpu", "enableGpu"),
        ("enable_internet", "enableInternet"),
        ("machine_shape", "machineShape"),
        ("kernel_type", "kernelType"),
    ):
        assert kept[key] == push[sent]


def fake(*parts: str) -> str:
    return "".join(parts)


PLANTED = {
    "kaggle.json": json.dumps({"username": "ada", "key": fake("0123456789abcdef", "fedcba9876543210")}),
    "login.py": f'import wandb\nwandb.login(key="{fake("89abcdef01234567" * 2, "0123abcd")}")\n',
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_refused_by_name_and_nothing_changes(cid, recorder, repository, name):
    repository.write(name, PLANTED[name])
    before = (repository.remote_refs(), repository.git("rev-parse", "HEAD"), repository.status())
    said = cid(*TRAIN)
    assert said.code == 3
    assert name in said.document["error"]["message"]
    assert PLANTED[name] not in said.out + said.err
    assert (repository.remote_refs(), repository.git("rev-parse", "HEAD"), repository.status()) == before
    assert pushes(recorder) == []
    assert cid("ls", "--json").document["runs"][0]["state"] == "refused"


def test_a_secret_that_unpushed_commits_added_and_removed_again_is_found(cid, recorder, repository):
    repository.commit("kaggle.json", PLANTED["kaggle.json"])
    repository.git("rm", "-q", "kaggle.json")
    repository.git("commit", "-q", "-m", "oops")
    before = repository.remote_refs()
    said = cid(*TRAIN)
    assert said.code == 3
    assert "kaggle.json" in said.document["error"]["message"]
    assert repository.remote_refs() == before
    assert pushes(recorder) == []


def test_a_password_in_the_remotes_address_is_kept_to_git(cid, recorder, repository, own_home):
    password = fake("hunter", "2hunter", "2")
    repository.git("remote", "set-url", "origin", f"https://ada:{password}@127.0.0.1:9/doors.git")
    said = cid(*TRAIN, "--detach", "-v")
    assert said.code == 0
    kept = b"".join(path.read_bytes() for path in (own_home / "cid").rglob("*") if path.is_file())
    assert password not in said.out + said.err + pushes(recorder)[0]["text"]
    assert password.encode() not in kept


def test_a_refusal_of_kaggle_is_a_state_and_names_what_to_do(cid, repository, tmp_path, monkeypatch):
    with EmbeddedKaggle(tmp_path / "kaggle", run=False, gpu_slots=0) as full:
        serve(full, monkeypatch)
        said = cid(*TRAIN)
    assert said.code == 5
    assert "Maximum batch GPU session count" in said.document["error"]["message"]
    assert said.document["error"]["retryable"] is True


def test_a_lost_answer_is_not_pushed_twice(cid, recorder, repository):
    recorder.faults.drop_answer("SaveKernel") if hasattr(recorder.faults, "drop_answer") else recorder.drop_answer(
        "SaveKernel"
    )
    said = cid(*TRAIN, "--detach")
    assert said.code == 0
    assert len(pushes(recorder)) == 1


def test_a_kept_kernel_is_not_pushed_again_while_one_of_its_versions_lives(cid, recorder, repository):
    assert cid(*TRAIN, "--detach", "--slug", "door-finder").code == 0
    repository.write("trainer.py", TRAINER + "# changed\n")
    said = cid(*TRAIN, "--detach", "--slug", "door-finder", "-y")
    assert said.code == 5
    assert "ada/door-finder still has a version that is queued" in said.document["error"]["message"]
    assert len(pushes(recorder)) == 1
