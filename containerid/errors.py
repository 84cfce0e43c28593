"""Every error a user can cause, each with one exit code and the command that mends it.

CidError                     1   our defect, or a kind below
├── UsageError               2   a wrong option, or two that exclude each other
│   ├── ConfigError          2   params.yaml: every fault at once, each with its dotted path
│   └── NoCheckpoint         2   there is nothing to go on from
├── GitError                 3   the work tree cannot be shipped as it is
│   └── SecretFound          3   something that must not leave would have left
├── CredentialsError         4   no credentials, or the platform does not take them
├── BackendError
│   ├── Refused              5   the platform took the request and said no: slots, quota, verification
│   │   └── SourcesRefused   5   it does not attach what the run was to read
│   ├── NotFound             2   no such run or kernel
│   └── Unreachable          6   no answer, or one that is not the platform's
│       └── Throttled        6   it asks for fewer requests, and has done nothing
├── RunFailed                7   the run ended badly, or a gate was not met
├── RunCancelled             8
├── RunPaused                9   it stopped with a good checkpoint
├── OutputsUnverified       10   outputs are incomplete or differ from the manifest
├── StillRunning            11   the watch ended before the run did
└── Detached               130   interrupted; the run goes on
"""

from typing import ClassVar

from containerid.redaction import HIDDEN


class CidError(Exception):
    """What happened, in one line, and what to do about it; secrets that this process has read do not get into it.

    Args:
        message: one line, lower case, without a full stop at the end.
        hint: the command (or the one step) that mends it; empty when there is none.
        retryable: the same command may succeed later without any change.
    """

    code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        self.message = HIDDEN.clean(message)
        self.hint = HIDDEN.clean(hint)
        super().__init__(self.message)
        self.retryable = retryable


class UsageError(CidError):
    """A wrong option or argument, or two that exclude each other. Exit 2."""

    code = 2


class ConfigError(UsageError):
    """params.yaml cannot be used; the message lists every fault. Exit 2."""


class NoCheckpoint(UsageError):
    """A leg has left nothing that another one could go on from. Exit 2."""


class GitError(CidError):
    """The work tree cannot be shipped as it is. Exit 3."""

    code = 3


class SecretFound(GitError):
    """A secret, or a file that is too large, would have left this machine. Exit 3."""


class CredentialsError(CidError):
    """There are no credentials, or the platform does not take them. Exit 4."""

    code = 4


class BackendError(CidError):
    """A platform's answer, in our words; the parent of what backends raise."""


class Refused(BackendError):
    """The platform took the request and said no: slots, quota, verification. Exit 5."""

    code = 5


class SourcesRefused(Refused):
    """The platform has started a leg without something that it was to read. Exit 5.

    Attributes:
        missing: names of what it did not attach.
        stopped: nothing of the leg is left, or goes on.
    """

    missing: frozenset[str] = frozenset()
    stopped: bool = False


class NotFound(BackendError):
    """No run, kernel or job of this name is known. Exit 2."""

    code = 2


class Unreachable(BackendError):
    """The platform did not answer, or something else answered in its place. Exit 6.

    Attributes:
        after: seconds for which the platform asked to be left alone; 0 when it named none.
    """

    code = 6
    after: float = 0


class Throttled(Unreachable):
    """The platform asks for fewer requests; it has done nothing of what it was asked. Exit 6."""


class RunFailed(CidError):
    """The run ended badly, or a gate was not met. Exit 7."""

    code = 7


class RunCancelled(CidError):
    """The run was cancelled. Exit 8."""

    code = 8


class RunPaused(CidError):
    """The run stopped with a checkpoint from which it can go on. Exit 9."""

    code = 9


class OutputsUnverified(CidError):
    """Outputs are missing, or differ from the run's manifest. Exit 10."""

    code = 10


class StillRunning(CidError):
    """The watch ended before the run did; the run goes on. Exit 11."""

    code = 11


class Detached(CidError):
    """The user pressed Ctrl-C while watching; the run goes on. Exit 130."""

    code = 130
