"""The embedded Kaggle: Kaggle's wire protocol over HTTP on this machine, and kernels that really run.

For rehearsals, demos and tests. It is no security boundary: it runs what is pushed to it, so it listens on the loopback
address only and refuses what a web page could send.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from containerid.kaggle.emulator.faults import Fault, FaultPlan
    from containerid.kaggle.emulator.server import EmbeddedKaggle, serve

__all__ = ["EmbeddedKaggle", "Fault", "FaultPlan", "serve"]


def __getattr__(name: str) -> Any:
    """Load the server when it is asked for: every session's keeper comes through here and needs none of it."""
    if name not in __all__:
        raise AttributeError(name)
    from containerid.kaggle.emulator import faults, server

    return getattr(server, name, None) or getattr(faults, name)
