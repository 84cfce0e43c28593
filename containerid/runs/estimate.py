"""How many hours a run will take of the quota: by what earlier runs of its experiment took, else by a guess."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containerid.job import ASIDE, Data, Spec, State
from containerid.runs.registry import Run
from containerid.text import duration

IMAGES_A_SECOND = 40
"""Of 640 px, forward and back, with a nano model on a T4 that two CPU cores feed; larger images count by their area."""

_SETUP, _START = 240.0, 60.0
"""Seconds until the training begins: the machine, the packages; those before a kernel's first phase alone."""

_QUICK = 0.2
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Attributes: hours (None when nothing is known), what they rest on, and whether that is a mere guess."""

    hours: float | None
    basis: str
    guess: bool = True

    def __str__(self) -> str:
        if self.hours is None:
            return self.basis
        return f"{f'{self.hours:.1f} h' if self.hours >= _QUICK else duration(self.hours * 3600)}, {self.basis}"


def estimate(spec: Spec, runs: Iterable[Run]) -> Estimate:
    """What a run will take.

    Args:
        spec: of the run.
        runs: of the registry, the newest first.
    """
    if spec.quick:
        return Estimate(_QUICK, "a guess for --quick")
    earlier = next((run for run in runs if _comparable(run, spec)), None)
    return _by(earlier, spec) if earlier else _guess(spec)


def _comparable(run: Run, spec: Spec) -> bool:
    before = run.spec
    return bool(
        run.state is State.SUCCEEDED
        and run.result
        and run.result.timeline
        and (run.project, run.experiment, run.backend) == (spec.project, spec.experiment, spec.backend)
        and (before.get("quick"), before.get("gpu")) == (spec.quick, spec.gpu)
    )


def _by(earlier: Run, spec: Spec) -> Estimate:
    timeline = earlier.result.timeline if earlier.result else {}
    phases = {name: seconds for name, seconds in timeline.items() if name not in ASIDE}
    train, rest = phases.get("train", 0.0), sum(phases.values()) - phases.get("train", 0.0)
    sessions = max(len(earlier.legs), 1)
    if sessions > 1:
        # The result is the last session's alone. What went before the training in it, each of the others did too.
        train = max(train, earlier.hours * 3600 - sessions * rest)
    ratio = _work(spec.params) / (_work(earlier.spec.get("params", {})) or 1)
    seconds = sessions * ((_START if "packages" in phases else _SETUP) + rest) + train * ratio
    count = f" in {sessions} legs" if sessions > 1 else ""
    pace = "" if ratio == 1 else f", {ratio:.2g} times the epochs and pixels"
    return Estimate(seconds / 3600, f"as {earlier.run} took{count}{pace}", guess=False)


def _guess(spec: Spec) -> Estimate:
    count = images(spec.data)
    if count is None:
        return Estimate(None, "unknown: the first run of this experiment, on data that is not here")
    seconds = _SETUP + _work(spec.params) * count / IMAGES_A_SECOND
    epochs = _of(spec.params, "epochs", 100)
    pace, side = epochs * IMAGES_A_SECOND / _work(spec.params), _of(spec.params, "imgsz", 640)
    basis = f"a guess: {epochs:.0f} epochs × {count} images at {pace:,.0f} a second ({side:.0f} px)"
    return Estimate(seconds / 3600, basis)


def _work(params: Mapping[str, Any]) -> float:
    """Passes over one image, counted in images of 640 px."""
    return _of(params, "epochs", 100) * (_of(params, "imgsz", 640) / 640) ** 2


def _of(params: Mapping[str, Any], name: str, usual: float) -> float:
    value = (params.get("training") or {}).get(name)
    return float(value) if isinstance(value, int | float) else usual


def images(data: Data) -> int | None:
    """How many pictures a set holds; None when it does not lie here."""
    if data.provider == "synthetic":
        return int(data.options.get("images", 0))
    if data.provider != "folder":
        return None
    folder = Path(data.source)
    return sum(1 for path in folder.rglob("*") if path.suffix.lower() in _PICTURES) if folder.is_dir() else None
