"""One large file over several connections: blocks by Range, each of the same object, hashed in order as they come."""

import threading

from containerid.crew import at_once
from containerid.errors import Unreachable
from containerid.job import Output
from containerid.kaggle.partial import Digests, Partial
from containerid.kaggle.source import Source, persistently, span_of, strong
from containerid.kaggle.transport import Transient, patiently, unreachable

_WORKERS = 8
_TRIES = 2


class _Changed(Unreachable):
    """Another object lies there now, or the server stopped to give ranges."""


def fetch(source: Source, output: Output, partial: Partial, block: int) -> str:
    """The SHA-256, hex, of the file that was written; empty when this server or file cannot be had in blocks.

    Only a file that can be checked in the end is fetched like this.

    Args:
        source: the file, elsewhere.
        output: what it must be.
        partial: the file, here.
        block: bytes of a block.

    Raises:
        Unreachable: it did not come whole and as promised.
    """
    if not output.sha256:
        return ""
    error: Unreachable | None = None
    for _ in range(_TRIES):
        validator = patiently(lambda: _probe(source, output))
        if not validator:
            return ""
        try:
            return _Blocks(source, output, partial, validator, block).run()
        except _Changed as changed:
            error = changed
            partial.forget()
    raise error or AssertionError("there is at least one try")


def _probe(source: Source, output: Output) -> str:
    """The validator of an object of the right size that comes in ranges; empty for any other."""
    with source.open({"Range": "bytes=0-0"}) as response:
        span = span_of(response)
        if span is None or span.total != output.size:
            return ""
        # Read to its end, the connection stays for the blocks.
        return strong(response) if sum(map(len, source.body(response))) == 1 else ""


class _Blocks:
    def __init__(self, source: Source, output: Output, partial: Partial, validator: str, block: int) -> None:
        self._source = source
        self._output = output
        self._partial = partial
        self._size = output.size or 0
        self._block = block
        self._noting = threading.Lock()
        self._whole = partial.recall() or set()
        if partial.validator != validator:
            partial.forget(validator)
            self._whole = set()

    def run(self) -> str:
        digests = Digests(self._output.sha256)
        for block in at_once(self._bring, range(-(-self._size // self._block)), _WORKERS):
            for data in self._partial.read(block * self._block, self._end(block)):
                digests.update(data)
        if digests.differ(b""):
            raise _Changed(f"{self._output.name}: what storage gives differs from its checksum", retryable=True)
        return digests.sha256.hexdigest()

    def _end(self, block: int) -> int:
        return min(self._size, (block + 1) * self._block)

    def _bring(self, block: int) -> int:
        if block not in self._whole:
            _Block(self._source, self._partial, block * self._block, self._end(block)).bring()
            with self._noting:
                self._whole.add(block)
                self._partial.note(self._whole)
        return block


class _Block:
    """The bytes from `at` to before `end`."""

    def __init__(self, source: Source, partial: Partial, at: int, end: int) -> None:
        self._source = source
        self._partial = partial
        self._at = at
        self._end = end

    def bring(self) -> None:
        persistently(self._attempt, lambda: self._at)

    def _attempt(self) -> None:
        wanted = {"Range": f"bytes={self._at}-{self._end - 1}", "If-Range": self._partial.validator}
        with self._source.open(wanted) as response:
            span = span_of(response)
            if span is None or strong(response) not in {"", self._partial.validator}:
                raise _Changed("the file changed while it was fetched", retryable=True)
            if (span.start, span.end) != (self._at, self._end):
                raise Transient(unreachable("storage gives other bytes than those asked for"))
            for data in self._source.body(response):
                self._at = self._partial.write(data[: self._end - self._at], self._at)
        if self._at < self._end:
            raise Transient(unreachable(f"a part broke off {self._end - self._at:,} bytes before its end"))
