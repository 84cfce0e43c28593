"""Memory: whether it ran out, how to get it back, and what fits into what is free."""

import gc
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_SIGNS = ("out of memory", "cublas_status_alloc_failed", "cudnn_status_internal_error", "unable to find an engine")
"""The last two are what libraries say that found no room to work in."""
_SHARE = 0.5
"""Of the free memory may be filled with images."""
_CHANNELS = 3


def is_out(error: BaseException) -> bool:
    """Whether an error says that the GPU's memory did not do; a CPU says it in the same words."""
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def free() -> None:
    """Give back what nobody uses any more."""
    gc.collect()
    torch = import_module("torch")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def holds_images(images: int, side: int, left: int | None = None) -> bool:
    """Whether decoded images fit into half of the memory that is free.

    Args:
        images: how many.
        side: pixels, the longer one; each is taken for a square.
        left: bytes that are free; looked up when None. Where nobody knows, nothing fits.
    """
    left = available() if left is None else left
    return left is not None and images * side * side * _CHANNELS < left * _SHARE


def available() -> int | None:
    """Bytes that can still be had: of the machine, and of the container where that has less."""
    found = [each for each in (_of_machine(), _of_container()) if each is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    with suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    return None


def _of_container(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    with suppress(OSError, ValueError):
        most, used = ((folder / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        return int(most) - int(used)
    return None
