"""The weights that a leg starts from, brought while its packages are still being installed. Standard library alone.

`python -m containerid.training.prefetch --spec S --input MOUNTS` says what it brought. It exits 0 whatever happens:
what is not here when the training needs it, the training brings by itself, and says why it cannot.
"""

import argparse
import os
import re
import shutil
import sys
import time
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path

from containerid.errors import CidError
from containerid.job import Spec
from containerid.training import asked
from containerid.training.log import say

RELEASES = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
"""Where Ultralytics 8.4 has its weights from."""

_ENTRY = "containerid.training"
_PUBLISHED = re.compile(r"yolo[\w-]*\.pt")
_TIMEOUT = 30.0


def weights_folder() -> Path:
    """Where downloaded weights are kept between runs of this machine."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "containerid", "weights")


def find_file(name: str, project: Path, mounts: Path) -> Path | None:
    """A model file in the project, among attached datasets, or downloaded before."""
    base = Path(name).name
    candidates = [
        project / name,
        project / "weights" / name,
        *sorted(mounts.glob(f"*/{base}")),
        *sorted(mounts.glob(f"datasets/*/*/{base}")),
        weights_folder() / base,
    ]
    return next((each.resolve() for each in candidates if each.is_file()), None)


def bring_weights(spec: Spec, project: Path, mounts: Path) -> str:
    """Download the weights that a first leg starts from; what was brought, empty when nothing was to be.

    Raises:
        OSError: they cannot be had, or are not whole.
    """
    name = _weights(spec)
    if not name or find_file(name, project, mounts):
        return ""
    target = weights_folder() / name
    part = target.with_name(f".{name}.{os.getpid()}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        size = _download(f"{RELEASES}/{name}", part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return f"{name}, {size / 1e6:.1f} MB"


def _weights(spec: Spec) -> str:
    """The name of the published weights; empty where a leg needs none, or they are no publication of Ultralytics."""
    model = spec.params.get("model", {})
    name = str(model.get("architecture", ""))
    if spec.entry != _ENTRY or spec.past.kind or not spec.internet:
        return ""
    if not name.endswith(".pt"):
        name = f"{name}.pt" if model.get("pretrained", True) is True else ""
    return name if _PUBLISHED.fullmatch(name) else ""


def _download(url: str, part: Path) -> int:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, part.open("wb") as file:  # noqa: S310 - https
        shutil.copyfileobj(answer, file)
        expected = int(answer.headers.get("Content-Length") or 0)
    size = part.stat().st_size
    if (expected and size != expected) or not zipfile.is_zipfile(part):
        raise OSError(f"{url} gave {size} bytes that are no weights")
    return size


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m containerid.training.prefetch",
        description="Bring the weights that a spec starts from, if that can be.",
    )
    parser.add_argument("--spec", required=True, type=Path, metavar="FILE", help="the spec, a JSON document")
    parser.add_argument("--input", required=True, type=Path, metavar="DIR", help="attached datasets")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with suppress(CidError, OSError, ValueError):
        if brought := bring_weights(asked.read(options.spec), Path.cwd(), options.input):
            say(f"brought meanwhile: {brought} in {time.monotonic() - begun:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
