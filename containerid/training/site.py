"""W&B's server, asked directly and never for long: whether it answers, and who may look at a project."""

import base64
import json
import netrc
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from containerid.training.secrets import WANDB

ADDRESS = "https://api.forge.coreweave.com"
"""Of wandb 0.31, unless WANDB_BASE_URL says otherwise."""
PATIENCE = 5.0
"""Seconds for one question."""
_OWN = ("wandb", "coreweave")
_OPEN = frozenset({"USER_READ", "USER_WRITE"})
"""What W&B calls the access of a project that anybody may look at, and of one that anybody may write to."""
_QUESTION = (
    "query Access($project: String!, $entity: String!) { project(name: $project, entityName: $entity) { access } }"
)


def address(environ: Mapping[str, str] = os.environ) -> str:
    """Where W&B's API is, without a slash at the end."""
    return (environ.get("WANDB_BASE_URL") or ADDRESS).rstrip("/")


def key(environ: Mapping[str, str] = os.environ) -> str:
    """The user's key: from the environment, else as `wandb login` keeps it; empty where there is none."""
    if found := environ.get(WANDB):
        return found
    path = Path(environ.get("NETRC") or Path.home() / ".netrc")
    with suppress(OSError, ValueError, netrc.NetrcParseError):
        hosts = netrc.netrc(path).hosts
        own = urlsplit(environ.get("WANDB_BASE_URL", "")).netloc
        for host, (_, _, password) in hosts.items():
            if password and (host == own if own else any(name in host for name in _OWN)):
                return password
    return ""


def answers(url: str, patience: float = PATIENCE) -> bool:
    """Whether a server is there that says anything at all."""
    try:
        with urllib.request.urlopen(url, timeout=patience):  # noqa: S310 - the user's own setting
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def is_public(url: str, entity: str, project: str, secret: str) -> bool:
    """Whether anybody may look at a project; False also where the server does not say."""
    body = json.dumps({"query": _QUESTION, "variables": {"project": project, "entity": entity}}).encode()
    login = base64.b64encode(f"api:{secret}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
    asked = urllib.request.Request(f"{url}/graphql", body, headers)  # noqa: S310 - the user's own setting
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - as above
            return json.load(answer)["data"]["project"]["access"] in _OPEN
    except (OSError, ValueError, KeyError, TypeError):
        return False
