import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stamina
from fakes.kaggle_server import Fault, KaggleServer, Kept, google

from containerid.backends import open_backend
from containerid.errors import CidError, CredentialsError, NotFound, Refused, Unreachable, UsageError
from containerid.events import Caution, Event
from containerid.home import Home
from containerid.job import Code, Data, Leg, Output, Spec, State
from containerid.kaggle import kernel
from containerid.kaggle.backend import KaggleBackend, open_kaggle, open_rehearsal
from containerid.kaggle.plan import KaggleSettings

RUN = "exp001-20261121-045528-3fa9c1"
NAME = f"ada/cid-{RUN}"
ARCHIVE = b"an archive" * 100


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=3):
        yield


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.of_user()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        monkeypatch.setenv("CID_KAGGLE_URL", server.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "ada")
        monkeypatch.setenv("KAGGLE_KEY", "k" * 32)
        yield server


@pytest.fixture
def spec(home: Home) -> Spec:
    (home.parcel(RUN) / "code.tar.xz").write_bytes(ARCHIVE)
    code = Code(sha="a" * 40, tree="b" * 40, digest=hashlib.sha256(ARCHIVE).hexdigest(), holds_package=True)
    return Spec(run=RUN, backend="kaggle", code=code, data=Data(provider="synthetic"))


def backend(home: Home, **settings: Any) -> KaggleBackend:
    return KaggleBackend(home, KaggleSettings(**settings))


def quiet(event: Event) -> None:
    pass


def fetched(spec: Spec) -> Spec:
    return replace(spec, code=replace(spec.code, transport="fetch", remote="https://example.org/r.git", digest=""))


def test_the_table_of_backends_opens_both(home):
    options = {"accelerator": "NvidiaL4", "gpu": True, "install": [], "dataset_sources": ["a/b"], "slug": None}
    opened = open_backend("kaggle", home, options)
    assert isinstance(opened, KaggleBackend)
    assert KaggleSettings.read(options) == KaggleSettings(accelerator="NvidiaL4", dataset_sources=("a/b",))
    assert isinstance(open_backend("rehearsal", home), KaggleBackend)
    assert open_kaggle(home, None).embed_limit * 5 // 4 < 930_000


def test_a_plan_shows_what_would_be_sent_and_sends_nothing(server, home, spec):
    plan = backend(home, session_limit=39600.0).plan(spec)
    rows = dict(plan.rows)
    assert rows["kernel"] == f"{NAME} (private)"
    assert (rows["machine"], rows["internet"], rows["session limit"]) == ("NvidiaTeslaT4", "on", "11 h")
    assert set(plan.files) == {"kernel.py", "kernel-metadata.json", "session.json"}
    assert plan.warnings == ()
    assert server.calls == []
    assert sorted(path.name for path in home.parcel(RUN).iterdir()) == ["code.tar.xz"]


def test_a_plan_needs_no_credentials_when_params_name_the_user(home, spec):
    rows = dict(backend(home, username="bob").plan(spec).rows)
    assert rows["kernel"].startswith("bob/")
    with pytest.raises(CredentialsError):
        backend(home).plan(spec)


def test_credentials_beat_the_name_in_params(server, home, spec):
    plan = backend(home, username="bob").plan(spec)
    assert dict(plan.rows)["kernel"].startswith("ada/")
    assert "params.yaml names the Kaggle user bob, but the credentials are ada's" in plan.warnings


def test_what_is_pushed_is_what_was_written_beside_it(server, home, spec):
    leg = backend(home, session_limit=600.0).submit(spec)
    (call,) = server.asked("SaveKernel")
    parcel = home.parcel(RUN)
    metadata = json.loads((parcel / "kernel-metadata.json").read_text(encoding="utf-8"))
    assert call.body["text"] == (parcel / "kernel.py").read_text(encoding="utf-8")
    assert call.body["slug"] == metadata["id"] == NAME
    assert call.body["newTitle"] == f"cid-{RUN}"
    assert (call.body["isPrivate"], call.body["enableGpu"], call.body["enableInternet"]) == (True, True, True)
    assert (call.body["machineShape"], call.body["sessionTimeoutSeconds"]) == ("NvidiaTeslaT4", 600)
    assert leg == Leg(NAME, "1", f"https://www.kaggle.com/code/{NAME}")


