"""How busy the machine is while it trains: the GPUs by NVML where there are any, this process, and images a second."""

import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from containerid.training.session import Session

EVERY = 5.0
"""Seconds between two samples."""
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a GPU.

    Attributes:
        busy: share of the time in which it computed, in [0, 1].
        memory: bytes in use, by whomever.
        temperature: degrees Celsius.
    """

    busy: float
    memory: int
    temperature: int


def ask(index: int) -> Sample:
    """What NVML tells of the GPU that PyTorch has under an index. Raises whatever it does where there is none."""
    nvml = import_module("pynvml")
    nvml.nvmlInit()
    # NVML counts all GPUs of the machine, in an order of its own; PyTorch those of CUDA_VISIBLE_DEVICES.
    facts = import_module("torch").cuda.get_device_properties(index)
    gpu = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{facts.uuid}")
    temperature = nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)
    return Sample(
        nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100, int(nvml.nvmlDeviceGetMemoryInfo(gpu).used), int(temperature)
    )


class Meter:
    """Looks at the GPUs now and then, and at the trainer's pace each epoch; the summary goes into the session's extras.

    Args:
        session: its hardware says which GPUs; `extras["usage"]` is set, and set anew when a training goes on.
        look: gives a sample of the GPU of an index, or raises.
        clock: seconds.
        every: seconds between two samples.

    Where nothing can be asked, nothing is: it never stops a training.
    """

    def __init__(
        self,
        session: Session,
        look: Callable[[int], Sample] = ask,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self._session, self._look, self._clock, self._every = session, look, clock, every
        self._samples: dict[int, list[Sample]] = {index: [] for index in session.hardware.indices}
        self._paces: list[float] = []
        self._over = threading.Event()
        self._epoch_begun = 0.0

    def __enter__(self) -> Self:
        self._begun, self._worked = self._clock(), time.process_time()
        if self._samples:
            self._thread = threading.Thread(target=self._go_on, name="sampling", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._samples:
            self._thread.join(_PATIENCE)
        self._session.extras["usage"] = self.summary()

    def follow(self, model: Any) -> None:
        """Add the callbacks to an Ultralytics model."""
        model.add_callback("on_train_epoch_start", self._start)
        model.add_callback("on_train_epoch_end", self._end)

    def summary(self) -> dict[str, Any]:
        """What is known in the end; what could not be asked is left out.

        Returns:
            `images_per_second` (of the median epoch, its training alone), `cpus` (that were busy on average),
            `memory_gib` (the most that this process has held), and `gpus`: per index `busy` (share of the time) and
            `memory_gib` and `temperature` (degrees Celsius), each with `mean` and `max`.
        """
        spent = self._clock() - self._begun
        told: dict[str, Any] = {
            "cpus": round((time.process_time() - self._worked) / spent, 2) if spent > 0 else 0.0,
            "memory_gib": round(_held() / 2**30, 2),
        }
        if self._paces:
            told["images_per_second"] = round(statistics.median(self._paces), 2)
        gpus = {str(index): _told(samples) for index, samples in self._samples.items() if samples}
        return told | ({"gpus": gpus} if gpus else {})

    @property
    def latest(self) -> dict[str, float]:
        """What is known just now: `images_per_second`, and of the first GPU `gpu`, `gpu_memory_gib`, `gpu_celsius`."""
        told = {"images_per_second": round(self._paces[-1], 2)} if self._paces else {}
        for samples in self._samples.values():
            if samples:
                last = samples[-1]
                gib = round(last.memory / 2**30, 2)
                return told | {"gpu": last.busy, "gpu_memory_gib": gib, "gpu_celsius": last.temperature}
        return told

    def _start(self, _: Any) -> None:
        self._epoch_begun = self._clock()

    def _end(self, trainer: Any) -> None:
        with suppress(Exception):
            self._paces.append(len(trainer.train_loader.dataset) / (self._clock() - self._epoch_begun))

    def _go_on(self) -> None:
        while not self._over.wait(self._every):
            try:
                for index, samples in self._samples.items():
                    samples.append(self._look(index))
            except Exception:
                return


def _told(samples: list[Sample]) -> dict[str, Any]:
    busy, memory = [each.busy for each in samples], [each.memory / 2**30 for each in samples]
    heat = [each.temperature for each in samples]
    return {
        "busy": {"mean": round(statistics.fmean(busy), 3), "max": max(busy)},
        "memory_gib": {"mean": round(statistics.fmean(memory), 2), "max": round(max(memory), 2)},
        "temperature": {"mean": round(statistics.fmean(heat), 1), "max": max(heat)},
        "samples": len(samples),
    }


def _held() -> int:
    """Bytes, the most that this process has had in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
