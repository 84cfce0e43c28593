from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle

GPU = {"enableGpu": True, "machineShape": "NvidiaTeslaT4"}


@pytest.fixture
def user(recorder: EmbeddedKaggle) -> Wire:
    return Wire(recorder.url)


def test_a_push_makes_version_1_and_queues_a_session(user: Wire) -> None:
    pushed = user.push("my-kernel")
    assert (pushed["versionNumber"], pushed["error"], pushed["hasError"]) == (1, "", False)
    assert pushed["url"] == f"{user.url}/code/alice/my-kernel"
    assert pushed["ref"] == "/code/alice/my-kernel v1"
    assert user.status("my-kernel")["status"] == "QUEUED"


def test_the_slug_comes_from_the_title(user: Wire) -> None:
    pushed = user.push("something-else", newTitle="YOLO11 exp_001")
    assert pushed["url"].endswith("/code/alice/yolo11-exp-001")
    assert user.rpc("GetKernelSessionStatus", userName="alice", kernelSlug="something-else").status == 403


def test_a_title_that_does_not_fit_the_kernel_is_a_conflict(user: Wire) -> None:
    user.push("my-kernel")
    renamed = user.rpc("SaveKernel", slug="alice/my-kernel", newTitle="Another name", text="")
    taken = user.rpc("SaveKernel", slug="alice/fresh-one", newTitle="My Kernel", text="")
    assert (renamed.status, taken.status) == (409, 409)


def test_a_push_without_a_title_and_a_slug_is_refused(user: Wire) -> None:
    reply = user.rpc("SaveKernel", text="print('hi')")
    assert (reply.status, reply.problem) == (400, "Title is required")


def test_a_source_above_a_million_bytes_is_refused_and_one_of_a_million_is_not(user: Wire) -> None:
    assert user.push("my-kernel", "#" * 1_000_000)["versionNumber"] == 1
    reply = user.rpc("SaveKernel", slug="alice/my-kernel", newTitle="my-kernel", text="é" * 500_001)
    assert reply.status == 400
    assert reply.problem == "The kernel source must be less than 1 megabytes in size."
    assert reply.document["error"]["status"] == "INVALID_ARGUMENT"


def test_a_script_does_not_become_a_notebook(user: Wire) -> None:
    user.push("my-kernel")
    refused = user.push("my-kernel", kernelType="notebook")
    assert refused["error"] == "You cannot change the editor type"
    assert (refused["versionNumber"], refused["hasVersionNumber"]) == (0, False)


@pytest.mark.parametrize("fields", [{"slug": "bob/my-kernel"}, {"id": 4711}])
def test_what_is_not_yours_is_not_found(user: Wire, fields: dict[str, object]) -> None:
    assert user.push("my-kernel", **fields)["error"] == "Notebook not found"


def test_a_push_by_number_adds_a_version(user: Wire) -> None:
    number = user.push("my-kernel")["kernelId"]
    assert user.push("my-kernel", id=number, slug="")["versionNumber"] == 2


def test_the_third_gpu_session_is_refused_and_makes_no_version(user: Wire) -> None:
    assert [user.push(f"kernel-{n}", **GPU)["error"] for n in range(3)] == [
        "",
        "",
        "Maximum batch GPU session count of 2 reached.",
    ]
    assert user.rpc("GetKernel", userName="alice", kernelSlug="kernel-2").status == 403


def test_the_sixth_cpu_session_is_refused_and_another_user_is_not(user: Wire) -> None:
    errors = [user.push(f"kernel-{n}")["error"] for n in range(6)]
    assert errors[4:] == ["", "Maximum batch CPU session count of 5 reached."]
    assert Wire(user.url, "bob").push("kernel-0")["error"] == ""


def test_a_second_push_is_a_second_session_and_the_newest_is_asked_for(user: Wire) -> None:
    user.push("my-kernel", **GPU)
    assert user.push("my-kernel", **GPU)["versionNumber"] == 2
    assert user.push("third-one", **GPU)["error"].startswith("Maximum batch GPU session count")


def test_a_version_has_the_label_v_and_its_number(user: Wire) -> None:
    user.push("my-kernel", "first")
    user.push("my-kernel", "second")
    asked = {"userName": "alice", "kernelSlug": "my-kernel"}
    sources = {
        label: user.rpc("GetKernel", **asked, versionLabel=label).document["blob"]["source"] for label in ("v1", "v2")
    }
    assert sources == {"v1": "first", "v2": "second"}
    assert user.rpc("GetKernel", userName="alice", kernelSlug="my-kernel/1").document["blob"]["source"] == "first"
    for label in ("1", "v3", "v0"):
        assert user.rpc("GetKernelSessionStatus", **asked, versionLabel=label).status == 404


