"""Installs what a run lacks, in one call, and never touches what the machine's GPU stack is made of."""

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from containerid.kaggle.bootstrap.journal import Stop, one_line, say
from containerid.kaggle.bootstrap.pins import pin, read_pins
from containerid.kaggle.bootstrap.requirements import (
    asked_by_project,
    asked_by_trainer,
    canonical,
    in_force,
    installed,
    meets,
    trainer,
    unmet,
)
from containerid.kaggle.bootstrap.wheels import take_wheels

KEPT = re.compile(r"torch(vision|audio)?|triton|numpy|nvidia-.+|(.+-)?cuda\w*(-.+)?|.+-cu\d+")
"""Packages that are never installed over: they are built for each other and for the machine's driver."""

WHEELS = "wheels"
"""The folder in scratch where wheels lie that came from the leg before, or are on their way to the next."""

_INSTALL_TIMEOUT = 1800
_IMPORT_TIMEOUT = 300
_IMPORT = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
_FIND = "import importlib.util, sys\nimportlib.util.find_spec(sys.argv[1]) or sys.exit(f'no module {sys.argv[1]}')"


def provide_packages(
    spec: Mapping[str, Any],
    project: Path,
    environment: Mapping[str, str],
    scratch: Path,
    past: Path | None = None,
) -> dict[str, str]:
    """Install what the run asks for and this machine lacks; a later leg gets the versions that the first one got.

    A package that cannot be installed is a warning as long as the trainer can be imported without it.

    Args:
        spec: of this leg.
        project: its folder.
        environment: in which the training will run.
        scratch: a folder that goes away with the session.
        past: where what the leg before has left is attached.

    Returns:
        Name to requirement of what this run has installed, in this leg and in those before.

    Raises:
        Stop: something is missing and there is no network, or the trainer cannot be imported.
    """
    lines = asked_by_project(project, spec["install"])
    if not spec["code"]["holds_package"]:
        lines += asked_by_trainer(spec)
    pins = read_pins(spec["run"], past)
    before = _versions()
    if missing := _missing(pins, lines):
        missing = _from_past(missing, take_wheels(past, scratch / WHEELS, pins), scratch)
    else:
        say(f"nothing to install: {len(lines)} requirements")
    told = ", ".join(map(_told, missing))
    if missing and not spec["internet"]:
        raise Stop(f"packages are missing and the run has no internet: {told}")
    if missing:
        say(f"to be installed: {told}")
        if failed := install(missing, scratch):
            say(f"warning: could not be installed: {', '.join(failed)}")
            _expect_trainer(spec, project, environment, failed)
    return {name: pin(each) for name, each in _new(before).items()} | pins


def install(missing: Sequence[Any], scratch: Path) -> list[str]:
    """Install requirements, together if that can be, else one by one; the names of those that failed."""
    command = _installer(missing, scratch)
    if _try(command, missing, scratch):
        return []
    if len(missing) == 1:
        return [missing[0].name]
    say("warning: they cannot be installed together; now one by one")
    return [each.name for each in missing if not _try(command, [each], scratch)]


def _installer(missing: Sequence[Any], scratch: Path) -> list[str]:
    return _uv(missing, scratch) or _pip(scratch)


def _missing(pins: Mapping[str, str], lines: Sequence[str]) -> list[Any]:
    """What of the pins is not here, and of all else that is asked for; a pin stands for what else asks for its name."""
    pinned = _lacking(in_force(pins.values())) if pins else []
    asked = _lacking(in_force(lines)) if lines else []
    return [*pinned, *(each for each in asked if canonical(each.name) not in pins)]


def _from_past(missing: list[Any], wheels: Mapping[str, str], scratch: Path) -> list[Any]:
    """Install what the leg before has left for this one; what is missing still."""
    taken = [each for each in missing if canonical(each.name) in wheels]
    if not taken:
        return missing
    exact = [f"{canonical(each.name)}=={wheels[canonical(each.name)]}" for each in taken]
    say(f"installed from what the leg before has left: {', '.join(exact)}")
    command = [*_installer(taken, scratch), "--no-index", "--find-links", str(scratch / WHEELS)]
    if not _try(command, exact, scratch):
        say("warning: that cannot be done here; now from the network")
    return [each for each in missing if unmet(each)]


def trainer_complaint(spec: Mapping[str, Any], project: Path, environment: Mapping[str, str]) -> str:
    """Why the trainer cannot be imported: one line, empty when it can."""
    ours = spec["entry"] == "containerid.training"
    carried = () if spec["code"]["holds_package"] else ("pydantic", "yaml")
    checks = [[_IMPORT, "containerid.training", *carried, *filter(None, (trainer(spec),))]]
    if not ours:
        # The project's own module is not imported: its training may start as soon as it is.
        checks.append([_FIND, spec["entry"]])
    return next(filter(None, (python_complaint(each, project, environment) for each in checks)), "")


