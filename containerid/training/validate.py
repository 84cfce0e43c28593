"""Looking at the data before a GPU second is spent on it."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from containerid.dataset import check, classes, pixels, sets, tasks
from containerid.dataset.view import view
from containerid.errors import RunFailed
from containerid.report.outputs import DATA_FILE
from containerid.training import records
from containerid.training.log import say
from containerid.training.session import Session

_LOOK = 60.0
"""Seconds for decoding images; the structure of all is looked at first."""
QUICK = {"train": 16, "val": 8, "test": 8}
"""Images of each split that a quick run uses."""
_SHOWN = 20
_KEPT = 500
"""Findings of the data check that are printed, and that are written down; all are counted."""


def validate(session: Session) -> None:
    """Check a detection set, and make the view of it that Ultralytics gets. Raises RunFailed when it is not good."""
    if session.params.model.task == "classify":
        _validate_classes(session)
        return
    file = session.folder and sets.find_yaml(session.folder)
    if not file:
        raise RunFailed(f"the data holds no {sets.YAML}", hint="it needs `train:`, `val:` and `names:`")
    try:
        session.dataset = sets.read(file)
        deep = not session.spec.quick and not pixels.missing()
        minimum = session.params.data.minimum.model_dump()
        task = session.params.model.task
        session.report = check.check(session.dataset, minimum, task=task, deep=deep, seconds=_LOOK)
        limits = QUICK if session.spec.quick else {}
        session.view = view(
            session.dataset, session.place.scratch / "view", limits, _mixed(session.dataset, session.report)
        )
        tasks.complete(session.view, session.dataset, task)
    except sets.DatasetError as error:
        session.report = check.refuse(error)
    tell(session)


def _mixed(dataset: sets.Dataset, report: check.Report) -> frozenset[Path]:
    """Labels that the view has to write anew; none of a set that will not be trained on."""
    if report.errors:
        return frozenset()
    return frozenset(dataset.root / each.path for each in report.of("label-mixed"))


def _validate_classes(session: Session) -> None:
    try:
        session.dataset = classes.read(session.folder or session.place.project)
        session.report = classes.check(session.dataset, session.params.data.minimum.model_dump())
        limits = QUICK if session.spec.quick else {}
        session.view = tasks.view_classes(session.dataset, session.place.scratch / "view", limits)
    except sets.DatasetError as error:
        session.report = check.refuse(error)
    tell(session)


def tell(session: Session) -> None:
    """Say what was found and write it down. Raises RunFailed when there are errors."""
    report = session.report
    records.write(session.out / DATA_FILE, json.dumps(_told(report), indent=1) + "\n")
    for split, counts in report.counts.items():
        say(f"{split}: {', '.join(f'{number} {what}' for what, number in counts.items())}")
    worth = [each for each in report.findings if each.severity != check.INFO]
    findings = sorted(worth, key=lambda each: check.SEVERITIES.index(each.severity))
    for finding in findings[:_SHOWN]:
        say(f"{finding}{f' ({finding.fix})' if finding.fix else ''}")
    if len(findings) > _SHOWN:
        say(f"… and {len(findings) - _SHOWN} more")
    if verdict := report.verdict:
        raise RunFailed(verdict)


def _told(report: check.Report) -> dict[str, Any]:
    order = sorted(report.findings, key=lambda each: check.SEVERITIES.index(each.severity))
    return {
        "findings": [asdict(each) for each in order[:_KEPT]],
        "counts": dict(Counter(each.severity for each in order)),
        "splits": report.counts,
        "classes": report.classes,
    }