def test_what_was_pushed_can_be_read_back(user: Wire) -> None:
    sources = {"competitionDataSources": ["titanic"], "kernelDataSources": []}
    user.push("my-kernel", "print(1)", **GPU, **sources, enableInternet=True, dockerImage="image@sha256:1")
    answer = user.rpc("GetKernel", userName="alice", kernelSlug="my-kernel").document
    assert answer["blob"] == {
        "source": "print(1)",
        "language": "python",
        "kernelType": "script",
        "slug": "my-kernel",
    }
    wanted = {
        "ref": "alice/my-kernel",
        "title": "my-kernel",
        "isPrivate": True,
        "enableGpu": True,
        "enableTpu": False,
        "enableInternet": True,
        "machineShape": "NvidiaTeslaT4",
        "competitionDataSources": ["titanic"],
        "datasetDataSources": [],
        "currentVersionNumber": 1,
        "dockerImage": "image@sha256:1",
    }
    assert wanted.items() <= answer["metadata"].items()


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({}, "None"),
        ({"enableGpu": True}, "Gpu"),
        ({"machineShape": "NvidiaTeslaP100"}, "NvidiaTeslaT4"),
        ({"enableTpu": True}, "TpuV5E8"),
    ],
)
def test_the_machine_is_read_back_as_kaggle_names_it(user: Wire, asked: dict[str, object], shape: str) -> None:
    user.push("my-kernel", **asked)
    metadata = user.rpc("GetKernel", userName="alice", kernelSlug="my-kernel").document["metadata"]
    assert metadata["machineShape"] == shape


def test_sources_that_do_not_exist_are_named_and_the_run_starts_anyway(user: Wire) -> None:
    pushed = user.push(
        "my-kernel",
        datasetDataSources=["alice/nothing", "odd"],
        kernelDataSources=["alice/never"],
        competitionDataSources=["titanic"],
        modelDataSources=["a/b/c/d/1"],
    )
    assert pushed["versionNumber"] == 1
    assert pushed["invalidDatasetSources"] == ["alice/nothing", "odd"]
    assert pushed["invalidKernelSources"] == ["alice/never"]
    assert pushed["invalidCompetitionSources"] == ["titanic"]
    assert pushed["invalidModelSources"] == ["a/b/c/d/1"]


def test_a_kernel_that_is_only_saved_has_no_session(user: Wire) -> None:
    assert user.push("my-kernel", kernelExecutionType="QUICK_SAVE")["versionNumber"] == 1
    assert user.rpc("GetKernelSessionStatus", userName="alice", kernelSlug="my-kernel").status == 404


def test_a_private_kernel_is_denied_to_others_as_if_it_did_not_exist(user: Wire) -> None:
    user.push("my-kernel")
    bob = Wire(user.url, "bob")
    for method in ("GetKernel", "GetKernelSessionStatus", "ListKernelSessionOutput", "ListKernelFiles"):
        reply = bob.rpc(method, userName="alice", kernelSlug="my-kernel")
        assert (reply.status, reply.problem) == (403, "Permission 'kernels.get' was denied")
    assert bob.rpc("DeleteKernel", userName="alice", kernelSlug="my-kernel").status == 403


def test_a_public_kernel_is_seen_and_listed_by_others(user: Wire) -> None:
    user.push("my-kernel", isPrivate=False)
    user.push("hidden-one")
    bob = Wire(user.url, "bob")
    assert bob.rpc("GetKernel", userName="alice", kernelSlug="my-kernel").status == 200
    assert [kernel["slug"] for kernel in bob.rpc("ListKernels", user="alice").document["kernels"]] == ["my-kernel"]
    assert bob.rpc("ListKernels", group="PROFILE").document["kernels"] == []


def test_kernels_are_listed_in_pages_the_newest_first(user: Wire) -> None:
    for number in range(5):
        user.push(f"kernel-{number}")
    first = user.rpc("ListKernels", group="PROFILE", pageSize=3).document
    rest = user.rpc("ListKernels", group="PROFILE", pageSize=3, pageToken=first["nextPageToken"]).document
    slugs = [kernel["slug"] for kernel in first["kernels"] + rest["kernels"]]
    assert slugs == [f"kernel-{number}" for number in (4, 3, 2, 1, 0)]
    assert rest["nextPageToken"] == ""
    assert len(user.rpc("ListKernels", search="KERNEL-3").document["kernels"]) == 1
    assert user.rpc("ListKernels", kernelType="notebook").document["kernels"] == []


def test_a_deleted_kernel_frees_its_slot_and_its_name(user: Wire) -> None:
    for number in range(2):
        user.push(f"kernel-{number}", **GPU)
    assert user.rpc("DeleteKernel", userName="alice", kernelSlug="kernel-0").status == 200
    assert user.rpc("GetKernel", userName="alice", kernelSlug="kernel-0").status == 403
    assert user.push("kernel-0", **GPU)["versionNumber"] == 1


def test_the_server_calls_what_it_was_asked(recorder: EmbeddedKaggle, user: Wire) -> None:
    user.push("my-kernel", "print('once')")
    (call,) = recorder.calls
    assert (call.rpc, call.method, call.status) == ("SaveKernel", "POST", 200)
    assert call.body["text"] == "print('once')"
    assert call.headers["Authorization"].startswith("Basic ")


def test_kernels_of_an_earlier_server_are_still_there(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path / "state", run=False) as before:
        Wire(before.url).push("my-kernel")
    with EmbeddedKaggle(tmp_path / "state", run=False) as after:
        assert Wire(after.url).push("my-kernel")["versionNumber"] == 2
    assert [call.rpc for call in after.calls] == ["SaveKernel"]