def python_complaint(arguments: Sequence[str], project: Path, environment: Mapping[str, str]) -> str:
    """The last word on stderr of `python -c` with these arguments in the project's folder; empty when all went well."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", *arguments],
        env=dict(environment),
        cwd=project,
        capture_output=True,
        timeout=_IMPORT_TIMEOUT,
        check=False,
    )
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
    return one_line(lines[-1]) if done.returncode else ""


def _lacking(requirements: Iterable[Any]) -> list[Any]:
    """What is not here, each once; what must stay as it is is only told of."""
    found: dict[str, Any] = {}
    for each in (lacking for asked in requirements for lacking in unmet(asked)):
        here = installed(each.name)
        if here and KEPT.fullmatch(canonical(each.name)):
            say(f"warning: {each.name} {here.version} stays as it is, although {_told(each)} is asked for")
        else:
            found[str(each)] = each
    return list(found.values())


def _told(requirement: Any) -> str:
    here = installed(requirement.name)
    return f"{requirement.name}{requirement.specifier}" + (f" ({here.version} is here)" if here else "")


def _uv(missing: Sequence[Any], scratch: Path) -> list[str] | None:
    """The call of uv, if it is here. What must stay is taken out of its sight by overrides that never apply.

    So is what Python can import and uv does not see, because it lies outside the environment's own folder: a `.pth`
    file or a system folder shows it. Only uv's overrides work for both, since they need no version that uv could find.
    """
    program = shutil.which("uv")
    if not program and not importlib.util.find_spec("uv"):
        return None
    named = {canonical(each.name) for each in missing}
    own = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
    stay = [
        name
        for name, each in _distributions().items()
        if name not in named and (KEPT.fullmatch(name) or Path(str(each.locate_file(""))).resolve() not in own)
    ]
    overrides = scratch / "overrides.txt"
    overrides.write_text("".join(f"{name} ; sys_platform == 'never'\n" for name in sorted(stay)), encoding="utf-8")
    command = [program] if program else [sys.executable, "-m", "uv"]
    return [*command, "pip", "install", "--python", sys.executable, "--override", str(overrides)]


def _pip(scratch: Path) -> list[str]:
    """The call of pip, which sees all that Python sees; what must stay is held by its version."""
    stay = {name: each.version for name, each in _distributions().items() if KEPT.fullmatch(name)}
    constraints = scratch / "constraints.txt"
    constraints.write_text("".join(f"{name}=={each}\n" for name, each in sorted(stay.items())), encoding="utf-8")
    return [sys.executable, "-m", "pip", "install", "--constraint", str(constraints)]


def _try(command: Sequence[str], requirements: Sequence[Any], folder: Path) -> bool:
    environment = {
        **os.environ,
        "UV_NO_PROGRESS": "1",
        "UV_BREAK_SYSTEM_PACKAGES": "1",
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_ROOT_USER_ACTION": "ignore",
    }

    try:
        done = subprocess.run(
            [*command, *map(str, requirements)],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            timeout=_INSTALL_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"warning: {one_line(error)}")
        return False
    importlib.invalidate_caches()
    return done.returncode == 0


def _distributions() -> dict[str, importlib.metadata.Distribution]:
    """All that Python can import, the first of each name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for each in importlib.metadata.distributions():
        if (name := each.metadata["Name"]) and each.metadata["Version"]:
            found.setdefault(canonical(name), each)
    return found


def _versions() -> dict[str, str]:
    return {name: each.version for name, each in _distributions().items()}


def _new(before: Mapping[str, str]) -> dict[str, importlib.metadata.Distribution]:
    """What is here and was not. What of it asks for more than is here is said: it was resolved with another."""
    found = {name: each for name, each in _distributions().items() if before.get(name) != each.version}
    for name, each in found.items():
        for asked in _short(each):
            say(f"warning: {name} {each.version} asks for {_told(asked)}")
    return found


def _short(found: importlib.metadata.Distribution) -> Iterator[Any]:
    for asked in in_force(found.requires or ()):
        here = installed(asked.name)
        if here is None or not meets(here.version, asked):
            yield asked


def _expect_trainer(
    spec: Mapping[str, Any], project: Path, environment: Mapping[str, str], failed: Sequence[str]
) -> None:
    if complaint := trainer_complaint(spec, project, environment):
        raise Stop(f"the trainer cannot be imported: {complaint} (not installed: {', '.join(failed)})")
