"""The kernel's life: code, hardware, packages, training, result."""

import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from containerid.kaggle.bootstrap.ahead import Ahead
from containerid.kaggle.bootstrap.child import Relay
from containerid.kaggle.bootstrap.code import bring_code, bring_package
from containerid.kaggle.bootstrap.ear import STOP_FILE, Ear, announce, session_id
from containerid.kaggle.bootstrap.journal import BEGAN, BOOTSTRAP, PHASES_BEFORE, SPEC, Interrupted, Journal, Stop, say
from containerid.kaggle.bootstrap.outcome import MANIFEST, PAUSED, RESULT, Verdict, conclude, leave
from containerid.kaggle.bootstrap.packages import WHEELS, provide_packages, python_complaint
from containerid.kaggle.bootstrap.pins import past_folder, write_pins
from containerid.kaggle.bootstrap.wheels import leave_wheels, time_to_pack

PATIENCE = 300.0
"""Seconds for which what was begun ahead is waited for when all else is ready."""

_OURS = """
import containerid, os, sys
found, expected = map(os.path.realpath, (containerid.__file__, sys.argv[1]))
sys.exit(None if found.startswith(expected + os.sep) else f"another one is in its place, {found}")
"""


class Places(NamedTuple):
    """Where things are: the spec's file, the project, scratch, and the folder with `working` and `input`."""

    document: Path
    project: Path
    scratch: Path
    root: Path


def main(cargo: dict[str, Any]) -> int:
    """Carry out one run; the kernel's exit code.

    `CID_KAGGLE_ROOT` is the folder with `working` and `input`, /kaggle when unset. The code is unpacked below TMPDIR
    and removed at the end: everything in `working` becomes an output.
    """
    spec = cargo["spec"]
    say(f"cid-bootstrap {BOOTSTRAP} spec {spec.get('version')} run {json.dumps(spec.get('run'))[1:-1]}")
    root = Path(os.environ.get("CID_KAGGLE_ROOT", "/kaggle"))
    out, journal, relay = root / "working", Journal(), Relay()
    scratch = Path(tempfile.mkdtemp(prefix="cid-"))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (RESULT, MANIFEST):
            (out / name).unlink(missing_ok=True)
        return _run(cargo, scratch, root, journal, relay)
    except Interrupted as stop:
        relay.ending = True
        name = signal.Signals(stop.number).name
        return leave(
            out, spec, journal, Verdict("cancelled", f"stopped by {name} in {journal.phase}", 128 + stop.number)
        )
    except Stop as stop:
        relay.ending = True
        return leave(out, spec, journal, Verdict("failed", str(stop)))
    except Exception as error:  # whatever it is, the run must not end without a result
        relay.ending = True
        traceback.print_exc()
        return leave(out, spec, journal, Verdict("failed", f"{type(error).__name__}: {error}"))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(cargo: dict[str, Any], scratch: Path, root: Path, journal: Journal, relay: Relay) -> int:
    spec = cargo["spec"]
    if spec.get("version") != SPEC:
        raise Stop(f"this kernel reads spec version {SPEC}, not {spec.get('version')}: both ends must be one version")
    announce(session_id())
    stop_file = scratch / "stop"
    if control := cargo.get("control"):
        Ear(control, spec, root / "working", stop_file).start()
    journal.enter("code")
    project, path = _bring(cargo, scratch, root / "input")
    environment = _environment(path) | {STOP_FILE: str(stop_file)}
    if complaint := python_complaint([_OURS, str(path[0])], project, environment):
        raise Stop(f"the containerid of this run cannot be imported: {complaint}")
    document = scratch / "spec.json"
    document.write_text(json.dumps(spec), encoding="ascii")
    journal.leave()

    given = ("--spec", document, "--input", root / "input")
    pull = _pull(spec, given, scratch, environment, project)
    weights = Ahead(_module("containerid.training.prefetch", *given), environment, project)
    try:
        pins = _prepare(spec, Places(document, project, scratch, root), environment, journal, relay)
        weights.wait(PATIENCE)
        if weights.brought:
            journal.timeline["weights"] = weights.seconds

        relay.ending = True
        environment["CID_TIMELINE"] = json.dumps(journal.timeline)
        command = _module("containerid.training", *given, "--out", root / "working")
        ended = relay.follow(command, environment, project)
        if pins and ended.code == PAUSED and not ended.asked:
            leave_wheels(pins, root / "working", scratch / WHEELS, time_to_pack(spec))
            ended = ended._replace(said="")  # the result stands in the last line
        return conclude(root / "working", spec, journal, ended)
    finally:
        for each in (weights, *pull):
            each.end()


def _pull(
    spec: dict[str, Any], given: Sequence[object], scratch: Path, environment: dict[str, str], project: Path
) -> list[Ahead]:
    """Begin to pull a set that lies in DVC. The training finds the lock, waits for what still runs, and goes on.

    A DVC that is not here now may be half installed a moment later: then the pull gets one of its own.
    """
    if spec["data"]["provider"] != "dvc" or not spec["internet"]:
        return []
    folder = scratch / "ahead"
    folder.mkdir()
    environment["CID_AHEAD"] = str(folder)
    apart = [] if importlib.util.find_spec("dvc") else ["--apart"]
    command = _module("containerid.training.ahead", *given, *apart)
    return [Ahead(command, environment, project, folder / "pull.lock")]


def _prepare(
    spec: dict[str, Any], places: Places, environment: dict[str, str], journal: Journal, relay: Relay
) -> dict[str, str]:
    """Prove the hardware, then install what is missing; what the run has installed, as `provide_packages` gives it."""
    document, project, scratch, root = places
    journal.enter("hardware")
    ended = relay.follow(_module("containerid.training.hardware", "--spec", document), environment, project)
    if ended.asked:
        raise Interrupted(ended.asked)
    if ended.code:
        raise Stop(ended.said or ended.complained or f"the hardware check ended with exit code {ended.code}")
    journal.leave()

    journal.enter("packages")
    pins = provide_packages(spec, project, environment, scratch, past_folder(spec, root / "input"))
    write_pins(root / "working", spec["run"], pins)
    journal.leave()
    return pins


def _bring(cargo: dict[str, Any], scratch: Path, mounts: Path) -> tuple[Path, list[Path]]:
    """Unpack the code; the project's folder, and the folders that its modules are imported from, the first one ours."""
    code = cargo["spec"]["code"]
    tree, package = scratch / "code", scratch / "containerid"
    bring_code(cargo, tree, mounts)
    project = (tree / code["folder"]).resolve()
    if not (project.is_dir() and project.is_relative_to(tree.resolve())):
        raise Stop(f"the code holds no folder {code['folder']}, where the project should be")
    if code["holds_package"]:
        return project, [tree, project]
    bring_package(cargo, package)
    return project, [package, project]


def _environment(path: list[Path]) -> dict[str, str]:
    places = [str(each) for each in path] + list(filter(None, [os.environ.get("PYTHONPATH")]))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONUNBUFFERED": "1",
        "CID_PHASES_BEFORE": str(len(PHASES_BEFORE)),
        "CID_SESSION_BEGAN": str(BEGAN),
        # Ultralytics imports albumentations, which waits a minute for its update check when there is no network.
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


def _module(name: str, *arguments: object) -> list[str]:
    """`python -m`, without the working folder in front of PYTHONPATH (-P)."""
    return [sys.executable, "-P", "-u", "-m", name, *map(str, arguments)]
