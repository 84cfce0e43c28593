"""What there is to compute on, proven by computing on it. Standard library and PyTorch alone.

`python -m containerid.training.hardware --spec S` stops a leg before its packages are installed: it exits 7 when a GPU
was asked for and none works, and its last line is the reason.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from containerid.errors import CidError, RunFailed
from containerid.job import Spec
from containerid.training import asked
from containerid.training.log import say

_SIDE = 256
_LARGE, _TIMES = 4096, 5
_BF16 = 8
"""The compute capability from which a GPU has bfloat16 in silicon."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        memory: bytes.
        capability: as CUDA writes it, such as `sm_75`.
        speed: measured, in 10¹² operations a second of a matrix product in single precision; 0 where it could not be.
    """

    name: str
    memory: int
    capability: str
    speed: float = field(default=0.0, compare=False)

    @property
    def generation(self) -> int:
        """The major number of its capability."""
        return int(self.capability.removeprefix("sm_")[:-1] or 0)

    def __str__(self) -> str:
        """As it stands in a proof."""
        return f"{self.name} ({self.memory / 2**30:.0f} GiB, {self.capability})"


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a run computes on.

    Attributes:
        kind: `cuda`, `mps` or `cpu`.
        proof: one line: `2 × Tesla T4 (15 GiB, sm_75)`, `rehearsed on CPU`, `CPU`.
        gpus: of CUDA, each of which has multiplied two matrices and got them right.
        indices: of the GPUs that are used; none where it computes on something else.
    """

    kind: str
    proof: str
    gpus: tuple[Gpu, ...] = ()
    indices: tuple[int, ...] = ()

    @property
    def index(self) -> int:
        """Of the GPU that is used; of several, the first, which alone evaluates and is looked at."""
        return self.indices[0] if self.indices else 0

    @property
    def device(self) -> str:
        """As Ultralytics and `CID_DEVICE` name the first."""
        return str(self.index) if self.kind == "cuda" else self.kind

    @property
    def devices(self) -> str:
        """As Ultralytics names all that are used: `0,1`."""
        return ",".join(map(str, self.indices)) if self.kind == "cuda" else self.kind

    @property
    def single(self) -> "Hardware":
        """The same with one GPU in use."""
        return replace(self, indices=self.indices[:1])

    def told(self) -> dict[str, Any]:
        """For metadata.json: what the proof has no room for. Sizes in GiB, speeds in 10¹² operations a second."""
        gpus = [
            {
                "name": gpu.name,
                "memory_gib": round(gpu.memory / 2**30, 2),
                "capability": gpu.capability,
                "teraflops": gpu.speed,
                "used": index in self.indices,
            }
            for index, gpu in enumerate(self.gpus)
        ]
        return {"device": self.kind, "threads": threads(), "driver": driver() if gpus else "", "gpus": gpus}


def threads() -> int:
    """Processors that this process may use, which in a container may be fewer than there are."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    return allowed


def driver(file: Path = Path("/proc/driver/nvidia/version")) -> str:
    """The version of NVIDIA's driver; empty where nobody tells."""
    with suppress(OSError):
        found = re.search(r"\b\d+\.\d+(\.\d+)?\b", file.read_text(encoding="ascii", errors="replace"))
        return found[0] if found else ""
    return ""


def prove(spec: Spec, *, environ: Mapping[str, str] = os.environ, torch: Any = None) -> Hardware:
    """Find what the spec asks for and compute on it.

    Args:
        spec: its `device`, else the one in its parameters, its `gpu` and `backend`. A local run on `auto` takes what
            there is. `all`, or several numbers, takes several GPUs; everything else takes one.
        environ: with `CID_REHEARSAL=1` a missing GPU is no fault, and the proof says so.
        torch: PyTorch; imported when None and needed.

    Raises:
        RunFailed: there is no such device, it does not compute, or not in the precision that `training.amp` wants.
    """
    found = _find(spec, environ, torch)
    if spec.entry == Spec(run="").entry and spec.params.get("training", {}).get("amp") == "bf16":
        _check_bf16(found)
    return found


def _check_bf16(found: Hardware) -> None:
    """Nothing else is taken in its place: bf16 is asked for where half precision overflows."""
    weak = [gpu for index, gpu in enumerate(found.gpus) if index in found.indices and gpu.generation < _BF16]
    if weak or not found.gpus:
        raise RunFailed(
            f"training.amp: bf16 needs a GPU of sm_{_BF16}0 or newer, and this is {weak[0] if weak else found.proof}",
            hint="training.amp: true (half precision), or fp32",
        )


