"""How busy the machine was."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from containerid.training import sampling
from containerid.training.hardware import Hardware
from containerid.training.sampling import Meter, Sample

SAMPLES = [Sample(0.5, 2 * 2**30, 60), Sample(1.0, 4 * 2**30, 72)]


def session(*indices: int) -> Any:
    return SimpleNamespace(hardware=Hardware("cuda", "", (), indices), extras={})


def test_gpus_are_summed_up() -> None:
    told, left = session(1, 3), {1: list(SAMPLES), 3: [Sample(0.25, 2**30, 50)]}
    meter = Meter(told, look=lambda index: left[index].pop(0), every=0.001)
    with meter:
        meter._thread.join(10)
        assert meter.latest == {"gpu": 1.0, "gpu_memory_gib": 4.0, "gpu_celsius": 72}
    assert told.extras["usage"]["gpus"] == {
        "1": {
            "busy": {"mean": 0.75, "max": 1.0},
            "memory_gib": {"mean": 3.0, "max": 4.0},
            "temperature": {"mean": 66, "max": 72},
            "samples": 2,
        },
        "3": {
            "busy": {"mean": 0.25, "max": 0.25},
            "memory_gib": {"mean": 1.0, "max": 1.0},
            "temperature": {"mean": 50, "max": 50},
            "samples": 1,
        },
    }


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_where_nothing_can_be_asked_the_process_itself_is_told() -> None:
    told = session(0)

    def refuse(_: int) -> Sample:
        raise OSError("NVML Shared Library Not Found")

    with Meter(told, look=refuse, every=0.001) as meter:
        meter._thread.join(10)
    assert set(told.extras["usage"]) == {"cpus", "memory_gib"}
    assert told.extras["usage"]["memory_gib"] > 0


def test_a_gpu_is_asked_for_by_the_name_that_pytorch_has_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CUDA_VISIBLE_DEVICES=3 the only GPU of PyTorch is 0; NVML still counts all."""
    import torch

    busy = {f"GPU-{number}": number for number in range(4)}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetHandleByUUID=busy.__getitem__,
        NVML_TEMPERATURE_GPU=0,
        nvmlDeviceGetTemperature=lambda gpu, _: 40 + gpu,
        nvmlDeviceGetUtilizationRates=lambda gpu: SimpleNamespace(gpu=10 * gpu),
        nvmlDeviceGetMemoryInfo=lambda gpu: SimpleNamespace(used=gpu * 2**30),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=3 - index))
    assert sampling.ask(0) == Sample(0.3, 3 * 2**30, 43)


def test_the_pace_is_that_of_the_training_alone() -> None:
    moments = iter([0.0, 10.0, 14.0, 20.0, 22.0, 30.0, 34.0, 40.0])
    told = session()
    trainer = SimpleNamespace(train_loader=SimpleNamespace(dataset=range(64)))
    callbacks: dict[str, Any] = {}
    meter = Meter(told, clock=lambda: next(moments))
    meter.follow(SimpleNamespace(add_callback=callbacks.__setitem__))
    with meter:
        for _ in range(3):
            callbacks["on_train_epoch_start"](trainer)
            callbacks["on_train_epoch_end"](trainer)
    assert told.extras["usage"]["images_per_second"] == 16.0
    assert meter.latest == {"images_per_second": 16.0}
