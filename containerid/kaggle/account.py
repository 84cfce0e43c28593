"""Who asks which Kaggle, and the clients for it, each made when it is first needed."""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from containerid.clock import Clock
from containerid.errors import CredentialsError
from containerid.home import Home
from containerid.kaggle.credentials import Credentials, Secret, find
from containerid.kaggle.origin import Origin, at, read

if TYPE_CHECKING:
    from containerid.kaggle.api import Kaggle
    from containerid.kaggle.datasets import Datasets
    from containerid.kaggle.download import Storage
    from containerid.kaggle.listing import Listing

REHEARSAL = "rehearsal"
STALL = 30.0
"""Seconds without a byte after which a download is broken off, and gone on with."""


class Account:
    """A user's account at Kaggle.

    Args:
        home: for the embedded Kaggle's state.
        username: the name to plan with while there are no credentials.
        rehearses: it is the embedded Kaggle's.
        clock: for waits.
    """

    def __init__(self, home: Home, username: str, *, rehearses: bool, clock: Clock) -> None:
        self._home = home
        self._username = username
        self._rehearses = rehearses
        self._clock = clock

    @cached_property
    def credentials(self) -> Credentials:
        """What requests are signed with. Raises CredentialsError."""
        if self._rehearses:
            secret = Secret(REHEARSAL)
            return Credentials(kind="key", username=REHEARSAL, secret=secret, source="the rehearsal")
        return find(os.environ, Path.home())

    @cached_property
    def origin(self) -> Origin:
        """Which Kaggle. The embedded one is started when it does not run."""
        if self._rehearses:
            from containerid.kaggle.emulator import daemon

            return at(daemon.ensure(self._home).url)
        return read(os.environ)

    @cached_property
    def api(self) -> "Kaggle":
        """Its API."""
        from containerid.kaggle.api import Kaggle

        return Kaggle(self.credentials, self.origin, os.environ)

    @cached_property
    def listing(self) -> "Listing":
        """What its sessions left."""
        from containerid.kaggle.listing import Listing
        from containerid.kaggle.wire import Wire

        return Listing(Wire(self.origin, self.credentials, os.environ))

    @cached_property
    def storage(self) -> "Storage":
        """Where its files lie."""
        from containerid.kaggle.download import Storage
        from containerid.kaggle.source import Measures

        return Storage(self.origin, os.environ, Measures(stall=STALL))

    @cached_property
    def datasets(self) -> "Datasets":
        """The user's datasets there."""
        from containerid.kaggle.datasets import Datasets
        from containerid.kaggle.transport import Session

        return Datasets(self.api, Session(os.environ), self._clock, self._home.folder("uploads"))

    @cached_property
    def owner(self) -> str:
        """Whose kernels these are. Without credentials a plan can still be made for the name in params.yaml."""
        try:
            return self.credentials.username or self.api.whoami()
        except CredentialsError:
            if self._username:
                return self._username
            raise
