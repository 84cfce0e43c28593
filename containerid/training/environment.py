"""Where a run finds itself: the kind of machine, its size, and the versions of what will be used."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from containerid.errors import RunFailed

_TOLD = ("containerid", "ultralytics", "timm", "torch", "torchvision", "numpy", "opencv-python", "dvc", "wandb")


def kind(environ: Mapping[str, str] = os.environ, prefix: str = sys.prefix) -> str:
    """`rehearsal`, `kaggle`, `poetry`, `venv` or `system`."""
    if environ.get("CID_REHEARSAL") == "1":
        return "rehearsal"
    if "KAGGLE_KERNEL_RUN_TYPE" in environ:
        return "kaggle"
    if "POETRY_ACTIVE" in environ or "pypoetry" in prefix:
        return "poetry"
    return "venv" if prefix != sys.base_prefix else "system"


def describe(out: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What a result tells about the machine.

    Args:
        out: the output folder, whose disk is looked at.
        environ: the environment variables.

    Returns:
        `kind`, `python`, `platform`, `cpus`, `memory_gib` and `disk_free_gib` (None where unknown), `versions`.
    """
    known = packages()
    return {
        "kind": kind(environ),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_gib": _gib(_memory()),
        "disk_free_gib": _gib(shutil.disk_usage(out).free),
        "versions": {name: known[name] for name in _TOLD if name in known},
    }


@cache
def packages() -> dict[str, str]:
    """Every installed distribution by its lower-case name, sorted: what `pip freeze` tells."""
    found = {(each.name or "").lower(): each.version for each in metadata.distributions()}
    return dict(sorted((name, version) for name, version in found.items() if name and version))


def check_torchvision() -> None:
    """Make sure that torchvision can be used beside this PyTorch: Ultralytics needs it a minute into the training.

    Raises:
        RunFailed: it cannot, most often since one is a CPU build and the other is not.
    """
    try:
        import torchvision  # noqa: F401
    except Exception as error:
        versions = packages()
        pair = " and ".join(f"{name} {versions.get(name, '(missing)')}" for name in ("torchvision", "torch"))
        raise RunFailed(
            f"{pair} do not fit together ({str(error).splitlines()[0]})",
            hint="install both from one index: pip install --force-reinstall torch torchvision, with the same "
            "--index-url for both where you use one",
        ) from error


def _gib(size: int | None) -> float | None:
    return None if size is None else round(size / 2**30, 1)


def _memory() -> int | None:
    """Bytes: what the container may use, else what the machine has."""
    with suppress(OSError, ValueError):
        return int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