def test_what_was_planned_before_a_crash_is_what_is_pushed_after_it(server, home, spec):
    for name, content in backend(home, accelerator="NvidiaL4", session_limit=60.0).plan(spec).files.items():
        (home.parcel(RUN) / name).write_bytes(content)
    backend(home).submit(spec)
    (call,) = server.asked("SaveKernel")
    assert (call.body["machineShape"], call.body["sessionTimeoutSeconds"]) == ("NvidiaL4", 60)


def test_a_parcel_of_another_spec_is_written_anew(server, home, spec):
    backend(home).submit(spec)
    backend(home).submit(replace(spec, quick=True))
    one, two = server.asked("SaveKernel")
    assert kernel.read_cargo(one.body["text"])["spec"]["quick"] is False
    assert kernel.read_cargo(two.body["text"])["spec"]["quick"] is True


def test_a_refused_push_is_refused(server, home, spec):
    server.answers["SaveKernel"] = {"error": "Maximum batch GPU session count of 2 reached.", "versionNumber": 0}
    with pytest.raises(Refused, match="session count of 2") as caught:
        backend(home).submit(spec)
    assert caught.value.retryable


def test_a_lost_answer_is_not_pushed_twice_and_can_be_found(server, home, spec):
    server.fail("SaveKernel", Fault(502, "<html>", kind="text/html", done=True))
    ours = backend(home)
    assert ours.find(spec) is None
    with pytest.raises(Unreachable):
        ours.submit(spec)
    assert len(server.asked("SaveKernel")) == 1
    assert ours.find(spec) == Leg(NAME, "1", f"{server.url}/code/{NAME}")
    assert backend(home).find(spec) is not None


def test_a_kernel_of_the_same_name_with_another_run_is_not_ours(server, home, spec):
    push = {"slug": NAME, "newTitle": "x", "isPrivate": True, "enableGpu": True}
    for text in ("print()", f"run {RUN}0", f"run x-{RUN}"):
        server.kernels[NAME] = Kept(pushes=[push | {"text": text}])
        assert backend(home).find(spec) is None
    server.kernels[NAME] = Kept(pushes=[push | {"text": f'{{\\"run\\": \\"{RUN}\\"}}'}])
    assert backend(home).find(spec) is not None


def test_a_run_that_lacks_its_data_is_stopped(server, home, spec):
    with pytest.raises(Refused, match="without dataset ada/none, so the run was stopped"):
        backend(home, dataset_sources=("ada/none",)).submit(spec)
    assert NAME not in server.kernels


def test_a_run_that_lacks_its_data_and_cannot_be_stopped_is_said(server, home, spec):
    server.fail("DeleteKernel", Fault(503))
    with pytest.raises(Refused, match="could not be stopped"):
        backend(home, dataset_sources=("ada/none",)).submit(spec)
    assert NAME in server.kernels


def test_a_kept_kernel_is_not_deleted_to_stop_a_run(server, home, spec):
    with pytest.raises(Refused, match="could not be stopped") as caught:
        backend(home, dataset_sources=("ada/none",), slug="my-kernel").submit(spec)
    assert "ada/my-kernel" in server.kernels
    assert "https://www.kaggle.com/code/ada/my-kernel" in caught.value.hint


def test_a_kernel_whose_session_is_not_to_be_seen_yet_is_queued(server, home, spec):
    ours = backend(home)
    leg = ours.submit(spec)
    server.fail("GetKernelSessionStatus", Fault(404, google(404, "Not Found")))
    assert ours.status(leg).state is State.QUEUED
    assert ours.status(leg).state is State.QUEUED
    server.kernels[NAME].status = {"status": "COMPLETE"}
    assert ours.status(leg).state is State.SUCCEEDED


def test_a_kernel_that_is_gone_is_not_found(server, home):
    with pytest.raises(NotFound):
        backend(home).status(Leg("ada/none"))


