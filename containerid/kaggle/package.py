"""The part of containerid that runs on the far side, gathered for kernels whose code does not hold it."""

import ast
import io
import re
import tarfile
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable


def gather() -> bytes:
    """A tar.xz of what runs on the far side: `containerid.training`, and all of ours that it imports or reads.

    The same files give the same bytes. Compressed as one, they take two thirds of what a zip of them takes.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz", format=tarfile.USTAR_FORMAT, preset=9) as archive:
        for path, content in sorted(_far_files().items()):
            member = tarfile.TarInfo(f"containerid/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _far_files() -> dict[str, bytes]:
    """Path inside `containerid` to content: training, whole, and what it leads to."""
    found = {"__init__.py": ours("__init__.py").read_bytes(), **_below("training")}
    waiting = list(found)
    while waiting:
        path = waiting.pop()
        if path.endswith(".py"):
            new = {each: ours(each).read_bytes() for each in _led_to(found[path]) if each not in found}
            found |= new
            waiting += new
    return found


def _below(folder: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in ours(folder).iterdir():
        if each.is_dir() and each.name != "__pycache__":
            found |= _below(f"{folder}/{each.name}")
        elif each.is_file():
            found[f"{folder}/{each.name}"] = each.read_bytes()
    return found


def _led_to(text: bytes) -> Iterator[str]:
    """Files of ours that a module imports, wherever in it, and templates that it names."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from _modules(module, *(f"{module}.{each.name}" for each in names))
            case ast.Import(names=names):
                yield from _modules(*(each.name for each in names))
            case ast.Constant(value=str(name)) if re.fullmatch(r"[\w.-]+", name):
                yield from filter(_exists, [f"templates/{name}"])


def _modules(*names: str) -> Iterator[str]:
    for name in names:
        top, *parts = name.split(".")
        if top == "containerid":
            for end in range(1, len(parts) + 1):
                path = "/".join(parts[:end])
                yield from filter(_exists, [f"{path}.py", f"{path}/__init__.py"])


def _exists(path: str) -> bool:
    return ours(path).is_file()


def ours(path: str) -> Traversable:
    """A file of this package, by its path inside it."""
    return resources.files("containerid").joinpath(path)
