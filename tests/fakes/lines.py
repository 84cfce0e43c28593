"""A line to a server that carries so much and no more, for all who use it together."""

import threading
import time
from typing import BinaryIO

_PIECE = 100_000


class Line:
    """Passes bytes on.

    Args:
        rate: bytes a second; 0 is no limit.
    """

    def __init__(self, rate: float = 0) -> None:
        self.rate = rate
        self._turn = threading.Lock()

    def carry(self, content: bytes, to: BinaryIO) -> None:
        """Write all of it."""
        for start in range(0, len(content), _PIECE):
            piece = content[start : start + _PIECE]
            if self.rate:
                with self._turn:
                    time.sleep(len(piece) / self.rate)
            to.write(piece)