def test_time_that_was_up_is_a_failure_though_kaggle_calls_it_cancelled(server, home, spec):
    ours = backend(home)
    leg = ours.submit(spec)
    text = "Your notebook was stopped because it exceeded the max allowed execution duration."
    server.kernels[NAME].status = {"status": "CANCEL_ACKNOWLEDGED", "failureMessage": text}
    assert ours.status(leg).state is State.FAILED


def test_logs_once_and_followed(server, home, spec):
    ours = backend(home)
    leg = ours.submit(spec)
    log = json.dumps([{"stream_name": "stdout", "time": 1.0, "data": "hello\n"}])
    server.kernels[NAME].log = log
    assert [line.text for line in ours.logs(leg, follow=False)] == ["hello"]
    server.streams.append(("application/json", log.encode()))
    assert [line.text for line in ours.logs(leg, follow=True)] == ["hello"]
    assert server.asked("logs")[0].query == {"versionLabel": ["v1"]}


def left(server: KaggleServer, files: dict[str, bytes]) -> Leg:
    server.kernels[NAME] = Kept(pushes=[{}], status={"status": "COMPLETE"}, files=files)
    return Leg(NAME, "1")


def test_outputs_have_sizes_and_can_be_downloaded(server, home, tmp_path):
    leg = left(server, {"weights/best.pt": b"weights", "result.json": b"{}"})
    ours = backend(home)
    outputs = ours.outputs(leg)
    assert [(output.name, output.size) for output in outputs] == [("weights/best.pt", 7), ("result.json", 2)]
    ours.download(outputs[0], tmp_path / "best.pt")
    assert (tmp_path / "best.pt").read_bytes() == b"weights"


def test_another_process_can_download_what_was_listed_before(server, home, tmp_path):
    (output,) = backend(home).outputs(left(server, {"a": b"a"}))
    backend(home).download(output, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"a"


def test_links_that_run_out_are_renewed_once_for_all_files(server, home, tmp_path):
    ours = backend(home)
    outputs = ours.outputs(left(server, {f"{number}": b"x" * number for number in range(8)}))
    server.signature = 2
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda output: ours.download(output, tmp_path / output.name), outputs))
    assert sorted(path.stat().st_size for path in tmp_path.glob("[0-7]")) == list(range(8))
    assert len(server.asked("ListKernelSessionOutput")) == 2


def test_links_that_never_work_are_no_endless_matter(server, home, tmp_path):
    ours = backend(home)
    (output,) = ours.outputs(left(server, {"a": b"a"}))
    server.fail("file", *[Fault(403)] * 9)
    with pytest.raises(Unreachable, match="HTTP 403"):
        ours.download(output, tmp_path / "a")
    assert len(server.asked("file")) == 3


def test_an_output_that_is_gone_is_not_found(server, home, tmp_path):
    left(server, {"a": b"a"})
    with pytest.raises(NotFound, match="no output called b"):
        backend(home).download(Output("b", 1, f"{NAME}@1"), tmp_path / "b")