def _find(spec: Spec, environ: Mapping[str, str], torch: Any) -> Hardware:
    rehearsal = environ.get("CID_REHEARSAL") == "1"
    on_cpu = Hardware("cpu", "rehearsed on CPU" if rehearsal else "CPU")
    device, numbers = wanted(spec)
    if device == "cpu":
        return on_cpu
    torch = torch or _torch()
    if device != "mps" and torch.cuda.is_available():
        return _prove_cuda(torch, numbers)
    if device in {"auto", "mps"} and torch.backends.mps.is_available():
        return Hardware("mps", "Apple GPU (MPS)")
    if rehearsal or (device == "auto" and not (spec.gpu and spec.backend != "local")):
        return on_cpu
    raise RunFailed(
        _absence(device, torch), hint="check the accelerator and the GPU hours left, or ask for --device cpu"
    )


def _torch() -> Any:
    try:
        return import_module("torch")
    except Exception as error:
        raise RunFailed(
            f"PyTorch cannot be imported ({type(error).__name__}: {error})",
            hint="pip install '.[training]' in the clone of cid",
        ) from error


def wanted(spec: Spec) -> tuple[str, tuple[int, ...] | None]:
    """`auto`, `cpu`, `cuda` or `mps`, and the numbers of GPUs; None for all there are."""
    named = spec.device if spec.device != "auto" else spec.params.get("training", {}).get("device", "auto")
    words = named if isinstance(named, list) and named else str(named).removeprefix("cuda:").split(",")
    numbers = [str(each).strip() for each in words]
    if all(number.isdecimal() for number in numbers):
        return "cuda", tuple(dict.fromkeys(map(int, numbers)))
    return ("cuda", None) if named == "all" else (str(named), (0,))


def _absence(device: str, torch: Any) -> str:
    if device == "mps":
        return f"an Apple GPU was asked for, and PyTorch {torch.__version__} finds none"
    why = "is a CPU build" if torch.version.cuda is None else "sees no CUDA device"
    return f"a GPU was asked for, and there is none (PyTorch {torch.__version__} {why})"


def _prove_cuda(torch: Any, numbers: tuple[int, ...] | None) -> Hardware:
    gpus = tuple(_prove_gpu(torch, each) for each in range(torch.cuda.device_count()))
    for number in numbers or ():
        if number >= len(gpus):
            raise RunFailed(
                f"GPU {number} was asked for, and there are {len(gpus)}", hint="training.device counts from 0"
            )
    kinds = {gpu: gpus.count(gpu) for gpu in gpus}
    proof = ", ".join(f"{count} × {gpu}" if count > 1 else str(gpu) for gpu, count in kinds.items())
    return Hardware("cuda", proof, gpus, tuple(range(len(gpus))) if numbers is None else numbers)


def _prove_gpu(torch: Any, index: int) -> Gpu:
    facts = torch.cuda.get_device_properties(index)
    gpu = Gpu(facts.name, facts.total_memory, f"sm_{facts.major}{facts.minor}")
    try:
        right = _multiply(torch, f"cuda:{index}")
    except RuntimeError as error:
        raise RunFailed(_inability(gpu, torch, error), hint="ask for --accelerator NvidiaTeslaT4") from error
    if not right:
        raise RunFailed(f"the GPU {gpu} multiplies wrongly", hint="submit again: another machine is likely")
    return replace(gpu, speed=_speed(torch, index))


def _multiply(torch: Any, device: str) -> bool:
    # Small whole numbers: every product and sum is exact in any precision that a matrix unit uses.
    left = (torch.arange(_SIDE * _SIDE) % 7).float().reshape(_SIDE, _SIDE)
    there = left.to(device)
    return bool(torch.equal((there @ there.T).cpu(), left @ left.T))


def _speed(torch: Any, index: int) -> float:
    """Measured, in 10¹² operations a second; the proof does not hang on it."""
    with suppress(Exception):
        matrix = torch.ones(_LARGE, _LARGE, device=f"cuda:{index}")
        _square(torch, matrix, index)  # The first round warms up.
        begun = time.perf_counter()
        _square(torch, matrix, index)
        return round(2 * _LARGE**3 * _TIMES / (time.perf_counter() - begun) / 1e12, 2)
    return 0.0


def _square(torch: Any, matrix: Any, index: int) -> None:
    for _ in range(_TIMES):
        torch.matmul(matrix, matrix)
    torch.cuda.synchronize(index)


def _inability(gpu: Gpu, torch: Any, error: Exception) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "no kernel image" in first:
        # Seen with the P100 and today's images: is_available() is true, and the first operation fails.
        built = " ".join(torch.cuda.get_arch_list())
        return f"PyTorch {torch.__version__} has no code for the GPU {gpu}: it was built for {built}"
    return f"the GPU {gpu} is there and does not compute: {first}"


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 7 with the reason as the last line."""
    parser = argparse.ArgumentParser(
        prog="python -m containerid.training.hardware", description="Prove the hardware that a spec asks for."
    )
    parser.add_argument("--spec", required=True, type=Path, metavar="FILE", help="the spec, a JSON document")
    options = parser.parse_args(arguments)
    try:
        say(prove(asked.read(options.spec)).proof)
    except CidError as error:
        say(f"{error.message}; {error.hint}" if error.hint else error.message)
        return RunFailed.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
