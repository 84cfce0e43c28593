"""What is left of an account's hours and places, and what uses them."""

from containerid.backends import open_backend
from containerid.errors import UsageError
from containerid.home import Home
from containerid.outlook import Metered, Outlook
from containerid.runs.preflight import active
from containerid.runs.registry import Registry


def quota(home: Home, *, backend: str = "kaggle") -> Outlook:
    """How the account of a backend stands.

    Raises:
        UsageError: this backend counts nothing.
        CredentialsError, Unreachable: it cannot be asked.
    """
    opened = open_backend(backend, home)
    if not isinstance(opened, Metered):
        raise UsageError(f"{backend} has no quota", hint="cid quota")
    return opened.outlook(active(Registry(home.registry), backend))
