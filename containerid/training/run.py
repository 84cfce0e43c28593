"""One leg from its spec to its result: the phases in order, and a result.json on every exit."""

import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.config import ENTRY, Params
from containerid.errors import CidError, RunCancelled, RunFailed, RunPaused
from containerid.job import CHECKPOINT_FILE, MANIFEST_FILE, RESULT_FILE, Result, Spec
from containerid.report import run as report
from containerid.training import (
    advice,
    ahead,
    asked,
    branch,
    budget,
    checkpoint,
    data,
    dvc,
    environment,
    hardware,
    heartbeat,
    history,
    publish,
    records,
    secrets,
    trainers,
)
from containerid.training.extras import attempt
from containerid.training.log import Log, say
from containerid.training.session import Session, now
from containerid.training.stop import Stop, Stopped, stop_signals

PHASES = ("environment", "data", "validate", "train", "evaluate", "report")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a leg ended: the outcome and exit code of a Result, and the reason in one line."""

    outcome: str
    code: int
    reason: str = ""


def run(spec_file: Path, out: Path, mounts: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Run a spec to its end.

    Args:
        spec_file: a Spec as JSON.
        out: the output folder; made if missing.
        mounts: where Kaggle attaches datasets.
        environ: `CID_PHASES_BEFORE` is how many phases the log has numbered already, `CID_SESSION_BEGAN` when the
            session began and `CID_TIMELINE` what has gone before (see `budget`), `CID_STOP_FILE` which file asks for a
            pause (see `stop`), `CID_AHEAD` where a pull was begun (see `ahead`).

    Returns:
        The exit code: 0 succeeded, 7 failed or a gate not met, 8 cancelled, 9 paused.
    """
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for name in (RESULT_FILE, MANIFEST_FILE, report.REPORT_FILE):
        # Of the leg before, which on this machine ended in the same folder.
        (out / name).unlink(missing_ok=True)
    since = budget.began(environ)
    started = now(time.monotonic() - since)
    log = Log(out / "train.log", PHASES, int(environ.get("CID_PHASES_BEFORE", "0")))
    with stop_signals(environ) as stop:
        with log:
            spec, session, ending = _live(spec_file.absolute(), out, mounts, log, stop, environ)
            for caution in secrets.sweep(out, log.redactor):
                log.caution(caution)
            result = Result.from_dict(log.redactor.clean_all(_result(spec, session, ending, started).to_dict()))
            say(f"{result.outcome}{f': {result.reason}' if result.reason else ''}")
        try:
            done = ending.outcome == "succeeded" or (ending.outcome == "failed" and result.phase == PHASES[-1])
            records.write_result(out, result)
            _write_page(out, log.redactor.clean_all(spec.to_dict()))
            records.write_manifest(out, result.run, (CHECKPOINT_FILE,) if done else ())
            if done:
                # Not before: whoever is killed until then can still be gone on with.
                checkpoint.prune(out)
        except OSError as error:
            say(f"caution: the records cannot be written ({error})")
        log.end(result)
    return ending.code


def _live(
    spec_file: Path, out: Path, mounts: Path, log: Log, stop: Stop, environ: Mapping[str, str]
) -> tuple[Spec, Session | None, Ending]:
    spec, session = Spec(run=""), None
    try:
        spec = asked.read(spec_file)
        with tempfile.TemporaryDirectory(prefix="cid-", ignore_cleanup_errors=True) as scratch:
            place = data.Place(Path.cwd(), mounts.absolute(), Path(scratch).resolve(), ahead=ahead.folder(environ))
            time_left = budget.Budget(spec.budget, budget.began(environ))
            session = Session(spec, Params.from_dict(spec.params), spec_file, out, place, log, stop, time_left)
            session.timeline |= budget.before(environ)
            with heartbeat.beating(session):
                for name, phase in _phases(session).items():
                    _enter(session, name, phase)
        ending = Ending("succeeded", 0)
    except BaseException as error:
        ending = _ending(error, session, stop)
    finally:
        stop.disarm()
    if session is not None:
        session.tracking.abandon()
    return spec, session, ending


def _phases(session: Session) -> dict[str, Callable[[Session], None]]:
    trainer = trainers.choose(session)
    work = (trainer.validate, trainer.train, trainer.evaluate)
    return dict(zip(PHASES, (_environment, _data, *work, _report), strict=True))


def _enter(session: Session, name: str, phase: Callable[[Session], None]) -> None:
    session.stop.check()
    session.phase = name
    session.log.phase(name)
    begun = time.monotonic()
    try:
        phase(session)
    finally:
        session.timeline[name] = round(time.monotonic() - begun, 3)
        if session.budget.first_batch:
            session.timeline["first_batch"] = session.budget.first_batch


