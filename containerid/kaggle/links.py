"""Signed links to outputs, and new ones for those that have expired."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from containerid.errors import NotFound
from containerid.job import Leg, Output

if TYPE_CHECKING:
    from containerid.kaggle.listing import Listing
    from containerid.kaggle.source import Link


class Links:
    """The links of the legs that were listed. May be used by threads: one new listing serves them all."""

    def __init__(self, listing: "Listing") -> None:
        self._listing = listing
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, str]] = {}

    def outputs(self, leg: Leg) -> Sequence[Output]:
        """The files that the leg left, listed anew."""
        source = f"{leg.handle}@{leg.version}"
        handle, version = leg.handle, leg.version
        files = self._listing.outputs(handle, version)
        self._known[source] = {file.name: file.url for file in reversed(files)}
        return [Output(file.name, file.size, source) for file in files]

    def of(self, output: Output) -> "Link":
        """Gives the link to an output, whose `source` is `owner/slug@version`. Raises NotFound when it is gone."""
        return partial(self._link, output)

    def _link(self, output: Output, expired: str) -> str:
        with self._lock:
            link = self._known.get(output.source, {}).get(output.name)
            if link is None or link == expired:
                handle, _, version = output.source.rpartition("@")
                self.outputs(Leg(handle, version))
                link = self._known[output.source].get(output.name)
        if link is None:
            raise NotFound(f"Kaggle has no output called {output.name} any more")
        return link
