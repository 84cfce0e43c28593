"""The kernel's Python: the machine's packages underneath, an empty layer of its own on top.

What a kernel installs goes into the layer and is gone with it. Below it, the packages of the submitting Python can be
imported, but its `.pth` files are not processed: an editable install, of this package too, does not exist in there.
"""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_DESCRIBE = """
import importlib.util, json, os, pathlib, site, sys
wheels = sorted(pathlib.Path(os.__file__).parent.glob("ensurepip/_bundled/pip-*.whl"))
users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
pip = [] if importlib.util.find_spec("pip") else [str(wheel) for wheel in wheels[-1:]]
print(json.dumps({
    "python": sys.executable,
    "prefixes": sorted({sys.base_prefix, sys.base_exec_prefix, str(pathlib.Path(sys.executable).resolve().parents[1])}),
    "sites": [each for each in [*site.getsitepackages(), *users] if os.path.isdir(each)] + pip,
}))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python whose packages kernels see.

    Attributes:
        python: its executable.
        prefixes: the folders it is installed in, which must be there for it to run.
        sites: its folders of packages, and the wheel that brings pip where they do not hold it.
    """

    python: str
    prefixes: list[str]
    sites: list[str]

    @classmethod
    def of(cls, python: str) -> Self:
        """Ask the executable about itself."""
        asked = subprocess.run([python, "-c", _DESCRIBE], capture_output=True, text=True, check=True)
        return cls(**json.loads(asked.stdout))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def make(folder: Path, interpreter: Interpreter, sites: Iterable[str]) -> None:
    """A virtual environment without pip in `folder`, over the packages in `sites`, as the kernel sees their paths."""
    command = [interpreter.python, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "kaggle-image.pth").write_text("".join(f"{line}\n" for line in sites), encoding="utf-8")
