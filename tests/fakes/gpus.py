"""A PyTorch that has the GPUs it is told to have. It computes on the CPU, or fails the way a real one does."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Self

NO_KERNEL = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be…"


class Matrix:
    """Rows of numbers that know where they lie."""

    def __init__(self, rows: list[list[float]], torch: "Torch", device: str = "cpu") -> None:
        self.rows, self.torch, self.device = rows, torch, device

    def float(self) -> Self:
        return self

    def reshape(self, *_: int) -> Self:
        return self

    def __mod__(self, number: int) -> Self:
        return self

    def to(self, device: str) -> "Matrix":
        return Matrix(self.rows, self.torch, device)

    def cpu(self) -> "Matrix":
        return self.to("cpu")

    @property
    def T(self) -> "Matrix":  # noqa: N802
        return Matrix([list(column) for column in zip(*self.rows, strict=True)], self.torch, self.device)

    def __matmul__(self, other: "Matrix") -> "Matrix":
        fault = self.torch.faults.get(self.device, "")
        if fault not in {"", "wrong"}:
            raise RuntimeError(fault)
        rows = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in other.T.rows] for row in self.rows]
        return Matrix([[each + (fault == "wrong") for each in row] for row in rows], self.torch, self.device)


class Torch:
    """What `containerid.training.hardware` uses of PyTorch.

    Attributes:
        faults: device to what a multiplication on it raises, or `wrong` for a wrong product.
    """

    __version__ = "2.10.0+cu128"

    def __init__(self, *gpus: tuple[str, int, tuple[int, int]], mps: bool = False, cuda: str | None = "12.8") -> None:
        self.faults: dict[str, str] = {}
        self.version = SimpleNamespace(cuda=cuda)
        self.backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps))
        self.cuda = SimpleNamespace(
            is_available=lambda: bool(gpus),
            device_count=lambda: len(gpus),
            get_device_properties=lambda index: self._properties(*gpus[index]),
            get_arch_list=lambda: ["sm_70", "sm_75", "sm_80"],
        )

    @staticmethod
    def _properties(name: str, gib: int, capability: tuple[int, int]) -> Any:
        return SimpleNamespace(name=name, total_memory=gib * 2**30, major=capability[0], minor=capability[1])

    def arange(self, _: int) -> Matrix:
        return Matrix([[1.0, 2.0], [3.0, 4.0]], self)

    @staticmethod
    def equal(one: Matrix, other: Matrix) -> bool:
        return one.rows == other.rows


T4 = ("Tesla T4", 15, (7, 5))
P100 = ("Tesla P100-PCIE-16GB", 16, (6, 0))


def broken(fault: str, *gpus: tuple[str, int, tuple[int, int]], on: Sequence[int] = (0,)) -> Torch:
    """GPUs some of which do not compute."""
    torch = Torch(*gpus)
    torch.faults = {f"cuda:{index}": fault for index in on}
    return torch