def _environment(session: Session) -> None:
    session.environment = environment.describe(session.out)
    for name, value in session.environment.items():
        say(f"{name}: {json.dumps(value) if isinstance(value, dict) else value}")
    session.hardware = hardware.prove(session.spec)
    say(f"proof: {session.hardware.proof}")
    if len(session.hardware.gpus) > 1:
        say(f"used: GPU {', '.join(map(str, session.hardware.indices))}")
    session.extras["accelerator"] = session.hardware.told()
    spec = session.spec
    _collect(session)
    if spec.entry == ENTRY:
        session.past = checkpoint.bring(spec, session.place.mounts, session.out)
    if session.past:
        session.before = history.seconds(history.read(session.out))
    if session.past and (halved := session.past.state.get("halved")):
        session.extras["halved"] = list(halved)


def _collect(session: Session) -> None:
    spec, redactor = session.spec, session.log.redactor
    pushes = spec.publish.asked and bool(spec.code.ref)
    needed = secrets.needed(
        online=session.params.wandb.mode == "online",
        drive=(spec.data.provider == "dvc" or pushes) and dvc.on_drive(session.place.project),
        pushes=pushes,
    )
    parcel = secrets.Parcel(spec.run, spec.secrets, session.place.mounts)
    for found in secrets.collect(needed, redactor, parcel=parcel).values():
        say(str(found))
    if pushes:
        session.token = os.environ.pop(secrets.GITHUB, "")
        redactor.add(branch.password(session.token))


def _data(session: Session) -> None:
    source = session.spec.data
    if session.spec.entry != ENTRY and source.provider == "folder" and not source.source:
        say(f"none asked for: left to {session.spec.entry}")
        return
    begun = time.monotonic()
    session.folder = data.provide(source, session.place)
    if source.provider == "dvc":
        begun_ahead = ahead.read(session.place.ahead) if session.place.ahead else ahead.Pull()
        took = begun_ahead.seconds if begun_ahead.done else round(time.monotonic() - begun, 3)
        session.timeline["pull"] = took
    session.digest = data.verify(session.folder, source.digest)
    say(f"{source.provider}: {session.folder.name}, SHA-256 {session.digest}")


def _write_page(out: Path, spec: Mapping[str, Any]) -> None:
    """The page is made last, of what all the other files say, and of a failed run too; without it a run is as good."""
    try:
        page = report.write(out, spec=spec)
        say(f"{page.name}: {page.stat().st_size / 1024:.0f} KiB")
    except Exception as error:
        say(f"caution: {report.REPORT_FILE} cannot be made ({type(error).__name__}: {error})")


def _report(session: Session) -> None:
    session.tracking.finish(session.metrics, sorted(session.out.glob("*.png")))
    gates = records.judged(session)
    unmet = [gate for gate in gates if not gate.met]
    attempt(session, "advice", lambda: advice.give(session, [gate.metric for gate in unmet]))
    records.write_metadata(session)
    publish.publish(session, gates)
    attempt(session, "summary.md", lambda: records.write_summary(session))
    for name, value in session.metrics.items():
        say(f"{name}: {value:.4f}")
    for line in session.extras.get("advice", ()):
        say(f"advice: {line}")
    if unmet:
        first = next(iter(session.extras.get("advice", ())), "")
        raise RunFailed(f"gates not met: {'; '.join(map(str, unmet))}", hint=first[:1].lower() + first[1:])


def _ending(error: BaseException, session: Session | None, stop: Stop) -> Ending:
    # A signal that a library met in its own way still is what ended the run.
    if stop.signal or isinstance(error, Stopped):
        return Ending("cancelled", RunCancelled.code, f"stopped by {stop.signal} in {_place(session)}")
    if isinstance(error, RunPaused):
        return Ending("paused", RunPaused.code, error.message)
    if isinstance(error, CidError):
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
        return Ending("failed", RunFailed.code, " ".join(reason.split()))
    say("".join(traceback.format_exception(error)).rstrip())
    text = " ".join(str(error).split())
    return Ending("failed", RunFailed.code, f"{type(error).__name__}{f': {text[:300]}' if text else ''}")


def _place(session: Session | None) -> str:
    if session is None or not session.phase:
        return "the start"
    return session.phase + (f", after epoch {session.epochs}" if session.phase == "train" and session.epochs else "")


def _result(spec: Spec, session: Session | None, ending: Ending, started: str) -> Result:
    return Result(
        run=spec.run,
        outcome=ending.outcome,
        phase=session.phase if session else "",
        reason=ending.reason,
        exit_code=ending.code,
        sha=spec.code.sha,
        tree=spec.code.tree,
        started=started,
        ended=now(),
        metrics=session.metrics if session else {},
        proof=session.hardware.proof if session else "",
        timeline=session.timeline if session else {},
        environment=session.environment if session else {},
        tracking=session.tracking.where if session else {},
        published=session.published if session else {},
        checkpoint=session.checkpoint if session and ending.code else {},
    )