def data_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    for name in ("data.yaml", "images/train/a.jpg", "labels/train/a.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_a_data_folder_becomes_an_attached_private_dataset(server, home, spec, tmp_path):
    data = Data(provider="folder", source=str(data_folder(tmp_path)), digest="d" * 64)
    ours = backend(home)
    prepared = ours.prepare(replace(spec, data=data), quiet)
    assert prepared.data.provider == "kaggle"
    assert prepared.data.digest == "d" * 64
    assert prepared.data.source.startswith("ada/cid-data-")
    assert len(prepared.data.source) == len("ada/cid-data-") + 12
    assert len(server.uploads) == 4
    assert list((home.root / "uploads").iterdir()) == []
    assert str(tmp_path) not in json.dumps(prepared.to_dict())
    ours.submit(prepared)
    assert server.asked("SaveKernel")[0].body["datasetDataSources"] == [prepared.data.source]


def test_the_plan_names_the_dataset_before_it_is_sent(server, home, spec, tmp_path):
    asked = replace(spec, data=Data(provider="folder", source=str(data_folder(tmp_path))))
    metadata = json.loads(backend(home).plan(asked).files["kernel-metadata.json"])
    assert server.calls == []
    prepared = backend(home).prepare(asked, quiet)
    assert metadata["dataset_sources"] == [prepared.data.source]


def test_the_same_data_is_sent_once(server, home, spec, tmp_path):
    asked = replace(spec, data=Data(provider="folder", source=str(data_folder(tmp_path))))
    assert backend(home).prepare(asked, quiet) == backend(home).prepare(asked, quiet)
    assert len(server.asked("CreateDataset")) == 1


def test_code_can_travel_as_a_private_dataset(server, home, spec):
    asked = replace(spec, code=replace(spec.code, transport="dataset"))
    prepared = backend(home).prepare(asked, quiet)
    assert prepared.code.dataset == f"ada/cid-code-{spec.code.digest[:12]}"
    assert list(server.uploads.values()) == [ARCHIVE]
    backend(home).submit(prepared)
    body = server.asked("SaveKernel")[0].body
    assert body["datasetDataSources"] == [prepared.code.dataset]
    assert kernel.read_cargo(body["text"])["code"] == ""


def test_a_readable_key_file_is_said_once(home, spec, own_home, monkeypatch):
    folder = own_home / ".kaggle"
    folder.mkdir()
    (folder / "kaggle.json").write_text(json.dumps({"username": "ada", "key": "k" * 32}), encoding="utf-8")
    (folder / "kaggle.json").chmod(0o644)
    told: list[Event] = []
    backend(home).prepare(spec, told.append)
    assert [type(event) for event in told] == [Caution]


@pytest.mark.parametrize(
    ("change", "settings", "reason"),
    [
        ({}, {"public": True}, "whole code"),
        ({"secrets": {"WANDB_API_KEY": "x"}}, {"public": True}, "must carry no secrets"),
        ({"internet": False}, {}, "lack ultralytics"),
        ({"internet": False, "data": Data(provider="dvc", source="data.dvc")}, {}, "no dvc pull"),
        ({"internet": False, "params": {"model": {"pretrained": True}}}, {}, "pretrained weights"),
    ],
)
def test_what_cannot_work_or_should_not_be_seen_is_refused_before_it_is_sent(
    server, home, spec, change, settings, reason
):
    with pytest.raises(UsageError, match=reason) as caught:
        backend(home, **settings).plan(replace(spec, **change))
    assert caught.value.hint
    assert server.calls == []


def test_without_internet_code_cannot_be_fetched(server, home, spec):
    with pytest.raises(UsageError, match="cannot fetch the code"):
        backend(home).plan(replace(fetched(spec), internet=False))


def test_without_internet_a_run_that_has_everything_is_planned(server, home, spec):
    plan = backend(home, dataset_sources=("ada/wheels",)).plan(replace(spec, internet=False))
    assert json.loads(plan.files["kernel-metadata.json"])["enable_internet"] is False


def test_a_public_kernel_says_so(server, home, spec):
    plan = backend(home, public=True).plan(fetched(spec))
    assert dict(plan.rows)["kernel"].endswith("(PUBLIC)")
    assert any("public" in warning for warning in plan.warnings)


def test_without_a_gpu_a_cpu_is_asked_for(server, home, spec):
    plan = backend(home).plan(replace(spec, gpu=False, device="cpu"))
    assert dict(plan.rows)["machine"] == "CPU"


def test_a_session_cannot_be_stopped_from_outside_and_that_is_said(server, home):
    with pytest.raises(Refused) as caught:
        backend(home).cancel(Leg(NAME))
    assert f"{server.url}/code/{NAME}" in caught.value.hint


def test_the_account_and_its_hours_are_told(server, home):
    ours = backend(home)
    assert ours.account() == "ada (key from KAGGLE_KEY)"
    assert ours.quota().total_h == 30


def test_looking_at_a_backend_asks_nobody_anything(home, spec):
    assert open_kaggle(home).embed_limit
    assert open_rehearsal(home).plan(spec).rows
    assert not (home.root / "emulator").exists()


def test_a_wrong_origin_is_a_usage_error(home, spec, monkeypatch):
    monkeypatch.setenv("CID_KAGGLE_URL", "http://example.org")
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "k")
    with pytest.raises(CidError, match="this machine alone"):
        backend(home).submit(spec)
    assert "KAGGLE_KEY" in os.environ
