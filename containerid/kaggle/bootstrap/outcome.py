"""How the run ended, for whoever fetches it: result.json, manifest.json and the last line of the log."""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

from containerid.kaggle.bootstrap.journal import PHASES_AFTER, Journal, now, one_line, say

RESULT = "result.json"
MANIFEST = "manifest.json"
MARK = "CID_RESULT "
FAILED, PAUSED = 7, 9
_GOOD_ENDS = ("failed", "paused", "cancelled")


class Verdict(NamedTuple):
    """How the run ended: outcome, reason and exit code as in the result."""

    outcome: str
    reason: str
    code: int = FAILED


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: as a shell gives it, 128 + n when signal n killed it.
        killer: the signal that killed it, 0 for none.
        asked: the signal that was passed on to it, 0 for none.
        phase: the last one that it announced; empty for none.
        said: the last line of its stdout.
        complained: the last line of its stderr.
    """

    code: int
    killer: int = 0
    asked: int = 0
    phase: str = ""
    said: str = ""
    complained: str = ""


def conclude(out: Path, spec: dict[str, Any], journal: Journal, ended: Ended) -> int:
    """Leave a result for a training that has ended, its own where that tells the truth; the kernel's exit code."""
    found = _left(out, spec["run"])
    if found and (found["outcome"] in _GOOD_ENDS or (found["outcome"] == "succeeded" and not ended.code)):
        if not ended.said.startswith(MARK):
            say(MARK + json.dumps(found))
        return _exit_code(found["outcome"], ended.code)
    journal.phase = ended.phase or PHASES_AFTER[0]
    outcome = "cancelled" if ended.asked else "failed"
    verdict = Verdict(outcome, _reason(ended, journal.phase), ended.code or FAILED)
    return leave(out, spec, journal, verdict, found)


def _exit_code(outcome: str, code: int) -> int:
    """Only the outputs of a kernel that ended well can be attached to another, and the next leg needs a pause's."""
    if outcome == "paused" and code == PAUSED:
        return 0
    return code or (0 if outcome == "succeeded" else FAILED)


def leave(
    out: Path, spec: dict[str, Any], journal: Journal, verdict: Verdict, found: dict[str, Any] | None = None
) -> int:
    """Write the result and the manifest to `out`, and print the last line; the exit code.

    Of what the training wrote before it ended badly (`found`), all that the verdict does not speak of is kept.
    """
    sent = spec.get("code", {})
    result = {
        **(found or {"timeline": journal.timeline, "started": journal.started}),
        "version": spec.get("version"),
        "run": spec.get("run"),
        "outcome": verdict.outcome,
        "phase": journal.phase,
        "reason": one_line(verdict.reason),
        "exit_code": verdict.code,
        "sha": sent.get("sha", ""),
        "tree": sent.get("tree", ""),
        "ended": now(),
    }
    try:
        _write(out / RESULT, result)
        _write(out / MANIFEST, {"version": 1, "run": spec.get("run"), "files": _listing(out)})
    except OSError as error:
        say(f"warning: the result could not be written: {one_line(error)}")
    say(MARK + json.dumps(result))
    return verdict.code


def _reason(ended: Ended, phase: str) -> str:
    if ended.asked:
        forced = ", and killed because it did not end" if ended.killer == signal.SIGKILL else ""
        return f"stopped by {_named(ended.asked)} in {phase}{forced}"
    if ended.killer:
        often = " (often host memory)" if ended.killer == signal.SIGKILL else ""
        return f"killed by {_named(ended.killer)} in {phase}{often}"
    if not ended.code:
        return f"the training ended without a result, in {phase}"
    last = f": {ended.complained}" if ended.complained else ""
    return f"the training ended with exit code {ended.code} in {phase}{last}"


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _left(out: Path, run: str) -> dict[str, Any] | None:
    """The result of this run, when it is whole: the manifest is written last."""
    try:
        result = json.loads((out / RESULT).read_bytes())
    except (OSError, ValueError):
        return None
    whole = isinstance(result, dict) and result.get("run") == run and "outcome" in result
    return result if whole and (out / MANIFEST).is_file() else None


def _listing(out: Path) -> list[dict[str, Any]]:
    paths = (path for path in sorted(out.rglob("*")) if path.is_file() and not path.is_symlink())
    return [
        {"path": path.relative_to(out).as_posix(), "size": path.stat().st_size, "sha256": _sha256(path)}
        for path in paths
        if path != out / MANIFEST
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, document: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")
    os.replace(part, path)  # noqa: PTH105
