"""The machine shapes that Kaggle has for kernels with a GPU, by the names of its API."""

from typing import Any

SHAPES = (
    *("NvidiaTeslaT4", "NvidiaTeslaT4Highmem", "NvidiaL4", "NvidiaL4X1", "NvidiaTeslaA100"),
    *("NvidiaH100", "NvidiaRtxPro6000"),
)
"""Of February 2026; all but the first are for some accounts or competitions alone."""
RETIRED = "nvidiateslap100"
_KNOWN = {name.lower(): name for name in SHAPES}


def shape(value: Any) -> str:
    """The name as Kaggle writes it; one that is not known stays as it is. Raises ValueError for what is no name."""
    if not isinstance(value, str) or not value.isalnum() or value.lower() == RETIRED:
        raise ValueError
    return _KNOWN.get(value.lower(), value)
