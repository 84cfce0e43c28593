import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes.wire import Wire

from containerid.kaggle.emulator import EmbeddedKaggle

GPU = {"enableGpu": True, "machineShape": "NvidiaTeslaT4"}
HOUR = 3600
WEDNESDAY = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


class Clock:
    """Follows the real one from a Wednesday on, and can be moved."""

    def __init__(self) -> None:
        self.shift = WEDNESDAY - time.time()

    def __call__(self) -> float:
        return time.time() + self.shift


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def user(tmp_path: Path, clock: Clock) -> Iterator[Wire]:
    with EmbeddedKaggle(tmp_path / "kaggle", clock=clock, weekly_hours=30) as server:
        yield Wire(server.url)


def gpu(user: Wire) -> dict[str, float]:
    """Hours used, reserved and allowed."""
    quota = user.rpc("GetAcceleratorQuotaStatistics").document["gpuQuota"]
    names = {"timeUsed": "used", "timeReserved": "reserved", "totalTimeAllowed": "total"}
    return {short: float(quota[name].removesuffix("s")) / HOUR for name, short in names.items()}


def waiting(user: Wire, slug: str, **fields: object) -> None:
    """A kernel that runs until it is deleted."""
    user.push(slug, "print('begun', flush=True)\nimport time\ntime.sleep(60)", **GPU, **fields)
    user.begun(slug)


def test_nothing_is_used_before_the_first_run_and_the_refresh_is_on_saturday(user: Wire) -> None:
    assert gpu(user) == {"used": 0, "reserved": 0, "total": 30}
    answer = user.rpc("GetAcceleratorQuotaStatistics").document
    assert answer["quotaRefreshTime"] == "2026-11-28T00:00:00.000Z"
    assert answer["tpuQuota"]["totalTimeAllowed"] == "72000s"


def test_a_running_session_uses_hours_and_reserves_the_rest_of_its_limit(user: Wire, clock: Clock) -> None:
    waiting(user, "my-kernel")
    clock.shift += 5 * HOUR
    hours = gpu(user)
    assert hours["used"] == pytest.approx(5, abs=0.01)
    assert hours["reserved"] == pytest.approx(7, abs=0.01)


def test_a_push_is_refused_when_the_weeks_hours_are_used_until_saturday(user: Wire, clock: Clock) -> None:
    waiting(user, "my-kernel")
    clock.shift += 31 * HOUR
    refused = user.push("other-one", **GPU)
    assert refused["error"] == refused["errorNullable"] == "Maximum weekly GPU quota of 30.00 hours reached."
    assert refused["versionNumber"] == 0
    assert user.push("on-a-cpu")["error"] == ""
    assert Wire(user.url, "bob").push("other-one", **GPU)["error"] == ""


def test_a_cpu_session_takes_no_gpu_hours_and_an_ended_one_is_billed_once(user: Wire) -> None:
    user.run("my-kernel", "print('on a cpu')")
    assert gpu(user)["used"] == 0
    user.run("gpu-kernel", "import time\ntime.sleep(0.2)", **GPU)
    used = gpu(user)["used"]
    assert 0.2 / HOUR <= used < 60 / HOUR
    assert gpu(user) == {"used": used, "reserved": 0, "total": 30}


def test_a_restart_bills_nothing_again(tmp_path: Path) -> None:
    with EmbeddedKaggle(tmp_path / "kaggle") as before:
        Wire(before.url).run("gpu-kernel", "print('hi')", **GPU)
        hours = gpu(Wire(before.url))
    with EmbeddedKaggle(tmp_path / "kaggle") as after:
        assert gpu(Wire(after.url)) == hours


def test_hours_stay_billed_when_the_kernel_is_deleted_and_go_with_the_week(user: Wire, clock: Clock) -> None:
    waiting(user, "my-kernel")
    user.rpc("DeleteKernel", userName="alice", kernelSlug="my-kernel")
    assert 0 < gpu(user)["used"] < 60 / HOUR
    clock.shift += 4 * 24 * HOUR
    assert gpu(user)["used"] == 0


def test_a_queued_session_uses_nothing(recorder: EmbeddedKaggle) -> None:
    user = Wire(recorder.url)
    user.push("my-kernel", **GPU, sessionTimeoutSeconds=HOUR)
    assert gpu(user) == {"used": 0, "reserved": 1, "total": 30}
