"""The versions that a run has installed: each leg writes them down, and the next one asks for these and no others."""

import contextlib
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.journal import one_line, say
from containerid.kaggle.bootstrap.outcome import MANIFEST
from containerid.kaggle.bootstrap.requirements import canonical

PACKAGES = "packages.txt"
"""Among the outputs: a line that names the run, then what it has installed, as requirements that allow one version."""

_LOGIN = re.compile(r"//(?!git@)[^/@]*@")


def past_folder(spec: Mapping[str, Any], mounts: Path) -> Path | None:
    """Where what the leg before has left is attached, under either name that Kaggle has used; None for a first leg."""
    past = spec.get("past") or {}
    below = {"kernel": "notebooks", "dataset": "datasets"}.get(past.get("kind", ""))
    if below is None:
        return None
    places = (mounts / below / past["source"], mounts / past["source"].partition("/")[2])
    return next((each for each in places if each.is_dir()), None)


def read_pins(run: str, past: Path | None) -> dict[str, str]:
    """Name to requirement of what the legs before have installed; empty where none is known, said where that is odd."""
    if past is None or not (path := past / PACKAGES).is_file():
        return {}
    try:
        content = path.read_bytes()
        head, *lines = content.decode().splitlines()
    except (OSError, ValueError) as error:
        return _no_pins(one_line(error))
    if _sha256_listed(past) not in {"", hashlib.sha256(content).hexdigest()}:
        return _no_pins("they are not what it listed in its manifest")
    if head != _head(run):
        return _no_pins("they are another run's")
    return {canonical(line.partition("==")[0].partition(" @ ")[0]): line for line in lines}


def write_pins(out: Path, run: str, pins: Mapping[str, str]) -> None:
    """Leave them for the next leg, where there are any."""
    if pins:
        text = "".join(f"{line}\n" for line in (_head(run), *(pins[name] for name in sorted(pins))))
        (out / PACKAGES).write_text(text, encoding="utf-8")


def pin(found: importlib.metadata.Distribution) -> str:
    """The requirement that asks for just this; what did not come from an index is asked for where it came from."""
    name = canonical(found.metadata["Name"])
    with contextlib.suppress(
        ValueError, KeyError, TypeError, AttributeError
    ):  # from an index, or by an installer that says less
        origin = json.loads(found.read_text("direct_url.json") or "")
        url = _LOGIN.sub("//", origin["url"])
        if commit := origin.get("vcs_info", {}):
            return f"{name} @ {commit['vcs']}+{url}@{commit['commit_id']}"
        if "archive_info" in origin:
            return f"{name} @ {url}"
    return f"{name}=={found.version}"


def _head(run: str) -> str:
    return f"# installed by the run {json.dumps(run)}"


def _no_pins(why: str) -> dict[str, str]:
    say(f"warning: the versions that the leg before had installed are not known: {why}")
    return {}


def _sha256_listed(past: Path) -> str:
    """What the manifest of the leg before says; empty where it says nothing, as after a kill."""
    try:
        files = json.loads((past / MANIFEST).read_bytes())["files"]
        return next((str(each["sha256"]) for each in files if each["path"] == PACKAGES), "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""
