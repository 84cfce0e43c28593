"""Which packages a project asks for, and which of them are not here."""

import importlib
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.journal import Stop, one_line, say

TRAINER = {
    "": ("pydantic>=2.11", "pyyaml>=6.0.2"),
    "ultralytics": ("ultralytics>=8.4.190,<8.5",),
    "timm": ("timm>=1.0.20,<2",),
    "wandb": ("wandb>=0.31",),
    "secrets": ("cryptography>=42",),
}
"""What a carried containerid needs: always, and for what a run uses. DVC gets an environment of its own, and later."""

_CARET = re.compile(r"(\^|~)\s*(\d+(?:\.\d+)*)")


def asked_by_project(project: Path, extras: Sequence[str]) -> list[str]:
    """The dependencies of the project's pyproject.toml, those of its extras included, as they stand there.

    Raises:
        Stop: the file cannot be read.
    """
    path = project / "pyproject.toml"
    if not path.is_file():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Stop(f"pyproject.toml cannot be read: {one_line(error)}") from error
    table = document.get("project", {})
    poetry = document.get("tool", {}).get("poetry", {})
    if "dependencies" in table or not poetry:
        return list(_standard(table, extras))
    return list(_poetry(poetry, extras))


def trainer(spec: Mapping[str, Any]) -> str:
    """The package that trains the model; empty where the project does that by itself."""
    if spec["entry"] != "containerid.training":
        return ""
    architecture = spec["params"].get("model", {}).get("architecture", "")
    return "timm" if str(architecture).startswith("timm/") else "ultralytics"


def asked_by_trainer(spec: Mapping[str, Any]) -> list[str]:
    """What the carried containerid needs for this run."""
    trains = trainer(spec)
    uses = {
        "": True,
        "ultralytics": trains == "ultralytics",
        "timm": trains == "timm",
        "wandb": spec["params"].get("wandb", {}).get("mode") == "online",
        "secrets": bool(spec.get("secrets")),
    }
    return [each for name, used in uses.items() if used for each in TRAINER[name]]


def in_force(lines: Iterable[str]) -> list[Any]:
    """The requirements that hold on this machine: parsed, markers evaluated. Unreadable ones are said."""
    requirement = packaging("requirements")
    found = []
    for line in lines:
        try:
            each = requirement.Requirement(line)
        except requirement.InvalidRequirement as error:
            say(f"warning: left out, not a requirement: {one_line(error)}")
            continue
        if canonical(each.name) != "containerid" and (not each.marker or each.marker.evaluate({"extra": ""})):
            each.marker = None
            found.append(each)
    return found


def unmet(requirement: Any, asking: frozenset[str] = frozenset()) -> list[Any]:
    """What must be installed for one requirement: itself, or what one of its extras lacks; empty when all is here."""
    found = installed(requirement.name)
    if found is None or not meets(found.version, requirement):
        return [requirement]
    asking |= {str(requirement)}
    below = [each for extra in requirement.extras for each in _of_extra(found, extra) if str(each) not in asking]
    return [lacking for each in below for lacking in unmet(each, asking)]


def installed(name: str) -> importlib.metadata.Distribution | None:
    """What Python would import for this name; None when nothing, or nothing with a version, is there."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return found if found.metadata["Version"] else None


def meets(version: str, requirement: Any) -> bool:
    """Whether an installed version is good enough; a version that nobody can read is not."""
    try:
        return bool(requirement.specifier.contains(version, prereleases=True))
    except packaging("version").InvalidVersion:
        return False


def canonical(name: str) -> str:
    """A package's name as all tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packaging(module: str) -> Any:
    """A module of the library `packaging`, pip's own copy where it is not installed."""
    for home in ("packaging", "pip._vendor.packaging"):
        try:
            return importlib.import_module(f"{home}.{module}")
        except ImportError:
            continue
    raise Stop("requirements cannot be read: neither `packaging` nor pip is here")


def _of_extra(found: importlib.metadata.Distribution, extra: str) -> Iterator[Any]:
    requirement = packaging("requirements").Requirement
    for each in map(requirement, found.requires or ()):
        if each.marker and each.marker.evaluate({"extra": extra}) and not each.marker.evaluate({"extra": ""}):
            # No installer would install what is for an extra of something else.
            each.marker = None
            yield each


def _standard(table: Mapping[str, Any], extras: Sequence[str]) -> Iterator[str]:
    """PEP 621. An extra may name others of its own project: `all = ["name[one,two]"]`."""
    if "dependencies" in table.get("dynamic", ()):
        say("warning: pyproject.toml leaves its dependencies to the build; they are not installed")
    yield from table.get("dependencies", ())
    offered = {canonical(name): lines for name, lines in table.get("optional-dependencies", {}).items()}
    own = re.compile(re.escape(table.get("name", "")) + r"\s*\[([^\]]*)\]", re.IGNORECASE)
    open_, seen = list(map(canonical, extras)), set()
    while open_:
        extra = open_.pop()
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in offered:
            say(f"pyproject.toml has no extra `{extra}`")
        for line in offered.get(extra, ()):
            if within := own.match(line):
                open_.extend(canonical(name.strip()) for name in within[1].split(","))
            else:
                yield line


def _poetry(table: Mapping[str, Any], extras: Sequence[str]) -> Iterator[str]:
    """Poetry's own tables, as far as they are simple; the rest is said and left out."""
    offered = table.get("extras", {})
    chosen = {canonical(name) for extra in extras for name in offered.get(extra, ())}
    for name, entry in table.get("dependencies", {}).items():
        optional = isinstance(entry, dict) and entry.get("optional") and canonical(name) not in chosen
        if name == "python" or optional:
            continue
        try:
            yield _from_poetry(name, {"version": entry} if isinstance(entry, str) else entry)
        except (ValueError, TypeError, AttributeError):
            say(f"warning: left out, too special to be read: {name} in [tool.poetry.dependencies]")


def _from_poetry(name: str, entry: Mapping[str, Any]) -> str:
    if unknown := set(entry) - {"version", "extras", "markers", "optional", "source"}:
        raise ValueError(unknown)
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    bounds = ",".join(filter(None, map(_bound, entry["version"].split(","))))
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    return f"{name}{extras}{bounds}{marker}"


def _bound(text: str) -> str:
    """`^1.2` and `~1.2` as the ranges that they stand for; a bare version is that one alone."""
    text = text.strip()
    if not (short := _CARET.fullmatch(text)):
        return "" if text == "*" else f"=={text}" if text[:1].isdigit() else text
    numbers = [int(each) for each in short[2].split(".")]
    free = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    place = free if short[1] == "^" else min(1, len(numbers) - 1)
    above = [*numbers[:place], numbers[place] + 1]
    return f">={short[2]},<{'.'.join(map(str, above))}"
