"""The model names that timm knows, without importing it: those of a list, and those of the version that is installed.

Importing timm takes seconds, for it imports PyTorch; reading the files of its models takes a twentieth of a second.
"""

import re
from functools import cache
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path

from containerid.config.rules import suggestion

TIMM = "timm/"
"""What the architecture of an image classifier of timm begins with: `timm/resnet18`."""
VERSION = "1.0.31"
"""Of timm, whose names the list holds: what its `list_models()` gives, a line each."""
LIST = "timm-models.txt"
_DEFINED = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_RENAMED = re.compile(r"^register_model_deprecations\(__name__, \{(.*?)\}\)", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"['\"](\w+)['\"]\s*:")


@cache
def listed() -> frozenset[str]:
    """The names of the list."""
    return frozenset(resources.files("containerid").joinpath("templates", LIST).read_text(encoding="utf-8").split())


@cache
def installed() -> frozenset[str]:
    """The names that the installed timm has; none where it is not installed."""
    package = find_spec("timm")
    return names_in(Path(package.origin).parent / "models") if package and package.origin else frozenset()


def names_in(folder: Path) -> frozenset[str]:
    """The names that the modules in a folder define, old ones that they still take too."""
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    renamed = (name for text in texts for names in _RENAMED.findall(text) for name in _KEY.findall(names))
    return frozenset(name for text in texts for name in _DEFINED.findall(text)) | frozenset(renamed)


def refused(architecture: str, here: frozenset[str] | None = None) -> str:
    """Why this can be trained nowhere that is known; empty where it may.

    Args:
        architecture: begins with `timm/`.
        here: the names that the timm of this machine has, none where it has none; looked up when None.
    """
    name, here = _plain(architecture), installed() if here is None else here
    if not name:
        return "must name a model after `timm/`, such as `timm/resnet18`"
    if not here or name in listed() | here:
        return ""
    version = metadata.version("timm")
    return f"timm {version}, which is installed here, has no such model{_nearest(name)}; a newer one may"


def doubted(architecture: str, here: frozenset[str] | None = None) -> str:
    """What speaks against the name where no timm is installed that could be asked; empty where nothing does."""
    name, here = _plain(architecture), installed() if here is None else here
    if here or name in listed():
        return ""
    return f"timm {VERSION} has no model `{name}`{_nearest(name)}; a newer one may, and decides where it trains"


def _plain(architecture: str) -> str:
    """Without the name of the weights: `resnet18` of `timm/resnet18.a1_in1k`."""
    return architecture.removeprefix(TIMM).partition(".")[0]


def _nearest(name: str) -> str:
    near = suggestion(name, sorted(listed() | installed()))
    return near.replace("`", f"`{TIMM}", 1)
